
/*
 * The intake, see the header.
 *
 * It goes round: read a slice (what nginx's buffer for request bodies holds),
 * hand it over, read the next one when that is done.  So at most one slice is
 * in memory, at most one thread works for a request, and a fast sender gets
 * one slice a turn like anyone else.
 *
 * An intake lives in the request's pool.  While a thread works on it the
 * request is blocked.
 */


#include "ngx_http_imagegram_intake.h"
#include "ngx_http_imagegram_request.h"
#include "ngx_http_imagegram_storage.h"
#include "ngx_http_imagegram_task.h"


typedef struct {
    ngx_http_request_t            *request;
    ngx_http_imagegram_intake_write_pt
                                   write;     /* NULL: nothing special */
    ngx_http_imagegram_intake_pt   handler;
    void                          *data;

    ngx_int_t                      rc;        /* NGX_AGAIN: there is more */
    off_t                          limit;
    off_t                          received;
    ngx_event_t                    event;     /* the next turn */

    ngx_thread_task_t             *task;      /* NULL: into memory */
    ngx_http_imagegram_slice_t     slice;     /* the task's data */
    ngx_int_t                      written;   /* what the task gave */

    ngx_str_t                     *body;
    size_t                         size;      /* allocated for body */

    unsigned                       writing:1; /* the thread has the slice */
} ngx_http_imagegram_intake_t;


static ngx_http_imagegram_intake_t *ngx_http_imagegram_intake_create(
    ngx_http_request_t *r, off_t limit, ngx_http_imagegram_intake_pt handler,
    void *data);
static ngx_int_t ngx_http_imagegram_intake_start(
    ngx_http_imagegram_intake_t *in);
static ngx_int_t ngx_http_imagegram_intake_end(
    ngx_http_imagegram_intake_t *in, ngx_int_t rc);
static void ngx_http_imagegram_intake_ready(ngx_http_request_t *r);
static void ngx_http_imagegram_intake_turn(ngx_event_t *ev);
static void ngx_http_imagegram_intake_read(ngx_http_request_t *r);
static void ngx_http_imagegram_intake_take(ngx_http_imagegram_intake_t *in);
static void ngx_http_imagegram_intake_write(ngx_http_imagegram_intake_t *in);
static void ngx_http_imagegram_intake_work(void *data, ngx_log_t *log);
static void ngx_http_imagegram_intake_written(void *data);
static void ngx_http_imagegram_intake_resume(ngx_http_request_t *r);
static ngx_int_t ngx_http_imagegram_intake_copy(
    ngx_http_imagegram_intake_t *in);
static ngx_int_t ngx_http_imagegram_intake_grow(
    ngx_http_imagegram_intake_t *in, size_t size);
static void ngx_http_imagegram_intake_finish(ngx_http_imagegram_intake_t *in);
static ngx_http_imagegram_intake_t *ngx_http_imagegram_intake_get(
    ngx_http_request_t *r);
static void ngx_http_imagegram_intake_cleanup(void *data);


ngx_int_t
ngx_http_imagegram_intake_file(ngx_http_request_t *r, ngx_fd_t fd,
    off_t offset, off_t limit, ngx_http_imagegram_intake_write_pt write,
    ngx_http_imagegram_intake_pt handler, void *data)
{
    ngx_http_imagegram_intake_t  *in;

    in = ngx_http_imagegram_intake_create(r, limit, handler, data);
    if (in == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    in->task = ngx_thread_task_alloc(r->pool, 0);
    if (in->task == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    in->write = write;

    ngx_http_imagegram_slice_init(&in->slice, fd, offset);

    return ngx_http_imagegram_intake_start(in);
}


ngx_int_t
ngx_http_imagegram_intake_memory(ngx_http_request_t *r, size_t limit,
    ngx_str_t *body, ngx_http_imagegram_intake_pt handler, void *data)
{
    ngx_http_imagegram_intake_t  *in;

    in = ngx_http_imagegram_intake_create(r, limit, handler, data);
    if (in == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    in->body = body;

    ngx_str_null(body);

    return ngx_http_imagegram_intake_start(in);
}


static ngx_http_imagegram_intake_t *
ngx_http_imagegram_intake_create(ngx_http_request_t *r, off_t limit,
    ngx_http_imagegram_intake_pt handler, void *data)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_imagegram_intake_t  *in;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_imagegram_intake_t));
    if (cln == NULL) {
        return NULL;
    }

    in = cln->data;

    ngx_memzero(in, sizeof(ngx_http_imagegram_intake_t));

    in->request = r;
    in->handler = handler;
    in->data = data;
    in->limit = limit;
    in->rc = NGX_AGAIN;

    in->event.handler = ngx_http_imagegram_intake_turn;
    in->event.data = in;
    in->event.log = r->connection->log;

    /* this is also where the request's other handlers find it */

    cln->handler = ngx_http_imagegram_intake_cleanup;

    return in;
}


