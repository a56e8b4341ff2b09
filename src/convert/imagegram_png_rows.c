
/*
 * PNG's rows, of one pass or of seven, as the picture wants them: gray or RGB,
 * eight bits, on white.  What depends on one sample alone is looked up in
 * tables, which are made before the first row.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../parse/imagegram_bytes.h"
#include "imagegram_png.h"


#define IMAGEGRAM_PNG_GAMMA_SRGB  45455     /* 1/2.2, as in gAMA */

/* around a row: zeros on its left, room on its right, for unfiltering */
#define IMAGEGRAM_PNG_MARGIN      16


static imagegram_reason_e imagegram_png_prepare(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_curve(imagegram_png_t *png);
static void imagegram_png_table(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_pass(imagegram_png_t *png,
    unsigned pass, uint32_t width, uint32_t height);
static const unsigned char *imagegram_png_samples(imagegram_png_t *png,
    const unsigned char *row, uint32_t n);
static void imagegram_png_unpack(imagegram_png_t *png,
    const unsigned char *row, uint32_t n);
static const unsigned char *imagegram_png_look_up(imagegram_png_t *png,
    const unsigned char *row, uint32_t n);
static void imagegram_png_flatten(imagegram_png_t *png,
    const unsigned char *row, uint32_t n);
static unsigned imagegram_png_alpha(const imagegram_png_t *png,
    const unsigned *sample, unsigned colors);


/* where each pass begins, and its steps; and one pass for all */

static const struct {
    unsigned char  x;
    unsigned char  y;
    unsigned char  dx;
    unsigned char  dy;
} imagegram_png_passes[] = {
    { 0, 0, 8, 8 }, { 4, 0, 8, 8 }, { 0, 4, 4, 8 }, { 2, 0, 4, 4 },
    { 0, 2, 2, 4 }, { 1, 0, 2, 2 }, { 0, 1, 1, 2 }, { 0, 0, 1, 1 }
};


imagegram_reason_e
imagegram_png_rows(imagegram_png_t *png)
{
    unsigned            pass, end;
    uint32_t            width, height;
    imagegram_reason_e  rc;

    rc = imagegram_png_prepare(png);

    pass = png->interlaced ? 0 : 7;
    end = png->interlaced ? 7 : 8;

    for ( /* void */ ; pass < end && rc == IMAGEGRAM_OK; pass++) {

        width = png->width + imagegram_png_passes[pass].dx - 1
                - imagegram_png_passes[pass].x;
        height = png->height + imagegram_png_passes[pass].dy - 1
                 - imagegram_png_passes[pass].y;

        width /= imagegram_png_passes[pass].dx;
        height /= imagegram_png_passes[pass].dy;

        if (width != 0) {
            rc = imagegram_png_pass(png, pass, width, height);
        }
    }

    return rc;
}


static imagegram_reason_e
imagegram_png_prepare(imagegram_png_t *png)
{
    size_t  n;

    png->row_len = ((size_t) png->width * png->samples * png->depth + 7) / 8;

    n = png->row_len + 2 * IMAGEGRAM_PNG_MARGIN;

    png->inflate = malloc(sizeof(struct inflate_state));
    png->row = calloc(n, 1);
    png->above = calloc(n, 1);
    png->unpacked = malloc(png->width);
    png->out = malloc((size_t) png->width * 3);

    if (png->inflate == NULL || png->row == NULL || png->above == NULL
        || png->unpacked == NULL || png->out == NULL)
    {
        return IMAGEGRAM_MEMORY;
    }

    isal_inflate_init(png->inflate);

    if (imagegram_png_curve(png) != IMAGEGRAM_OK) {
        return IMAGEGRAM_MEMORY;
    }

    imagegram_png_table(png);

    return IMAGEGRAM_OK;
}


/*
 * gAMA counts where neither a profile nor sRGB is given; 16 bits become 8 by
 * the same table.
 */

static imagegram_reason_e
imagegram_png_curve(imagegram_png_t *png)
{
    double    exponent;
    uint32_t  i, n;

    exponent = 1;

    if (png->gamma != 0 && png->icc == NULL && !png->srgb) {
        exponent = (double) IMAGEGRAM_PNG_GAMMA_SRGB / png->gamma;
    }

    if (exponent > 0.95 && exponent < 1.05) {
        exponent = 1;
    }

    if (exponent == 1 && png->depth != 16) {
        return IMAGEGRAM_OK;
    }

    n = (png->depth == 16) ? 65536 : 256;

    png->curve = malloc(n);
    if (png->curve == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    for (i = 0; i < n; i++) {
        png->curve[i] = (unsigned char)
                            (255 * pow((double) i / (n - 1), exponent) + 0.5);
    }

    return IMAGEGRAM_OK;
}


/* what gray of up to 8 bits or an index stands for; beyond a palette: black */

static void
imagegram_png_table(imagegram_png_t *png)
{
    unsigned  i, k, max, value, alpha;

    if (png->type == IMAGEGRAM_PNG_PALETTE) {

        for (i = 0; i < png->colors; i++) {
            alpha = png->palette[4 * i + 3];

            for (k = 0; k < 3; k++) {
                value = png->palette[4 * i + k];
                value = png->curve ? png->curve[value] : value;

                png->table[3 * i + k] = (unsigned char)
                    ((value * alpha + 255 * (255 - alpha) + 127) / 255);
            }
        }

        return;
    }

    if (png->type != IMAGEGRAM_PNG_GRAY || png->depth == 16) {
        return;
    }

    max = (1u << png->depth) - 1;

    for (i = 0; i <= max; i++) {
        value = i * 255 / max;
        value = png->curve ? png->curve[value] : value;

        png->table[i] = (unsigned char)
                            (png->keyed && i == png->key[0] ? 255 : value);
    }
}


static imagegram_reason_e
imagegram_png_pass(imagegram_png_t *png, unsigned pass, uint32_t width,
    uint32_t height)
{
    size_t                n;
    unsigned              bits, filter;
    uint32_t              i, y;
    unsigned char        *row, *above, *swap;
    const unsigned char  *samples;

    bits = png->samples * png->depth;
    n = ((size_t) width * bits + 7) / 8;

    row = png->row + IMAGEGRAM_PNG_MARGIN;
    above = png->above + IMAGEGRAM_PNG_MARGIN;

    memset(above, 0, n);

    for (i = 0; i < height; i++) {

        /* the filter comes first, where then a zero must be */

        if (imagegram_png_inflate(png, row - 1, n + 1) != IMAGEGRAM_OK) {
            return IMAGEGRAM_DECODE;
        }

        filter = row[-1];
        row[-1] = 0;

        if (imagegram_png_unfilter(filter, row, above, n, (bits + 7) / 8)
            != IMAGEGRAM_OK)
        {
            return IMAGEGRAM_DECODE;
        }

        samples = imagegram_png_samples(png, row, width);

        y = imagegram_png_passes[pass].y + i * imagegram_png_passes[pass].dy;

        if (png->interlaced) {
            imagegram_picture_pass(png->picture, y,
                                   imagegram_png_passes[pass].x,
                                   imagegram_png_passes[pass].dx, width,
                                   samples);

        } else {
            imagegram_picture_row(png->picture, y, samples);
        }

        swap = row;
        row = above;
        above = swap;
    }

    return IMAGEGRAM_OK;
}


/* n pixels, as the picture wants them */

static const unsigned char *
imagegram_png_samples(imagegram_png_t *png, const unsigned char *row,
    uint32_t n)
{
    if (png->type == IMAGEGRAM_PNG_PALETTE
        || (png->type == IMAGEGRAM_PNG_GRAY && png->depth < 16))
    {
        if (png->depth < 8) {
            imagegram_png_unpack(png, row, n);
            row = png->unpacked;
        }

        return imagegram_png_look_up(png, row, n);
    }

    if (png->type == IMAGEGRAM_PNG_RGB && png->depth == 8 && !png->keyed
        && png->curve == NULL)
    {
        return row;
    }

    imagegram_png_flatten(png, row, n);

    return png->out;
}


/* a byte a pixel */

static void
imagegram_png_unpack(imagegram_png_t *png, const unsigned char *row,
    uint32_t n)
{
    unsigned  mask, shift;
    uint32_t  i;

    mask = (1u << png->depth) - 1;
    shift = 8;

    for (i = 0; i < n; i++) {
        shift -= png->depth;
        png->unpacked[i] = (unsigned char) (*row >> shift & mask);

        if (shift == 0) {
            shift = 8;
            row++;
        }
    }
}


static const unsigned char *
imagegram_png_look_up(imagegram_png_t *png, const unsigned char *row,
    uint32_t n)
{
    uint32_t  i;

    if (png->type == IMAGEGRAM_PNG_GRAY) {

        for (i = 0; i < n; i++) {
            png->out[i] = png->table[row[i]];
        }

        return png->out;
    }

    for (i = 0; i < n; i++) {
        memcpy(png->out + (size_t) 3 * i, png->table + 3 * row[i], 3);
    }

    return png->out;
}


/* samples of 8 or 16 bits, with alpha or with one color that is transparent */

static void
imagegram_png_flatten(imagegram_png_t *png, const unsigned char *row,
    uint32_t n)
{
    unsigned        i, colors, value, alpha, max, sample[4] = { 0 };
    unsigned char  *out;

    out = png->out;
    max = (1u << png->depth) - 1;
    colors = (png->type & IMAGEGRAM_PNG_RGB) ? 3 : 1;

    for ( /* void */ ; n != 0; n--) {

        for (i = 0; i < png->samples; i++) {
            sample[i] = (png->depth == 16) ? imagegram_get_be16(row) : *row;
            row += png->depth / 8;
        }

        alpha = imagegram_png_alpha(png, sample, colors);

        for (i = 0; i < colors; i++) {
            value = png->curve ? png->curve[sample[i]] : sample[i];

            if (alpha != max) {
                value = (value * alpha + 255 * (max - alpha) + max / 2) / max;
            }

            *out++ = (unsigned char) value;
        }
    }
}


/* 0 to what a sample can be */

static unsigned
imagegram_png_alpha(const imagegram_png_t *png, const unsigned *sample,
    unsigned colors)
{
    unsigned  i;

    if (png->type & IMAGEGRAM_PNG_ALPHA) {
        return sample[colors];
    }

    if (png->keyed) {

        for (i = 0; i < colors && sample[i] == png->key[i]; i++) {
            /* the next one */
        }

        if (i == colors) {
            return 0;
        }
    }

    return (1u << png->depth) - 1;
}
