
/*
 * A resumable upload on disk: its bytes, and a record beside them.  Whatever
 * an upload is, it is there, so that any worker can go on with it, also after
 * a crash.  Redis knows nothing of it.
 *
 * Its offset is the size of its bytes.  An epoch in the record says who may
 * append: who takes the upload over counts it up, and a slice is written only
 * by whose epoch it still is, under a lock that spans the look and the write.
 * So no byte is ever written twice or out of place, whatever connections hang
 * around in whichever process.
 *
 * Another lock, the claim, is held by whoever makes a post of it.  Both are
 * of the open file (F_OFD_SETLK): they end with it, however a process ends.
 *
 * All functions block, and are called in threads.  They log nothing of what
 * clients cause.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_UPLOAD_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_UPLOAD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_sha1.h>

#include "ngx_http_imagegram_slice.h"
#include "ngx_http_imagegram_storage.h"
#include "parse/imagegram_reason.h"


#define NGX_HTTP_IMAGEGRAM_SHA1_LEN  20


typedef enum {
    NGX_HTTP_IMAGEGRAM_UPLOAD_RECEIVING = 0,    /* or complete, but no post
                                                 * yet */
    NGX_HTTP_IMAGEGRAM_UPLOAD_POSTED,
    NGX_HTTP_IMAGEGRAM_UPLOAD_REFUSED,          /* for a reason */
    NGX_HTTP_IMAGEGRAM_UPLOAD_REMOVED           /* what an open file of a
                                                 * removed record says */
} ngx_http_imagegram_upload_state_e;


typedef enum {
    NGX_HTTP_IMAGEGRAM_UPLOAD_USER = 0,         /* who created it */
    NGX_HTTP_IMAGEGRAM_UPLOAD_LOCATION,         /* its name, */
    NGX_HTTP_IMAGEGRAM_UPLOAD_OWNER,            /* and that of its posts */
    NGX_HTTP_IMAGEGRAM_UPLOAD_AUTHOR,
    NGX_HTTP_IMAGEGRAM_UPLOAD_BODY,
    NGX_HTTP_IMAGEGRAM_UPLOAD_METADATA,         /* Upload-Metadata as sent */
    NGX_HTTP_IMAGEGRAM_UPLOAD_TEXTS
} ngx_http_imagegram_upload_text_e;


/* the start of the record's file; the texts follow */

typedef struct {
    uint32_t  magic;
    uint32_t  state;
    uint64_t  epoch;
    int64_t   length;       /* bytes it will have */
    int64_t   verified;     /* bytes that count; -1: all that are there */
    uint32_t  reason;       /* imagegram_reason_e, of one REFUSED */
    uint32_t  crashes;      /* conversions given up as CRASH */
    uint32_t  texts[NGX_HTTP_IMAGEGRAM_UPLOAD_TEXTS];   /* their lengths */
} ngx_http_imagegram_upload_record_t;


typedef struct {
    ngx_http_imagegram_storage_t         *storage;
    u_char                                id[NGX_HTTP_IMAGEGRAM_ID_LEN];
    ngx_fd_t                              info;
    ngx_fd_t                              bytes;    /* invalid once the upload
                                                     * is over */
    ngx_http_imagegram_upload_record_t    record;   /* as last seen; epoch is
                                                     * ours */
    off_t                                 offset;
    time_t                                touched;  /* when the last byte
                                                     * came, or it ended */

    /* of a chunk that came with a checksum */

    ngx_uint_t                            checked;
    off_t                                 start;
    ngx_sha1_t                            sha1;

    /* how much the image's header needs to tell more; 0: it has told all */

    uint64_t                              need;
    uint64_t                              max_pixels;
} ngx_http_imagegram_upload_t;


/* Sets up a zeroed upload, not open. */
void ngx_http_imagegram_upload_init(ngx_http_imagegram_upload_t *u,
    ngx_http_imagegram_storage_t *storage, uint64_t max_pixels);

/*
 * Creates the upload u->id of u->record.length bytes and opens it; texts is
 * an array of NGX_HTTP_IMAGEGRAM_UPLOAD_TEXTS.  NGX_ERROR: ngx_errno is set,
 * nothing is left.
 */
