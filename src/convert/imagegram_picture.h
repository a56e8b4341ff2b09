
/*
 * From a decoder's rows to pixels of the size they will be seen in: the part
 * that will be seen becomes about twice that size, in sRGB, and then goes to
 * the resizer.  It is averaged over boxes of whole pixels, which cover that
 * part exactly: where it does not divide, some boxes are larger by one.
 *
 * Transparency is the decoder's: it puts its pixels on white.  White stays
 * white in an average, so this gives what averaging with premultiplied alpha
 * gives.
 */

#ifndef _IMAGEGRAM_PICTURE_H_INCLUDED_
#define _IMAGEGRAM_PICTURE_H_INCLUDED_


#include <stdint.h>

#include "imagegram_color.h"
#include "imagegram_protocol.h"
#include "imagegram_resize.h"


typedef enum {
    IMAGEGRAM_ORDER_ROWS = 0,   /* each row once, from the top */
    IMAGEGRAM_ORDER_UPWARDS,    /* or from the bottom */
    IMAGEGRAM_ORDER_PASSES      /* some pixels of some rows, each once */
} imagegram_order_e;


/* what a decoder knows before its first row */
typedef struct {
    uint32_t              width;        /* of the rows it will give */
    uint32_t              height;
    unsigned              orientation;  /* 1 to 8, as in EXIF */
    imagegram_samples_e   samples;
    imagegram_order_e     order;
    const unsigned char  *icc;          /* NULL: none */
    size_t                icc_len;
} imagegram_source_t;


/* the part of an image that will be seen, and how small it may be decoded */
typedef struct {
    uint32_t                x;          /* pixels */
    uint32_t                y;
    uint32_t                width;
    uint32_t                height;
    unsigned                across;     /* eighths: 1, 2, 4 or 8 suffice */
    unsigned                down;
} imagegram_view_t;


typedef struct {
    const imagegram_job_t  *job;        /* the caller's */

    unsigned                orientation;
    uint32_t                target_width;   /* before it is turned upright */
    uint32_t                target_height;

    uint32_t                x;          /* the part of the source, pixels */
    uint32_t                y;
    uint32_t                width;
    uint32_t                height;
    uint32_t                columns;    /* of boxes */
    uint32_t                rows;
    uint32_t               *edges;      /* of the columns, columns + 1 */

    imagegram_color_t       color;
    imagegram_resize_t      resize;
    imagegram_order_e       order;

    /* the row of boxes at work; of IMAGEGRAM_ORDER_PASSES, all sums */
    uint16_t               *lines;      /* source rows, added up */
    unsigned                added;      /* rows in lines */
    uint32_t                seen;       /* rows in lines and sums */
    uint32_t               *sums;
    unsigned char          *means;      /* a row, before color */

    unsigned char          *pixels;     /* of the target: RGB */
} imagegram_picture_t;


/* There is nothing to free before imagegram_picture_begin(). */
void imagegram_picture_init(imagegram_picture_t *p,
    const imagegram_job_t *job);

/*
 * What a decoder that can shrink by itself needs not decode: it asks with its
 * full size.
 */
void imagegram_picture_view(imagegram_picture_t *p, uint32_t width,
    uint32_t height, unsigned orientation, imagegram_view_t *view);

/* Gives OK or MEMORY. */
imagegram_reason_e imagegram_picture_begin(imagegram_picture_t *p,
    const imagegram_source_t *s);

/* Adds row y (IMAGEGRAM_ORDER_ROWS, IMAGEGRAM_ORDER_UPWARDS). */
void imagegram_picture_row(imagegram_picture_t *p, uint32_t y,
    const unsigned char *row);

/* Adds n pixels of row y, at x, x + dx, ... (IMAGEGRAM_ORDER_PASSES). */
void imagegram_picture_pass(imagegram_picture_t *p, uint32_t y, uint32_t x,
    uint32_t dx, uint32_t n, const unsigned char *pixels);

/* All was added: completes p->pixels.  Gives OK or INTERNAL. */
imagegram_reason_e imagegram_picture_end(imagegram_picture_t *p);

void imagegram_picture_free(imagegram_picture_t *p);


#endif /* _IMAGEGRAM_PICTURE_H_INCLUDED_ */
