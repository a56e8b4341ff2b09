
/*
 * Problem documents.  A document is rendered in the header filter, which
 * knows the final status, and sent by the body filter, both from memory of
 * the request's pool.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_access.h"
#include "ngx_http_imagegram_header.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_response.h"
#include "ngx_http_imagegram_tus.h"


typedef struct {
    ngx_uint_t   status;
    const char  *title;
    const char  *detail;    /* what is said where nothing else was */
} ngx_http_imagegram_problem_t;


static ngx_int_t ngx_http_imagegram_header_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_http_imagegram_problem_wanted(ngx_http_request_t *r);
static ngx_int_t ngx_http_imagegram_problem_render(ngx_http_request_t *r,
    ngx_http_imagegram_ctx_t *ctx);
static ngx_int_t ngx_http_imagegram_problem_status_line(ngx_http_request_t *r,
    ngx_http_imagegram_problem_t *problem);
static u_char *ngx_http_imagegram_problem_errors(u_char *p,
    ngx_http_imagegram_ctx_t *ctx);
static ngx_http_imagegram_problem_t *ngx_http_imagegram_problem_find(
    ngx_uint_t status);
static ngx_int_t ngx_http_imagegram_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


/* titles as of RFC 9110; the last one is for any other status */

static ngx_http_imagegram_problem_t  ngx_http_imagegram_problems[] = {
    { 400, "Bad Request", "the request is malformed" },
    { 401, "Unauthorized", "nobody is asking" },
    { 403, "Forbidden", "this is not for you" },
    { 404, "Not Found", "there is no such thing" },
    { 405, "Method Not Allowed", "the method is not allowed here" },
    { 408, "Request Timeout", "the request took too long to arrive" },
    { 409, "Conflict", "the request conflicts with another one" },
    { 410, "Gone", "this is over" },
    { 411, "Length Required", "the length of the body is missing" },
    { 412, "Precondition Failed", "a precondition does not hold" },
    { 413, "Content Too Large", "the request body is too large" },
    { 414, "URI Too Long", "the URI is too long" },
    { 415, "Unsupported Media Type", "the content type is not accepted" },
    { 416, "Range Not Satisfiable", "there is no such range" },
    { 421, "Misdirected Request", "the request went to the wrong server" },
    { 422, "Unprocessable Content", "a field breaks its rule" },
    { 429, "Too Many Requests", "there were too many requests" },
    { 460, "Checksum Mismatch", "the checksum does not match" },
    { 500, "Internal Server Error", "something went wrong here" },
    { 501, "Not Implemented", "this is not implemented" },
    { 502, "Bad Gateway", "a server behind this one failed" },
    { 503, "Service Unavailable", "the service is not available now" },
    { 504, "Gateway Timeout", "a server behind this one did not answer" },
    { 507, "Insufficient Storage", "there is no room on the disk" },
    { 0, "Error", "the request failed" }
};


static ngx_str_t  ngx_http_imagegram_field_names[] = {
    ngx_string("author"),
    ngx_string("body"),
    ngx_string("image")
};

/* what the image is called in a JSON body */
static ngx_str_t  ngx_http_imagegram_image_contents =
                                                 ngx_string("image_contents");


ngx_int_t
ngx_http_imagegram_problem_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_imagegram_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_imagegram_body_filter;

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_problem(ngx_http_request_t *r, ngx_int_t status,
    const char *detail)
{
    ngx_http_imagegram_ctx_t  *ctx;

    if (r == NULL) {
        return status;
    }

    ctx = ngx_http_imagegram_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->detail = detail;

    return status;
}


ngx_int_t
ngx_http_imagegram_problem_reason(ngx_http_request_t *r, unsigned reason,
    const unsigned *fields)
{
    ngx_uint_t                 i;
    ngx_http_imagegram_ctx_t  *ctx;

    if (r == NULL) {
        return imagegram_reason_status(reason);
    }

    ctx = ngx_http_imagegram_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->detail = imagegram_reason_text(reason);

    for (i = 0; i < IMAGEGRAM_FIELD_MAX; i++) {
        ctx->fields[i] = fields ? fields[i] : IMAGEGRAM_OK;

        if (ctx->fields[i] != IMAGEGRAM_OK) {
            ctx->detail = "a field is not acceptable";
        }
    }

    return imagegram_reason_status(reason);
}


