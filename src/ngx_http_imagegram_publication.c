
/*
 * Publications, see the header.
 */

#include "ngx_http_imagegram_publication.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_store.h"
#include "ngx_http_imagegram_task.h"


static void ngx_http_imagegram_publication_prepare(void *data, ngx_log_t *log);
static void ngx_http_imagegram_publication_prepared(void *data);
static void ngx_http_imagegram_publication_converted(void *data,
    imagegram_result_t *result, ngx_str_t *author, ngx_str_t *body);
static ngx_int_t ngx_http_imagegram_publication_accept(
    ngx_http_imagegram_publication_t *p, imagegram_result_t *result,
    ngx_str_t *author, ngx_str_t *body);
static void ngx_http_imagegram_publication_place(void *data, ngx_log_t *log);
static void ngx_http_imagegram_publication_placed(void *data);
static void ngx_http_imagegram_publication_stored(void *data, ngx_int_t rc,
    redisReply *reply);
static ngx_uint_t ngx_http_imagegram_publication_buried(
    ngx_http_imagegram_publication_t *p, redisReply *reply);
static ngx_int_t ngx_http_imagegram_publication_used(
    ngx_http_imagegram_publication_t *p, redisReply *reply);
static ngx_int_t ngx_http_imagegram_publication_thread(
    ngx_http_imagegram_publication_t *p,
    void (*work)(void *data, ngx_log_t *log), void (*done)(void *data));
static void ngx_http_imagegram_publication_undo(
    ngx_http_imagegram_publication_t *p, ngx_int_t status,
    void (*work)(void *data, ngx_log_t *log));
static void ngx_http_imagegram_publication_clean(void *data, ngx_log_t *log);
static void ngx_http_imagegram_publication_remove(void *data, ngx_log_t *log);
static void ngx_http_imagegram_publication_undone(void *data);
static void ngx_http_imagegram_publication_close(
    ngx_http_imagegram_publication_t *p);


void
ngx_http_imagegram_publication_init(ngx_http_imagegram_publication_t *p,
    ngx_http_imagegram_job_t *job)
{
    ngx_uint_t                      i;
    imagegram_job_t                *limits;
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = job->conf;
    limits = &p->conversion.job;

    limits->max_image_size = conf->max_image_size;
    limits->max_image_pixels = conf->max_image_pixels;
    limits->width = conf->image_width;
    limits->height = conf->image_height;
    limits->fit = conf->image_fit;
    limits->quality = conf->image_quality;
    limits->max_author = conf->max_author;
    limits->max_body = conf->max_body;
    limits->author_optional = conf->user != NULL;

    p->job = job;

    p->conversion.handler = ngx_http_imagegram_publication_converted;
    p->conversion.data = p;
    p->conversion.log = ngx_cycle->log;

    for (i = 0; i < IMAGEGRAM_FD_MAX; i++) {
        p->conversion.fds[i] = NGX_INVALID_FILE;
    }
}


void
ngx_http_imagegram_publication_start(ngx_http_imagegram_publication_t *p)
{
    if (ngx_http_imagegram_publication_thread(p,
                                      ngx_http_imagegram_publication_prepare,
                                      ngx_http_imagegram_publication_prepared)
        != NGX_OK)
    {
        ngx_http_imagegram_publication_give_up(p,
                                               NGX_HTTP_SERVICE_UNAVAILABLE);
    }
}


void
ngx_http_imagegram_publication_give_up(ngx_http_imagegram_publication_t *p,
    ngx_int_t status)
{
    ngx_http_imagegram_publication_undo(p, status,
                                        ngx_http_imagegram_publication_clean);
}


static void
ngx_http_imagegram_publication_prepare(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_publication_t *p = data;

    ngx_fd_t                      *fds;
    ngx_http_imagegram_storage_t  *storage;

    fds = p->conversion.fds;
    storage = p->job->conf->storage;

    p->err = 0;

    /* an attempt to make a post of an upload may have died before this one */

    if (p->conversion.job.kind == IMAGEGRAM_BODY_IMAGE) {
        ngx_http_imagegram_storage_clean(storage, p->id, log);
    }

    fds[IMAGEGRAM_FD_JPEG] = ngx_http_imagegram_storage_create(storage, p->id,
                                                NGX_HTTP_IMAGEGRAM_TEMP_JPEG);

    if (fds[IMAGEGRAM_FD_JPEG] == NGX_INVALID_FILE) {
        p->err = ngx_errno;
        return;
    }

    if (p->conversion.job.kind == IMAGEGRAM_BODY_IMAGE) {
        return;
    }

    fds[IMAGEGRAM_FD_ORIGINAL] = ngx_http_imagegram_storage_create(storage,
                                   p->id, NGX_HTTP_IMAGEGRAM_TEMP_ORIGINAL);

    if (fds[IMAGEGRAM_FD_ORIGINAL] == NGX_INVALID_FILE) {
        p->err = ngx_errno;
    }
}


