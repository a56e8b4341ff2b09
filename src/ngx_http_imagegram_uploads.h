
/*
 * The requests of resumable uploads, tus 1.0.0, below uploads and
 * uploads/{id}: content handlers.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_UPLOADS_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_UPLOADS_H_INCLUDED_


#include "ngx_http_imagegram.h"


ngx_int_t ngx_http_imagegram_create_upload(ngx_http_request_t *r);
ngx_int_t ngx_http_imagegram_head_upload(ngx_http_request_t *r);
ngx_int_t ngx_http_imagegram_patch_upload(ngx_http_request_t *r);
ngx_int_t ngx_http_imagegram_delete_upload(ngx_http_request_t *r);


#endif /* _NGX_HTTP_IMAGEGRAM_UPLOADS_H_INCLUDED_ */
