
/*
 * Uploads on disk: their bytes.
 */

#include "ngx_http_imagegram_hash.h"
#include "ngx_http_imagegram_upload_internal.h"

#include "parse/imagegram_header.h"


/* a header that needs more than that tells nothing early */
#define NGX_HTTP_IMAGEGRAM_UPLOAD_HEADER  1048576


static ngx_int_t ngx_http_imagegram_upload_header(
    ngx_http_imagegram_upload_t *u);
static void ngx_http_imagegram_upload_refuse(ngx_http_imagegram_upload_t *u,
    imagegram_reason_e reason);


ngx_int_t
ngx_http_imagegram_upload_check(ngx_http_imagegram_upload_t *u)
{
    ngx_int_t  rc;

    u->checked = 1;
    u->start = u->offset;

    ngx_sha1_init(&u->sha1);

    rc = ngx_http_imagegram_upload_ours(u);

    if (rc != NGX_OK) {
        return rc;
    }

    u->record.verified = u->start;

    rc = ngx_http_imagegram_upload_write(u);

    ngx_http_imagegram_upload_unlock(u);

    return rc;
}


ngx_int_t
ngx_http_imagegram_upload_append(ngx_http_imagegram_upload_t *u,
    ngx_http_imagegram_slice_t *slice)
{
    off_t      from;
    ngx_int_t  rc;

    rc = ngx_http_imagegram_upload_ours(u);

    if (rc != NGX_OK) {
        slice->err = ngx_errno;
        return rc;
    }

    from = u->offset;

    rc = ngx_http_imagegram_slice_write(slice);

    u->offset = slice->offset;

    /*
     * From the file, since a slice may be one, too.  Who takes over cuts off
     * what is being hashed: not before that.
     */

    if (rc == NGX_OK && u->checked) {
        rc = ngx_http_imagegram_hash_file(&u->sha1, u->bytes, from, u->offset);
        slice->err = ngx_errno;
    }

    ngx_http_imagegram_upload_unlock(u);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return u->checked ? NGX_OK : ngx_http_imagegram_upload_header(u);
}


ngx_int_t
ngx_http_imagegram_upload_verify(ngx_http_imagegram_upload_t *u, u_char *sha1)
{
    u_char      found[NGX_HTTP_IMAGEGRAM_SHA1_LEN];
    ngx_int_t   rc;
    ngx_uint_t  good;

    ngx_sha1_final(found, &u->sha1);

    good = sha1 && ngx_memcmp(found, sha1, NGX_HTTP_IMAGEGRAM_SHA1_LEN) == 0;

    rc = ngx_http_imagegram_upload_ours(u);

    if (rc != NGX_OK) {
        return rc;
    }

    u->checked = 0;

    /* dropped first: until then the record says that it does not count */

    if (!good) {
        u->offset = u->start;

        if (ftruncate(u->bytes, u->offset) == -1) {
            rc = NGX_ERROR;
        }
    }

    if (rc == NGX_OK) {
        u->record.verified = -1;
        rc = ngx_http_imagegram_upload_write(u);
    }

    ngx_http_imagegram_upload_unlock(u);

    if (rc != NGX_OK) {
        return rc;
    }

    return good ? ngx_http_imagegram_upload_header(u) : NGX_DECLINED;
}


/*
 * The first bytes of an image tell whether it can be accepted.  Gives NGX_OK,
 * or the status that it is refused with.
 */

static ngx_int_t
ngx_http_imagegram_upload_header(ngx_http_imagegram_upload_t *u)
{
    size_t               n;
    u_char              *buf;
    imagegram_reason_e   reason;
    imagegram_header_t   h;

    if (u->need == 0 || u->offset < (off_t) u->need) {
        return NGX_OK;
    }

    n = ngx_min(u->offset, NGX_HTTP_IMAGEGRAM_UPLOAD_HEADER);

    buf = ngx_alloc(n, ngx_cycle->log);

    if (buf == NULL || pread(u->bytes, buf, n, 0) != (ssize_t) n) {
        if (buf) {
            ngx_free(buf);
        }

        return NGX_OK;
    }

    reason = imagegram_header_check(&h, buf, n, u->max_pixels);

    ngx_free(buf);

    if (reason != IMAGEGRAM_OK) {
        ngx_http_imagegram_upload_refuse(u, reason);
        return imagegram_reason_status(reason);
    }

    u->need = h.width || h.need > NGX_HTTP_IMAGEGRAM_UPLOAD_HEADER ? 0
                                                                   : h.need;
    return NGX_OK;
}


/* Where it cannot be recorded the converter will find the same again. */

static void
ngx_http_imagegram_upload_refuse(ngx_http_imagegram_upload_t *u,
    imagegram_reason_e reason)
{
    (void) ngx_http_imagegram_upload_end(u, NGX_HTTP_IMAGEGRAM_UPLOAD_REFUSED,
                                         reason, ngx_cycle->log);
}
