
/*
 * images=base64: the JPEGs themselves, read and encoded by a thread.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_IMAGES_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_IMAGES_H_INCLUDED_


#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_card.h"


typedef struct ngx_http_imagegram_images_s  ngx_http_imagegram_images_t;

typedef void (*ngx_http_imagegram_images_pt)(ngx_http_request_t *r,
    void *data);


/*
 * Sets base64 of n cards, which are memory of the request's pool, as is what
 * they point to; an image that cannot be read is an empty string.  Gives
 * NGX_DONE, and handler is called later, or a status.
 */
ngx_int_t ngx_http_imagegram_images_load(ngx_http_request_t *r,
    ngx_http_imagegram_card_t *cards, ngx_uint_t n,
    ngx_http_imagegram_images_pt handler, void *data);


#endif /* _NGX_HTTP_IMAGEGRAM_IMAGES_H_INCLUDED_ */
