
/*
 * DELETE posts/ID: the post, its comments, its image and its original.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_POSTS_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_POSTS_H_INCLUDED_


#include "ngx_http_imagegram.h"


ngx_int_t ngx_http_imagegram_delete_post(ngx_http_request_t *r);


#endif /* _NGX_HTTP_IMAGEGRAM_POSTS_H_INCLUDED_ */
