
/*
 * The intake: reads a request's body without nginx's buffering, a bounded
 * slice at a time, fair to all other connections, into a file (through the
 * thread pool) or into memory.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_INTAKE_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_INTAKE_H_INCLUDED_


#include "ngx_http_imagegram_slice.h"


/*
 * Called once, in the event loop and never from within the functions below: rc
 * is NGX_OK when the whole body is where it belongs, or the status to end the
 * request with: 400 (malformed, or the client closed in the middle), 408, 413
 * (more than limit), 500, 503, 507.  Whatever was received before is in the
 * file then, but for what exceeds limit.
 * Not called when the request is terminated before; what data refers to is
 * then to be freed by a cleanup of the request's pool, which runs after the
 * last write has ended.
 */
typedef void (*ngx_http_imagegram_intake_pt)(void *data, ngx_int_t rc);

/*
 * Called in a thread: appends the slice with ngx_http_imagegram_slice_write(),
 * if it may.  Gives NGX_OK, NGX_ERROR with slice->err set, or a status: then
 * no more is read, and the request is to end with that.
 */
typedef ngx_int_t (*ngx_http_imagegram_intake_write_pt)(void *data,
    ngx_http_imagegram_slice_t *slice);


/*
 * Starts to read the body of r, a request that is not held.  Gives NGX_DONE,
 * for the content handler to return: the intake holds the request
 * (ngx_http_imagegram_request.h), and the handler ends with
 * ngx_http_imagegram_request_done() sooner or later.  Or gives a status, for
 * the content handler to return likewise: nothing was started.
 *
 * Appends it to fd, the caller's, from offset on; limit is for the bytes of
 * this body.  write is NULL where nothing else is to be done with a slice.
 */
ngx_int_t ngx_http_imagegram_intake_file(ngx_http_request_t *r, ngx_fd_t fd,
    off_t offset, off_t limit, ngx_http_imagegram_intake_write_pt write,
    ngx_http_imagegram_intake_pt handler, void *data);

/*
 * Likewise into memory of the request's pool: body is set when the handler
 * is called with NGX_OK.
 */
ngx_int_t ngx_http_imagegram_intake_memory(ngx_http_request_t *r,
    size_t limit, ngx_str_t *body, ngx_http_imagegram_intake_pt handler,
    void *data);


#endif /* _NGX_HTTP_IMAGEGRAM_INTAKE_H_INCLUDED_ */
