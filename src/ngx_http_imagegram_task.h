
/*
 * Work that may wait for the disk, done by nginx's thread pool "default".
 */

#ifndef _NGX_HTTP_IMAGEGRAM_TASK_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_TASK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_thread_pool.h>


/* Creates the pool "default" if the configuration has none: at configuration
 * time, once imagegram is used anywhere. */
ngx_int_t ngx_http_imagegram_task_init(ngx_conf_t *cf);

/*
 * Runs work(data, log) in a thread, then done(data) in the event loop.  task
 * is from ngx_thread_task_alloc(), may be posted again once done was called,
 * and like data must stay valid until then; the worker does not exit
 * before.  NGX_ERROR: the pool's queue is full, or the process is about to
 * end; nothing will be called.
 */
ngx_int_t ngx_http_imagegram_task_post(ngx_thread_task_t *task,
    void (*work)(void *data, ngx_log_t *log), void (*done)(void *data),
    void *data);

/* In exit_process: from now on there are no threads, as the pools, being of
 * nginx's core, have ended before. */
void ngx_http_imagegram_task_exit_process(void);


#endif /* _NGX_HTTP_IMAGEGRAM_TASK_H_INCLUDED_ */
