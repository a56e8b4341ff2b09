
/*
 * Pages of the feed, from the cache or from Redis.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_PAGES_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_PAGES_H_INCLUDED_


#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_fetch.h"
#include "ngx_http_imagegram_page.h"


/*
 * Answers with a page, from the cache or, by way of render, from Redis.  Gives
 * what the request is to be finalized with, NGX_DONE where it is held.
 */
ngx_int_t ngx_http_imagegram_pages_get(ngx_http_request_t *r,
    ngx_http_imagegram_page_t *page, ngx_http_imagegram_fetch_pt render);


#endif /* _NGX_HTTP_IMAGEGRAM_PAGES_H_INCLUDED_ */
