
/*
 * One image to one JPEG: what is decoded here is a small picture already; it
 * is resized, turned upright onto a white canvas and encoded.  Everything
 * lives as long as one call.
 */

#include <stdlib.h>
#include <string.h>

#include "../parse/imagegram_header.h"
#include "imagegram_color.h"
#include "imagegram_decode.h"
#include "imagegram_encode.h"
#include "imagegram_image.h"
#include "imagegram_resize.h"


static int imagegram_image_warm_up(void);
static imagegram_reason_e imagegram_image_decode(int fd,
    imagegram_picture_t *p, imagegram_format_e *format);
static imagegram_reason_e imagegram_image_draw(imagegram_picture_t *p,
    unsigned char *canvas);
static void imagegram_image_turn(const imagegram_picture_t *p,
    unsigned char *canvas, const unsigned char *pixels);


int
imagegram_image_init(void)
{
    if (imagegram_color_init() != 0 || imagegram_resize_init() != 0) {
        return -1;
    }

    return imagegram_image_warm_up();
}


imagegram_reason_e
imagegram_image_convert(int in, int out, const imagegram_job_t *job,
    imagegram_format_e *format)
{
    size_t                n;
    unsigned char        *canvas;
    imagegram_picture_t   p;
    imagegram_reason_e    rc;

    *format = IMAGEGRAM_FORMAT_NONE;
    canvas = NULL;

    imagegram_picture_init(&p, job);

    rc = imagegram_image_decode(in, &p, format);

    if (rc == IMAGEGRAM_OK) {
        n = (size_t) job->width * 3 * job->height;

        canvas = malloc(n);

        if (canvas == NULL) {
            rc = IMAGEGRAM_MEMORY;

        } else {
            memset(canvas, 255, n);
            rc = imagegram_image_draw(&p, canvas);
        }
    }

    imagegram_picture_free(&p);

    if (rc == IMAGEGRAM_OK) {
        rc = imagegram_encode(out, canvas, job->width, job->height,
                              job->quality);
    }

    free(canvas);

    return rc;
}


/*
 * ImageMagick and the C library load and set up much at their first use; a
 * child inherits that.
 */

static int
imagegram_image_warm_up(void)
{
    unsigned char  *src, dst[4 * 4 * 3];

    src = calloc(16 * 16, 3);

    if (src == NULL) {
        return -1;
    }

    return (imagegram_resize(dst, 4, 4, src, 16, 16) == IMAGEGRAM_OK)
           ? 0 : -1;
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


static imagegram_reason_e
imagegram_image_draw(imagegram_picture_t *p, unsigned char *canvas)
{
    unsigned char       *pixels, *src;
    imagegram_reason_e   rc;

    pixels = malloc((size_t) p->target_width * 3 * p->target_height);
    if (pixels == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    src = p->pixels;
    p->pixels = NULL;

    rc = imagegram_resize(pixels, p->target_width, p->target_height, src,
                          p->columns, p->rows);

    if (rc == IMAGEGRAM_OK) {
        imagegram_image_turn(p, canvas, pixels);
    }

    free(pixels);

    return rc;
}


/* upright, into the middle of the canvas */

static void
imagegram_image_turn(const imagegram_picture_t *p, unsigned char *canvas,
    const unsigned char *pixels)
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

            memcpy(dst, pixels + 3 * ((size_t) sy * p->target_width + sx), 3);
        }
    }
}
