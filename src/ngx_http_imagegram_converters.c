
/*
 * A worker's converters: the queue of conversions and their results, and the
 * imagegram-convert process that does them (ngx_http_imagegram_parent.h).
 *
 * A conversion is in one queue: waiting, or active with a result socket, which
 * is its alone.  Results, deaths and deadlines come as events of that socket.
 *
 * An image that took its converter down (CRASH), or that nobody converted
 * (LOST), is tried once more.  The first is what the parent says, who has seen
 * its child end: where the parent itself died, no image is blamed.
 */


#include "ngx_http_imagegram_converters.h"
#include "ngx_http_imagegram_parent.h"
#include "ngx_http_imagegram_result.h"


/* a conversion comes to nothing twice before it is given up */
#define NGX_HTTP_IMAGEGRAM_TRIES         2

/* how much later than the parent a worker acts on a deadline */
#define NGX_HTTP_IMAGEGRAM_TIMEOUT_LAG   5000

/* deaths in a row after which nothing waits for the parent any more */
#define NGX_HTTP_IMAGEGRAM_DEATHS        3


static ngx_int_t ngx_http_imagegram_converters_init(
    ngx_http_imagegram_converters_t *converters, ngx_cycle_t *cycle);
static void ngx_http_imagegram_converters_dispatch(ngx_event_t *ev);
static ngx_int_t ngx_http_imagegram_converters_send(
    ngx_http_imagegram_conversion_t *conversion);
static ngx_int_t ngx_http_imagegram_converters_listen(
    ngx_http_imagegram_conversion_t *conversion, ngx_socket_t s);
static void ngx_http_imagegram_converters_read(ngx_event_t *rev);
static void ngx_http_imagegram_converters_again(
    ngx_http_imagegram_conversion_t *conversion, imagegram_reason_e reason);
static void ngx_http_imagegram_converters_hung(
    ngx_http_imagegram_conversion_t *conversion);
static void ngx_http_imagegram_converters_ended(
    ngx_http_imagegram_conversion_t *conversion);
static void ngx_http_imagegram_converters_release(
    ngx_http_imagegram_conversion_t *conversion);
static void ngx_http_imagegram_converters_fail(
    ngx_http_imagegram_conversion_t *conversion, imagegram_reason_e reason);


