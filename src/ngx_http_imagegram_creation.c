
/*
 * POST posts.
 *
 * A creation is a job.  Until the body is complete it ends with the request;
 * from then on it goes its way whether the client waits or not:
 *
 *   intake    the body goes to a file in tmp/
 *   prepare   (thread) files for original and JPEG
 *   convert   fields, original and JPEG, by imagegram-convert
 *   place     (thread) original and JPEG to where they stay; tmp/ is cleaned
 *   store     the script; from here on the post is in the feed
 *
 * If the script was not carried out the files are removed again (thread); if
 * nobody knows, they stay: the post may appear yet.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_admission.h"
#include "ngx_http_imagegram_card.h"
#include "ngx_http_imagegram_creation.h"
#include "ngx_http_imagegram_fields.h"
#include "ngx_http_imagegram_id.h"
#include "ngx_http_imagegram_intake.h"
#include "ngx_http_imagegram_job.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_request.h"
#include "ngx_http_imagegram_response.h"
#include "ngx_http_imagegram_store.h"


typedef struct {
    ngx_http_imagegram_job_t          job;

    u_char                            id[IMAGEGRAM_ID_LEN];
    ngx_http_imagegram_conversion_t   conversion;
    ngx_str_t                         user;

    ngx_str_t                         author;
    ngx_str_t                         body;
    imagegram_format_e                format;

    ngx_err_t                         err;      /* of a thread's work */
    ngx_int_t                         status;   /* to end with once the files
                                                 * are gone */
} ngx_http_imagegram_creation_t;


static ngx_http_imagegram_creation_t *ngx_http_imagegram_creation_create(
    ngx_http_request_t *r, imagegram_job_t *job);
static void ngx_http_imagegram_creation_left(ngx_http_imagegram_job_t *job);
static void ngx_http_imagegram_creation_received(void *data, ngx_int_t rc);
static void ngx_http_imagegram_creation_prepare(void *data, ngx_log_t *log);
static void ngx_http_imagegram_creation_prepared(void *data);
static void ngx_http_imagegram_creation_converted(void *data,
    imagegram_result_t *result, ngx_str_t *author, ngx_str_t *body);
static ngx_int_t ngx_http_imagegram_creation_accept(
    ngx_http_imagegram_creation_t *creation, imagegram_result_t *result,
    ngx_str_t *author, ngx_str_t *body);
static void ngx_http_imagegram_creation_place(void *data, ngx_log_t *log);
static void ngx_http_imagegram_creation_placed(void *data);
static void ngx_http_imagegram_creation_stored(void *data, ngx_int_t rc,
    redisReply *reply);
static ngx_int_t ngx_http_imagegram_creation_answer(
    ngx_http_imagegram_creation_t *creation, redisReply *reply);
static void ngx_http_imagegram_creation_give_up(
    ngx_http_imagegram_creation_t *creation, ngx_int_t status,
    void (*work)(void *data, ngx_log_t *log));
static void ngx_http_imagegram_creation_clean(void *data, ngx_log_t *log);
static void ngx_http_imagegram_creation_remove(void *data, ngx_log_t *log);
static void ngx_http_imagegram_creation_gone(void *data);
static void ngx_http_imagegram_creation_end(
    ngx_http_imagegram_creation_t *creation, ngx_int_t rc);
static ngx_int_t ngx_http_imagegram_creation_disk_status(ngx_err_t err);
static void ngx_http_imagegram_creation_close(
    ngx_http_imagegram_creation_t *creation);


