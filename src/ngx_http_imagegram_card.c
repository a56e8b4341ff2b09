
/*
 * Cards of posts.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_card.h"


#define NGX_HTTP_IMAGEGRAM_CARD_START  "{\"PostID\":\""


ngx_int_t
ngx_http_imagegram_card_parse(ngx_http_imagegram_card_t *card, u_char *text,
    size_t len)
{
    u_char  *p;
    size_t   start;

    start = sizeof(NGX_HTTP_IMAGEGRAM_CARD_START) - 1;

    if (len < start + IMAGEGRAM_ID_LEN
        || ngx_strncmp(text, NGX_HTTP_IMAGEGRAM_CARD_START, start) != 0
        || !imagegram_route_is_id(text + start))
    {
        return NGX_ERROR;
    }

    p = memchr(text, '\n', len);

    if (p == NULL) {
        return NGX_ERROR;
    }

    card->head.data = text;
    card->head.len = p - text;
    card->tail.data = p + 1;
    card->tail.len = text + len - (p + 1);
    card->id = text + start;

    card->inlined = 0;
    ngx_str_null(&card->base64);

    return NGX_OK;
}


size_t
ngx_http_imagegram_card_size(ngx_http_imagegram_card_t *card,
    ngx_str_t *image_base)
{
    return card->head.len + sizeof(",\"Image\":\"\",") - 1
           + image_base->len + sizeof("83/df/.jpg") - 1 + IMAGEGRAM_ID_LEN
           + card->base64.len + card->tail.len;
}


u_char *
ngx_http_imagegram_card_write(ngx_http_imagegram_card_t *card,
    ngx_str_t *image_base, u_char *p)
{
    p = ngx_cpymem(p, card->head.data, card->head.len);
    p = ngx_cpymem(p, ",\"Image\":\"", sizeof(",\"Image\":\"") - 1);

    if (card->inlined) {

        if (card->base64.len) {
            p = ngx_cpymem(p, card->base64.data, card->base64.len);
        }

    } else {
        p = ngx_cpymem(p, image_base->data, image_base->len);
        *p++ = card->id[0];
        *p++ = card->id[1];
        *p++ = '/';
        *p++ = card->id[2];
        *p++ = card->id[3];
        *p++ = '/';
        p = ngx_cpymem(p, card->id, IMAGEGRAM_ID_LEN);
        p = ngx_cpymem(p, ".jpg", sizeof(".jpg") - 1);
    }

    *p++ = '"';
    *p++ = ',';

    return ngx_cpymem(p, card->tail.data, card->tail.len);
}