ngx_int_t ngx_http_imagegram_upload_create(ngx_http_imagegram_upload_t *u,
    ngx_str_t *texts);

/*
 * Opens the upload u->id, and fills in record, offset and touched.
 * NGX_DECLINED: there is none.  NGX_ERROR: ngx_errno is set.
 */
ngx_int_t ngx_http_imagegram_upload_open(ngx_http_imagegram_upload_t *u);

/* Gives the record's texts, NULL or memory by ngx_alloc() that they point
 * into, the caller's to free. */
u_char *ngx_http_imagegram_upload_texts(ngx_http_imagegram_upload_t *u,
    ngx_str_t *texts, ngx_log_t *log);

/*
 * Makes us the one who may append, unless it is over, which record.state
 * tells then.  What was sent with a checksum and not verified is dropped.
 * offset is what the client believes it to be, -1: it asks; NGX_HTTP_CONFLICT:
 * it is another, and nothing has changed.  NGX_DECLINED: there is none any
 * more.
 */
ngx_int_t ngx_http_imagegram_upload_take_over(ngx_http_imagegram_upload_t *u,
    off_t offset);

/* Bytes from here on count only once verified; after taking over. */
ngx_int_t ngx_http_imagegram_upload_check(ngx_http_imagegram_upload_t *u);

/*
 * Writes a slice, as ngx_http_imagegram_intake_write_pt.  Gives NGX_OK;
 * NGX_ERROR, slice->err is set; NGX_HTTP_CONFLICT, somebody else has taken
 * over; or the status of record.reason, for which the upload is refused now.
 */
ngx_int_t ngx_http_imagegram_upload_append(ngx_http_imagegram_upload_t *u,
    ngx_http_imagegram_slice_t *slice);

/*
 * Ends a chunk with a checksum: compares it, or drops the chunk where sha1 is
 * NULL.  NGX_OK; NGX_DECLINED, it was dropped; or as ..._append().
 */
ngx_int_t ngx_http_imagegram_upload_verify(ngx_http_imagegram_upload_t *u,
    u_char *sha1);

/* Claims it for making a post of it.  NGX_BUSY: somebody else has. */
ngx_int_t ngx_http_imagegram_upload_claim(ngx_http_imagegram_upload_t *u);

/*
 * Ends it.  POSTED: its bytes go, the record stays to tell.  REFUSED for a
 * reason: both go; those who have it open are told.
 */
ngx_int_t ngx_http_imagegram_upload_end(ngx_http_imagegram_upload_t *u,
    ngx_http_imagegram_upload_state_e state, imagegram_reason_e reason,
    ngx_log_t *log);

/* Counts a crash of the converter; gives how many there were, 0: unknown. */
ngx_uint_t ngx_http_imagegram_upload_crashed(ngx_http_imagegram_upload_t *u);

/*
 * Removes it with its record.  before is a time, 0: whenever.  NGX_BUSY: it
 * stays, since it was touched then or later, or is complete: then the server
 * owes a post of it, however long that takes.
 */
ngx_int_t ngx_http_imagegram_upload_remove(ngx_http_imagegram_upload_t *u,
    time_t before, ngx_log_t *log);

/* Likewise for the upload of that id.  NGX_DECLINED: there is no record that is
 * whole. */
ngx_int_t ngx_http_imagegram_upload_expire(
    ngx_http_imagegram_storage_t *storage, u_char *id, time_t before,
    ngx_log_t *log);

/* Makes durable what was received. */
ngx_int_t ngx_http_imagegram_upload_sync(ngx_http_imagegram_upload_t *u);

/* Whether all bytes are there and no post was made of them yet. */
ngx_uint_t ngx_http_imagegram_upload_complete(ngx_http_imagegram_upload_t *u);

/*
 * Closes the bytes, once nobody needs them here: whoever closes those of an
 * upload that is over last gives their space back, which takes time.
 */
void ngx_http_imagegram_upload_close_bytes(ngx_http_imagegram_upload_t *u);

/* Closes what is open, and ends its claim. */
void ngx_http_imagegram_upload_close(ngx_http_imagegram_upload_t *u);


#endif /* _NGX_HTTP_IMAGEGRAM_UPLOAD_H_INCLUDED_ */
