
/*
 * Hashes of files, see the header.  Owns nothing.
 */

#include "ngx_http_imagegram_hash.h"


#define NGX_HTTP_IMAGEGRAM_HASH_READ  65536


ngx_int_t
ngx_http_imagegram_hash_file(ngx_sha1_t *sha1, ngx_fd_t fd, off_t from,
    off_t end)
{
    size_t   size;
    u_char  *buf;
    ssize_t  n;

    buf = ngx_alloc(NGX_HTTP_IMAGEGRAM_HASH_READ, ngx_cycle->log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    while (from < end) {
        size = ngx_min(end - from, NGX_HTTP_IMAGEGRAM_HASH_READ);

        n = pread(fd, buf, size, from);

        if (n <= 0) {
            ngx_free(buf);

            if (n == 0) {
                ngx_set_errno(EIO);
            }

            return NGX_ERROR;
        }

        ngx_sha1_update(sha1, buf, n);
        from += n;
    }

    ngx_free(buf);

    return NGX_OK;
}
