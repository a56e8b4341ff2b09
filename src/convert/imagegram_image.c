
/*
 * One image to one JPEG: what is decoded here has its final size already; it
 * is turned upright onto a white canvas and encoded.  Everything lives as long
 * as one call.
 */

#include <stdlib.h>
#include <string.h>

#include "../parse/imagegram_header.h"
#include "imagegram_color.h"
#include "imagegram_decode.h"
#include "imagegram_encode.h"
#include "imagegram_image.h"


static imagegram_reason_e imagegram_image_decode(int fd,
    imagegram_picture_t *p, imagegram_format_e *format);
static imagegram_reason_e imagegram_image_place(imagegram_picture_t *p);
static void imagegram_image_turn(const imagegram_picture_t *p,
    unsigned char *canvas);


int
imagegram_image_init(void)
{
    return imagegram_color_init();
}


imagegram_reason_e
imagegram_image_convert(int in, int out, const imagegram_job_t *job,
    imagegram_format_e *format)
{
    imagegram_picture_t   p;
    imagegram_reason_e    rc;

    *format = IMAGEGRAM_FORMAT_NONE;

    imagegram_picture_init(&p, job);

    rc = imagegram_image_decode(in, &p, format);

    if (rc == IMAGEGRAM_OK) {
        rc = imagegram_image_place(&p);
    }

    if (rc == IMAGEGRAM_OK) {
        rc = imagegram_encode(out, p.pixels, job->width, job->height,
                              job->quality);
    }

    imagegram_picture_free(&p);

    return rc;
}


static imagegram_reason_e
imagegram_image_decode(int fd, imagegram_picture_t *p,
    imagegram_format_e *format)
{
    size_t               n;
    imagegram_input_t   *in;
    imagegram_header_t   h;
    imagegram_reason_e   rc;

    in = malloc(sizeof(imagegram_input_t));
    if (in == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    if (imagegram_input_open(in, fd) != 0) {
        free(in);
        return IMAGEGRAM_INTERNAL;
    }

    (void) imagegram_input_fill(in);

    n = (size_t) (in->last - in->pos);
    rc = imagegram_header_check(&h, in->pos, n, p->job->max_image_pixels);
    *format = h.format;

    if (in->failed) {
        rc = IMAGEGRAM_INTERNAL;
    }

    if (rc == IMAGEGRAM_OK) {
        in->pos = in->buffer;

        switch (h.format) {

        case IMAGEGRAM_FORMAT_PNG:
            rc = imagegram_png_decode(in, p);
            break;

        case IMAGEGRAM_FORMAT_JPEG:
            rc = imagegram_jpeg_decode(in, p);
            break;

        case IMAGEGRAM_FORMAT_BMP:
            rc = imagegram_bmp_decode(in, p);
            break;

        default:

            /* it ends within its magic */

            rc = IMAGEGRAM_FORMAT;
        }
    }

    free(in);

    return rc;
}


/* p->pixels become the whole of what will be seen */

static imagegram_reason_e
imagegram_image_place(imagegram_picture_t *p)
{
    size_t          n;
    unsigned char  *canvas;

    if (p->orientation == 1 && p->target_width == p->job->width
        && p->target_height == p->job->height)
    {
        return IMAGEGRAM_OK;
    }

    n = (size_t) p->job->width * 3 * p->job->height;

    canvas = malloc(n);
    if (canvas == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    memset(canvas, 255, n);
    imagegram_image_turn(p, canvas);

    free(p->pixels);
    p->pixels = canvas;

    return IMAGEGRAM_OK;
}


/* upright, into the middle of the canvas */

static void
imagegram_image_turn(const imagegram_picture_t *p, unsigned char *canvas)
{
    int            across, mirrored, upside_down;
    uint32_t       x, y, sx, sy, width, height;
    unsigned char  *dst;

    /* what EXIF's eight orientations are made of */

    across = (p->orientation >= 5);
    mirrored = (p->orientation == 2 || p->orientation == 3
                || p->orientation == 7 || p->orientation == 8);
    upside_down = (p->orientation == 3 || p->orientation == 4
                   || p->orientation == 6 || p->orientation == 7);

    width = across ? p->target_height : p->target_width;
    height = across ? p->target_width : p->target_height;

    for (y = 0; y < height; y++) {

        dst = canvas + 3 * ((size_t) (y + (p->job->height - height) / 2)
                            * p->job->width + (p->job->width - width) / 2);

        for (x = 0; x < width; x++, dst += 3) {
            sx = across ? y : x;
            sy = across ? x : y;

            if (mirrored) {
                sx = p->target_width - 1 - sx;
            }

            if (upside_down) {
                sy = p->target_height - 1 - sy;
            }

            memcpy(dst,
                   p->pixels + 3 * ((size_t) sy * p->target_width + sx), 3);
        }
    }
}