ngx_int_t
ngx_http_imagegram_converters_init_process(ngx_cycle_t *cycle)
{
    ngx_queue_t                      *q, *all;
    ngx_http_imagegram_converters_t  *converters;

    all = ngx_http_imagegram_converters_all();

    for (q = ngx_queue_head(all);
         q != ngx_queue_sentinel(all);
         q = ngx_queue_next(q))
    {
        converters = ngx_queue_data(q, ngx_http_imagegram_converters_t, link);

        if (converters->cycle == cycle && converters->used
            && ngx_http_imagegram_converters_init(converters, cycle) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_http_imagegram_converters_exit_process(ngx_cycle_t *cycle)
{
    ngx_queue_t                      *q, *all;
    ngx_http_imagegram_conversion_t  *conversion;
    ngx_http_imagegram_converters_t  *converters;

    all = ngx_http_imagegram_converters_all();

    for (q = ngx_queue_head(all);
         q != ngx_queue_sentinel(all);
         q = ngx_queue_next(q))
    {
        converters = ngx_queue_data(q, ngx_http_imagegram_converters_t, link);

        if (converters->cycle != cycle || converters->buffer == NULL) {
            continue;
        }

        while (!ngx_queue_empty(&converters->active)) {
            conversion = ngx_queue_data(ngx_queue_head(&converters->active),
                                        ngx_http_imagegram_conversion_t,
                                        queue);

            ngx_http_imagegram_converters_release(conversion);
        }

        ngx_http_imagegram_parent_stop(converters);
    }
}


ngx_uint_t
ngx_http_imagegram_converters_busy(ngx_http_imagegram_converters_t *converters)
{
    if (converters->control == NULL
        && converters->deaths >= NGX_HTTP_IMAGEGRAM_DEATHS)
    {
        return 1;
    }

    return converters->nactive + converters->nwaiting
           >= converters->n + converters->queue;
}


void
ngx_http_imagegram_convert(ngx_http_imagegram_converters_t *converters,
    ngx_http_imagegram_conversion_t *conversion)
{
    conversion->converters = converters;
    conversion->connection = NULL;
    conversion->tries = 0;

    conversion->job.version = IMAGEGRAM_PROTOCOL;
    conversion->job.memory = converters->memory;
    conversion->job.timeout = converters->timeout;

    ngx_queue_insert_tail(&converters->waiting, &conversion->queue);
    converters->nwaiting++;

    /* a worker that quits waits for the parent now */

    converters->restart.cancelable = 0;

    ngx_post_event(&converters->dispatch, &ngx_posted_events);
}


void
ngx_http_imagegram_converters_started(
    ngx_http_imagegram_converters_t *converters)
{
    ngx_post_event(&converters->dispatch, &ngx_posted_events);
}


void
ngx_http_imagegram_converters_died(ngx_http_imagegram_converters_t *converters)
{
    ngx_queue_t                      *q;
    ngx_http_imagegram_conversion_t  *conversion;

    if (converters->deaths < NGX_HTTP_IMAGEGRAM_DEATHS) {
        return;
    }

    while (!ngx_queue_empty(&converters->waiting)) {
        q = ngx_queue_head(&converters->waiting);

        conversion = ngx_queue_data(q, ngx_http_imagegram_conversion_t, queue);

        ngx_queue_remove(q);
        converters->nwaiting--;

        ngx_http_imagegram_converters_fail(conversion, IMAGEGRAM_INTERNAL);
    }
}


static ngx_int_t
ngx_http_imagegram_converters_init(ngx_http_imagegram_converters_t *converters,
    ngx_cycle_t *cycle)
{
    ngx_queue_init(&converters->waiting);
    ngx_queue_init(&converters->active);

    /* one byte more tells a message that is too long */

    converters->buffer = ngx_palloc(cycle->pool,
                                    IMAGEGRAM_RESULT_SIZE_MAX + 1);
    if (converters->buffer == NULL) {
        return NGX_ERROR;
    }

    converters->dispatch.handler = ngx_http_imagegram_converters_dispatch;
    converters->dispatch.data = converters;
    converters->dispatch.log = cycle->log;

    ngx_http_imagegram_parent_start(converters);

    return NGX_OK;
}


static void
ngx_http_imagegram_converters_dispatch(ngx_event_t *ev)
{
    ngx_http_imagegram_converters_t *converters = ev->data;

    ngx_int_t                         rc;
    ngx_queue_t                      *q;
    ngx_http_imagegram_conversion_t  *conversion;

    if (converters->control == NULL && !converters->restart.timer_set) {
        /* stopped by worker_shutdown_timeout */
        ngx_http_imagegram_converters_died(converters);
        return;
    }

    while (converters->control
           && converters->nactive < converters->n
           && !ngx_queue_empty(&converters->waiting))
    {
        q = ngx_queue_head(&converters->waiting);

        conversion = ngx_queue_data(q, ngx_http_imagegram_conversion_t, queue);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&converters->active, q);

        converters->nwaiting--;
        converters->nactive++;

        rc = ngx_http_imagegram_converters_send(conversion);

        if (rc == NGX_OK) {
            conversion->tries++;
            continue;
        }

        ngx_http_imagegram_converters_release(conversion);

        if (rc == NGX_ERROR) {
            ngx_http_imagegram_converters_fail(conversion, IMAGEGRAM_INTERNAL);
            continue;
        }

        /* rc == NGX_AGAIN: the parent is slow, or dead; an event will tell */

        ngx_queue_insert_head(&converters->waiting, q);
        converters->nwaiting++;

        break;
    }
}


static ngx_int_t
ngx_http_imagegram_converters_send(ngx_http_imagegram_conversion_t *conversion)
{
    int        s[2];
    ngx_int_t  rc;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0, s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, conversion->log, ngx_errno,
                      "socketpair() failed for a conversion");
        return NGX_ERROR;
    }

    rc = ngx_http_imagegram_converters_listen(conversion, s[0]);

    if (rc == NGX_OK) {
        rc = ngx_http_imagegram_parent_send(conversion->converters,
                                            conversion, s[1]);
    }

    (void) close(s[1]);

    return rc;
}


/* Takes s over, also when it fails. */

