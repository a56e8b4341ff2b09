
/*
 * The last step of shrinking, and all of enlarging: Lanczos, of three lobes.
 * Rows come in one after the other, and rows go out as soon as they can; only
 * those are held that the next one out is made of.
 */

#ifndef _IMAGEGRAM_RESIZE_H_INCLUDED_
#define _IMAGEGRAM_RESIZE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "../parse/imagegram_reason.h"


/* one direction: each pixel of the result is a sum of so many pixels */
typedef struct {
    uint32_t              taps;
    uint32_t             *first;        /* of each sum */
    float                *weights;      /* taps for each sum */
} imagegram_resize_axis_t;


typedef struct {
    unsigned char            *dst;      /* the caller's, and for its use */
    uint32_t                  dst_width;
    uint32_t                  dst_height;
    uint32_t                  width;
    uint32_t                  height;
    int                       upwards;

    imagegram_resize_axis_t   across;
    imagegram_resize_axis_t   down;
    uint32_t                  steps;    /* of a sum across */
    float                    *spread;   /* its weights, as they are used */

    uint32_t                  in;       /* rows that came */
    uint32_t                  out;
    unsigned char            *rows;     /* the last down.taps of them */
    float                    *sums;     /* a row */
} imagegram_resize_t;


/*
 * Prepares to resize width x height RGB pixels to dst, which has room for what
 * comes out.  All four sides are at least 1.  Upwards: the last row comes
 * first.  Gives OK or MEMORY; imagegram_resize_close() is due in both cases.
 */
imagegram_reason_e imagegram_resize_open(imagegram_resize_t *r,
    unsigned char *dst, uint32_t dst_width, uint32_t dst_height,
    uint32_t width, uint32_t height, int upwards);

/* Where the next row is to be written; then imagegram_resize_add() is due. */
unsigned char *imagegram_resize_row(imagegram_resize_t *r);
void imagegram_resize_add(imagegram_resize_t *r);

/* Whether all rows came, so that dst is complete. */
int imagegram_resize_done(const imagegram_resize_t *r);

/* May be called for one that is all zero, and twice. */
void imagegram_resize_close(imagegram_resize_t *r);


#endif /* _IMAGEGRAM_RESIZE_H_INCLUDED_ */
