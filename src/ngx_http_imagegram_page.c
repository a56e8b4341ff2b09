
/*
 * Pages of a list.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_header.h"
#include "ngx_http_imagegram_page.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_response.h"


#define NGX_HTTP_IMAGEGRAM_LIMIT  20


ngx_int_t
ngx_http_imagegram_page_parse(ngx_http_request_t *r, imagegram_cursor_e list,
    ngx_uint_t max_limit, ngx_http_imagegram_page_t *page)
{
    ngx_int_t  n;
    ngx_str_t  value;

    page->limit = NGX_HTTP_IMAGEGRAM_LIMIT;
    page->max = 0;

    if (ngx_http_arg(r, (u_char *) "limit", 5, &value) == NGX_OK) {
        n = ngx_atoi(value.data, value.len);

        if (n < 1 || (ngx_uint_t) n > max_limit) {
            return ngx_http_imagegram_problem(r, NGX_HTTP_BAD_REQUEST,
                       max_limit == 100 ? "limit is not a number from 1 to 100"
                                        : "limit is not a number from 1 to "
                                          "20, which is the most with "
                                          "images=base64");
        }

        page->limit = n;
    }

    if (ngx_http_arg(r, (u_char *) "nextPage", 8, &value) == NGX_OK
        && imagegram_cursor_decode(value.data, value.len, list, &page->max)
           != 0)
    {
        return ngx_http_imagegram_problem(r, NGX_HTTP_BAD_REQUEST,
                                     "nextPage is not a cursor of this list");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_page_next(redisReply *reply, imagegram_cursor_e list,
    ngx_str_t *cursor)
{
    off_t  score;

    cursor->len = 0;

    if (reply->type == REDIS_REPLY_NIL) {
        return NGX_OK;
    }

    if (reply->type != REDIS_REPLY_STRING) {
        return NGX_ERROR;
    }

    score = ngx_atoof((u_char *) reply->str, reply->len);

    if (score < 0 || (uint64_t) score > IMAGEGRAM_CURSOR_SCORE) {
        return NGX_ERROR;
    }

    cursor->len = imagegram_cursor_encode(cursor->data, list, score);

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_page_link(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_str_t *path, ngx_str_t *cursor, ngx_str_t *link)
{
    u_char  *p;
    size_t   len;

    p = ngx_http_imagegram_path(r, path->len + sizeof("&nextPage=")
                                   + cursor->len,
                                "%V&nextPage=%V", path, cursor);
    if (p == NULL) {
        return NGX_ERROR;
    }

    len = ngx_strlen(p) + sizeof("<>; rel=\"next\"");

    link->data = ngx_pnalloc(pool, len);
    if (link->data == NULL) {
        return NGX_ERROR;
    }

    link->len = ngx_snprintf(link->data, len, "<%s>; rel=\"next\"%Z", p)
                - link->data - 1;

    return NGX_OK;
}
