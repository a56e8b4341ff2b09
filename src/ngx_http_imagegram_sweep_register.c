
/*
 * A storage that is new is made known to Redis, once and for all: to each that
 * holds posts of it.  Only then its marker is removed.
 *
 * A registration begins at the worker's start, and lives as long as the worker;
 * most often there is nothing to do.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_storage_id.h"
#include "ngx_http_imagegram_store.h"
#include "ngx_http_imagegram_sweep.h"
#include "ngx_http_imagegram_task.h"


/* until Redis is asked again, ms; doubled each time */

#define NGX_HTTP_IMAGEGRAM_REGISTER_RETRY      500
#define NGX_HTTP_IMAGEGRAM_REGISTER_RETRY_MAX  60000


struct ngx_http_imagegram_registration_s {
    ngx_thread_task_t           *task;
    ngx_event_t                  timer;
    ngx_msec_t                   retry;
    ngx_uint_t                   owner;     /* the one being told */
    u_char                       id[IMAGEGRAM_ID_LEN];
    ngx_uint_t                   new;
    ngx_err_t                    err;       /* of a thread */
};


static void ngx_http_imagegram_register_look(void *data, ngx_log_t *log);
static void ngx_http_imagegram_register_looked(void *data);
static void ngx_http_imagegram_register_tell(
    ngx_http_imagegram_sweep_t *sweep);
static void ngx_http_imagegram_register_told(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_imagegram_register_retry(
    ngx_http_imagegram_sweep_t *sweep);
static void ngx_http_imagegram_register_retry_handler(ngx_event_t *ev);
static void ngx_http_imagegram_register_mark(void *data, ngx_log_t *log);
static void ngx_http_imagegram_register_marked(void *data);
static void ngx_http_imagegram_register_failed(
    ngx_http_imagegram_sweep_t *sweep);


void
ngx_http_imagegram_sweep_register(ngx_http_imagegram_sweep_t *sweep)
{
    ngx_http_imagegram_registration_t  *reg;

    reg = ngx_pcalloc(ngx_cycle->pool,
                      sizeof(ngx_http_imagegram_registration_t));
    if (reg == NULL) {
        return;
    }

    reg->task = ngx_thread_task_alloc(ngx_cycle->pool, 0);
    if (reg->task == NULL) {
        return;
    }

    reg->retry = NGX_HTTP_IMAGEGRAM_REGISTER_RETRY;
    reg->timer.handler = ngx_http_imagegram_register_retry_handler;
    reg->timer.data = sweep;
    reg->timer.log = ngx_cycle->log;
    reg->timer.cancelable = 1;

    sweep->registration = reg;

    if (ngx_http_imagegram_task_post(reg->task,
                                     ngx_http_imagegram_register_look,
                                     ngx_http_imagegram_register_looked, sweep)
        != NGX_OK)
    {
        sweep->registration = NULL;
    }
}


static void
ngx_http_imagegram_register_look(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    ngx_http_imagegram_registration_t  *reg;

    reg = sweep->registration;

    if (ngx_http_imagegram_storage_id_read(sweep->storage, reg->id) != NGX_OK) {
        reg->err = ngx_errno;
        return;
    }

    reg->new = ngx_http_imagegram_storage_id_new(sweep->storage, reg->id);
}


static void
ngx_http_imagegram_register_looked(void *data)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    if (sweep->registration->err) {
        ngx_http_imagegram_register_failed(sweep);

    } else if (sweep->registration->new) {
        ngx_http_imagegram_register_tell(sweep);

    } else {
        sweep->registration = NULL;
    }
}


static void
ngx_http_imagegram_register_tell(ngx_http_imagegram_sweep_t *sweep)
{
    ngx_http_imagegram_loc_conf_t      **owners;
    ngx_http_imagegram_registration_t   *reg;

    reg = sweep->registration;
    owners = sweep->owners.elts;

    if (ngx_exiting) {
        sweep->registration = NULL;
        return;
    }

    if (ngx_http_imagegram_store_register(owners[reg->owner], reg->id,
                                          ngx_http_imagegram_register_told,
                                          sweep)
        != NGX_OK)
    {
        ngx_http_imagegram_register_retry(sweep);
    }
}


static void
ngx_http_imagegram_register_told(void *data, ngx_int_t rc, redisReply *reply)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    ngx_http_imagegram_registration_t  *reg;

    reg = sweep->registration;

    if (rc != NGX_OK || reply->type != REDIS_REPLY_INTEGER) {
        ngx_http_imagegram_register_retry(sweep);
        return;
    }

    if (++reg->owner < sweep->owners.nelts) {
        ngx_http_imagegram_register_tell(sweep);
        return;
    }

    if (ngx_http_imagegram_task_post(reg->task,
                                     ngx_http_imagegram_register_mark,
                                     ngx_http_imagegram_register_marked, sweep)
        != NGX_OK)
    {
        ngx_http_imagegram_register_retry(sweep);
    }
}


/* With all of them anew: the first may have lost its data meanwhile. */

static void
ngx_http_imagegram_register_retry(ngx_http_imagegram_sweep_t *sweep)
{
    ngx_http_imagegram_registration_t  *reg;

    reg = sweep->registration;
    reg->owner = 0;

    ngx_add_timer(&reg->timer, reg->retry);

    reg->retry = ngx_min(2 * reg->retry, NGX_HTTP_IMAGEGRAM_REGISTER_RETRY_MAX);
}


static void
ngx_http_imagegram_register_retry_handler(ngx_event_t *ev)
{
    ngx_http_imagegram_register_tell(ev->data);
}


static void
ngx_http_imagegram_register_mark(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    if (ngx_http_imagegram_storage_id_told(sweep->storage) != NGX_OK) {
        sweep->registration->err = ngx_errno;
    }
}


static void
ngx_http_imagegram_register_marked(void *data)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    if (sweep->registration->err) {
        ngx_http_imagegram_register_failed(sweep);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "imagegram: storage \"%V\" is new, its id is %*s",
                  &sweep->storage->path, (size_t) IMAGEGRAM_ID_LEN,
                  sweep->registration->id);

    sweep->registration = NULL;
}


static void
ngx_http_imagegram_register_failed(ngx_http_imagegram_sweep_t *sweep)
{
    ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, sweep->registration->err,
                  "imagegram: the id of storage \"%V\" cannot be handled",
                  &sweep->storage->path);

    sweep->registration = NULL;
}