static ngx_int_t
ngx_http_imagegram_intake_start(ngx_http_imagegram_intake_t *in)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = in->request;

    if (r == r->main && r->headers_in.content_length_n > in->limit) {

        /* no "100 Continue" for what is refused anyway */

        r->expect_tested = 1;
        (void) ngx_http_discard_request_body(r);

        return ngx_http_imagegram_intake_end(in,
                                            NGX_HTTP_REQUEST_ENTITY_TOO_LARGE);
    }

#if (NGX_HTTP_V2)
    if (r->stream && r->connection->error && r->request_body == NULL) {
        ngx_http_imagegram_slice_rescue(r);

        return ngx_http_imagegram_intake_end(in, NGX_HTTP_BAD_REQUEST);
    }
#endif

    r->request_body_no_buffering = 1;

    /* holds the request, too, unless it fails */

    rc = ngx_http_read_client_request_body(r, ngx_http_imagegram_intake_ready);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return ngx_http_imagegram_intake_end(in, rc);
    }

    return NGX_DONE;
}


/* Nothing will be read; what the client brought so far may be of use. */

static ngx_int_t
ngx_http_imagegram_intake_end(ngx_http_imagegram_intake_t *in, ngx_int_t rc)
{
    ngx_http_imagegram_request_hold(in->request, 0);

    in->rc = rc;
    ngx_post_event(&in->event, &ngx_posted_events);

    return NGX_DONE;
}


/* nginx is ready: with all of the body, or for us to read it */