ngx_int_t
ngx_http_imagegram_create_post(ngx_http_request_t *r)
{
    ngx_fd_t                        *fds;
    ngx_int_t                        rc;
    imagegram_job_t                  job;
    ngx_http_imagegram_creation_t   *creation;

    ngx_memzero(&job, sizeof(imagegram_job_t));

    rc = ngx_http_imagegram_admit(r, &job);
    if (rc != NGX_OK) {
        return rc;
    }

    creation = ngx_http_imagegram_creation_create(r, &job);
    if (creation == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    fds = creation->conversion.fds;

    /* like nginx's own temporary files, opened in the event loop */

    fds[IMAGEGRAM_FD_BODY] =
        ngx_http_imagegram_storage_create(creation->job.conf->storage,
                                          creation->id,
                                          NGX_HTTP_IMAGEGRAM_TEMP_BODY);

    if (fds[IMAGEGRAM_FD_BODY] == NGX_INVALID_FILE) {
        rc = ngx_http_imagegram_creation_disk_status(ngx_errno);

        ngx_log_error(NGX_LOG_CRIT, r->connection->log, ngx_errno,
                      "imagegram: creating a temporary file failed");

        ngx_http_imagegram_job_destroy(&creation->job);
        return rc;
    }

    creation->job.left = ngx_http_imagegram_creation_left;

    return ngx_http_imagegram_intake_file(r, fds[IMAGEGRAM_FD_BODY], 0,
                    ngx_http_imagegram_admission_size(creation->job.conf,
                                                      job.kind),
                    ngx_http_imagegram_creation_received, creation);
}


static ngx_http_imagegram_creation_t *
ngx_http_imagegram_creation_create(ngx_http_request_t *r, imagegram_job_t *job)
{
    ngx_uint_t                      i;
    ngx_http_imagegram_ctx_t       *ctx;
    ngx_http_imagegram_loc_conf_t  *conf;
    ngx_http_imagegram_creation_t  *creation;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    creation = (ngx_http_imagegram_creation_t *)
                   ngx_http_imagegram_job_create(r,
                                        sizeof(ngx_http_imagegram_creation_t));
    if (creation == NULL) {
        return NULL;
    }

    conf = creation->job.conf;

    creation->user.len = ctx->user.len;
    creation->user.data = ngx_pstrdup(creation->job.pool, &ctx->user);

    if (creation->user.data == NULL) {
        ngx_http_imagegram_job_destroy(&creation->job);
        return NULL;
    }

    ngx_http_imagegram_id_create(creation->id);

    job->max_image_size = conf->max_image_size;
    job->max_image_pixels = conf->max_image_pixels;
    job->width = conf->image_width;
    job->height = conf->image_height;
    job->fit = conf->image_fit;
    job->quality = conf->image_quality;
    job->max_author = conf->max_author;
    job->max_body = conf->max_body;
    job->author_optional = conf->user != NULL;

    creation->conversion.job = *job;
    creation->conversion.handler = ngx_http_imagegram_creation_converted;
    creation->conversion.data = creation;
    creation->conversion.log = ngx_cycle->log;

    for (i = 0; i < IMAGEGRAM_FD_MAX; i++) {
        creation->conversion.fds[i] = NGX_INVALID_FILE;
    }

    return creation;
}


/* The client left while the body was being received. */

static void
ngx_http_imagegram_creation_left(ngx_http_imagegram_job_t *job)
{
    ngx_http_imagegram_creation_give_up((ngx_http_imagegram_creation_t *) job,
                                        0, ngx_http_imagegram_creation_clean);
}


static void
ngx_http_imagegram_creation_received(void *data, ngx_int_t rc)
{
    ngx_http_imagegram_creation_t *creation = data;

    creation->job.left = NULL;

    if (rc != NGX_OK) {
        ngx_http_imagegram_creation_give_up(creation, rc,
                                            ngx_http_imagegram_creation_clean);
        return;
    }

    if (ngx_http_imagegram_job_thread(&creation->job,
                                      ngx_http_imagegram_creation_prepare,
                                      ngx_http_imagegram_creation_prepared)
        != NGX_OK)
    {
        ngx_http_imagegram_creation_give_up(creation,
                                            NGX_HTTP_SERVICE_UNAVAILABLE,
                                            ngx_http_imagegram_creation_clean);
    }
}


static void
ngx_http_imagegram_creation_prepare(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_creation_t *creation = data;

    ngx_fd_t                      *fds;
    ngx_http_imagegram_storage_t  *storage;

    fds = creation->conversion.fds;
    storage = creation->job.conf->storage;

    fds[IMAGEGRAM_FD_JPEG] = ngx_http_imagegram_storage_create(storage,
                                 creation->id, NGX_HTTP_IMAGEGRAM_TEMP_JPEG);

    if (fds[IMAGEGRAM_FD_JPEG] == NGX_INVALID_FILE) {
        creation->err = ngx_errno;
        return;
    }

    fds[IMAGEGRAM_FD_ORIGINAL] = ngx_http_imagegram_storage_create(storage,
                             creation->id, NGX_HTTP_IMAGEGRAM_TEMP_ORIGINAL);

    if (fds[IMAGEGRAM_FD_ORIGINAL] == NGX_INVALID_FILE) {
        creation->err = ngx_errno;
    }
}


static void
ngx_http_imagegram_creation_prepared(void *data)
{
    ngx_http_imagegram_creation_t *creation = data;

    if (creation->err) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, creation->err,
                      "imagegram: creating a temporary file failed");

        ngx_http_imagegram_creation_give_up(creation,
                       ngx_http_imagegram_creation_disk_status(creation->err),
                       ngx_http_imagegram_creation_clean);
        return;
    }

    ngx_http_imagegram_convert(creation->job.conf->converters,
                               &creation->conversion);
}


