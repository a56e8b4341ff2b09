
/*
 * The files: where they lie, and the blocking work on them.
 *
 *   images/83/df/ID.jpg        the JPEGs, what the images location serves
 *   originals/83/df/ID.png     (.jpg, .bmp) byte for byte as received
 *   tmp/ID.body, .original, .jpeg    while a post is being made
 *   uploads/ID, ID.info        resumable uploads: the bytes, and what is known
 *                              about them (ngx_http_imagegram_upload.h)
 *   trash/images/, originals/  what no post owned, for seven days
 *   id, new, sweep.lock        see ngx_http_imagegram_storage_id.h
 *
 * Files 0640, folders 0750.  All below one file system, so that a file moves
 * by link() and unlink().  The functions marked "blocks" may wait for the
 * disk: they are called from a thread (ngx_http_imagegram_task.h), take
 * no lock and allocate nothing.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_STORAGE_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_STORAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "convert/imagegram_protocol.h"


#define NGX_HTTP_IMAGEGRAM_ID_LEN  36       /* a UUID as text, RFC 4122 */


typedef struct {
    ngx_str_t   path;        /* absolute, NUL-terminated, no "/" at its end */
    dev_t       device;      /* of that folder: two paths may be one storage */
    ino_t       inode;
} ngx_http_imagegram_storage_t;


/* Whether two are one. */

#define ngx_http_imagegram_storage_same(a, b)                                 \
    ((a)->inode == (b)->inode && (a)->device == (b)->device)


/* what is not a post's file yet */

typedef enum {
    NGX_HTTP_IMAGEGRAM_TEMP_BODY = 0,
    NGX_HTTP_IMAGEGRAM_TEMP_ORIGINAL,
    NGX_HTTP_IMAGEGRAM_TEMP_JPEG,
    NGX_HTTP_IMAGEGRAM_UPLOAD_BYTES,
    NGX_HTTP_IMAGEGRAM_UPLOAD_INFO
} ngx_http_imagegram_temp_e;


/*
 * At configuration time: makes the folders, gives them to the worker's user,
 * checks that it can write there.  Logs with the directive's name.
 */
ngx_int_t ngx_http_imagegram_storage_init(ngx_conf_t *cf,
    ngx_http_imagegram_storage_t *storage);

/* What a request is to end with where a file failed: 507 where there is no
 * room, or none for this user, 503 for whatever else an admin has to see to. */
ngx_int_t ngx_http_imagegram_storage_status(ngx_err_t err);

/*
 * Creates a file that is not there, or opens one that is, for reading and
 * writing.  Blocks.  Gives the fd, the caller's, or NGX_INVALID_FILE with
 * ngx_errno set.
 */
ngx_fd_t ngx_http_imagegram_storage_create(
    ngx_http_imagegram_storage_t *storage, u_char *id,
    ngx_http_imagegram_temp_e type);
ngx_fd_t ngx_http_imagegram_storage_open(
    ngx_http_imagegram_storage_t *storage, u_char *id,
    ngx_http_imagegram_temp_e type);

/* Removes such a file; none there is fine.  Blocks. */
void ngx_http_imagegram_storage_unlink(ngx_http_imagegram_storage_t *storage,
    u_char *id, ngx_http_imagegram_temp_e type, ngx_log_t *log);

/*
 * Puts JPEG and original of a post into place and makes that durable; never
 * overwrites.  Files in tmp/ remain until ngx_http_imagegram_storage_clean().
 * original is the file to become the original; where that is an upload's,
 * files that are there already are its own, from an attempt before this one.
 * Blocks.  On failure nothing new is left in place, ngx_errno is set.
 */
ngx_int_t ngx_http_imagegram_storage_place(
    ngx_http_imagegram_storage_t *storage, u_char *id,
    ngx_http_imagegram_temp_e original, imagegram_format_e format);

/* Makes durable which files there are in a folder, "": the storage itself.
 * Blocks. */
ngx_int_t ngx_http_imagegram_storage_sync(
    ngx_http_imagegram_storage_t *storage, const char *folder);

/* Removes what is in tmp/ under that id; nothing there is fine.  Blocks. */
void ngx_http_imagegram_storage_clean(ngx_http_imagegram_storage_t *storage,
    u_char *id, ngx_log_t *log);

/* Removes JPEG and original of a post; what is missing is fine.  Blocks. */
void ngx_http_imagegram_storage_remove(ngx_http_imagegram_storage_t *storage,
    u_char *id, imagegram_format_e format, ngx_log_t *log);

/*
 * Opens a post's JPEG for reading and gives its size (bytes).  Blocks.
 */
ngx_fd_t ngx_http_imagegram_storage_open_jpeg(
    ngx_http_imagegram_storage_t *storage, u_char *id, off_t *size);

/* "png", "jpg", "bmp", also the name in Redis, and back (NONE: unknown). */
ngx_str_t *ngx_http_imagegram_storage_format_name(imagegram_format_e format);
imagegram_format_e ngx_http_imagegram_storage_format(u_char *name, size_t len);


#endif /* _NGX_HTTP_IMAGEGRAM_STORAGE_H_INCLUDED_ */
