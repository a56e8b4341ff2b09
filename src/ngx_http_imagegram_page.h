
/*
 * Pages of a list, the feed's or a post's comments: what a client may ask
 * for, and where the next page starts.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_PAGE_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_PAGE_H_INCLUDED_


#include "ngx_http_imagegram.h"
#include "parse/imagegram_cursor.h"


typedef struct {
    ngx_uint_t      limit;      /* items */
    uint64_t        max;        /* start below this score; 0: at the top */
} ngx_http_imagegram_page_t;


/* Parses the arguments limit and nextPage.  Gives NGX_OK or a status. */
ngx_int_t ngx_http_imagegram_page_parse(ngx_http_request_t *r,
    imagegram_cursor_e list, ngx_uint_t max_limit,
    ngx_http_imagegram_page_t *page);

/*
 * The last element of a page's reply: gives NGX_OK and the next page's cursor
 * (cursor.len is 0 where this page is the last one; cursor.data has room for
 * IMAGEGRAM_CURSOR_LEN), or NGX_ERROR if it makes no sense.
 */
ngx_int_t ngx_http_imagegram_page_next(redisReply *reply,
    imagegram_cursor_e list, ngx_str_t *cursor);

/* Gives the value of Link (RFC 8288) to the next page, in the pool, with a NUL
 * behind it; path is what follows the API's base, with its arguments but
 * nextPage.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_imagegram_page_link(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_str_t *path, ngx_str_t *cursor, ngx_str_t *link);


#endif /* _NGX_HTTP_IMAGEGRAM_PAGE_H_INCLUDED_ */
