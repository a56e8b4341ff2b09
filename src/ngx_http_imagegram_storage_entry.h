
/*
 * What becomes of the files that a walk through the storage meets, by folder.
 * All of these block.  name is that of an entry of the folder that the walk is
 * in; what is not a file, or has not a name that is made there, is left alone.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_STORAGE_ENTRY_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_STORAGE_ENTRY_H_INCLUDED_


#include "ngx_http_imagegram_storage_walk.h"


/* Whether anything was removed; that is in walk->counts, too. */
typedef ngx_uint_t (*ngx_http_imagegram_walk_pt)(
    ngx_http_imagegram_walk_t *walk, const char *name, ngx_log_t *log);


/* uploads/: ID.info, an upload's record, and ID, its bytes. */
ngx_uint_t ngx_http_imagegram_walk_upload(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log);

/* tmp/: ID.body and the like, while a post is made; ID.id, while a storage
 * is. */
ngx_uint_t ngx_http_imagegram_walk_temp(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log);

/* trash/images/, trash/originals/ */
ngx_uint_t ngx_http_imagegram_walk_trashed(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log);

/* images/83/df/, originals/83/df/: removes nothing, adds to what was found. */
ngx_uint_t ngx_http_imagegram_walk_placed(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log);

/* By the walk: the folder's name, below the storage. */
const char *ngx_http_imagegram_walk_name(ngx_http_imagegram_walk_t *walk);


#endif /* _NGX_HTTP_IMAGEGRAM_STORAGE_ENTRY_H_INCLUDED_ */
