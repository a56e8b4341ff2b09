
/*
 * The card of a post: its JSON as Redis keeps it ready (src/lua/card.lua),
 * into which the image goes, which depends on the location that answers.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_CARD_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_CARD_H_INCLUDED_


#include "ngx_http_imagegram.h"


typedef struct {
    ngx_str_t   head;       /* up to the image, without the comma */
    ngx_str_t   tail;       /* behind it */
    u_char     *id;         /* in head */
    ngx_uint_t  inlined;    /* the image itself instead of its URL: */
    ngx_str_t   base64;
} ngx_http_imagegram_card_t;


/*
 * Parses a card; it points into text afterwards.  NGX_ERROR: that is none.
 */
ngx_int_t ngx_http_imagegram_card_parse(ngx_http_imagegram_card_t *card,
    u_char *text, size_t len);

/* How many bytes it takes at most, as JSON. */
size_t ngx_http_imagegram_card_size(ngx_http_imagegram_card_t *card,
    ngx_str_t *image_base);

/* Writes it as JSON; gives where that ends. */
u_char *ngx_http_imagegram_card_write(ngx_http_imagegram_card_t *card,
    ngx_str_t *image_base, u_char *p);


#endif /* _NGX_HTTP_IMAGEGRAM_CARD_H_INCLUDED_ */
