
/*
 * A sweep's course, in the event loop; what may wait for the disk is done by a
 * thread, one step at a time:
 *
 *   lock       (thread) nobody else sweeps; the storage's id
 *   walk       (thread) a step; then a pause, or ...
 *   introduce  before the first file of a post: does Redis know the storage?
 *   ask        where files were found: which of them no post owns
 *   trash      (thread) these; then a pause
 *
 * A run lives in a pool of its own, from its start to its end.  It holds the
 * lock and open folders, and is changed by one thread or the event loop at a
 * time.  It ends as soon as the worker is to exit, which its timer does not
 * delay.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_storage_id.h"
#include "ngx_http_imagegram_sweep_internal.h"
#include "ngx_http_imagegram_task.h"


/* ms */

#define NGX_HTTP_IMAGEGRAM_SWEEP_DEFAULT  3600000
#define NGX_HTTP_IMAGEGRAM_SWEEP_FIRST    5000
#define NGX_HTTP_IMAGEGRAM_SWEEP_PAUSE    20


static void ngx_http_imagegram_sweep_timer_handler(ngx_event_t *ev);
static void ngx_http_imagegram_sweep_start(ngx_http_imagegram_sweep_t *sweep);
static void ngx_http_imagegram_sweep_lock(void *data, ngx_log_t *log);
static void ngx_http_imagegram_sweep_locked(void *data);
static void ngx_http_imagegram_sweep_walk(void *data, ngx_log_t *log);
static void ngx_http_imagegram_sweep_walked(void *data);
static void ngx_http_imagegram_sweep_mark(void *data, ngx_log_t *log);
static void ngx_http_imagegram_sweep_marked(void *data);
static void ngx_http_imagegram_sweep_trash(void *data, ngx_log_t *log);
static void ngx_http_imagegram_sweep_pause(void *data);
static void ngx_http_imagegram_sweep_end(ngx_http_imagegram_sweep_t *sweep);
static void ngx_http_imagegram_sweep_thread(ngx_http_imagegram_sweep_t *sweep,
    void (*work)(void *data, ngx_log_t *log), void (*done)(void *data));


void
ngx_http_imagegram_sweep_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_http_imagegram_sweep_t      **sweeps;
    ngx_http_imagegram_main_conf_t   *mcf;

    if (ngx_worker != 0) {
        return;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_imagegram_module);

    sweeps = mcf->sweeps.elts;

    for (i = 0; i < mcf->sweeps.nelts; i++) {

        /* also where it is not swept now: later it would not be new any more */

        ngx_http_imagegram_sweep_register(sweeps[i]);

        ngx_conf_init_msec_value(sweeps[i]->interval,
                                 NGX_HTTP_IMAGEGRAM_SWEEP_DEFAULT);

        if (sweeps[i]->interval == 0) {
            continue;
        }

        sweeps[i]->timer.handler = ngx_http_imagegram_sweep_timer_handler;
        sweeps[i]->timer.data = sweeps[i];
        sweeps[i]->timer.log = cycle->log;
        sweeps[i]->timer.cancelable = 1;

        ngx_add_timer(&sweeps[i]->timer,
                      ngx_min(sweeps[i]->interval,
                              NGX_HTTP_IMAGEGRAM_SWEEP_FIRST));
    }
}


/* Threads have ended before: their pool is a module of nginx's core. */

void
ngx_http_imagegram_sweep_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_http_imagegram_sweep_t      **sweeps;
    ngx_http_imagegram_main_conf_t   *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_imagegram_module);

    sweeps = mcf->sweeps.elts;

    for (i = 0; i < mcf->sweeps.nelts; i++) {

        if (sweeps[i]->run) {
            ngx_http_imagegram_sweep_finish(sweeps[i]);
        }
    }
}


/* Time for the next sweep, or for the next step. */

