
/*
 * Work that may wait for the disk, done by nginx's thread pool "default".
 *
 * Owns a timer, one for the process, that is set while any task is under way:
 * a worker that quits waits for timers, but not for threads.
 */


#include "ngx_http_imagegram_task.h"


#if !(NGX_THREADS)
#error imagegram needs threads: nginx is to be configured --with-threads
#endif


/* renewed as long as a task is under way */
#define NGX_HTTP_IMAGEGRAM_TASK_HOLD  60000


static void ngx_http_imagegram_task_hold(ngx_log_t *log);
static void ngx_http_imagegram_task_hold_handler(ngx_event_t *ev);
static void ngx_http_imagegram_task_done(ngx_event_t *ev);


static ngx_str_t    ngx_http_imagegram_task_pool = ngx_string("default");

static ngx_uint_t   ngx_http_imagegram_tasks;
static ngx_event_t  ngx_http_imagegram_task_timer;
static ngx_uint_t   ngx_http_imagegram_tasks_ended;


ngx_int_t
ngx_http_imagegram_task_init(ngx_conf_t *cf)
{
    if (ngx_thread_pool_add(cf, &ngx_http_imagegram_task_pool) == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_imagegram_task_exit_process(void)
{
    ngx_http_imagegram_tasks_ended = 1;
}


ngx_int_t
ngx_http_imagegram_task_post(ngx_thread_task_t *task,
    void (*work)(void *data, ngx_log_t *log), void (*done)(void *data),
    void *data)
{
    ngx_cycle_t        *cycle;
    ngx_thread_pool_t  *tp;

    if (ngx_http_imagegram_tasks_ended) {
        return NGX_ERROR;
    }

    cycle = (ngx_cycle_t *) ngx_cycle;

    tp = ngx_thread_pool_get(cycle, &ngx_http_imagegram_task_pool);
    if (tp == NULL) {
        return NGX_ERROR;
    }

    task->handler = work;
    task->ctx = data;

    /* done waits in the event's data, which has no other use here */

    task->event.handler = ngx_http_imagegram_task_done;
    task->event.data = (void *) done;
    task->event.log = cycle->log;

    if (ngx_thread_task_post(tp, task) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_imagegram_task_hold(cycle->log);

    return NGX_OK;
}


static void
ngx_http_imagegram_task_hold(ngx_log_t *log)
{
    static ngx_connection_t  dummy;

    if (ngx_http_imagegram_tasks++ == 0) {
        dummy.fd = (ngx_socket_t) -1;

        ngx_http_imagegram_task_timer.handler =
                                          ngx_http_imagegram_task_hold_handler;
        ngx_http_imagegram_task_timer.data = &dummy;
        ngx_http_imagegram_task_timer.log = log;

        ngx_add_timer(&ngx_http_imagegram_task_timer,
                      NGX_HTTP_IMAGEGRAM_TASK_HOLD);
    }
}


static void
ngx_http_imagegram_task_hold_handler(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_HTTP_IMAGEGRAM_TASK_HOLD);
}


static void
ngx_http_imagegram_task_done(ngx_event_t *ev)
{
    void              (*done)(void *data);
    ngx_thread_task_t  *task;

    task = (ngx_thread_task_t *)
               ((u_char *) ev - offsetof(ngx_thread_task_t, event));

    done = (void (*)(void *data)) ev->data;

    if (--ngx_http_imagegram_tasks == 0) {
        ngx_del_timer(&ngx_http_imagegram_task_timer);
    }

    done(task->ctx);
}
