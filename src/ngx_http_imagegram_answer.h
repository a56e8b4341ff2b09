
/*
 * An answer to GET, with everything that depends on its content, ready to be
 * sent as often as one likes.  Whose memory it is, is said where it is made.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_ANSWER_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_ANSWER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* 128 bits in hexadecimal, in quotes (RFC 9110, 8.8.3) */
#define NGX_HTTP_IMAGEGRAM_ETAG_LEN  (2 + 32)


typedef struct {
    ngx_str_t        body;      /* JSON, or that compressed */
    ngx_str_t        link;      /* the value of Link (RFC 8288), followed by a
                                 * NUL; len 0: there is no next page */
    u_char           etag[NGX_HTTP_IMAGEGRAM_ETAG_LEN + 1];     /* and a NUL */
    unsigned         gzip:1;    /* body is compressed (RFC 1952) */
    unsigned         varies:1;  /* others may get it compressed, or not */
} ngx_http_imagegram_answer_t;


/* Sets the ETag, of body. */
void ngx_http_imagegram_answer_tag(ngx_http_imagegram_answer_t *answer);

/* Whether compressing is worth it. */
ngx_uint_t ngx_http_imagegram_answer_compressible(
    ngx_http_imagegram_answer_t *answer);

/* Makes *to the same, compressed, with its own ETag, in the pool.  NGX_ERROR:
 * no memory. */
ngx_int_t ngx_http_imagegram_answer_gzip(ngx_pool_t *pool,
    ngx_http_imagegram_answer_t *from, ngx_http_imagegram_answer_t *to);


#endif /* _NGX_HTTP_IMAGEGRAM_ANSWER_H_INCLUDED_ */