static ngx_int_t
ngx_http_imagegram_converters_listen(
    ngx_http_imagegram_conversion_t *conversion, ngx_socket_t s)
{
    ngx_log_t         *log;
    ngx_connection_t  *c;

    log = conversion->converters->dispatch.log;

    c = ngx_get_connection(s, log);
    if (c == NULL) {
        (void) close(s);
        return NGX_ERROR;
    }

    c->data = conversion;
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->read->handler = ngx_http_imagegram_converters_read;

    conversion->connection = c;

    if (ngx_nonblocking(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_nonblocking_n " failed");
        return NGX_ERROR;
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_add_timer(c->read, conversion->converters->timeout
                           + NGX_HTTP_IMAGEGRAM_TIMEOUT_LAG);

    return NGX_OK;
}


static void
ngx_http_imagegram_converters_read(ngx_event_t *rev)
{
    ssize_t                           n;
    ngx_str_t                         author, body;
    ngx_connection_t                 *c;
    imagegram_result_t                result;
    ngx_http_imagegram_conversion_t  *conversion;
    ngx_http_imagegram_converters_t  *converters;

    c = rev->data;
    conversion = c->data;
    converters = conversion->converters;

    if (c->close) {

        /* worker_shutdown_timeout */

        ngx_http_imagegram_converters_ended(conversion);
        ngx_http_imagegram_converters_fail(conversion, IMAGEGRAM_INTERNAL);
        return;
    }

    if (rev->timedout) {
        ngx_http_imagegram_converters_hung(conversion);
        return;
    }

    n = recv(c->fd, converters->buffer, IMAGEGRAM_RESULT_SIZE_MAX + 1, 0);

    if (n == -1 && (ngx_errno == NGX_EAGAIN || ngx_errno == NGX_EINTR)) {
        rev->ready = 0;

        if (ngx_handle_read_event(rev, 0) != NGX_OK) {
            ngx_http_imagegram_converters_again(conversion, IMAGEGRAM_LOST);
        }

        return;
    }

    if (n <= 0) {

        /* the parent died, it answers for its children */

        ngx_http_imagegram_converters_again(conversion, IMAGEGRAM_LOST);
        return;
    }

    converters->deaths = 0;

    if (ngx_http_imagegram_result_parse(conversion, converters->buffer, n,
                                        &result, &author, &body)
        != NGX_OK)
    {
        ngx_http_imagegram_converters_ended(conversion);
        ngx_http_imagegram_converters_fail(conversion, IMAGEGRAM_INTERNAL);
        return;
    }

    if (result.reason == IMAGEGRAM_CRASH || result.reason == IMAGEGRAM_LOST) {
        ngx_http_imagegram_converters_again(conversion, result.reason);
        return;
    }

    ngx_http_imagegram_converters_ended(conversion);

    conversion->handler(conversion->data, &result, &author, &body);
}


/* Tries it once more, or gives it up for this reason. */

static void
ngx_http_imagegram_converters_again(
    ngx_http_imagegram_conversion_t *conversion, imagegram_reason_e reason)
{
    ngx_http_imagegram_converters_t  *converters;

    converters = conversion->converters;

    ngx_http_imagegram_converters_ended(conversion);

    if (conversion->tries >= NGX_HTTP_IMAGEGRAM_TRIES) {
        ngx_log_error(NGX_LOG_ERR, conversion->log, 0,
                      "imagegram-convert %s again on the same image, given up",
                      reason == IMAGEGRAM_CRASH ? "crashed" : "was lost");

        ngx_http_imagegram_converters_fail(conversion, reason);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, conversion->log, 0,
                  "imagegram-convert %s, the image is tried once more",
                  reason == IMAGEGRAM_CRASH ? "crashed" : "was lost");

    ngx_queue_insert_head(&converters->waiting, &conversion->queue);
    converters->nwaiting++;
    converters->restart.cancelable = 0;
}


static void
ngx_http_imagegram_converters_hung(ngx_http_imagegram_conversion_t *conversion)
{
    ngx_http_imagegram_converters_t  *converters;

    converters = conversion->converters;

    ngx_log_error(NGX_LOG_ERR, conversion->log, 0,
                  "imagegram-convert missed its own deadline of %M ms",
                  converters->timeout);

    ngx_http_imagegram_converters_ended(conversion);
    ngx_http_imagegram_parent_kill(converters);
    ngx_http_imagegram_converters_fail(conversion, IMAGEGRAM_INTERNAL);
}


/* It is not active any more; the next may start, or the same again. */

static void
ngx_http_imagegram_converters_ended(
    ngx_http_imagegram_conversion_t *conversion)
{
    ngx_http_imagegram_converters_release(conversion);

    ngx_post_event(&conversion->converters->dispatch, &ngx_posted_events);
}


static void
ngx_http_imagegram_converters_release(
    ngx_http_imagegram_conversion_t *conversion)
{
    ngx_http_imagegram_converters_t  *converters;

    converters = conversion->converters;

    if (conversion->connection) {
        ngx_close_connection(conversion->connection);
        conversion->connection = NULL;
    }

    ngx_queue_remove(&conversion->queue);
    converters->nactive--;
}


static void
ngx_http_imagegram_converters_fail(ngx_http_imagegram_conversion_t *conversion,
    imagegram_reason_e reason)
{
    ngx_str_t           none;
    imagegram_result_t  result;

    ngx_memzero(&result, sizeof(imagegram_result_t));

    result.version = IMAGEGRAM_PROTOCOL;
    result.reason = reason;

    ngx_str_null(&none);

    conversion->handler(conversion->data, &result, &none, &none);
}
