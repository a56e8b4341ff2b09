
/*
 * tus 1.0.0: POST uploads, HEAD, PATCH and DELETE uploads/{id}.
 *
 * Each request makes a transfer.  Its work on the disk is done by threads; a
 * body goes through the intake, slice by slice.  When the client leaves, the
 * transfer goes on to where the upload is in order, and makes the post if it
 * has all bytes.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_finish.h"
#include "ngx_http_imagegram_intake.h"
#include "ngx_http_imagegram_owner.h"
#include "ngx_http_imagegram_request.h"
#include "ngx_http_imagegram_transfer.h"
#include "ngx_http_imagegram_tus.h"
#include "ngx_http_imagegram_uploads.h"
#include "ngx_http_imagegram_uploads_answer.h"


static ngx_int_t ngx_http_imagegram_uploads_texts_set(
    ngx_http_imagegram_transfer_t *t, ngx_str_t *metadata, ngx_str_t *author,
    ngx_str_t *body);
static ngx_int_t ngx_http_imagegram_uploads_begin(ngx_http_request_t *r,
    ngx_http_imagegram_transfer_t *t,
    void (*work)(void *data, ngx_log_t *log));
static void ngx_http_imagegram_uploads_create_work(void *data, ngx_log_t *log);
static void ngx_http_imagegram_uploads_open_work(void *data, ngx_log_t *log);
static ngx_int_t ngx_http_imagegram_uploads_open_status(
    ngx_http_imagegram_transfer_t *t, ngx_log_t *log);
static ngx_int_t ngx_http_imagegram_uploads_allowed(
    ngx_http_imagegram_transfer_t *t, ngx_log_t *log);
static void ngx_http_imagegram_uploads_opened(void *data);
static void ngx_http_imagegram_uploads_receive(
    ngx_http_imagegram_transfer_t *t);
static ngx_int_t ngx_http_imagegram_uploads_slice(void *data,
    ngx_http_imagegram_slice_t *slice);
static void ngx_http_imagegram_uploads_left(ngx_http_imagegram_job_t *job);
static void ngx_http_imagegram_uploads_received(void *data, ngx_int_t rc);
static void ngx_http_imagegram_uploads_settle(
    ngx_http_imagegram_transfer_t *t);
static void ngx_http_imagegram_uploads_settle_work(void *data, ngx_log_t *log);
static void ngx_http_imagegram_uploads_settled(void *data);
static void ngx_http_imagegram_uploads_finished(
    ngx_http_imagegram_transfer_t *t);
static void ngx_http_imagegram_uploads_delete_work(void *data, ngx_log_t *log);


ngx_int_t
ngx_http_imagegram_create_upload(ngx_http_request_t *r)
{
    off_t                           length;
    ngx_int_t                       rc;
    ngx_str_t                       metadata, author, body;
    ngx_http_imagegram_transfer_t  *t;

    rc = ngx_http_imagegram_tus_version(r);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_imagegram_tus_length(r, &length);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_imagegram_tus_metadata(r, &metadata, &author, &body);
    if (rc != NGX_OK) {
        return rc;
    }

    t = ngx_http_imagegram_transfer_create(r, NULL);
    if (t == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    t->method = NGX_HTTP_POST;
    t->upload.record.length = length;

    rc = ngx_http_imagegram_tus_body(r, &t->body);

    if (rc == NGX_OK) {
        rc = ngx_http_imagegram_tus_checksum(r, t->sha1, &t->checked);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_imagegram_uploads_texts_set(t, &metadata, &author, &body);
    }

    if (rc != NGX_OK) {
        (void) ngx_http_imagegram_transfer_end(t);
        return rc;
    }

    return ngx_http_imagegram_uploads_begin(r, t,
                                        ngx_http_imagegram_uploads_create_work);
}


ngx_int_t
ngx_http_imagegram_head_upload(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_http_imagegram_ctx_t       *ctx;
    ngx_http_imagegram_transfer_t  *t;

    rc = ngx_http_imagegram_tus_version(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    t = ngx_http_imagegram_transfer_create(r, (u_char *) ctx->route.upload);
    if (t == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    t->method = NGX_HTTP_HEAD;
    t->expected = -1;

    return ngx_http_imagegram_uploads_begin(r, t,
                                          ngx_http_imagegram_uploads_open_work);
}


ngx_int_t
ngx_http_imagegram_patch_upload(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_http_imagegram_ctx_t       *ctx;
    ngx_http_imagegram_transfer_t  *t;

    rc = ngx_http_imagegram_tus_version(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    t = ngx_http_imagegram_transfer_create(r, (u_char *) ctx->route.upload);
    if (t == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    t->method = NGX_HTTP_PATCH;

    rc = ngx_http_imagegram_tus_body(r, &t->body);

    if (rc == NGX_OK) {
        rc = ngx_http_imagegram_tus_offset(r, &t->expected);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_imagegram_tus_checksum(r, t->sha1, &t->checked);
    }

    if (rc != NGX_OK) {
        (void) ngx_http_imagegram_transfer_end(t);
        return rc;
    }

    return ngx_http_imagegram_uploads_begin(r, t,
                                          ngx_http_imagegram_uploads_open_work);
}


ngx_int_t
ngx_http_imagegram_delete_upload(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_http_imagegram_ctx_t       *ctx;
    ngx_http_imagegram_transfer_t  *t;

    rc = ngx_http_imagegram_tus_version(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    t = ngx_http_imagegram_transfer_create(r, (u_char *) ctx->route.upload);
    if (t == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    t->method = NGX_HTTP_DELETE;

    return ngx_http_imagegram_uploads_begin(r, t,
                                          ngx_http_imagegram_uploads_open_work);
}


/* A thread may need them after the request has gone. */

