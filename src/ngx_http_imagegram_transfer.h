
/*
 * A transfer: a job at work on one upload, for a request or, where a complete
 * upload was found without a post, for nobody.  It has the upload open.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_TRANSFER_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_TRANSFER_H_INCLUDED_


#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_job.h"
#include "ngx_http_imagegram_publication.h"
#include "ngx_http_imagegram_upload.h"


typedef struct ngx_http_imagegram_transfer_s  ngx_http_imagegram_transfer_t;


/*
 * Called once by ngx_http_imagegram_finish(): upload.record.state says what
 * became of the upload.  If it is RECEIVING still, it could not be finished
 * now, and publication.status says why.
 */
typedef void (*ngx_http_imagegram_transfer_pt)(
    ngx_http_imagegram_transfer_t *t);


struct ngx_http_imagegram_transfer_s {
    ngx_http_imagegram_job_t           job;
    ngx_http_imagegram_upload_t        upload;
    ngx_http_imagegram_publication_t   publication;
    ngx_http_imagegram_transfer_pt     finished;

    ngx_str_t                          user;
    ngx_str_t                          texts[NGX_HTTP_IMAGEGRAM_UPLOAD_TEXTS];
    u_char                            *texts_data;  /* allocated, or NULL */

    /* of the request */

    ngx_uint_t                         method;
    ngx_uint_t                         body;        /* one follows */
    off_t                              expected;    /* Upload-Offset */
    ngx_uint_t                         checked;     /* Upload-Checksum: */
    u_char                             sha1[NGX_HTTP_IMAGEGRAM_SHA1_LEN];

    ngx_int_t                          rc;          /* of a thread's work */
    ngx_err_t                          err;
    ngx_int_t                          status;      /* to end with, or NGX_OK */

    void                              *recovery;    /* whose it is */

    /* while another one makes a post of it */

    ngx_event_t                        retry;
    ngx_msec_t                         deadline;
};


/*
 * Makes a transfer for r, whose upload is not open; id NULL: a new one.  NULL:
 * no memory.
 */
ngx_http_imagegram_transfer_t *ngx_http_imagegram_transfer_create(
    ngx_http_request_t *r, u_char *id);

/* Likewise for nobody, with a location that the upload belongs to. */
ngx_http_imagegram_transfer_t *ngx_http_imagegram_transfer_adopt(
    ngx_http_imagegram_loc_conf_t *conf, u_char *id);

/* Runs work(t, log) in a thread, then done(t); NGX_ERROR: it cannot be. */
ngx_int_t ngx_http_imagegram_transfer_thread(ngx_http_imagegram_transfer_t *t,
    void (*work)(void *data, ngx_log_t *log), void (*done)(void *data));

/* Frees it, and closes what is open.  Gives the request, or NULL. */
ngx_http_request_t *ngx_http_imagegram_transfer_end(
    ngx_http_imagegram_transfer_t *t);


#endif /* _NGX_HTTP_IMAGEGRAM_TRANSFER_H_INCLUDED_ */
