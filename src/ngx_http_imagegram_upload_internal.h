
/*
 * What the files of an upload share, and nobody else sees.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_UPLOAD_INTERNAL_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_UPLOAD_INTERNAL_H_INCLUDED_


#include "ngx_http_imagegram_upload.h"


/* the locks, as the byte of the record's file that stands for each */

typedef enum {
    NGX_HTTP_IMAGEGRAM_UPLOAD_SLICE = 0,
    NGX_HTTP_IMAGEGRAM_UPLOAD_CLAIM
} ngx_http_imagegram_upload_lock_e;


/* Takes a lock, or gives NGX_BUSY where it is not to be waited for. */
ngx_int_t ngx_http_imagegram_upload_lock(ngx_http_imagegram_upload_t *u,
    ngx_http_imagegram_upload_lock_e which, ngx_uint_t wait);

/* Takes the lock for a slice, if we still are who may append; otherwise gives
 * NGX_HTTP_CONFLICT, without it. */
ngx_int_t ngx_http_imagegram_upload_ours(ngx_http_imagegram_upload_t *u);

/* Gives the lock for a slice back; ngx_errno stays. */
void ngx_http_imagegram_upload_unlock(ngx_http_imagegram_upload_t *u);

/* Reads the record; NGX_DECLINED: it is not whole, since whoever made it died,
 * or was removed. */
ngx_int_t ngx_http_imagegram_upload_read(ngx_http_imagegram_upload_t *u,
    ngx_http_imagegram_upload_record_t *record);

/* Writes u->record. */
ngx_int_t ngx_http_imagegram_upload_write(ngx_http_imagegram_upload_t *u);


#endif /* _NGX_HTTP_IMAGEGRAM_UPLOAD_INTERNAL_H_INCLUDED_ */