static void
ngx_http_imagegram_intake_ready(ngx_http_request_t *r)
{
    ngx_http_imagegram_intake_t  *in;

    in = ngx_http_imagegram_intake_get(r);

    if (r->reading_body) {
        r->read_event_handler = ngx_http_imagegram_intake_read;

    } else {
        in->rc = NGX_OK;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_post_event(&in->event, &ngx_posted_events);
}


static void
ngx_http_imagegram_intake_turn(ngx_event_t *ev)
{
    ngx_connection_t             *c;
    ngx_http_imagegram_intake_t  *in;

    in = ev->data;
    c = in->request->connection;

    ngx_http_set_log_request(c->log, in->request);

    ngx_http_imagegram_intake_take(in);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_imagegram_intake_read(ngx_http_request_t *r)
{
    ngx_http_imagegram_intake_t  *in;

    in = ngx_http_imagegram_intake_get(r);

    if (in->writing) {

        /*
         * There is time enough to look at the client when the thread is done;
         * and how long that takes is not the client's fault.
         */

        r->connection->read->timedout = 0;
        return;
    }

    if (in->event.posted) {
        ngx_delete_posted_event(&in->event);
    }

    ngx_http_imagegram_slice_adjust(&in->slice, r);

    in->rc = ngx_http_read_unbuffered_request_body(r);

#if (NGX_HTTP_V2)
    if (r->stream && r->connection->error && in->rc != NGX_AGAIN) {
        ngx_http_imagegram_slice_rescue(r);
    }
#endif

    ngx_http_imagegram_intake_take(in);
}


/* Takes what was read; only then what the reading ended with counts. */

static void
ngx_http_imagegram_intake_take(ngx_http_imagegram_intake_t *in)
{
    off_t                     size;
    ngx_http_request_t       *r;
    ngx_http_request_body_t  *rb;

    r = in->request;
    rb = r->request_body;

    if (rb == NULL || rb->bufs == NULL) {

        if (in->rc != NGX_AGAIN) {
            ngx_http_imagegram_intake_finish(in);
        }

        return;
    }

    size = ngx_http_imagegram_slice_size(rb->bufs);

    if (size > in->limit - in->received) {
        in->rc = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        ngx_http_imagegram_intake_finish(in);
        return;
    }

    in->received += size;

    in->slice.chain = rb->bufs;
    rb->bufs = NULL;

    if (in->task) {
        ngx_http_imagegram_intake_write(in);
        return;
    }

    if (ngx_http_imagegram_intake_copy(in) != NGX_OK) {
        in->rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_imagegram_slice_release(&in->slice, r);

    if (in->rc != NGX_AGAIN) {
        ngx_http_imagegram_intake_finish(in);
        return;
    }

    /* others first */

    ngx_post_event(r->connection->read, &ngx_posted_next_events);
}


static void
ngx_http_imagegram_intake_write(ngx_http_imagegram_intake_t *in)
{
    ngx_event_t         *rev;
    ngx_http_request_t  *r;

    r = in->request;
    rev = r->connection->read;

    if (rev->timer_set) {
        ngx_del_timer(rev);
    }

    if (ngx_http_imagegram_task_post(in->task, ngx_http_imagegram_intake_work,
                                     ngx_http_imagegram_intake_written, in)
        != NGX_OK)
    {
        in->rc = NGX_HTTP_SERVICE_UNAVAILABLE;
        ngx_http_imagegram_intake_finish(in);
        return;
    }

    in->writing = 1;

    ngx_http_imagegram_request_block(r);
}


static void
ngx_http_imagegram_intake_work(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_intake_t *in = data;

    in->written = in->write ? in->write(in->data, &in->slice)
                            : ngx_http_imagegram_slice_write(&in->slice);
}


static void
ngx_http_imagegram_intake_written(void *data)
{
    ngx_http_imagegram_intake_t *in = data;

    in->writing = 0;

    ngx_http_imagegram_request_unblock(in->request,
                                       ngx_http_imagegram_intake_resume);
}


static void
ngx_http_imagegram_intake_resume(ngx_http_request_t *r)
{
    ngx_err_t                     err;
    ngx_http_imagegram_intake_t  *in;

    in = ngx_http_imagegram_intake_get(r);

    ngx_http_imagegram_slice_release(&in->slice, r);

    if (in->written == NGX_ERROR) {
        err = in->slice.err;

        ngx_log_error(NGX_LOG_CRIT, r->connection->log, err,
                      "a request body cannot be written");

        in->rc = ngx_http_imagegram_storage_status(err);

    } else if (in->written != NGX_OK) {
        in->rc = in->written;
    }

    if (in->rc != NGX_AGAIN) {
        ngx_http_imagegram_intake_finish(in);
        return;
    }

    ngx_http_imagegram_intake_read(r);
}


static ngx_int_t
ngx_http_imagegram_intake_copy(ngx_http_imagegram_intake_t *in)
{
    if (ngx_http_imagegram_intake_grow(in, in->received) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_imagegram_slice_copy(&in->slice, in->body);
}


static ngx_int_t
ngx_http_imagegram_intake_grow(ngx_http_imagegram_intake_t *in, size_t size)
{
    off_t     n;
    u_char     *p;
    ngx_uint_t  declared;

    if (size <= in->size) {
        return NGX_OK;
    }

    /* chunked bodies count there as they come */

    declared = !in->request->headers_in.chunked;
    n = in->request->headers_in.content_length_n;

    if (!declared || n < (off_t) size) {
        n = ngx_min((off_t) ngx_max(2 * in->size, size), in->limit);
    }

    p = ngx_pnalloc(in->request->pool, n);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (in->body->len) {
        ngx_memcpy(p, in->body->data, in->body->len);
        (void) ngx_pfree(in->request->pool, in->body->data);
    }

    in->body->data = p;
    in->size = n;

    return NGX_OK;
}


static void
ngx_http_imagegram_intake_finish(ngx_http_imagegram_intake_t *in)
{
    ngx_event_t         *rev;
    ngx_http_request_t  *r;

    r = in->request;
    rev = r->connection->read;

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_block_reading;

        if (rev->timer_set) {
            ngx_del_timer(rev);
        }
    }

    ngx_http_imagegram_slice_restore(&in->slice, r);

#if (NGX_HTTP_V2)

    /* nobody will take what the client goes on to send */

    if (r->stream && in->rc != NGX_OK) {
        r->stream->skip_data = 1;
    }

#endif

    in->handler(in->data, in->rc);
}


static ngx_http_imagegram_intake_t *
ngx_http_imagegram_intake_get(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    /* it is there before any handler that asks */

    cln = r->pool->cleanup;

    while (cln->handler != ngx_http_imagegram_intake_cleanup) {
        cln = cln->next;
    }

    return cln->data;
}


static void
ngx_http_imagegram_intake_cleanup(void *data)
{
    ngx_http_imagegram_intake_t *in = data;

    if (in->event.posted) {
        ngx_delete_posted_event(&in->event);
    }

    ngx_http_imagegram_slice_destroy(&in->slice);
}
