
/*
 * Finishing uploads, see the header.
 *
 *   claim    (thread) who does not get it tries again later
 *   publish  (ngx_http_imagegram_publication.h)
 *   end      (thread) the record says what became of it
 *
 * The claim lasts until the transfer closes the upload.  What cannot be
 * finished now, since Redis is away or the disk is full, is left as it is for
 * the recovery to find.
 */

#include "ngx_http_imagegram_finish.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_recovery.h"
#include "ngx_http_imagegram_store.h"


/* how often, and for how long, a request looks whether another is done, ms */
#define NGX_HTTP_IMAGEGRAM_FINISH_RETRY    50
#define NGX_HTTP_IMAGEGRAM_FINISH_WAIT     60000

/* an image that takes converters down so often will do so again; others that
 * could not be converted are not to blame, and wait */
#define NGX_HTTP_IMAGEGRAM_FINISH_CRASHES  3


static void ngx_http_imagegram_finish_claim(void *data, ngx_log_t *log);
static void ngx_http_imagegram_finish_claimed(void *data);
static void ngx_http_imagegram_finish_wait(ngx_http_imagegram_transfer_t *t);
static void ngx_http_imagegram_finish_retry(ngx_event_t *ev);
static void ngx_http_imagegram_finish_publish(
    ngx_http_imagegram_transfer_t *t);
static ngx_int_t ngx_http_imagegram_finish_accept(
    ngx_http_imagegram_publication_t *publication, ngx_str_t *author,
    ngx_str_t *body);
static void ngx_http_imagegram_finish_published(
    ngx_http_imagegram_publication_t *publication, ngx_int_t rc,
    ngx_str_t *card);
static void ngx_http_imagegram_finish_end(void *data, ngx_log_t *log);
static void ngx_http_imagegram_finish_ended(void *data);
static void ngx_http_imagegram_finish_trouble(
    ngx_http_imagegram_transfer_t *t, ngx_int_t status);
static void ngx_http_imagegram_finish_sync(void *data, ngx_log_t *log);
static void ngx_http_imagegram_finish_synced(void *data);


void
ngx_http_imagegram_finish(ngx_http_imagegram_transfer_t *t,
    ngx_http_imagegram_transfer_pt finished)
{
    t->finished = finished;
    t->deadline = ngx_current_msec + NGX_HTTP_IMAGEGRAM_FINISH_WAIT;

    t->retry.handler = ngx_http_imagegram_finish_retry;
    t->retry.data = t;
    t->retry.log = ngx_cycle->log;

    if (ngx_http_imagegram_transfer_thread(t, ngx_http_imagegram_finish_claim,
                                           ngx_http_imagegram_finish_claimed)
        != NGX_OK)
    {
        ngx_http_imagegram_finish_trouble(t, NGX_HTTP_SERVICE_UNAVAILABLE);
    }
}


static void
ngx_http_imagegram_finish_claim(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_transfer_t *t = data;

    t->rc = ngx_http_imagegram_upload_claim(&t->upload);

    if (t->rc == NGX_OK && t->texts_data == NULL) {
        t->texts_data = ngx_http_imagegram_upload_texts(&t->upload, t->texts,
                                                        log);
        if (t->texts_data == NULL) {
            t->rc = NGX_ERROR;
        }
    }

    /* ours may be the last that is open of what somebody else has ended */

    if (t->rc == NGX_DECLINED
        || (t->rc == NGX_OK
            && t->upload.record.state != NGX_HTTP_IMAGEGRAM_UPLOAD_RECEIVING))
    {
        ngx_http_imagegram_upload_close_bytes(&t->upload);
    }
}


static void
ngx_http_imagegram_finish_claimed(void *data)
{
    ngx_http_imagegram_transfer_t *t = data;

    switch (t->rc) {

    case NGX_OK:
        if (t->upload.record.state != NGX_HTTP_IMAGEGRAM_UPLOAD_RECEIVING) {
            t->finished(t);
            return;
        }

        ngx_http_imagegram_finish_publish(t);
        return;

    case NGX_BUSY:
        ngx_http_imagegram_finish_wait(t);
        return;

    case NGX_DECLINED:
        /* removed meanwhile */
        t->upload.record.state = NGX_HTTP_IMAGEGRAM_UPLOAD_REMOVED;
        t->finished(t);
        return;

    default:
        ngx_http_imagegram_finish_trouble(t, NGX_HTTP_SERVICE_UNAVAILABLE);
    }
}


static void
ngx_http_imagegram_finish_wait(ngx_http_imagegram_transfer_t *t)
{
    if (t->job.request == NULL
        || (ngx_msec_int_t) (t->deadline - ngx_current_msec) <= 0
        || !ngx_http_imagegram_redis_available(t->job.conf->redis))
    {
        ngx_http_imagegram_finish_trouble(t,
                              ngx_http_imagegram_store_failed(t->job.request));
        return;
    }

    ngx_add_timer(&t->retry, NGX_HTTP_IMAGEGRAM_FINISH_RETRY);
}


