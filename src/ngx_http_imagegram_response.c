
/*
 * Answers of handlers.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_header.h"
#include "ngx_http_imagegram_response.h"


static ngx_int_t ngx_http_imagegram_send_body(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);
static ngx_int_t ngx_http_imagegram_send_variant(ngx_http_request_t *r,
    ngx_http_imagegram_answer_t *answer);


ngx_int_t
ngx_http_imagegram_send_json(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *json)
{
    ngx_http_imagegram_answer_t  answer;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        r->disable_not_modified = 1;

        return ngx_http_imagegram_send_body(r, status, json);
    }

    ngx_memzero(&answer, sizeof(ngx_http_imagegram_answer_t));

    answer.body = *json;

    ngx_http_imagegram_answer_tag(&answer);

    return ngx_http_imagegram_send_answer(r, &answer);
}


ngx_int_t
ngx_http_imagegram_send_answer(ngx_http_request_t *r,
    ngx_http_imagegram_answer_t *answer)
{
    u_char  *etag;

    etag = ngx_pnalloc(r->pool, sizeof(answer->etag));
    if (etag == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(etag, answer->etag, sizeof(answer->etag));

    if (ngx_http_imagegram_add_etag(r, (char *) etag) != NGX_OK
        || (answer->link.len
            && ngx_http_imagegram_add_header(r, "Link",
                                             (char *) answer->link.data)
               != NGX_OK)
        || ngx_http_imagegram_send_variant(r, answer) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_imagegram_send_body(r, NGX_HTTP_OK, &answer->body);
}


/* Where gzip_vary is on, nginx's own filters may say it, too, but only once. */

static ngx_int_t
ngx_http_imagegram_send_variant(ngx_http_request_t *r,
    ngx_http_imagegram_answer_t *answer)
{
#if (NGX_HTTP_GZIP)
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (answer->varies && clcf->gzip_vary) {
        r->gzip_vary = 1;

    } else
#endif
    if (answer->varies
        && ngx_http_imagegram_add_header(r, "Vary", "Accept-Encoding")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return answer->gzip ? ngx_http_imagegram_add_encoding(r, "gzip") : NGX_OK;
}


static ngx_int_t
ngx_http_imagegram_send_body(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    /* what is kept in between is to be asked for each time */

    if (ngx_http_imagegram_add_header(r, "Cache-Control", "no-cache")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;      /* others may be sent it, too */
    b->last_buf = r == r->main;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_imagegram_send_empty(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_int_t  rc;

    r->headers_out.status = status;
    r->header_only = 1;
    r->disable_not_modified = 1;

    if (status != NGX_HTTP_NO_CONTENT) {
        r->headers_out.content_length_n = 0;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->method == NGX_HTTP_HEAD) {
        return rc;
    }

    return ngx_http_send_special(r, NGX_HTTP_LAST);
}


u_char *
ngx_http_imagegram_path(ngx_http_request_t *r, size_t size, const char *fmt,
    ...)
{
    u_char                    *path, *p;
    size_t                     len;
    va_list                    args;
    ngx_http_imagegram_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    len = ctx->base.len + 2 * ngx_escape_uri(NULL, ctx->base.data,
                                             ctx->base.len, NGX_ESCAPE_URI);

    path = ngx_pnalloc(r->pool, len + size);
    if (path == NULL) {
        return NULL;
    }

    if (len == ctx->base.len) {
        p = ngx_cpymem(path, ctx->base.data, ctx->base.len);

    } else {
        p = (u_char *) ngx_escape_uri(path, ctx->base.data, ctx->base.len,
                                      NGX_ESCAPE_URI);
    }

    va_start(args, fmt);
    p = ngx_vslprintf(p, p + size - 1, fmt, args);
    va_end(args);

    *p = '\0';

    return path;
}