static void
ngx_http_imagegram_sweep_timer_handler(ngx_event_t *ev)
{
    ngx_http_imagegram_sweep_t  *sweep = ev->data;

    if (sweep->run == NULL) {
        ngx_http_imagegram_sweep_start(sweep);
        return;
    }

    ngx_http_imagegram_sweep_thread(sweep, ngx_http_imagegram_sweep_walk,
                                    ngx_http_imagegram_sweep_walked);
}


static void
ngx_http_imagegram_sweep_start(ngx_http_imagegram_sweep_t *sweep)
{
    ngx_pool_t                *pool;
    ngx_http_imagegram_run_t  *run;

    pool = ngx_create_pool(8192, ngx_cycle->log);
    if (pool == NULL) {
        ngx_add_timer(&sweep->timer, sweep->interval);
        return;
    }

    run = ngx_pcalloc(pool, sizeof(ngx_http_imagegram_run_t));

    if (run) {
        run->task = ngx_thread_task_alloc(pool, 0);
    }

    if (run == NULL || run->task == NULL) {
        ngx_destroy_pool(pool);
        ngx_add_timer(&sweep->timer, sweep->interval);
        return;
    }

    run->pool = pool;
    run->lock = NGX_INVALID_FILE;
    run->walk.storage = sweep->storage;
    run->walk.now = ngx_time();
    run->walk.upload_expires = sweep->upload_expires;

    sweep->run = run;

    ngx_http_imagegram_sweep_thread(sweep, ngx_http_imagegram_sweep_lock,
                                    ngx_http_imagegram_sweep_locked);
}


static void
ngx_http_imagegram_sweep_lock(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    ngx_http_imagegram_run_t  *run;

    run = sweep->run;

    run->lock = ngx_http_imagegram_storage_lock(sweep->storage, &run->last);

    if (run->lock == NGX_INVALID_FILE
        || ngx_http_imagegram_storage_id_read(sweep->storage, run->id)
           != NGX_OK)
    {
        run->err = ngx_errno;
    }
}


static void
ngx_http_imagegram_sweep_locked(void *data)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    ngx_http_imagegram_run_t  *run;

    run = sweep->run;

    if (run->err == 0) {

        /* unique, also where clocks go wrong */

        run->now = ngx_max(ngx_time(), run->last + 1);

        ngx_http_imagegram_sweep_thread(sweep, ngx_http_imagegram_sweep_walk,
                                        ngx_http_imagegram_sweep_walked);
        return;
    }

    if (run->err != NGX_EAGAIN) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, run->err,
                      "imagegram: storage \"%V\" cannot be swept",
                      &sweep->storage->path);
    }

    ngx_http_imagegram_sweep_end(sweep);
}


static void
ngx_http_imagegram_sweep_walk(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    ngx_http_imagegram_storage_walk(&sweep->run->walk, log);
}


static void
ngx_http_imagegram_sweep_walked(void *data)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    ngx_http_imagegram_run_t  *run;

    run = sweep->run;

    if (run->walk.found) {
        ngx_http_imagegram_sweep_ask(sweep);

    } else if (run->walk.folder == NGX_HTTP_IMAGEGRAM_WALK_IMAGES
               && !run->introduced)
    {
        if (sweep->registration) {
            ngx_http_imagegram_sweep_unregistered(sweep);
            ngx_http_imagegram_sweep_finish(sweep);

        } else {
            ngx_http_imagegram_sweep_introduce(sweep);
        }

    } else if (run->walk.folder == NGX_HTTP_IMAGEGRAM_WALK_END) {
        ngx_http_imagegram_sweep_finish(sweep);

    } else {
        ngx_http_imagegram_sweep_pause(sweep);
    }
}


void
ngx_http_imagegram_sweep_introduced(ngx_http_imagegram_sweep_t *sweep)
{
    ngx_http_imagegram_sweep_thread(sweep, ngx_http_imagegram_sweep_mark,
                                    ngx_http_imagegram_sweep_marked);
}


