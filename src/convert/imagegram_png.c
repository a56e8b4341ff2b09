
/*
 * PNG, row by row: its chunks, and what they say about the pixels.
 *
 * A reader of our own, like that of BMP: only the chunks that matter for the
 * pixels are read.  Text is never inflated, and a million chunks of it cost no
 * memory.  Of an interlaced one the pixels of each pass go where they belong,
 * so that no full picture is held either.
 */

#include <stdlib.h>
#include <string.h>

#include "../parse/imagegram_bytes.h"
#include "../parse/imagegram_exif.h"
#include "../parse/imagegram_header.h"
#include "imagegram_png.h"


#define IMAGEGRAM_PNG_IHDR       33         /* with the signature and its sum */
#define IMAGEGRAM_PNG_ANCILLARY  100        /* chunks */
#define IMAGEGRAM_PNG_EXIF       65536      /* bytes; JPEG allows no more */
#define IMAGEGRAM_PNG_NAME       80         /* of a profile, with its ends */


typedef imagegram_reason_e (*imagegram_png_chunk_pt)(imagegram_png_t *png);


static imagegram_reason_e imagegram_png_run(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_header(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_before(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_after(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_other(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_begin(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_plte(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_trns(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_gama(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_srgb(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_iccp(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_exif(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_whole(imagegram_png_t *png,
    unsigned char **data, size_t *n, size_t max);


/* each is read once; one that is broken is taken for absent */

static const struct {
    char                    type[5];
    imagegram_png_chunk_pt  read;
} imagegram_png_chunks[] = {
    { "PLTE", imagegram_png_plte },
    { "tRNS", imagegram_png_trns },
    { "gAMA", imagegram_png_gama },
    { "sRGB", imagegram_png_srgb },
    { "iCCP", imagegram_png_iccp },
    { "eXIf", imagegram_png_exif },
    { "", NULL }
};


imagegram_reason_e
imagegram_png_decode(imagegram_input_t *in, imagegram_picture_t *p)
{
    imagegram_png_t     *png;
    imagegram_reason_e   rc;

    png = calloc(1, sizeof(imagegram_png_t));
    if (png == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    png->in = in;
    png->picture = p;
    png->source.orientation = 1;

    rc = imagegram_png_run(png);

    if (rc == IMAGEGRAM_DECODE && in->failed) {
        rc = IMAGEGRAM_INTERNAL;
    }

    free(png->icc);
    free(png->inflate);
    free(png->row);
    free(png->above);
    free(png->unpacked);
    free(png->out);
    free(png->curve);
    free(png);

    return (rc == IMAGEGRAM_OK) ? imagegram_picture_end(p) : rc;
}


static imagegram_reason_e
imagegram_png_run(imagegram_png_t *png)
{
    imagegram_reason_e  rc;

    rc = imagegram_png_header(png);

    if (rc == IMAGEGRAM_OK) {
        rc = imagegram_png_before(png);
    }

    if (rc == IMAGEGRAM_OK) {
        rc = imagegram_png_begin(png);
    }

    if (rc == IMAGEGRAM_OK) {
        rc = imagegram_png_rows(png);
    }

    return (rc == IMAGEGRAM_OK) ? imagegram_png_after(png) : rc;
}


/* signature and IHDR, which is the first chunk */

static imagegram_reason_e
imagegram_png_header(imagegram_png_t *png)
{
    unsigned char        head[IMAGEGRAM_PNG_IHDR];
    imagegram_header_t   h;
    imagegram_reason_e   rc;

    static const unsigned char  samples[] = { 1, 0, 3, 1, 2, 0, 4 };

    if (imagegram_input_read(png->in, head, 8) != 0
        || imagegram_png_head(png) != IMAGEGRAM_OK
        || imagegram_png_read(png, head + 16, 13) != IMAGEGRAM_OK
        || imagegram_png_tail(png) != IMAGEGRAM_OK)
    {
        return IMAGEGRAM_DECODE;
    }

    memcpy(head + 8, png->chunk, sizeof(png->chunk));

    rc = imagegram_header_check(&h, head, sizeof(head),
                                png->picture->job->max_image_pixels);
    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    png->width = h.width;
    png->height = h.height;
    png->depth = head[24];
    png->type = head[25];
    png->interlaced = head[28];
    png->samples = samples[png->type];

    return IMAGEGRAM_OK;
}


/* up to the first IDAT */

static imagegram_reason_e
imagegram_png_before(imagegram_png_t *png)
{
    unsigned            i;
    imagegram_reason_e  rc;

    for ( ;; ) {

        rc = imagegram_png_head(png);
        if (rc != IMAGEGRAM_OK || imagegram_png_is(png, "IDAT")) {
            return rc;
        }

        for (i = 0; imagegram_png_chunks[i].read != NULL; i++) {
            if (imagegram_png_is(png, imagegram_png_chunks[i].type)) {
                break;
            }
        }

        if (imagegram_png_chunks[i].read == NULL || (png->has & 1u << i)) {
            rc = imagegram_png_other(png);

        } else {
            png->has |= 1u << i;
            rc = imagegram_png_chunks[i].read(png);

            if (rc == IMAGEGRAM_OK) {
                rc = imagegram_png_tail(png);
            }
        }

        if (rc != IMAGEGRAM_OK) {
            return rc;
        }
    }
}


/* up to IEND: a file without its end was cut off */

static imagegram_reason_e
imagegram_png_after(imagegram_png_t *png)
{
    imagegram_reason_e  rc;

    rc = imagegram_png_tail(png);

    while (rc == IMAGEGRAM_OK) {

        rc = imagegram_png_head(png);
        if (rc != IMAGEGRAM_OK) {
            break;
        }

        if (imagegram_png_is(png, "IEND")) {
            return imagegram_png_tail(png);
        }

        /* some writers leave an empty IDAT, or a part of the checksum */

        rc = imagegram_png_is(png, "IDAT") ? imagegram_png_tail(png)
                                           : imagegram_png_other(png);
    }

    return rc;
}


/* what does not matter, unless it is critical */

static imagegram_reason_e
imagegram_png_other(imagegram_png_t *png)
{
    if (!(png->chunk[4] & 0x20)) {
        return IMAGEGRAM_DECODE;
    }

    /* the frames of an animation are many */

    if (!imagegram_png_is(png, "fcTL") && !imagegram_png_is(png, "fdAT")
        && ++png->ancillary > IMAGEGRAM_PNG_ANCILLARY)
    {
        return IMAGEGRAM_COMPLEXITY;
    }

    return imagegram_png_skip(png);
}


static imagegram_reason_e
imagegram_png_begin(imagegram_png_t *png)
{
    imagegram_source_t  *s;

    if (png->type == IMAGEGRAM_PNG_PALETTE && png->colors == 0) {
        return IMAGEGRAM_DECODE;
    }

    s = &png->source;

    s->width = png->width;
    s->height = png->height;
    s->samples = (png->type & IMAGEGRAM_PNG_RGB) ? IMAGEGRAM_SAMPLES_RGB
                                                 : IMAGEGRAM_SAMPLES_GRAY;
    s->order = png->interlaced ? IMAGEGRAM_ORDER_PASSES
                               : IMAGEGRAM_ORDER_ROWS;

    return imagegram_picture_begin(png->picture, s);
}


/* in images that have none it is a hint for poor screens */

static imagegram_reason_e
imagegram_png_plte(imagegram_png_t *png)
{
    unsigned            i;
    imagegram_reason_e  rc;

    if (png->type != IMAGEGRAM_PNG_PALETTE) {
        return IMAGEGRAM_OK;
    }

    if (png->left % 3 != 0 || png->left > 3 * 256) {
        return IMAGEGRAM_DECODE;
    }

    png->colors = png->left / 3;

    for (i = 0; i < png->colors; i++) {

        rc = imagegram_png_read(png, png->palette + 4 * i, 3);
        if (rc != IMAGEGRAM_OK) {
            return rc;
        }

        png->palette[4 * i + 3] = 255;
    }

    return IMAGEGRAM_OK;
}


/* alpha of the palette, or one color that is transparent */

static imagegram_reason_e
imagegram_png_trns(imagegram_png_t *png)
{
    unsigned            i;
    unsigned char       key[6];
    imagegram_reason_e  rc;

    if (png->type == IMAGEGRAM_PNG_PALETTE) {

        rc = IMAGEGRAM_OK;

        for (i = 0; rc == IMAGEGRAM_OK && i < png->colors && png->left; i++) {
            rc = imagegram_png_read(png, png->palette + 4 * i + 3, 1);
        }

        return rc;
    }

    if ((png->type & IMAGEGRAM_PNG_ALPHA) || png->left != 2 * png->samples) {
        return IMAGEGRAM_OK;
    }

    rc = imagegram_png_read(png, key, png->left);
    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    png->keyed = 1;

    for (i = 0; i < png->samples; i++) {
        png->key[i] = imagegram_get_be16(key + 2 * i)
                      & ((1u << png->depth) - 1);
    }

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_png_gama(imagegram_png_t *png)
{
    unsigned char       gamma[4];
    imagegram_reason_e  rc;

    if (png->left != sizeof(gamma)) {
        return IMAGEGRAM_OK;
    }

    rc = imagegram_png_read(png, gamma, sizeof(gamma));

    if (rc == IMAGEGRAM_OK) {
        png->gamma = imagegram_get_be32(gamma);
    }

    return rc;
}


static imagegram_reason_e
imagegram_png_srgb(imagegram_png_t *png)
{
    png->srgb = 1;

    return IMAGEGRAM_OK;
}


/* a name, zero, zero for the method, and the profile */

static imagegram_reason_e
imagegram_png_iccp(imagegram_png_t *png)
{
    size_t               n, name;
    unsigned char       *data;
    imagegram_reason_e   rc;

    rc = imagegram_png_whole(png, &data, &n, IMAGEGRAM_ICC_MAX);
    if (data == NULL) {
        return rc;
    }

    name = strnlen((char *) data, IMAGEGRAM_PNG_NAME) + 2;

    if (name < n && data[name - 1] == 0) {
        rc = imagegram_png_inflate_all(&png->icc, &png->source.icc_len,
                                       data + name, n - name,
                                       IMAGEGRAM_ICC_MAX);

        png->source.icc = png->icc;
    }

    free(data);

    return rc;
}


static imagegram_reason_e
imagegram_png_exif(imagegram_png_t *png)
{
    size_t               n;
    unsigned char       *data;
    imagegram_reason_e   rc;

    rc = imagegram_png_whole(png, &data, &n, IMAGEGRAM_PNG_EXIF);

    if (data != NULL) {
        png->source.orientation = imagegram_exif_orientation(data, n);
    }

    free(data);

    return rc;
}


/*
 * The chunk at work, with a zero behind it.  *data is the caller's to free:
 * NULL where it has more than max bytes, or cannot be read.
 */

static imagegram_reason_e
imagegram_png_whole(imagegram_png_t *png, unsigned char **data, size_t *n,
    size_t max)
{
    imagegram_reason_e  rc;

    *data = NULL;
    *n = png->left;

    if (*n > max) {
        return IMAGEGRAM_OK;
    }

    *data = malloc(*n + 1);
    if (*data == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    (*data)[*n] = '\0';

    rc = imagegram_png_read(png, *data, *n);

    if (rc != IMAGEGRAM_OK) {
        free(*data);
        *data = NULL;
    }

    return rc;
}
