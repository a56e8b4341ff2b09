
/*
 * The identity of a storage, and what its sweeps leave in it.
 *
 *   id          a random UUID, made once.  Redis holds it, too: so it can be
 *               told whether a Redis is the one that knows this storage's posts
 *   new         holds the same from the start until Redis was told the id;
 *               what holds another one is the rest of a setup that was cut off
 *   sweep.lock  locked by who sweeps, among all processes that share the
 *               storage; holds the time of the last sweep, Unix seconds
 *
 * All but ngx_http_imagegram_storage_id_init() block, as in
 * ngx_http_imagegram_storage.h.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_STORAGE_ID_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_STORAGE_ID_H_INCLUDED_


#include "ngx_http_imagegram_storage.h"
#include "ngx_http_imagegram_user.h"


/*
 * At configuration time: makes an id where there is none, and "new" beside it
 * if the storage holds no post's files.  Otherwise it is from before there
 * were ids, or its id was deleted: then Redis must be told by hand, since
 * nobody knows which Redis it belongs to.
 */
ngx_int_t ngx_http_imagegram_storage_id_init(ngx_conf_t *cf,
    ngx_http_imagegram_storage_t *storage, ngx_http_imagegram_user_t *user);

/*
 * Reads the id, NGX_HTTP_IMAGEGRAM_ID_LEN bytes.  NGX_ERROR: ngx_errno is set,
 * EINVAL if the file holds something else.
 */
ngx_int_t ngx_http_imagegram_storage_id_read(
    ngx_http_imagegram_storage_t *storage, u_char *id);

/* Whether Redis is still to be told this id, which is the storage's. */
ngx_uint_t ngx_http_imagegram_storage_id_new(
    ngx_http_imagegram_storage_t *storage, u_char *id);

/* Whether it holds no post's files: NGX_OK; NGX_DECLINED, it does; NGX_ERROR,
 * ngx_errno is set. */
ngx_int_t ngx_http_imagegram_storage_unused(
    ngx_http_imagegram_storage_t *storage);

/* Redis was told: removes "new".  NGX_ERROR: ngx_errno is set. */
ngx_int_t ngx_http_imagegram_storage_id_told(
    ngx_http_imagegram_storage_t *storage);

/*
 * Locks the storage for a sweep, until the fd, the caller's, is closed; *last
 * is the time of the last sweep, 0 if there was none.  NGX_INVALID_FILE:
 * ngx_errno is set, EAGAIN if another process sweeps.
 */
ngx_fd_t ngx_http_imagegram_storage_lock(ngx_http_imagegram_storage_t *storage,
    time_t *last);

/* Notes the time of a sweep, in the file that fd has locked. */
ngx_int_t ngx_http_imagegram_storage_swept(ngx_fd_t fd, time_t now);


#endif /* _NGX_HTTP_IMAGEGRAM_STORAGE_ID_H_INCLUDED_ */
