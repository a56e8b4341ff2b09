
/*
 * A slice of a request's body, see the header.
 *
 * Owns the large buffers, a few for the whole process: an upload that keeps
 * filling nginx's own buffer (client_body_buffer_size) borrows one, so that a
 * fast sender costs few turns, and thousands of slow ones cost no more than
 * nginx's buffers.
 */


#include "ngx_http_imagegram_slice.h"


#define NGX_HTTP_IMAGEGRAM_LARGE_SIZE   (128 * 1024)
#define NGX_HTTP_IMAGEGRAM_LARGE_MAX    16

/* how many full slices in a row tell a fast sender, and not full a slow one */
#define NGX_HTTP_IMAGEGRAM_FULL         4

#define NGX_HTTP_IMAGEGRAM_IOVS         64
#define NGX_HTTP_IMAGEGRAM_COPY_SIZE    (16 * 1024)


static ngx_uint_t ngx_http_imagegram_slice_gather(ngx_chain_t **chain,
    struct iovec *iovs);
static ngx_int_t ngx_http_imagegram_slice_put(
    ngx_http_imagegram_slice_t *slice, struct iovec *iovs, ngx_uint_t n);
static ngx_int_t ngx_http_imagegram_slice_put_file(
    ngx_http_imagegram_slice_t *slice, ngx_buf_t *b);
static ngx_buf_t *ngx_http_imagegram_slice_borrow(ngx_http_request_t *r);


static ngx_uint_t  ngx_http_imagegram_slice_borrowed;


void
ngx_http_imagegram_slice_init(ngx_http_imagegram_slice_t *slice, ngx_fd_t fd,
    off_t offset)
{
    slice->fd = fd;
    slice->offset = offset;
}


off_t
ngx_http_imagegram_slice_size(ngx_chain_t *chain)
{
    off_t  size;

    for (size = 0; chain; chain = chain->next) {
        size += ngx_buf_size(chain->buf);
    }

    return size;
}


