
/*
 * BMP run lengths, RLE8 and RLE4.  Owns nothing; a row is complete when the
 * next one begins, and only then goes to the picture.
 */

#include <string.h>

#include "imagegram_bmp.h"


#define IMAGEGRAM_RLE_LINE    0     /* what a second byte means after 0 */
#define IMAGEGRAM_RLE_BITMAP  1
#define IMAGEGRAM_RLE_DELTA   2


typedef struct {
    imagegram_bmp_t  *bmp;
    uint32_t          x;
    uint32_t          y;        /* rows that are complete, from the bottom */
    int               drawn;    /* the row is not white any more */
} imagegram_rle_t;


static imagegram_reason_e imagegram_rle_escape(imagegram_rle_t *rle,
    unsigned code);
static imagegram_reason_e imagegram_rle_delta(imagegram_rle_t *rle);
static imagegram_reason_e imagegram_rle_literal(imagegram_rle_t *rle,
    unsigned n);
static int imagegram_rle_run(imagegram_rle_t *rle, unsigned n,
    unsigned value);
static int imagegram_rle_pixel(imagegram_rle_t *rle, unsigned index);
static void imagegram_rle_lines(imagegram_rle_t *rle, uint32_t n);


imagegram_reason_e
imagegram_bmp_rle(imagegram_bmp_t *bmp)
{
    unsigned char       code[2];
    imagegram_rle_t     rle;
    imagegram_reason_e  rc;

    memset(&rle, 0, sizeof(imagegram_rle_t));
    rle.bmp = bmp;

    memset(bmp->samples, 255, (size_t) bmp->width * 3);

    while (rle.y < bmp->height) {

        if (imagegram_input_read(bmp->in, code, 2) != 0) {
            return IMAGEGRAM_DECODE;
        }

        if (code[0] != 0) {
            if (imagegram_rle_run(&rle, code[0], code[1]) != 0) {
                return IMAGEGRAM_DECODE;
            }

            continue;
        }

        rc = imagegram_rle_escape(&rle, code[1]);
        if (rc != IMAGEGRAM_OK) {
            return rc;
        }
    }

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_rle_escape(imagegram_rle_t *rle, unsigned code)
{
    switch (code) {

    case IMAGEGRAM_RLE_LINE:
        imagegram_rle_lines(rle, 1);
        rle->x = 0;
        return IMAGEGRAM_OK;

    case IMAGEGRAM_RLE_BITMAP:
        imagegram_rle_lines(rle, rle->bmp->height - rle->y);
        return IMAGEGRAM_OK;

    case IMAGEGRAM_RLE_DELTA:
        return imagegram_rle_delta(rle);

    default:
        return imagegram_rle_literal(rle, code);
    }
}


static imagegram_reason_e
imagegram_rle_delta(imagegram_rle_t *rle)
{
    unsigned char  delta[2];

    if (imagegram_input_read(rle->bmp->in, delta, 2) != 0
        || delta[0] > rle->bmp->width - rle->x
        || delta[1] > rle->bmp->height - rle->y)
    {
        return IMAGEGRAM_DECODE;
    }

    rle->x += delta[0];
    imagegram_rle_lines(rle, delta[1]);

    return IMAGEGRAM_OK;
}


/* n pixels as they are, padded to 16 bits */

static imagegram_reason_e
imagegram_rle_literal(imagegram_rle_t *rle, unsigned n)
{
    unsigned       i, bits, index;
    unsigned char  pixels[256];

    bits = rle->bmp->bits;

    if (imagegram_input_read(rle->bmp->in, pixels, (n * bits + 15) / 16 * 2)
        != 0)
    {
        return IMAGEGRAM_DECODE;
    }

    for (i = 0; i < n; i++) {
        index = (bits == 8) ? pixels[i]
                            : (unsigned) pixels[i / 2] >> (i % 2 ? 0 : 4) & 15;

        if (imagegram_rle_pixel(rle, index) != 0) {
            return IMAGEGRAM_DECODE;
        }
    }

    return IMAGEGRAM_OK;
}


/* some encoders fill up a run beyond the end of the row */

static int
imagegram_rle_run(imagegram_rle_t *rle, unsigned n, unsigned value)
{
    unsigned  i, index;

    if (n > rle->bmp->width - rle->x) {
        n = rle->bmp->width - rle->x;
    }

    for (i = 0; i < n; i++) {
        index = (rle->bmp->bits == 8) ? value : value >> (i % 2 ? 0 : 4) & 15;

        if (imagegram_rle_pixel(rle, index) != 0) {
            return -1;
        }
    }

    return 0;
}


static int
imagegram_rle_pixel(imagegram_rle_t *rle, unsigned index)
{
    imagegram_bmp_t  *bmp;

    bmp = rle->bmp;

    if (index >= bmp->colors) {
        return -1;
    }

    if (rle->x < bmp->width) {
        memcpy(bmp->samples + (size_t) rle->x * 3, bmp->palette + 3 * index,
               3);
        rle->x++;
        rle->drawn = 1;
    }

    return 0;
}


static void
imagegram_rle_lines(imagegram_rle_t *rle, uint32_t n)
{
    imagegram_bmp_t  *bmp;

    bmp = rle->bmp;

    for ( /* void */ ; n != 0 && rle->y < bmp->height; n--) {

        imagegram_picture_row(bmp->picture, bmp->height - 1 - rle->y,
                              bmp->samples);
        rle->y++;

        if (rle->drawn) {
            memset(bmp->samples, 255, (size_t) bmp->width * 3);
            rle->drawn = 0;
        }
    }
}