static void
ngx_http_imagegram_finish_retry(ngx_event_t *ev)
{
    ngx_http_imagegram_transfer_t *t = ev->data;

    if (ngx_http_imagegram_transfer_thread(t, ngx_http_imagegram_finish_claim,
                                           ngx_http_imagegram_finish_claimed)
        != NGX_OK)
    {
        ngx_http_imagegram_finish_trouble(t, NGX_HTTP_SERVICE_UNAVAILABLE);
    }
}


static void
ngx_http_imagegram_finish_publish(ngx_http_imagegram_transfer_t *t)
{
    ngx_http_imagegram_publication_t  *p;

    if (!ngx_http_imagegram_redis_available(t->job.conf->redis)) {
        ngx_http_imagegram_finish_trouble(t,
                              ngx_http_imagegram_store_failed(t->job.request));
        return;
    }

    p = &t->publication;

    ngx_memzero(p, sizeof(ngx_http_imagegram_publication_t));

    p->accept = ngx_http_imagegram_finish_accept;
    p->handler = ngx_http_imagegram_finish_published;
    p->author = t->texts[NGX_HTTP_IMAGEGRAM_UPLOAD_AUTHOR];
    p->body = t->texts[NGX_HTTP_IMAGEGRAM_UPLOAD_BODY];

    ngx_http_imagegram_publication_init(p, &t->job);
    ngx_memcpy(p->id, t->upload.id, IMAGEGRAM_ID_LEN);

    p->conversion.job.kind = IMAGEGRAM_BODY_IMAGE;

    /* the publication's from here on */

    p->conversion.fds[IMAGEGRAM_FD_BODY] = t->upload.bytes;
    t->upload.bytes = NGX_INVALID_FILE;

    ngx_http_imagegram_publication_start(p);
}


/* Author and body were checked when the upload was created. */

static ngx_int_t
ngx_http_imagegram_finish_accept(
    ngx_http_imagegram_publication_t *publication, ngx_str_t *author,
    ngx_str_t *body)
{
    return NGX_OK;
}


static void
ngx_http_imagegram_finish_published(
    ngx_http_imagegram_publication_t *publication, ngx_int_t rc,
    ngx_str_t *card)
{
    ngx_http_imagegram_transfer_t  *t;

    t = (ngx_http_imagegram_transfer_t *) publication->job;

    t->rc = rc;

    if (ngx_http_imagegram_transfer_thread(t, ngx_http_imagegram_finish_end,
                                           ngx_http_imagegram_finish_ended)
        != NGX_OK)
    {
        ngx_http_imagegram_finish_trouble(t, NGX_HTTP_SERVICE_UNAVAILABLE);
    }
}


static void
ngx_http_imagegram_finish_end(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_transfer_t *t = data;

    imagegram_reason_e            reason;
    ngx_http_imagegram_upload_t  *u;

    u = &t->upload;
    reason = t->publication.reason;

    /* "buried": the post was made before, and has been deleted since */

    if (t->rc == NGX_OK || t->publication.status == NGX_HTTP_GONE) {
        t->rc = ngx_http_imagegram_upload_end(u,
                                              NGX_HTTP_IMAGEGRAM_UPLOAD_POSTED,
                                              IMAGEGRAM_OK, log);
        return;
    }

    if (reason == IMAGEGRAM_CRASH
        && ngx_http_imagegram_upload_crashed(u)
           >= NGX_HTTP_IMAGEGRAM_FINISH_CRASHES)
    {
        reason = IMAGEGRAM_DECODE;
    }

    if (reason != IMAGEGRAM_OK
        && imagegram_reason_status(reason) < NGX_HTTP_INTERNAL_SERVER_ERROR)
    {
        t->rc = ngx_http_imagegram_upload_end(u,
                                             NGX_HTTP_IMAGEGRAM_UPLOAD_REFUSED,
                                             reason, log);
    }
}


static void
ngx_http_imagegram_finish_ended(void *data)
{
    ngx_http_imagegram_transfer_t *t = data;

    if (t->upload.record.state == NGX_HTTP_IMAGEGRAM_UPLOAD_RECEIVING) {
        ngx_http_imagegram_finish_trouble(t, t->publication.status);
        return;
    }

    t->finished(t);
}


static void
ngx_http_imagegram_finish_trouble(ngx_http_imagegram_transfer_t *t,
    ngx_int_t status)
{
    t->publication.status = status ? status : NGX_HTTP_INTERNAL_SERVER_ERROR;

    ngx_http_imagegram_recovery_wanted(t->job.conf->storage);

    /* a client that hears of all its bytes will not send them again */

    if (t->job.request == NULL
        || ngx_http_imagegram_transfer_thread(t, ngx_http_imagegram_finish_sync,
                                              ngx_http_imagegram_finish_synced)
           != NGX_OK)
    {
        t->finished(t);
    }
}


static void
ngx_http_imagegram_finish_sync(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_transfer_t *t = data;

    if (ngx_http_imagegram_upload_sync(&t->upload) != NGX_OK) {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_errno,
                      "imagegram: upload %*s cannot be synced",
                      (size_t) IMAGEGRAM_ID_LEN, t->upload.id);
    }

    ngx_http_imagegram_upload_close_bytes(&t->upload);
}


static void
ngx_http_imagegram_finish_synced(void *data)
{
    ngx_http_imagegram_transfer_t *t = data;

    t->finished(t);
}