static void
ngx_http_imagegram_publication_prepared(void *data)
{
    ngx_http_imagegram_publication_t *p = data;

    if (p->err) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, p->err,
                      "imagegram: creating a file in \"%V/tmp\" failed",
                      &p->job->conf->storage->path);

        ngx_http_imagegram_publication_give_up(p,
                          ngx_http_imagegram_storage_status(p->err));
        return;
    }

    ngx_http_imagegram_convert(p->job->conf->converters, &p->conversion);
}


static void
ngx_http_imagegram_publication_converted(void *data,
    imagegram_result_t *result, ngx_str_t *author, ngx_str_t *body)
{
    ngx_http_imagegram_publication_t *p = data;

    ngx_int_t  rc;

    rc = ngx_http_imagegram_publication_accept(p, result, author, body);

    if (rc == NGX_OK
        && ngx_http_imagegram_publication_thread(p,
                                         ngx_http_imagegram_publication_place,
                                         ngx_http_imagegram_publication_placed)
           != NGX_OK)
    {
        rc = NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (rc != NGX_OK) {
        ngx_http_imagegram_publication_give_up(p, rc);
    }
}


static ngx_int_t
ngx_http_imagegram_publication_accept(ngx_http_imagegram_publication_t *p,
    imagegram_result_t *result, ngx_str_t *author, ngx_str_t *body)
{
    p->reason = result->reason;

    if (result->reason != IMAGEGRAM_OK) {
        return ngx_http_imagegram_problem_reason(p->job->request,
                                                 result->reason,
                                                 result->fields);
    }

    p->format = result->format;

    return p->accept(p, author, body);
}


static void
ngx_http_imagegram_publication_place(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_publication_t *p = data;

    ngx_http_imagegram_temp_e  original;

    p->err = 0;

    original = p->conversion.job.kind == IMAGEGRAM_BODY_IMAGE
                   ? NGX_HTTP_IMAGEGRAM_UPLOAD_BYTES
                   : NGX_HTTP_IMAGEGRAM_TEMP_ORIGINAL;

    if ((p->idem.given
         && ngx_http_imagegram_idempotency_hash(&p->idem, &p->author, &p->body,
                                  p->conversion.fds[IMAGEGRAM_FD_ORIGINAL])
            != NGX_OK)
        || ngx_http_imagegram_storage_place(p->job->conf->storage, p->id,
                                            original, p->format)
           != NGX_OK)
    {
        p->err = ngx_errno;
    }

    ngx_http_imagegram_publication_clean(p, log);
}


static void
ngx_http_imagegram_publication_placed(void *data)
{
    ngx_http_imagegram_publication_t *p = data;

    ngx_http_imagegram_store_new_t  post;

    if (p->err) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, p->err,
                      "imagegram: putting the files of post %*s in place "
                      "below \"%V\" failed",
                      (size_t) IMAGEGRAM_ID_LEN, p->id,
                      &p->job->conf->storage->path);

        p->status = ngx_http_imagegram_storage_status(p->err);
        p->handler(p, NGX_DECLINED, NULL);
        return;
    }

    post.id = p->id;
    post.author = &p->author;
    post.body = &p->body;
    post.format = ngx_http_imagegram_storage_format_name(p->format);
    post.again = p->conversion.job.kind == IMAGEGRAM_BODY_IMAGE;
    post.idem = &p->idem;

    if (ngx_http_imagegram_store_create_post(p->job->conf, p->job->pool, &post,
                                         ngx_http_imagegram_publication_stored,
                                         p)
        != NGX_OK)
    {
        ngx_http_imagegram_publication_stored(p, NGX_DECLINED, NULL);
    }
}