static ngx_int_t
ngx_http_imagegram_uploads_texts_set(ngx_http_imagegram_transfer_t *t,
    ngx_str_t *metadata, ngx_str_t *author, ngx_str_t *body)
{
    ngx_str_t   *texts;
    ngx_uint_t   i;

    texts = t->texts;

    texts[NGX_HTTP_IMAGEGRAM_UPLOAD_USER] = t->user;
    texts[NGX_HTTP_IMAGEGRAM_UPLOAD_LOCATION] = t->job.conf->name;
    texts[NGX_HTTP_IMAGEGRAM_UPLOAD_OWNER] = t->job.conf->owner;
    texts[NGX_HTTP_IMAGEGRAM_UPLOAD_AUTHOR] = *author;
    texts[NGX_HTTP_IMAGEGRAM_UPLOAD_BODY] = *body;
    texts[NGX_HTTP_IMAGEGRAM_UPLOAD_METADATA] = *metadata;

    for (i = NGX_HTTP_IMAGEGRAM_UPLOAD_AUTHOR;
         i < NGX_HTTP_IMAGEGRAM_UPLOAD_TEXTS;
         i++)
    {
        texts[i].data = ngx_pstrdup(t->job.pool, &texts[i]);

        if (texts[i].data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_imagegram_uploads_begin(ngx_http_request_t *r,
    ngx_http_imagegram_transfer_t *t, void (*work)(void *data, ngx_log_t *log))
{
    if (ngx_http_imagegram_transfer_thread(t, work,
                                           ngx_http_imagegram_uploads_opened)
        != NGX_OK)
    {
        (void) ngx_http_imagegram_transfer_end(t);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    /* HEAD may have to wait, and changes nothing */

    ngx_http_imagegram_request_hold(r, t->method == NGX_HTTP_HEAD);

    return NGX_DONE;
}


static void
ngx_http_imagegram_uploads_create_work(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_transfer_t *t = data;

    t->rc = ngx_http_imagegram_upload_create(&t->upload, t->texts);

    if (t->rc == NGX_OK && t->body && t->checked) {
        t->rc = ngx_http_imagegram_upload_check(&t->upload);
    }

    if (t->rc != NGX_OK) {
        t->err = ngx_errno;
        t->status = ngx_http_imagegram_storage_status(t->err);
    }
}


static void
ngx_http_imagegram_uploads_open_work(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_transfer_t *t = data;

    t->status = ngx_http_imagegram_uploads_open_status(t, log);
}


static ngx_int_t
ngx_http_imagegram_uploads_open_status(ngx_http_imagegram_transfer_t *t,
    ngx_log_t *log)
{
    ngx_int_t                     rc;
    ngx_http_imagegram_upload_t  *u;

    u = &t->upload;

    rc = ngx_http_imagegram_upload_open(u);

    if (rc == NGX_OK) {
        rc = ngx_http_imagegram_uploads_allowed(t, log);
    }

    if (rc == NGX_OK) {

        if (t->method == NGX_HTTP_DELETE) {
            rc = ngx_http_imagegram_upload_remove(u, 0, log);

        } else if (u->record.state == NGX_HTTP_IMAGEGRAM_UPLOAD_RECEIVING) {
            rc = ngx_http_imagegram_upload_take_over(u, t->expected);
        }
    }

    if (rc == NGX_OK && t->body && t->checked
        && u->record.state == NGX_HTTP_IMAGEGRAM_UPLOAD_RECEIVING)
    {
        rc = ngx_http_imagegram_upload_check(u);
    }

    switch (rc) {

    case NGX_OK:
    case NGX_BUSY:
        return NGX_OK;

    case NGX_DECLINED:
        return NGX_HTTP_NOT_FOUND;

    case NGX_ERROR:
        t->err = ngx_errno;
        return ngx_http_imagegram_storage_status(t->err);

    default:
        return rc;
    }
}


/* NGX_DECLINED: it is not this user's, or not one of this location's. */

static ngx_int_t
ngx_http_imagegram_uploads_allowed(ngx_http_imagegram_transfer_t *t,
    ngx_log_t *log)
{
    ngx_str_t  *user;

    t->texts_data = ngx_http_imagegram_upload_texts(&t->upload, t->texts, log);

    if (t->texts_data == NULL) {
        return NGX_ERROR;
    }

    user = &t->texts[NGX_HTTP_IMAGEGRAM_UPLOAD_USER];

    if (user->len != t->user.len
        || ngx_memcmp(user->data, t->user.data, user->len) != 0
        || !ngx_http_imagegram_owner_is(t->job.conf,
                                  &t->texts[NGX_HTTP_IMAGEGRAM_UPLOAD_OWNER]))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_imagegram_uploads_opened(void *data)
{
    ngx_http_imagegram_transfer_t *t = data;

    ngx_uint_t                    complete, posted;
    ngx_http_imagegram_upload_t  *u;

    u = &t->upload;

    if (t->err) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, t->err,
                      "imagegram: upload %*s cannot be opened",
                      (size_t) IMAGEGRAM_ID_LEN, u->id);
    }

    if (t->status == NGX_OK
        && u->record.state == NGX_HTTP_IMAGEGRAM_UPLOAD_REFUSED
        && t->method != NGX_HTTP_DELETE)
    {
        t->status = NGX_HTTP_GONE;
    }

    if (t->status != NGX_OK) {
        ngx_http_imagegram_uploads_answer(t);
        return;
    }

    complete = ngx_http_imagegram_upload_complete(u);
    posted = u->record.state == NGX_HTTP_IMAGEGRAM_UPLOAD_POSTED;

    if (posted && t->method == NGX_HTTP_PATCH && t->expected != u->offset) {
        t->status = NGX_HTTP_CONFLICT;
        ngx_http_imagegram_uploads_answer(t);
        return;
    }

    /* a body that nobody reads would pass for the connection's next request */

    if (t->body && (complete || posted)) {
        t->status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        ngx_http_imagegram_uploads_answer(t);
        return;
    }

    if (complete) {
        ngx_http_imagegram_finish(t, ngx_http_imagegram_uploads_finished);
        return;
    }

    if (u->record.state == NGX_HTTP_IMAGEGRAM_UPLOAD_RECEIVING && t->body) {
        ngx_http_imagegram_uploads_receive(t);
        return;
    }

    ngx_http_imagegram_uploads_answer(t);
}


static void
ngx_http_imagegram_uploads_receive(ngx_http_imagegram_transfer_t *t)
{
    ngx_int_t                     rc;
    ngx_http_request_t           *r;
    ngx_http_imagegram_upload_t  *u;

    r = t->job.request;
    u = &t->upload;

    if (r == NULL) {
        ngx_http_imagegram_uploads_settle(t);
        return;
    }

    t->job.left = ngx_http_imagegram_uploads_left;

    rc = ngx_http_imagegram_intake_file(r, u->bytes, u->offset,
                                        u->record.length - u->offset,
                                        ngx_http_imagegram_uploads_slice,
                                        ngx_http_imagegram_uploads_received, t);
    if (rc == NGX_DONE) {

        /* the intake holds the request now */

        ngx_http_imagegram_request_done(r, NGX_DONE);
        return;
    }

    ngx_http_imagegram_uploads_received(t, rc);
}


static ngx_int_t
ngx_http_imagegram_uploads_slice(void *data, ngx_http_imagegram_slice_t *slice)
{
    ngx_http_imagegram_transfer_t *t = data;

    return ngx_http_imagegram_upload_append(&t->upload, slice);
}


/* The client left while a body was being received. */

static void
ngx_http_imagegram_uploads_left(ngx_http_imagegram_job_t *job)
{
    ngx_http_imagegram_uploads_received(job, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}


static void
ngx_http_imagegram_uploads_received(void *data, ngx_int_t rc)
{
    ngx_http_imagegram_transfer_t *t = data;

    t->job.left = NULL;
    t->status = rc;
    t->upload.touched = ngx_time();

    ngx_http_imagegram_uploads_settle(t);
}


static void
ngx_http_imagegram_uploads_settle(ngx_http_imagegram_transfer_t *t)
{
    if (ngx_http_imagegram_transfer_thread(t,
                                         ngx_http_imagegram_uploads_settle_work,
                                         ngx_http_imagegram_uploads_settled)
        != NGX_OK)
    {
        t->status = NGX_HTTP_SERVICE_UNAVAILABLE;
        ngx_http_imagegram_uploads_answer(t);
    }
}


/*
 * A chunk with a checksum counts or is dropped.  What a creation brought that
 * failed goes with the upload: the client has not learned where it is.
 */

static void
ngx_http_imagegram_uploads_settle_work(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_transfer_t *t = data;

    ngx_int_t                     rc;
    ngx_http_imagegram_upload_t  *u;

    u = &t->upload;

    if (u->checked) {
        rc = ngx_http_imagegram_upload_verify(u, t->status == NGX_OK ? t->sha1
                                                                     : NULL);
        if (t->status == NGX_OK && rc != NGX_OK) {
            t->status = rc == NGX_DECLINED ? NGX_HTTP_CHECKSUM_MISMATCH
                        : rc == NGX_ERROR
                              ? ngx_http_imagegram_storage_status(ngx_errno)
                              : rc;
        }
    }

    if (ngx_http_imagegram_upload_complete(u)) {
        return;
    }

    if (t->method == NGX_HTTP_POST && t->status != NGX_OK
        && u->record.state == NGX_HTTP_IMAGEGRAM_UPLOAD_RECEIVING)
    {
        (void) ngx_http_imagegram_upload_remove(u, 0, log);
    }

    ngx_http_imagegram_upload_close(u);
}


static void
ngx_http_imagegram_uploads_settled(void *data)
{
    ngx_http_imagegram_transfer_t *t = data;

    /* whatever happened to the client once its last byte was here */

    if (ngx_http_imagegram_upload_complete(&t->upload)
        && t->status != NGX_HTTP_CONFLICT)
    {
        t->status = NGX_OK;
        ngx_http_imagegram_finish(t, ngx_http_imagegram_uploads_finished);
        return;
    }

    ngx_http_imagegram_uploads_answer(t);
}


static void
ngx_http_imagegram_uploads_finished(ngx_http_imagegram_transfer_t *t)
{
    ngx_http_imagegram_upload_t  *u;

    u = &t->upload;

    switch (u->record.state) {

    case NGX_HTTP_IMAGEGRAM_UPLOAD_POSTED:
        u->offset = u->record.length;

        if (t->method == NGX_HTTP_DELETE
            && ngx_http_imagegram_transfer_thread(t,
                                        ngx_http_imagegram_uploads_delete_work,
                                        ngx_http_imagegram_uploads_answer)
               == NGX_OK)
        {
            return;
        }

        break;

    case NGX_HTTP_IMAGEGRAM_UPLOAD_REFUSED:
        t->status = t->method == NGX_HTTP_HEAD
                        ? NGX_HTTP_GONE
                        : imagegram_reason_status(u->record.reason);
        break;

    case NGX_HTTP_IMAGEGRAM_UPLOAD_REMOVED:
        t->status = NGX_HTTP_NOT_FOUND;
        break;

    default:

        /*
         * It is complete, and will be finished.  After a HEAD or a creation
         * that fails clients start anew: that would make a second post.
         */

        if (t->method != NGX_HTTP_HEAD && t->method != NGX_HTTP_POST) {
            t->status = t->publication.status;
        }
    }

    ngx_http_imagegram_uploads_answer(t);
}


static void
ngx_http_imagegram_uploads_delete_work(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_transfer_t *t = data;

    (void) ngx_http_imagegram_upload_remove(&t->upload, 0, log);
}
