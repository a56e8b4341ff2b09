
/*
 * Headers of requests and responses that nginx has no field for.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_HEADER_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_HEADER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* Gives the value of the first request header of that name, or NULL. */
ngx_str_t *ngx_http_imagegram_get_header(ngx_http_request_t *r,
    const char *name);

/*
 * Adds a response header; both strings must live as long as the request.
 */
ngx_int_t ngx_http_imagegram_add_header(ngx_http_request_t *r,
    const char *name, const char *value);

/* Likewise ETag, for which nginx answers 304 and 412. */
ngx_int_t ngx_http_imagegram_add_etag(ngx_http_request_t *r,
    const char *value);


/* Likewise Content-Encoding, which tells nginx's gzip to keep off. */
ngx_int_t ngx_http_imagegram_add_encoding(ngx_http_request_t *r,
    const char *value);


#endif /* _NGX_HTTP_IMAGEGRAM_HEADER_H_INCLUDED_ */
