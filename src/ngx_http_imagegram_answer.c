
/*
 * Answers, see the header.  Owns nothing.
 */

#include "ngx_http_imagegram_answer.h"

#include <zlib.h>

/* of the library only the header is used */
#define XXH_INLINE_ALL
#include <xxhash.h>


/* bytes */
#define NGX_HTTP_IMAGEGRAM_GZIP_MIN    256

/* zlib's; its default takes a third longer and gains 1 % on pages */
#define NGX_HTTP_IMAGEGRAM_GZIP_LEVEL  5

/* a window of 2^15 bytes, and gzip's header */
#define NGX_HTTP_IMAGEGRAM_GZIP_BITS   (15 + 16)


void
ngx_http_imagegram_answer_tag(ngx_http_imagegram_answer_t *answer)
{
    XXH128_hash_t  hash;

    hash = XXH3_128bits(answer->body.data, answer->body.len);

    (void) ngx_sprintf(answer->etag, "\"%016xL%016xL\"%Z", hash.high64,
                       hash.low64);
}


ngx_uint_t
ngx_http_imagegram_answer_compressible(ngx_http_imagegram_answer_t *answer)
{
    return answer->body.len >= NGX_HTTP_IMAGEGRAM_GZIP_MIN;
}


ngx_int_t
ngx_http_imagegram_answer_gzip(ngx_pool_t *pool,
    ngx_http_imagegram_answer_t *from, ngx_http_imagegram_answer_t *to)
{
    int       rc;
    z_stream  z;

    ngx_memzero(&z, sizeof(z_stream));

    if (deflateInit2(&z, NGX_HTTP_IMAGEGRAM_GZIP_LEVEL, Z_DEFLATED,
                     NGX_HTTP_IMAGEGRAM_GZIP_BITS, 8, Z_DEFAULT_STRATEGY)
        != Z_OK)
    {
        return NGX_ERROR;
    }

    *to = *from;
    to->gzip = 1;
    to->body.len = deflateBound(&z, from->body.len);
    to->body.data = ngx_pnalloc(pool, to->body.len);

    if (to->body.data == NULL) {
        (void) deflateEnd(&z);
        return NGX_ERROR;
    }

    z.next_in = from->body.data;
    z.avail_in = from->body.len;
    z.next_out = to->body.data;
    z.avail_out = to->body.len;

    rc = deflate(&z, Z_FINISH);

    to->body.len = z.total_out;

    (void) deflateEnd(&z);

    if (rc != Z_STREAM_END) {
        return NGX_ERROR;
    }

    ngx_http_imagegram_answer_tag(to);

    return NGX_OK;
}
