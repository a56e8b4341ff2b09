
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
#define NGX_HTTP_IMAGEGRAM_REGISTER_RETRY_MAX  5000


struct ngx_http_imagegram_registration_s {
    ngx_thread_task_t           *task;
    ngx_event_t                  timer;
    ngx_msec_t                   retry;
    ngx_uint_t                   owner;     /* the one being told */
    u_char                      *told;      /* for each of them: it was */
    ngx_uint_t                   failed;    /* one could not be */
    u_char                       id[IMAGEGRAM_ID_LEN];
    ngx_uint_t                   new;
    ngx_uint_t                   files;     /* it holds some of posts */
    ngx_err_t                    err;       /* of a thread */
    ngx_uint_t                   said;      /* that a sweep waits */
};


static void ngx_http_imagegram_register_begin(
    ngx_http_imagegram_sweep_t *sweep);
static void ngx_http_imagegram_register_look(void *data, ngx_log_t *log);
static void ngx_http_imagegram_register_looked(void *data);
static void ngx_http_imagegram_register_tell(
    ngx_http_imagegram_sweep_t *sweep);
static void ngx_http_imagegram_register_told(void *data, ngx_int_t rc,
    redisReply *reply);
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

    reg->told = ngx_pcalloc(ngx_cycle->pool, sweep->owners.nelts);
    reg->task = ngx_thread_task_alloc(ngx_cycle->pool, 0);

    if (reg->told == NULL || reg->task == NULL) {
        return;
    }

    reg->retry = NGX_HTTP_IMAGEGRAM_REGISTER_RETRY;
    reg->timer.handler = ngx_http_imagegram_register_retry_handler;
    reg->timer.data = sweep;
    reg->timer.log = ngx_cycle->log;
    reg->timer.cancelable = 1;

    sweep->registration = reg;

    ngx_http_imagegram_register_begin(sweep);
}


void
ngx_http_imagegram_sweep_unregistered(ngx_http_imagegram_sweep_t *sweep)
{
    if (!sweep->registration->said) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "imagegram: images and originals of \"%V\" are not "
                      "swept as long as there is a Redis that could not be "
                      "told of this storage", &sweep->storage->path);
    }

    sweep->registration->said = 1;
}


/* What there is in the storage may have changed since the last try. */

static void
ngx_http_imagegram_register_begin(ngx_http_imagegram_sweep_t *sweep)
{
    if (ngx_exiting
        || ngx_http_imagegram_task_post(sweep->registration->task,
                                        ngx_http_imagegram_register_look,
                                        ngx_http_imagegram_register_looked,
                                        sweep)
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
    reg->files = ngx_http_imagegram_storage_unused(sweep->storage) != NGX_OK;
}


static void
ngx_http_imagegram_register_looked(void *data)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    ngx_http_imagegram_registration_t  *reg;

    reg = sweep->registration;

    if (reg->err) {
        ngx_http_imagegram_register_failed(sweep);

    } else if (reg->new) {
        reg->owner = 0;
        reg->failed = 0;

        ngx_http_imagegram_register_tell(sweep);

    } else {
        sweep->registration = NULL;
    }
}


/* The next owner that was not told yet; where one is away, the others are. */

static void
ngx_http_imagegram_register_tell(ngx_http_imagegram_sweep_t *sweep)
{
    ngx_http_imagegram_loc_conf_t      **owners;
    ngx_http_imagegram_registration_t   *reg;

    reg = sweep->registration;
    owners = sweep->owners.elts;

    for ( /* void */ ; reg->owner < sweep->owners.nelts; reg->owner++) {

        if (reg->told[reg->owner]) {
            continue;
        }

        if (ngx_http_imagegram_store_register(owners[reg->owner], reg->id,
                                              reg->files,
                                              ngx_http_imagegram_register_told,
                                              sweep)
            == NGX_OK)
        {
            return;
        }

        reg->failed = 1;
    }

    if (reg->failed
        || ngx_http_imagegram_task_post(reg->task,
                                        ngx_http_imagegram_register_mark,
                                        ngx_http_imagegram_register_marked,
                                        sweep)
           != NGX_OK)
    {
        ngx_add_timer(&reg->timer, reg->retry);

        reg->retry = ngx_min(2 * reg->retry,
                             NGX_HTTP_IMAGEGRAM_REGISTER_RETRY_MAX);
    }
}


/* Also one that will not know the storage was told: the sweeper reports it. */

static void
ngx_http_imagegram_register_told(void *data, ngx_int_t rc, redisReply *reply)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    ngx_http_imagegram_registration_t  *reg;

    reg = sweep->registration;

    if (rc == NGX_OK && reply->type == REDIS_REPLY_INTEGER) {
        reg->told[reg->owner] = 1;

    } else {
        reg->failed = 1;
    }

    reg->owner++;

    ngx_http_imagegram_register_tell(sweep);
}


static void
ngx_http_imagegram_register_retry_handler(ngx_event_t *ev)
{
    ngx_http_imagegram_register_begin(ev->data);
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