static void
ngx_http_imagegram_publication_stored(void *data, ngx_int_t rc,
    redisReply *reply)
{
    ngx_http_imagegram_publication_t *p = data;

    ngx_str_t  card;

    if (rc == NGX_OK && reply->type == REDIS_REPLY_STRING) {
        card.data = (u_char *) reply->str;
        card.len = reply->len;

        p->handler(p, NGX_OK, &card);
        return;
    }

    if (rc == NGX_OK) {
        p->status = ngx_http_imagegram_publication_used(p, reply);

    } else if (ngx_http_imagegram_publication_buried(p, reply)) {
        p->status = NGX_HTTP_GONE;

    } else {
        p->status = ngx_http_imagegram_store_failed(p->job->request);
    }

    /* an upload's attempt before this one may have made the post */

    if (p->conversion.job.kind == IMAGEGRAM_BODY_IMAGE
        && p->status != NGX_HTTP_GONE)
    {
        rc = NGX_ERROR;
    }

    if (rc != NGX_ERROR) {
        ngx_http_imagegram_publication_undo(p, p->status,
                                        ngx_http_imagegram_publication_remove);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "imagegram: post %*s may be in the feed or not: its files "
                  "stay", (size_t) IMAGEGRAM_ID_LEN, p->id);

    p->handler(p, NGX_ERROR, NULL);
}


/* An upload's post was made before, and has been deleted since. */

static ngx_uint_t
ngx_http_imagegram_publication_buried(ngx_http_imagegram_publication_t *p,
    redisReply *reply)
{
    return p->conversion.job.kind == IMAGEGRAM_BODY_IMAGE
           && reply && reply->type == REDIS_REPLY_ERROR
           && ngx_strncmp(reply->str, "ERR buried", 10) == 0;
}


/* The idempotency key was used before: gives NGX_OK for the same content. */

static ngx_int_t
ngx_http_imagegram_publication_used(ngx_http_imagegram_publication_t *p,
    redisReply *reply)
{
    ngx_str_t  card;

    if (reply->type == REDIS_REPLY_INTEGER) {
        return reply->integer
                   ? ngx_http_imagegram_idempotency_running(p->job->request)
                   : ngx_http_imagegram_idempotency_other(p->job->request);
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1
        || reply->element[0]->type != REDIS_REPLY_STRING)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    card.data = (u_char *) reply->element[0]->str;
    card.len = reply->element[0]->len;

    p->before.data = ngx_pstrdup(p->job->pool, &card);
    p->before.len = card.len;

    return p->before.data ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_http_imagegram_publication_thread(ngx_http_imagegram_publication_t *p,
    void (*work)(void *data, ngx_log_t *log), void (*done)(void *data))
{
    return ngx_http_imagegram_task_post(p->job->task, work, done, p);
}


/* Ends with status after a thread has done away with the files. */

static void
ngx_http_imagegram_publication_undo(ngx_http_imagegram_publication_t *p,
    ngx_int_t status, void (*work)(void *data, ngx_log_t *log))
{
    p->status = status;

    if (ngx_http_imagegram_publication_thread(p, work,
                                        ngx_http_imagegram_publication_undone)
        == NGX_OK)
    {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "imagegram: files of %*s remain", (size_t) IMAGEGRAM_ID_LEN,
                  p->id);

    ngx_http_imagegram_publication_close(p);
    ngx_http_imagegram_publication_undone(p);
}


static void
ngx_http_imagegram_publication_clean(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_publication_t *p = data;

    ngx_http_imagegram_storage_clean(p->job->conf->storage, p->id, log);

    /* only now the space is given back, which takes time for large files */

    ngx_http_imagegram_publication_close(p);
}


static void
ngx_http_imagegram_publication_remove(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_publication_t *p = data;

    ngx_http_imagegram_storage_remove(p->job->conf->storage, p->id, p->format,
                                      log);
}


static void
ngx_http_imagegram_publication_undone(void *data)
{
    ngx_http_imagegram_publication_t *p = data;

    if (p->before.data) {
        p->handler(p, NGX_OK, &p->before);
        return;
    }

    p->handler(p, NGX_DECLINED, NULL);
}


static void
ngx_http_imagegram_publication_close(ngx_http_imagegram_publication_t *p)
{
    ngx_fd_t    *fds;
    ngx_uint_t   i;

    fds = p->conversion.fds;

    for (i = 0; i < IMAGEGRAM_FD_MAX; i++) {

        if (fds[i] != NGX_INVALID_FILE) {
            (void) ngx_close_file(fds[i]);
            fds[i] = NGX_INVALID_FILE;
        }
    }
}
