
/*
 * DELETE posts/ID.  Redis first: from then on the post is gone for everybody;
 * then the files, by a thread.  A job, since files of a post that is gone are
 * to be removed whether the client waits or not.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_job.h"
#include "ngx_http_imagegram_posts.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_request.h"
#include "ngx_http_imagegram_response.h"
#include "ngx_http_imagegram_store.h"


typedef struct {
    ngx_http_imagegram_job_t   job;
    u_char                     id[IMAGEGRAM_ID_LEN];
    imagegram_format_e         format;
} ngx_http_imagegram_deletion_t;


static void ngx_http_imagegram_deletion_reply(void *data, ngx_int_t rc,
    redisReply *reply);
static ngx_int_t ngx_http_imagegram_deletion_status(ngx_http_request_t *r,
    ngx_int_t rc, redisReply *reply);
static void ngx_http_imagegram_deletion_remove(void *data, ngx_log_t *log);
static void ngx_http_imagegram_deletion_removed(void *data);
static void ngx_http_imagegram_deletion_end(
    ngx_http_imagegram_deletion_t *deletion, ngx_int_t rc);


ngx_int_t
ngx_http_imagegram_delete_post(ngx_http_request_t *r)
{
    ngx_http_imagegram_ctx_t       *ctx;
    ngx_http_imagegram_deletion_t  *deletion;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    deletion = (ngx_http_imagegram_deletion_t *)
                   ngx_http_imagegram_job_create(r,
                                        sizeof(ngx_http_imagegram_deletion_t));
    if (deletion == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(deletion->id, ctx->route.post, IMAGEGRAM_ID_LEN);

    if (ngx_http_imagegram_store_delete_post(deletion->job.conf,
                                             deletion->job.pool, deletion->id,
                                             &ctx->user,
                                             ngx_http_imagegram_deletion_reply,
                                             deletion)
        != NGX_OK)
    {
        ngx_http_imagegram_job_destroy(&deletion->job);
        return ngx_http_imagegram_store_failed(r);
    }

    ngx_http_imagegram_request_hold(r, 0);

    return NGX_DONE;
}


static void
ngx_http_imagegram_deletion_reply(void *data, ngx_int_t rc, redisReply *reply)
{
    ngx_http_imagegram_deletion_t *deletion = data;

    if (rc == NGX_OK && reply->type == REDIS_REPLY_STRING) {
        deletion->format = ngx_http_imagegram_storage_format(
                                            (u_char *) reply->str, reply->len);

        if (ngx_http_imagegram_job_thread(&deletion->job,
                                          ngx_http_imagegram_deletion_remove,
                                          ngx_http_imagegram_deletion_removed)
            == NGX_OK)
        {
            return;
        }

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "imagegram: the files of deleted post %*s remain",
                      (size_t) IMAGEGRAM_ID_LEN, deletion->id);

        ngx_http_imagegram_deletion_end(deletion, NGX_HTTP_NO_CONTENT);
        return;
    }

    if (deletion->job.request) {
        rc = ngx_http_imagegram_deletion_status(deletion->job.request, rc,
                                                reply);
    }

    ngx_http_imagegram_deletion_end(deletion, rc);
}


static ngx_int_t
ngx_http_imagegram_deletion_status(ngx_http_request_t *r, ngx_int_t rc,
    redisReply *reply)
{
    if (rc != NGX_OK) {
        return ngx_http_imagegram_store_failed(r);
    }

    if (reply->type != REDIS_REPLY_INTEGER) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (reply->integer == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    return ngx_http_imagegram_problem(r, NGX_HTTP_FORBIDDEN,
                                      "only its author may delete a post");
}


static void
ngx_http_imagegram_deletion_remove(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_deletion_t *deletion = data;

    ngx_http_imagegram_storage_remove(deletion->job.conf->storage,
                                      deletion->id, deletion->format, log);
}


static void
ngx_http_imagegram_deletion_removed(void *data)
{
    ngx_http_imagegram_deletion_end(data, NGX_HTTP_NO_CONTENT);
}


static void
ngx_http_imagegram_deletion_end(ngx_http_imagegram_deletion_t *deletion,
    ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = deletion->job.request;

    ngx_http_imagegram_job_destroy(&deletion->job);

    if (r == NULL) {
        return;
    }

    if (rc == NGX_HTTP_NO_CONTENT) {
        rc = ngx_http_imagegram_send_empty(r, NGX_HTTP_NO_CONTENT);
    }

    ngx_http_imagegram_request_done(r, rc);
}