static void
ngx_http_imagegram_creation_converted(void *data, imagegram_result_t *result,
    ngx_str_t *author, ngx_str_t *body)
{
    ngx_http_imagegram_creation_t *creation = data;

    ngx_int_t  rc;

    rc = ngx_http_imagegram_creation_accept(creation, result, author, body);

    if (rc == NGX_OK
        && ngx_http_imagegram_job_thread(&creation->job,
                                         ngx_http_imagegram_creation_place,
                                         ngx_http_imagegram_creation_placed)
           != NGX_OK)
    {
        rc = NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (rc != NGX_OK) {
        ngx_http_imagegram_creation_give_up(creation, rc,
                                            ngx_http_imagegram_creation_clean);
    }
}


static ngx_int_t
ngx_http_imagegram_creation_accept(ngx_http_imagegram_creation_t *creation,
    imagegram_result_t *result, ngx_str_t *author, ngx_str_t *body)
{
    ngx_int_t            rc;
    ngx_pool_t          *pool;
    ngx_http_request_t  *r;

    r = creation->job.request;
    pool = creation->job.pool;

    if (result->reason != IMAGEGRAM_OK) {
        return ngx_http_imagegram_problem_reason(r, result->reason,
                                                 result->fields);
    }

    rc = ngx_http_imagegram_fields_author(r, &creation->user, author);
    if (rc != NGX_OK) {
        return rc;
    }

    creation->format = result->format;

    creation->author.len = author->len;
    creation->author.data = ngx_pstrdup(pool, author);

    creation->body.len = body->len;
    creation->body.data = ngx_pstrdup(pool, body);

    if (creation->author.data == NULL || creation->body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_imagegram_creation_place(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_creation_t *creation = data;

    creation->err = 0;

    if (ngx_http_imagegram_storage_place(creation->job.conf->storage,
                                         creation->id,
                                         NGX_HTTP_IMAGEGRAM_TEMP_ORIGINAL,
                                         creation->format)
        != NGX_OK)
    {
        creation->err = ngx_errno;
    }

    ngx_http_imagegram_creation_clean(creation, log);
}


static void
ngx_http_imagegram_creation_placed(void *data)
{
    ngx_http_imagegram_creation_t *creation = data;

    ngx_str_t  *format;

    if (creation->err) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, creation->err,
                      "imagegram: putting a post's files in place failed");

        ngx_http_imagegram_creation_end(creation,
                      ngx_http_imagegram_creation_disk_status(creation->err));
        return;
    }

    format = ngx_http_imagegram_storage_format_name(creation->format);

    if (ngx_http_imagegram_store_create_post(creation->job.conf,
                                            creation->job.pool, creation->id,
                                            &creation->author, &creation->body,
                                            format,
                                            ngx_http_imagegram_creation_stored,
                                            creation)
        != NGX_OK)
    {
        ngx_http_imagegram_creation_stored(creation, NGX_DECLINED, NULL);
    }
}


static void
ngx_http_imagegram_creation_stored(void *data, ngx_int_t rc,
    redisReply *reply)
{
    ngx_http_imagegram_creation_t *creation = data;

    ngx_int_t            status;
    ngx_http_request_t  *r;

    r = creation->job.request;

    if (rc == NGX_OK) {
        ngx_http_imagegram_creation_end(creation,
                     r ? ngx_http_imagegram_creation_answer(creation, reply)
                       : NGX_OK);
        return;
    }

    status = ngx_http_imagegram_store_failed(r);

    if (rc == NGX_DECLINED) {
        ngx_http_imagegram_creation_give_up(creation, status,
                                           ngx_http_imagegram_creation_remove);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "imagegram: post %*s may be in the feed or not: its files "
                  "stay", (size_t) IMAGEGRAM_ID_LEN, creation->id);

    ngx_http_imagegram_creation_end(creation, status);
}


static ngx_int_t
ngx_http_imagegram_creation_answer(ngx_http_imagegram_creation_t *creation,
    redisReply *reply)
{
    u_char                     *location;
    ngx_str_t                   json, *base;
    ngx_http_request_t         *r;
    ngx_http_imagegram_card_t   card;

    r = creation->job.request;
    base = &creation->job.conf->image_base_json;

    if (reply->type != REDIS_REPLY_STRING
        || ngx_http_imagegram_card_parse(&card, (u_char *) reply->str,
                                         reply->len)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    json.data = ngx_pnalloc(r->pool, ngx_http_imagegram_card_size(&card, base));
    if (json.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    json.len = ngx_http_imagegram_card_write(&card, base, json.data)
               - json.data;

    location = ngx_http_imagegram_path(r, sizeof("posts/") + IMAGEGRAM_ID_LEN,
                                       "posts/%*s", (size_t) IMAGEGRAM_ID_LEN,
                                       creation->id);
    if (location == NULL
        || ngx_http_imagegram_add_header(r, "Location", (char *) location)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_imagegram_send_json(r, NGX_HTTP_CREATED, &json);
}


/* Ends with status after a thread has done away with the files. */

static void
ngx_http_imagegram_creation_give_up(ngx_http_imagegram_creation_t *creation,
    ngx_int_t status, void (*work)(void *data, ngx_log_t *log))
{
    creation->status = status;

    if (ngx_http_imagegram_job_thread(&creation->job, work,
                                      ngx_http_imagegram_creation_gone)
        == NGX_OK)
    {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "imagegram: files of %*s remain", (size_t) IMAGEGRAM_ID_LEN,
                  creation->id);

    ngx_http_imagegram_creation_close(creation);
    ngx_http_imagegram_creation_end(creation, status);
}


static void
ngx_http_imagegram_creation_clean(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_creation_t *creation = data;

    ngx_http_imagegram_storage_clean(creation->job.conf->storage,
                                     creation->id, log);

    /* only now the space is given back, which takes time for large files */

    ngx_http_imagegram_creation_close(creation);
}


static void
ngx_http_imagegram_creation_remove(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_creation_t *creation = data;

    ngx_http_imagegram_storage_remove(creation->job.conf->storage,
                                      creation->id, creation->format, log);
}


static void
ngx_http_imagegram_creation_gone(void *data)
{
    ngx_http_imagegram_creation_t *creation = data;

    ngx_http_imagegram_creation_end(creation, creation->status);
}


static void
ngx_http_imagegram_creation_end(ngx_http_imagegram_creation_t *creation,
    ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = creation->job.request;

    ngx_http_imagegram_job_destroy(&creation->job);

    if (r) {
        ngx_http_imagegram_request_done(r, rc);
    }
}


static ngx_int_t
ngx_http_imagegram_creation_disk_status(ngx_err_t err)
{
    if (err == NGX_ENOSPC || err == EDQUOT) {
        return NGX_HTTP_INSUFFICIENT_STORAGE;
    }

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
ngx_http_imagegram_creation_close(ngx_http_imagegram_creation_t *creation)
{
    ngx_fd_t    *fds;
    ngx_uint_t   i;

    fds = creation->conversion.fds;

    for (i = 0; i < IMAGEGRAM_FD_MAX; i++) {

        if (fds[i] != NGX_INVALID_FILE) {
            (void) ngx_close_file(fds[i]);
            fds[i] = NGX_INVALID_FILE;
        }
    }
}
