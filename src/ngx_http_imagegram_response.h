
/*
 * Answers of handlers.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_RESPONSE_H_INCLUDED_


#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_answer.h"


/*
 * Sends header and body; json is memory of the request's pool.  Gives what
 * the request is to be finalized with.
 */
ngx_int_t ngx_http_imagegram_send_json(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *json);

/* Likewise 200, with what belongs to the answer; its strings are memory of the
 * request's pool. */
ngx_int_t ngx_http_imagegram_send_answer(ngx_http_request_t *r,
    ngx_http_imagegram_answer_t *answer);

/* Likewise, without a body. */
ngx_int_t ngx_http_imagegram_send_empty(ngx_http_request_t *r,
    ngx_uint_t status);

/*
 * A path below the location that this request came to, escaped, without
 * scheme and host (right behind a TLS proxy, too): PREFIX, then the
 * formatted rest.  size is room enough for the rest and its NUL.  Gives NULL
 * where there is no memory.
 */
u_char *ngx_http_imagegram_path(ngx_http_request_t *r, size_t size,
    const char *fmt, ...);


#endif /* _NGX_HTTP_IMAGEGRAM_RESPONSE_H_INCLUDED_ */
