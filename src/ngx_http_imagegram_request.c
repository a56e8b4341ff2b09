
/*
 * The lifetime of a request that waits, see the header.  Owns nothing.
 */


#include "ngx_http_imagegram_request.h"


void
ngx_http_imagegram_request_hold(ngx_http_request_t *r, ngx_uint_t watch)
{
    ngx_event_t  *rev;

    r->main->count++;

    r->write_event_handler = ngx_http_request_empty_handler;

    if (!watch) {
        r->read_event_handler = ngx_http_block_reading;
        return;
    }

    r->read_event_handler = ngx_http_test_reading;

    /* the client may have left before: with epoll no other event tells */

    rev = r->connection->read;

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);
        return;
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "the client cannot be watched");
    }
}


void
ngx_http_imagegram_request_done(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, rc);

    /* what another event handler of the connection would do at its end */

    ngx_http_run_posted_requests(c);
}


void
ngx_http_imagegram_request_block(ngx_http_request_t *r)
{
    r->main->blocked++;

    /*
     * ngx_http_terminate_request() needs some handler here to find the
     * request waiting, and leaves another one for unblock to find
     */

    r->write_event_handler = ngx_http_request_empty_handler;
}


void
ngx_http_imagegram_request_unblock(ngx_http_request_t *r,
    ngx_http_event_handler_pt resume)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->main->blocked--;

    if (r->write_event_handler == ngx_http_request_empty_handler) {
        resume(r);

    } else {
        r->write_event_handler(r);
    }

    ngx_http_run_posted_requests(c);
}