static ngx_int_t
ngx_http_imagegram_header_filter(ngx_http_request_t *r)
{
    ngx_http_imagegram_ctx_t       *ctx;
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    if (!conf->enable || r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    if (ngx_http_imagegram_add_header(r, "X-Content-Type-Options", "nosniff")
        != NGX_OK
        || ngx_http_imagegram_access_headers(r) != NGX_OK
        || ngx_http_imagegram_tus_headers(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_imagegram_problem_wanted(r)) {
        ctx = ngx_http_imagegram_get_ctx(r);

        if (ctx == NULL || ngx_http_imagegram_problem_render(r, ctx) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_next_header_filter(r);
}


/* Only a page of nginx's own is replaced, not the text of a "return". */

static ngx_uint_t
ngx_http_imagegram_problem_wanted(ngx_http_request_t *r)
{
    if (r->headers_out.status < NGX_HTTP_BAD_REQUEST) {
        return 0;
    }

    return r->headers_out.content_length_n == 0
           || (r->headers_out.content_type.len == sizeof("text/html") - 1
               && ngx_strncmp(r->headers_out.content_type.data, "text/html",
                              sizeof("text/html") - 1)
                  == 0);
}


static ngx_int_t
ngx_http_imagegram_problem_render(ngx_http_request_t *r,
    ngx_http_imagegram_ctx_t *ctx)
{
    u_char                        *p;
    const char                    *detail;
    ngx_http_imagegram_problem_t  *problem;

    problem = ngx_http_imagegram_problem_find(r->headers_out.status);
    detail = ctx->detail ? ctx->detail : problem->detail;

    p = ngx_pnalloc(r->pool, 1024 + ngx_strlen(detail));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->problem.data = p;

    p = ngx_sprintf(p, "{\"type\":\"about:blank\",\"title\":\"%s\","
                    "\"status\":%ui,\"detail\":\"%s\"",
                    problem->title, r->headers_out.status, detail);
    p = ngx_http_imagegram_problem_errors(p, ctx);
    *p++ = '}';

    ctx->problem.len = p - ctx->problem.data;

    ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.content_length_n = ctx->problem.len;

    if (ngx_http_imagegram_problem_status_line(r, problem) != NGX_OK) {
        return NGX_ERROR;
    }

    if (r->headers_out.status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        return ngx_http_imagegram_add_header(r, "Retry-After", "2");
    }

    return NGX_OK;
}


/* nginx knows no reason phrase for 422 and 460 */

static ngx_int_t
ngx_http_imagegram_problem_status_line(ngx_http_request_t *r,
    ngx_http_imagegram_problem_t *problem)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN + 1 + ngx_strlen(problem->title));
    if (p == NULL) {
        return NGX_ERROR;
    }

    r->headers_out.status_line.data = p;
    r->headers_out.status_line.len = ngx_sprintf(p, "%03ui %s",
                                                 r->headers_out.status,
                                                 problem->title)
                                     - p;

    return NGX_OK;
}


static u_char *
ngx_http_imagegram_problem_errors(u_char *p, ngx_http_imagegram_ctx_t *ctx)
{
    ngx_str_t   *name;
    ngx_uint_t   i, n;

    n = 0;

    for (i = 0; i < IMAGEGRAM_FIELD_MAX; i++) {

        if (ctx->fields[i] == IMAGEGRAM_OK) {
            continue;
        }

        name = i == IMAGEGRAM_FIELD_IMAGE && ctx->json
               ? &ngx_http_imagegram_image_contents
               : &ngx_http_imagegram_field_names[i];

        p = ngx_sprintf(p, "%s{\"field\":\"%V\",\"detail\":\"%s\"}",
                        n ? "," : ",\"errors\":[", name,
                        imagegram_reason_text(ctx->fields[i]));
        n++;
    }

    if (n) {
        *p++ = ']';
    }

    return p;
}


static ngx_http_imagegram_problem_t *
ngx_http_imagegram_problem_find(ngx_uint_t status)
{
    ngx_http_imagegram_problem_t  *problem;

    for (problem = ngx_http_imagegram_problems; problem->status; problem++) {
        if (problem->status == status) {
            break;
        }
    }

    return problem;
}


static ngx_int_t
ngx_http_imagegram_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t                 *b;
    ngx_chain_t                out, *cl;
    ngx_http_imagegram_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    if (ctx == NULL || ctx->problem.len == 0 || in == NULL || r != r->main) {
        return ngx_http_next_body_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = ctx->problem.data;
    b->last = ctx->problem.data + ctx->problem.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    ctx->problem.len = 0;

    return ngx_http_next_body_filter(r, &out);
}
