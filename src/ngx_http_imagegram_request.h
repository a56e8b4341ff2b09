
/*
 * The lifetime of a request that waits: the only place that touches count,
 * blocked and finalize.
 *
 * There are two ways to wait.
 *
 * For something that does not touch the request's memory (Redis, a job with a
 * pool of its own): hold the request, and detach the other side in a pool
 * cleanup.  A client that leaves ends the request at once.
 *
 * For a thread that works on the request's memory: block it.  A client that
 * leaves ends the request once the thread is done, and not before.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_REQUEST_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_REQUEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Keeps the request beyond the content handler, which returns NGX_DONE then.
 * To be matched by exactly one ngx_http_imagegram_request_done().
 * With watch set the client is watched while the request waits: if it leaves,
 * the request ends (for reads; changes are rather completed).
 */
void ngx_http_imagegram_request_hold(ngx_http_request_t *r, ngx_uint_t watch);

/*
 * Finalizes a held request with rc, as a content handler's return value
 * would, from within any event, but not from within the content handler.  The
 * request may be gone afterwards.
 */
void ngx_http_imagegram_request_done(ngx_http_request_t *r, ngx_int_t rc);

/*
 * Marks that a thread works on the memory of a held request.  Once it is
 * done, in the event loop, unblock calls resume, unless the request was
 * terminated meanwhile: then it is freed there.
 */
void ngx_http_imagegram_request_block(ngx_http_request_t *r);
void ngx_http_imagegram_request_unblock(ngx_http_request_t *r,
    ngx_http_event_handler_pt resume);


#endif /* _NGX_HTTP_IMAGEGRAM_REQUEST_H_INCLUDED_ */
