
/*
 * BMP pixels that are not compressed: a palette's indexes of 1, 2, 4 or 8
 * bits, 16 or 32 bits with masks, 24 bits as they are.  Owns nothing.
 */

#include <string.h>

#include "../parse/imagegram_bytes.h"
#include "imagegram_bmp.h"


static const unsigned char *imagegram_bmp_convert(imagegram_bmp_t *bmp);
static int imagegram_bmp_indexes(imagegram_bmp_t *bmp);
static void imagegram_bmp_masked(imagegram_bmp_t *bmp);


imagegram_reason_e
imagegram_bmp_fields(imagegram_bmp_t *bmp)
{
    unsigned                i, bits, v, max;
    uint32_t                mask;
    imagegram_bmp_field_t  *f;

    for (i = 0; i < 4; i++) {
        f = &bmp->fields[i];
        mask = f->mask;

        if (mask == 0) {
            memset(f->value, (i == 3) ? 255 : 0, sizeof(f->value));
            continue;
        }

        while (!(mask & 1)) {
            mask >>= 1;
            f->shift++;
        }

        if (mask & (mask + 1)) {
            return IMAGEGRAM_DECODE;
        }

        for (bits = 0; mask != 0; bits++) {
            mask >>= 1;
        }

        if (bits > 8) {
            f->shift += bits - 8;
            bits = 8;
        }

        max = (1u << bits) - 1;

        for (v = 0; v <= max; v++) {
            f->value[v] = (unsigned char) ((v * 255 + max / 2) / max);
        }
    }

    return (bmp->fields[0].mask == 0 && bmp->fields[1].mask == 0
            && bmp->fields[2].mask == 0) ? IMAGEGRAM_DECODE : IMAGEGRAM_OK;
}


imagegram_reason_e
imagegram_bmp_pixels(imagegram_bmp_t *bmp)
{
    uint32_t              i;
    uint64_t              len, stride;
    const unsigned char  *samples;

    len = ((uint64_t) bmp->width * bmp->bits + 7) / 8;
    stride = (len + 3) / 4 * 4;

    /* the last row needs no padding */

    if (stride * (bmp->height - 1) + len > bmp->in->size - bmp->offset) {
        return IMAGEGRAM_DECODE;
    }

    for (i = 0; i < bmp->height; i++) {

        if (imagegram_input_read(bmp->in, bmp->row, len) != 0) {
            return IMAGEGRAM_DECODE;
        }

        if (i + 1 < bmp->height
            && imagegram_input_skip(bmp->in, stride - len) != 0)
        {
            return IMAGEGRAM_DECODE;
        }

        samples = imagegram_bmp_convert(bmp);
        if (samples == NULL) {
            return IMAGEGRAM_DECODE;
        }

        imagegram_picture_row(bmp->picture,
                              bmp->top_down ? i : bmp->height - 1 - i,
                              samples);
    }

    return IMAGEGRAM_OK;
}


static const unsigned char *
imagegram_bmp_convert(imagegram_bmp_t *bmp)
{
    switch (bmp->bits) {

    case 24:
        return bmp->row;

    case 16:
    case 32:
        imagegram_bmp_masked(bmp);
        return bmp->samples;

    default:
        return (imagegram_bmp_indexes(bmp) == 0) ? bmp->samples : NULL;
    }
}


/* an index that is not in the palette: the image is damaged */

static int
imagegram_bmp_indexes(imagegram_bmp_t *bmp)
{
    unsigned              index, mask, shift;
    uint32_t              i;
    unsigned char        *dst;
    const unsigned char  *src, *color;

    src = bmp->row;
    dst = bmp->samples;
    mask = (1u << bmp->bits) - 1;
    shift = 8;

    for (i = 0; i < bmp->width; i++, dst += 3) {

        shift -= bmp->bits;
        index = (unsigned) *src >> shift & mask;

        if (shift == 0) {
            shift = 8;
            src++;
        }

        if (index >= bmp->colors) {
            return -1;
        }

        color = bmp->palette + 3 * index;

        dst[0] = color[0];
        dst[1] = color[1];
        dst[2] = color[2];
    }

    return 0;
}


static void
imagegram_bmp_masked(imagegram_bmp_t *bmp)
{
    unsigned                k, alpha, value;
    uint32_t                i, pixel;
    unsigned char          *dst;
    const unsigned char    *src;
    imagegram_bmp_field_t  *f;

    src = bmp->row;
    dst = bmp->samples;
    f = bmp->fields;

    for (i = 0; i < bmp->width; i++) {

        if (bmp->bits == 16) {
            pixel = imagegram_get_le16(src);
            src += 2;

        } else {
            pixel = imagegram_get_le32(src);
            src += 4;
        }

        alpha = f[3].value[((pixel & f[3].mask) >> f[3].shift) & 0xff];

        for (k = 0; k < 3; k++) {
            value = f[k].value[((pixel & f[k].mask) >> f[k].shift) & 0xff];

            if (alpha == 255) {
                *dst++ = (unsigned char) value;
                continue;
            }

            *dst++ = (unsigned char)
                         ((value * alpha + 255 * (255 - alpha) + 127) / 255);
        }
    }
}
