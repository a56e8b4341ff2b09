
/*
 * Headers of requests and responses.
 */

#include "ngx_http_imagegram_header.h"


static ngx_table_elt_t *ngx_http_imagegram_push_header(ngx_http_request_t *r,
    const char *name, const char *value);


ngx_str_t *
ngx_http_imagegram_get_header(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);
    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == len
            && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
        {
            return &h[i].value;
        }
    }
}


ngx_int_t
ngx_http_imagegram_add_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    return ngx_http_imagegram_push_header(r, name, value) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_imagegram_add_etag(ngx_http_request_t *r, const char *value)
{
    r->headers_out.etag = ngx_http_imagegram_push_header(r, "ETag", value);

    return r->headers_out.etag ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_imagegram_add_encoding(ngx_http_request_t *r, const char *value)
{
    r->headers_out.content_encoding = ngx_http_imagegram_push_header(r,
                                                   "Content-Encoding", value);

    return r->headers_out.content_encoding ? NGX_OK : NGX_ERROR;
}


static ngx_table_elt_t *
ngx_http_imagegram_push_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = ngx_strlen(value);

#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return h;
}
