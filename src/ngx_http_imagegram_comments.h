
/*
 * Comments: posts/ID/comments and posts/ID/comments/ID.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_COMMENTS_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_COMMENTS_H_INCLUDED_


#include "ngx_http_imagegram.h"


ngx_int_t ngx_http_imagegram_get_comments(ngx_http_request_t *r);
ngx_int_t ngx_http_imagegram_get_comment(ngx_http_request_t *r);
ngx_int_t ngx_http_imagegram_create_comment(ngx_http_request_t *r);
ngx_int_t ngx_http_imagegram_delete_comment(ngx_http_request_t *r);


#endif /* _NGX_HTTP_IMAGEGRAM_COMMENTS_H_INCLUDED_ */