ngx_int_t
ngx_http_imagegram_slice_write(ngx_http_imagegram_slice_t *slice)
{
    ngx_int_t      rc;
    ngx_uint_t     n;
    ngx_chain_t   *cl;
    struct iovec   iovs[NGX_HTTP_IMAGEGRAM_IOVS];

    cl = slice->chain;

    while (cl) {

        if (!ngx_buf_in_memory(cl->buf) && cl->buf->in_file) {
            rc = ngx_http_imagegram_slice_put_file(slice, cl->buf);
            cl = cl->next;

        } else {
            n = ngx_http_imagegram_slice_gather(&cl, iovs);
            rc = ngx_http_imagegram_slice_put(slice, iovs, n);
        }

        if (rc != NGX_OK) {
            slice->err = ngx_errno;
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_slice_copy(ngx_http_imagegram_slice_t *slice,
    ngx_str_t *body)
{
    off_t         n;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = slice->chain; cl; cl = cl->next) {
        b = cl->buf;
        n = ngx_buf_size(b);
        p = body->data + body->len;

        if (n == 0) {
            continue;
        }

        if (ngx_buf_in_memory(b)) {
            ngx_memcpy(p, b->pos, n);

        } else if (ngx_read_file(b->file, p, n, b->file_pos) != n) {
            return NGX_ERROR;
        }

        body->len += n;
    }

    return NGX_OK;
}


void
ngx_http_imagegram_slice_release(ngx_http_imagegram_slice_t *slice,
    ngx_http_request_t *r)
{
    ngx_chain_t  *cl, *ln;

    for (cl = slice->chain; cl; /* void */) {
        ln = cl;
        cl = cl->next;

        ln->buf->pos = ln->buf->last;
        ngx_free_chain(r->pool, ln);
    }

    slice->chain = NULL;
}


/*
 * Not for HTTP/2, where the buffer is the window that the client was promised:
 * client_body_buffer_size sets it.
 */

void
ngx_http_imagegram_slice_adjust(ngx_http_imagegram_slice_t *slice,
    ngx_http_request_t *r)
{
    ngx_buf_t   *buf;
    ngx_uint_t   filled;

#if (NGX_HTTP_V2)
    if (r->stream) {
        return;
    }
#endif

    buf = r->request_body->buf;

    if (buf->pos != buf->last) {
        return;
    }

    filled = (buf->last == buf->end);

    if (slice->large) {

        if (filled) {
            slice->full = NGX_HTTP_IMAGEGRAM_FULL;

        } else if (--slice->full == 0) {
            ngx_http_imagegram_slice_restore(slice, r);
        }

        return;
    }

    slice->full = filled ? slice->full + 1 : 0;

    if (slice->full >= NGX_HTTP_IMAGEGRAM_FULL
        && buf->end - buf->start < NGX_HTTP_IMAGEGRAM_LARGE_SIZE)
    {
        slice->large = ngx_http_imagegram_slice_borrow(r);

        if (slice->large) {
            slice->full = NGX_HTTP_IMAGEGRAM_FULL;
            slice->small = buf;

            r->request_body->buf = slice->large;
        }
    }
}


void
ngx_http_imagegram_slice_restore(ngx_http_imagegram_slice_t *slice,
    ngx_http_request_t *r)
{
    if (slice->large == NULL) {
        return;
    }

    slice->full = 0;

    slice->small->pos = slice->small->start;
    slice->small->last = slice->small->start;

    r->request_body->buf = slice->small;

    ngx_http_imagegram_slice_destroy(slice);
}


#if (NGX_HTTP_V2)

void
ngx_http_imagegram_slice_rescue(ngx_http_request_t *r)
{
    ngx_buf_t                *b, *buf;
    ngx_chain_t              *cl;
    ngx_http_request_body_t  *rb;

    rb = r->request_body;
    buf = rb ? rb->buf : r->stream->preread;

    if (rb == NULL) {
        rb = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
        if (rb == NULL) {
            return;
        }

        r->request_body = rb;
    }

    if (rb->bufs || buf == NULL || buf->pos == buf->last) {
        return;
    }

    cl = ngx_alloc_chain_link(r->pool);
    b = ngx_alloc_buf(r->pool);

    if (cl == NULL || b == NULL) {
        return;
    }

    *b = *buf;
    buf->pos = buf->last;

    cl->buf = b;
    cl->next = NULL;

    rb->bufs = cl;
}

#endif


void
ngx_http_imagegram_slice_destroy(ngx_http_imagegram_slice_t *slice)
{
    if (slice->large) {
        ngx_free(slice->large->start);
        slice->large = NULL;

        ngx_http_imagegram_slice_borrowed--;
    }
}


static ngx_uint_t
ngx_http_imagegram_slice_gather(ngx_chain_t **chain, struct iovec *iovs)
{
    ngx_buf_t    *b;
    ngx_uint_t    n;
    ngx_chain_t  *cl;

    n = 0;

    for (cl = *chain; cl && n < NGX_HTTP_IMAGEGRAM_IOVS; cl = cl->next) {
        b = cl->buf;

        if (!ngx_buf_in_memory(b)) {

            if (b->in_file) {
                break;
            }

            /* the mark of the body's end */

            continue;
        }

        iovs[n].iov_base = b->pos;
        iovs[n].iov_len = b->last - b->pos;
        n++;
    }

    *chain = cl;

    return n;
}


static ngx_int_t
ngx_http_imagegram_slice_put(ngx_http_imagegram_slice_t *slice,
    struct iovec *iovs, ngx_uint_t n)
{
    size_t   done;
    ssize_t  written;

    while (n) {

        if (iovs->iov_len == 0) {
            iovs++;
            n--;
            continue;
        }

        written = pwritev(slice->fd, iovs, n, slice->offset);

        if (written == -1) {

            if (ngx_errno == NGX_EINTR) {
                continue;
            }

            return NGX_ERROR;
        }

        slice->offset += written;

        while (n && written) {
            done = ngx_min((size_t) written, iovs->iov_len);

            iovs->iov_base = (u_char *) iovs->iov_base + done;
            iovs->iov_len -= done;
            written -= done;

            if (iovs->iov_len == 0) {
                iovs++;
                n--;
            }
        }
    }

    return NGX_OK;
}


/* A body that nginx had put into a file before, for another module. */

static ngx_int_t
ngx_http_imagegram_slice_put_file(ngx_http_imagegram_slice_t *slice,
    ngx_buf_t *b)
{
    off_t         pos;
    u_char        buf[NGX_HTTP_IMAGEGRAM_COPY_SIZE];
    ssize_t       n;
    struct iovec  iov;

    for (pos = b->file_pos; pos < b->file_last; pos += n) {

        n = ngx_min(b->file_last - pos, NGX_HTTP_IMAGEGRAM_COPY_SIZE);
        n = pread(b->file->fd, buf, n, pos);

        if (n <= 0) {

            if (n == 0) {
                ngx_set_errno(EIO);
            }

            return NGX_ERROR;
        }

        iov.iov_base = buf;
        iov.iov_len = n;

        if (ngx_http_imagegram_slice_put(slice, &iov, 1) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_buf_t *
ngx_http_imagegram_slice_borrow(ngx_http_request_t *r)
{
    ngx_buf_t  *b;

    if (ngx_http_imagegram_slice_borrowed == NGX_HTTP_IMAGEGRAM_LARGE_MAX) {
        return NULL;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NULL;
    }

    b->start = ngx_alloc(NGX_HTTP_IMAGEGRAM_LARGE_SIZE, r->connection->log);
    if (b->start == NULL) {
        return NULL;
    }

    b->pos = b->start;
    b->last = b->start;
    b->end = b->start + NGX_HTTP_IMAGEGRAM_LARGE_SIZE;
    b->temporary = 1;

    ngx_http_imagegram_slice_borrowed++;

    return b;
}
