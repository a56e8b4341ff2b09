
/*
 * A slice of a request's body: what the intake hands over at a time, and the
 * buffer it comes in.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_SLICE_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_SLICE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef struct {
    ngx_chain_t  *chain;     /* the slice, or NULL */

    ngx_fd_t      fd;        /* the intake's caller's */
    off_t         offset;    /* where the next one goes */
    ngx_err_t     err;       /* of a write that failed */

    ngx_uint_t    full;      /* slices in a row that filled the buffer; with
                              * a large one, those left until it goes back */
    ngx_buf_t    *small;     /* nginx's own buffer, while there is a large */
    ngx_buf_t    *large;
} ngx_http_imagegram_slice_t;


void ngx_http_imagegram_slice_init(ngx_http_imagegram_slice_t *slice,
    ngx_fd_t fd, off_t offset);

off_t ngx_http_imagegram_slice_size(ngx_chain_t *chain);

/*
 * Appends the slice to the file.  Blocks: for a thread.  On NGX_ERROR err is
 * set, and offset says how far it came.
 */
ngx_int_t ngx_http_imagegram_slice_write(ngx_http_imagegram_slice_t *slice);

/* Appends the slice to body, which has room for it. */
ngx_int_t ngx_http_imagegram_slice_copy(ngx_http_imagegram_slice_t *slice,
    ngx_str_t *body);

/* Gives what was handed over back to nginx, to be filled again. */
void ngx_http_imagegram_slice_release(ngx_http_imagegram_slice_t *slice,
    ngx_http_request_t *r);

/* Before a read: a larger buffer for a fast sender, and back. */
void ngx_http_imagegram_slice_adjust(ngx_http_imagegram_slice_t *slice,
    ngx_http_request_t *r);

/* nginx's own buffer again. */
void ngx_http_imagegram_slice_restore(ngx_http_imagegram_slice_t *slice,
    ngx_http_request_t *r);

#if (NGX_HTTP_V2)
/*
 * After the end of a stream that the client closed, also before its body was
 * asked for: nginx does not offer what had come before, this puts it where
 * other slices come from.
 */
void ngx_http_imagegram_slice_rescue(ngx_http_request_t *r);
#endif

void ngx_http_imagegram_slice_destroy(ngx_http_imagegram_slice_t *slice);


#endif /* _NGX_HTTP_IMAGEGRAM_SLICE_H_INCLUDED_ */
