
/*
 * PNG's chunks as a stream, and what is compressed in them.  Inflating is what
 * most of a PNG's time goes into; ISA-L does it two to eight times as fast as
 * zlib.
 */

#include <stdlib.h>
#include <string.h>

#include <isa-l/crc.h>

#include "../parse/imagegram_bytes.h"
#include "imagegram_png.h"


#define IMAGEGRAM_ZLIB_HEADER  2

/* deflate; a window of up to 32 KB; no dictionary */
#define imagegram_zlib_valid(a, b)                                            \
    (((a) & 0x0f) == 8 && ((a) >> 4) <= 7 && !((b) & 0x20)                    \
     && ((a) * 256 + (b)) % 31 == 0)


static imagegram_reason_e imagegram_png_next(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_zlib(imagegram_png_t *png);


imagegram_reason_e
imagegram_png_head(imagegram_png_t *png)
{
    if (imagegram_input_read(png->in, png->chunk, sizeof(png->chunk)) != 0) {
        return IMAGEGRAM_DECODE;
    }

    png->left = imagegram_get_be32(png->chunk);
    png->crc = crc32_gzip_refl(0, png->chunk + 4, 4);

    return (png->left > INT32_MAX) ? IMAGEGRAM_DECODE : IMAGEGRAM_OK;
}


imagegram_reason_e
imagegram_png_read(imagegram_png_t *png, void *dst, size_t n)
{
    if (n > png->left || imagegram_input_read(png->in, dst, n) != 0) {
        return IMAGEGRAM_DECODE;
    }

    png->left -= (uint32_t) n;
    png->crc = crc32_gzip_refl(png->crc, dst, n);

    return IMAGEGRAM_OK;
}


imagegram_reason_e
imagegram_png_tail(imagegram_png_t *png)
{
    size_t         n;
    unsigned char  crc[4];

    while (png->left != 0) {

        if (png->in->pos == png->in->last
            && imagegram_input_fill(png->in) != 0)
        {
            return IMAGEGRAM_DECODE;
        }

        n = (size_t) (png->in->last - png->in->pos);
        n = (n < png->left) ? n : png->left;

        png->crc = crc32_gzip_refl(png->crc, png->in->pos, n);
        png->in->pos += n;
        png->left -= (uint32_t) n;
    }

    if (imagegram_input_read(png->in, crc, sizeof(crc)) != 0) {
        return IMAGEGRAM_DECODE;
    }

    return (imagegram_get_be32(crc) == png->crc) ? IMAGEGRAM_OK
                                                 : IMAGEGRAM_DECODE;
}


imagegram_reason_e
imagegram_png_skip(imagegram_png_t *png)
{
    return (imagegram_input_skip(png->in, (uint64_t) png->left + 4) == 0)
           ? IMAGEGRAM_OK : IMAGEGRAM_DECODE;
}


int
imagegram_png_is(const imagegram_png_t *png, const char *type)
{
    return memcmp(png->chunk + 4, type, 4) == 0;
}


imagegram_reason_e
imagegram_png_inflate(imagegram_png_t *png, unsigned char *dst, size_t n)
{
    imagegram_reason_e     rc;
    struct inflate_state  *s;

    s = png->inflate;

    s->next_out = dst;
    s->avail_out = (uint32_t) n;

    for ( ;; ) {

        /* it may have a part of what follows already */

        if (png->header == IMAGEGRAM_ZLIB_HEADER
            && isal_inflate(s) != ISAL_DECOMP_OK)
        {
            return IMAGEGRAM_DECODE;
        }

        if (s->avail_out == 0) {
            return IMAGEGRAM_OK;
        }

        if (s->block_state == ISAL_BLOCK_FINISH || s->avail_in != 0) {
            return IMAGEGRAM_DECODE;
        }

        rc = imagegram_png_next(png);
        if (rc != IMAGEGRAM_OK) {
            return rc;
        }
    }
}


imagegram_reason_e
imagegram_png_inflate_all(unsigned char **dst, size_t *n,
    const unsigned char *src, size_t len, size_t max)
{
    int                    rc;
    unsigned char         *p;
    struct inflate_state  *s;

    *dst = NULL;
    *n = 0;

    if (len < IMAGEGRAM_ZLIB_HEADER || !imagegram_zlib_valid(src[0], src[1])) {
        return IMAGEGRAM_OK;
    }

    s = malloc(sizeof(struct inflate_state));
    p = malloc(max + 1);

    if (s == NULL || p == NULL) {
        free(s);
        free(p);
        return IMAGEGRAM_MEMORY;
    }

    isal_inflate_init(s);

    s->next_in = (unsigned char *) src + IMAGEGRAM_ZLIB_HEADER;
    s->avail_in = (uint32_t) (len - IMAGEGRAM_ZLIB_HEADER);
    s->next_out = p;
    s->avail_out = (uint32_t) (max + 1);

    rc = isal_inflate(s);

    *n = max + 1 - s->avail_out;

    if (rc == ISAL_DECOMP_OK && s->block_state == ISAL_BLOCK_FINISH
        && *n <= max)
    {
        *dst = p;

    } else {
        free(p);
    }

    free(s);

    return (*n > max) ? IMAGEGRAM_COMPLEXITY : IMAGEGRAM_OK;
}


/* more of IDAT, which may come in many; ISA-L reads from the input's buffer */

static imagegram_reason_e
imagegram_png_next(imagegram_png_t *png)
{
    size_t                 n;
    imagegram_reason_e     rc;
    imagegram_input_t     *in;
    struct inflate_state  *s;

    in = png->in;
    s = png->inflate;

    while (png->left == 0) {
        rc = imagegram_png_tail(png);

        if (rc == IMAGEGRAM_OK) {
            rc = imagegram_png_head(png);
        }

        if (rc != IMAGEGRAM_OK || !imagegram_png_is(png, "IDAT")) {
            return IMAGEGRAM_DECODE;
        }
    }

    if (in->pos == in->last && imagegram_input_fill(in) != 0) {
        return IMAGEGRAM_DECODE;
    }

    n = (size_t) (in->last - in->pos);
    n = (n < png->left) ? n : png->left;

    png->crc = crc32_gzip_refl(png->crc, in->pos, n);
    png->left -= (uint32_t) n;

    s->next_in = in->pos;
    s->avail_in = (uint32_t) n;
    in->pos += n;

    return imagegram_png_zlib(png);
}


/* its header, two bytes, which may come in two chunks */

static imagegram_reason_e
imagegram_png_zlib(imagegram_png_t *png)
{
    unsigned               byte;
    struct inflate_state  *s;

    s = png->inflate;

    while (png->header < IMAGEGRAM_ZLIB_HEADER && s->avail_in != 0) {
        byte = *s->next_in++;
        s->avail_in--;

        if (png->header++ == 0) {
            png->first = byte;

        } else if (!imagegram_zlib_valid(png->first, byte)) {
            return IMAGEGRAM_DECODE;
        }
    }

    return IMAGEGRAM_OK;
}
