
/*
 * GET posts and GET posts/ID: posts as the feed shows them.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_FEED_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_FEED_H_INCLUDED_


#include "ngx_http_imagegram.h"


ngx_int_t ngx_http_imagegram_get_feed(ngx_http_request_t *r);
ngx_int_t ngx_http_imagegram_get_post(ngx_http_request_t *r);


#endif /* _NGX_HTTP_IMAGEGRAM_FEED_H_INCLUDED_ */