static void
ngx_http_imagegram_sweep_mark(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    ngx_http_imagegram_run_t  *run;

    run = sweep->run;

    if (ngx_http_imagegram_storage_swept(run->lock, run->now) != NGX_OK) {
        run->err = ngx_errno;
    }
}


static void
ngx_http_imagegram_sweep_marked(void *data)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    ngx_http_imagegram_run_t  *run;

    run = sweep->run;

    if (run->err) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, run->err,
                      "imagegram: \"%V/sweep.lock\" cannot be written",
                      &sweep->storage->path);

        ngx_http_imagegram_sweep_finish(sweep);
        return;
    }

    run->introduced = 1;
    run->last = run->now;

    ngx_http_imagegram_sweep_pause(sweep);
}


void
ngx_http_imagegram_sweep_asked(ngx_http_imagegram_sweep_t *sweep)
{
    if (sweep->run->walk.found == 0) {
        ngx_http_imagegram_sweep_pause(sweep);
        return;
    }

    ngx_http_imagegram_sweep_thread(sweep, ngx_http_imagegram_sweep_trash,
                                    ngx_http_imagegram_sweep_pause);
}


static void
ngx_http_imagegram_sweep_trash(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    ngx_http_imagegram_storage_trash(&sweep->run->walk, log);
}


static void
ngx_http_imagegram_sweep_pause(void *data)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    if (ngx_exiting) {
        ngx_http_imagegram_sweep_finish(sweep);
        return;
    }

    ngx_add_timer(&sweep->timer, NGX_HTTP_IMAGEGRAM_SWEEP_PAUSE);
}


void
ngx_http_imagegram_sweep_finish(ngx_http_imagegram_sweep_t *sweep)
{
    ngx_uint_t  i, trash, *counts;

    counts = sweep->run->walk.counts;

    for (i = 0; i < NGX_HTTP_IMAGEGRAM_WALK_END; i++) {

        if (counts[i] == 0) {
            continue;
        }

        trash = counts[NGX_HTTP_IMAGEGRAM_WALK_TRASH_IMAGES]
                + counts[NGX_HTTP_IMAGEGRAM_WALK_TRASH_ORIGINALS];

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "imagegram: swept \"%V\": removed from uploads %ui, "
                      "tmp %ui, trash %ui; moved to trash from images %ui, "
                      "originals %ui", &sweep->storage->path,
                      counts[NGX_HTTP_IMAGEGRAM_WALK_UPLOADS],
                      counts[NGX_HTTP_IMAGEGRAM_WALK_TMP], trash,
                      counts[NGX_HTTP_IMAGEGRAM_WALK_IMAGES],
                      counts[NGX_HTTP_IMAGEGRAM_WALK_ORIGINALS]);
        break;
    }

    if (sweep->run->walk.failed > 1) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                      "imagegram: %ui more files of \"%V\" could not be "
                      "removed or moved", sweep->run->walk.failed - 1,
                      &sweep->storage->path);
    }

    ngx_http_imagegram_sweep_end(sweep);
}


static void
ngx_http_imagegram_sweep_end(ngx_http_imagegram_sweep_t *sweep)
{
    ngx_http_imagegram_run_t  *run;

    run = sweep->run;

    sweep->run = NULL;

    ngx_http_imagegram_storage_walk_close(&run->walk);

    if (run->lock != NGX_INVALID_FILE) {
        (void) ngx_close_file(run->lock);
    }

    ngx_destroy_pool(run->pool);

    if (!ngx_exiting) {
        ngx_add_timer(&sweep->timer, sweep->interval);
    }
}


/* Goes on in a thread, unless the worker is to exit. */

static void
ngx_http_imagegram_sweep_thread(ngx_http_imagegram_sweep_t *sweep,
    void (*work)(void *data, ngx_log_t *log), void (*done)(void *data))
{
    if (ngx_exiting
        || ngx_http_imagegram_task_post(sweep->run->task, work, done, sweep)
           != NGX_OK)
    {
        ngx_http_imagegram_sweep_finish(sweep);
    }
}
