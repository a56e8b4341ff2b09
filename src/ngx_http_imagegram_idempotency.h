
/*
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): the same
 * request sent twice has one effect, and the first answer twice.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_IDEMPOTENCY_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_IDEMPOTENCY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* a SHA-1 in hexadecimal digits */
#define NGX_HTTP_IMAGEGRAM_IDEMPOTENCY_HASH  40


typedef struct {
    ngx_uint_t  given;
    u_char      record[sizeof("idem:") + NGX_HTTP_IMAGEGRAM_IDEMPOTENCY_HASH];
                        /* names who asks for what with which key, a string */
    u_char      hash[NGX_HTTP_IMAGEGRAM_IDEMPOTENCY_HASH];
                        /* of the content */
} ngx_http_imagegram_idempotency_t;


/* Reads the request's header.  Gives NGX_OK, or the status to end it with. */
ngx_int_t ngx_http_imagegram_idempotency_init(ngx_http_request_t *r,
    ngx_http_imagegram_idempotency_t *idem);

/*
 * Sets hash from the fields and, unless fd is NGX_INVALID_FILE, the bytes of a
 * file, for which it blocks.  NGX_ERROR: it cannot be read, ngx_errno is set.
 */
ngx_int_t ngx_http_imagegram_idempotency_hash(
    ngx_http_imagegram_idempotency_t *idem, ngx_str_t *author, ngx_str_t *body,
    ngx_fd_t fd);

/* The key is in use (409), or was used for something else (422). */
ngx_int_t ngx_http_imagegram_idempotency_running(ngx_http_request_t *r);
ngx_int_t ngx_http_imagegram_idempotency_other(ngx_http_request_t *r);


#endif /* _NGX_HTTP_IMAGEGRAM_IDEMPOTENCY_H_INCLUDED_ */
