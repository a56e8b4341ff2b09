
/*
 * Rows to a small picture: crop, box filter, color, Lanczos.  Source rows are
 * first added up as they are, which compilers turn into vector code, and only
 * every so many rows the sums are reduced from left to right.
 */

#include <stdlib.h>
#include <string.h>

#include "imagegram_picture.h"
#include "imagegram_vector.h"


/* so many rows of 8-bit samples fit into 16 bits */
#define IMAGEGRAM_LINES_MAX  256

/* the sum of a box of this side fits into 32 bits */
#define IMAGEGRAM_STEP_MAX   4096

/* boxes whose sums are all held, unless the target needs more */
#define IMAGEGRAM_BOXES_MAX  4000000


static void imagegram_picture_frame(imagegram_picture_t *p, uint32_t *width,
    uint32_t *height, unsigned orientation);
static unsigned imagegram_picture_eighths(uint32_t side, uint32_t target);
static imagegram_reason_e imagegram_picture_alloc(imagegram_picture_t *p);
static void imagegram_picture_shrink(imagegram_picture_t *p);
static uint32_t imagegram_picture_boxes(uint32_t side, uint32_t target,
    unsigned times);
static uint32_t imagegram_picture_edge(uint32_t i, uint32_t n, uint32_t side);
static uint32_t imagegram_picture_box(uint32_t x, uint32_t n, uint32_t side);
static uint32_t imagegram_picture_height(const imagegram_picture_t *p,
    uint32_t y);
static uint32_t imagegram_picture_part(uint32_t a, uint32_t b, uint32_t c);
static void imagegram_picture_add(uint16_t *restrict lines,
    const unsigned char *restrict row, size_t n);
static void imagegram_picture_reduce(imagegram_picture_t *p);
static void imagegram_picture_emit(imagegram_picture_t *p, uint32_t y,
    const uint32_t *sums);


void
imagegram_picture_init(imagegram_picture_t *p, const imagegram_job_t *job)
{
    memset(p, 0, sizeof(imagegram_picture_t));

    p->job = job;
}


void
imagegram_picture_view(imagegram_picture_t *p, uint32_t width,
    uint32_t height, unsigned orientation, imagegram_view_t *view)
{
    view->width = width;
    view->height = height;

    imagegram_picture_frame(p, &view->width, &view->height, orientation);

    view->x = (width - view->width) / 2;
    view->y = (height - view->height) / 2;
    view->across = imagegram_picture_eighths(view->width, p->target_width);
    view->down = imagegram_picture_eighths(view->height, p->target_height);
}


imagegram_reason_e
imagegram_picture_begin(imagegram_picture_t *p, const imagegram_source_t *s)
{
    p->width = s->width;
    p->height = s->height;
    p->orientation = s->orientation;
    p->order = s->order;

    imagegram_picture_frame(p, &p->width, &p->height, s->orientation);

    p->x = (s->width - p->width) / 2;
    p->y = (s->height - p->height) / 2;

    imagegram_picture_shrink(p);

    if (imagegram_color_open(&p->color, s->samples, s->icc, s->icc_len)
        != IMAGEGRAM_OK)
    {
        return IMAGEGRAM_MEMORY;
    }

    return imagegram_picture_alloc(p);
}


void
imagegram_picture_row(imagegram_picture_t *p, uint32_t y,
    const unsigned char *row)
{
    uint32_t  height;

    if (y < p->y || y - p->y >= p->height) {
        return;
    }

    y = imagegram_picture_box(y - p->y, p->rows, p->height);
    row += (size_t) p->x * p->color.channels;

    if (p->columns == p->width && p->rows == p->height) {
        imagegram_color_row(&p->color, imagegram_resize_row(&p->resize), row,
                            p->columns);
        imagegram_resize_add(&p->resize);
        return;
    }

    imagegram_picture_add(p->lines, row,
                          (size_t) p->width * p->color.channels);

    p->added++;
    p->seen++;

    height = imagegram_picture_height(p, y);

    if (p->added == IMAGEGRAM_LINES_MAX || p->seen == height) {
        imagegram_picture_reduce(p);
    }

    if (p->seen == height) {
        imagegram_picture_emit(p, y, p->sums);

        memset(p->sums, 0,
               (size_t) p->columns * p->color.channels * sizeof(uint32_t));
        p->seen = 0;
    }
}


void
imagegram_picture_pass(imagegram_picture_t *p, uint32_t y, uint32_t x,
    uint32_t dx, uint32_t n, const unsigned char *pixels)
{
    uint32_t   *sum;
    uint32_t    column;
    unsigned    k, channels;

    if (y < p->y || y - p->y >= p->height) {
        return;
    }

    y = imagegram_picture_box(y - p->y, p->rows, p->height);

    channels = p->color.channels;
    sum = p->sums + (size_t) y * p->columns * channels;
    column = 0;

    for ( /* void */ ; n != 0; n--, x += dx, pixels += channels) {

        if (x < p->x) {
            continue;
        }

        if (x - p->x >= p->width) {
            break;
        }

        while (x - p->x >= p->edges[column + 1]) {
            column++;
            sum += channels;
        }

        for (k = 0; k < channels; k++) {
            sum[k] += pixels[k];
        }
    }
}


imagegram_reason_e
imagegram_picture_end(imagegram_picture_t *p)
{
    int       done;
    uint32_t  y;

    if (p->order == IMAGEGRAM_ORDER_PASSES) {
        for (y = 0; y < p->rows; y++) {
            imagegram_picture_emit(p, y, p->sums + (size_t) y * p->columns
                                         * p->color.channels);
        }
    }

    free(p->lines);
    p->lines = NULL;

    free(p->sums);
    p->sums = NULL;

    free(p->means);
    p->means = NULL;

    free(p->edges);
    p->edges = NULL;

    imagegram_color_close(&p->color);

    done = imagegram_resize_done(&p->resize);

    imagegram_resize_close(&p->resize);

    return done ? IMAGEGRAM_OK : IMAGEGRAM_INTERNAL;
}


void
imagegram_picture_free(imagegram_picture_t *p)
{
    imagegram_color_close(&p->color);
    imagegram_resize_close(&p->resize);

    free(p->lines);
    free(p->sums);
    free(p->means);
    free(p->edges);
    free(p->pixels);
}


/*
 * The target as the source lies, and the part of the source, in the middle,
 * that is to fill it: width and height go in as the whole.
 */

static void
imagegram_picture_frame(imagegram_picture_t *p, uint32_t *width,
    uint32_t *height, unsigned orientation)
{
    int       wide;
    uint32_t  w, h;

    w = p->job->width;
    h = p->job->height;

    if (orientation >= 5) {
        w = p->job->height;
        h = p->job->width;
    }

    p->target_width = w;
    p->target_height = h;

    wide = (uint64_t) *width * h > (uint64_t) *height * w;

    switch (p->job->fit) {

    case IMAGEGRAM_FIT_CONTAIN:
        if (wide) {
            p->target_height = imagegram_picture_part(w, *height, *width);

        } else {
            p->target_width = imagegram_picture_part(h, *width, *height);
        }

        break;

    case IMAGEGRAM_FIT_STRETCH:
        break;

    default:
        if (wide) {
            *width = imagegram_picture_part(*height, w, h);

        } else {
            *height = imagegram_picture_part(*width, h, w);
        }
    }
}


/* of a side, for 1.5 times the target */

static unsigned
imagegram_picture_eighths(uint32_t side, uint32_t target)
{
    unsigned  n;

    for (n = 1; n < 8; n *= 2) {
        if ((uint64_t) side * n >= (uint64_t) 12 * target) {
            break;
        }
    }

    return n;
}


static imagegram_reason_e
imagegram_picture_alloc(imagegram_picture_t *p)
{
    size_t    n, samples;
    uint32_t  i;

    samples = (size_t) p->columns * p->color.channels;

    p->pixels = malloc((size_t) p->target_width * 3 * p->target_height);
    p->means = malloc(samples);
    p->edges = malloc(((size_t) p->columns + 1) * sizeof(uint32_t));

    n = (p->order == IMAGEGRAM_ORDER_PASSES) ? p->rows : 1;
    p->sums = calloc(samples * n, sizeof(uint32_t));

    n = (size_t) p->width * p->color.channels;
    p->lines = calloc(n, sizeof(uint16_t));

    if (p->pixels == NULL || p->means == NULL || p->edges == NULL
        || p->sums == NULL || p->lines == NULL
        || imagegram_resize_open(&p->resize, p->pixels, p->target_width,
                                 p->target_height, p->columns, p->rows,
                                 p->order == IMAGEGRAM_ORDER_UPWARDS)
           != IMAGEGRAM_OK)
    {
        return IMAGEGRAM_MEMORY;
    }

    for (i = 0; i <= p->columns; i++) {
        p->edges[i] = imagegram_picture_edge(i, p->columns, p->width);
    }

    return IMAGEGRAM_OK;
}


/*
 * So many boxes that they are 1.5 to 3 times the target; 1 to 2 times where
 * too many sums would be held.
 */

static void
imagegram_picture_shrink(imagegram_picture_t *p)
{
    unsigned  times;

    for (times = 2; times != 0; times--) {

        p->columns = imagegram_picture_boxes(p->width, p->target_width,
                                             times);
        p->rows = imagegram_picture_boxes(p->height, p->target_height, times);

        if (p->order != IMAGEGRAM_ORDER_PASSES
            || (uint64_t) p->columns * p->rows <= IMAGEGRAM_BOXES_MAX)
        {
            break;
        }
    }
}


/* near twice the target, or not less than it */

static uint32_t
imagegram_picture_boxes(uint32_t side, uint32_t target, unsigned times)
{
    uint64_t  step;

    step = ((uint64_t) side + (times - 1) * (uint64_t) target)
           / (times * (uint64_t) target);

    if (step > IMAGEGRAM_STEP_MAX) {
        step = IMAGEGRAM_STEP_MAX;
    }

    return (step > 1) ? (uint32_t) ((side + step - 1) / step) : side;
}


/* where box i of n begins on a side: evenly spread, rounded */

static uint32_t
imagegram_picture_edge(uint32_t i, uint32_t n, uint32_t side)
{
    return (uint32_t) ((2 * (uint64_t) i * side + n) / (2 * (uint64_t) n));
}


/* the box that pixel x belongs to */

static uint32_t
imagegram_picture_box(uint32_t x, uint32_t n, uint32_t side)
{
    return (uint32_t) (((2 * (uint64_t) x + 1) * n - 1)
                       / (2 * (uint64_t) side));
}


/* of the boxes of row y */

static uint32_t
imagegram_picture_height(const imagegram_picture_t *p, uint32_t y)
{
    return imagegram_picture_edge(y + 1, p->rows, p->height)
           - imagegram_picture_edge(y, p->rows, p->height);
}


/* a * b / c, rounded, at least 1 */

static uint32_t
imagegram_picture_part(uint32_t a, uint32_t b, uint32_t c)
{
    uint64_t  n;

    n = ((uint64_t) a * b + c / 2) / c;

    return (n == 0) ? 1 : (uint32_t) n;
}


IMAGEGRAM_VECTOR
static void
imagegram_picture_add(uint16_t *restrict lines,
    const unsigned char *restrict row, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        lines[i] = (uint16_t) (lines[i] + row[i]);
    }
}


/* adds lines, from left to right, to sums */

static void
imagegram_picture_reduce(imagegram_picture_t *p)
{
    uint32_t        *sums, i, x;
    unsigned         k, channels;
    const uint16_t  *line;

    channels = p->color.channels;
    sums = p->sums;
    line = p->lines;

    for (i = 0; i < p->columns; i++) {

        for (x = p->edges[i]; x < p->edges[i + 1]; x++) {
            for (k = 0; k < channels; k++) {
                sums[k] += line[k];
            }

            line += channels;
        }

        sums += channels;
    }

    memset(p->lines, 0, (size_t) p->width * channels * sizeof(uint16_t));
    p->added = 0;
}


/* a row of boxes is complete: their means, and to sRGB */

static void
imagegram_picture_emit(imagegram_picture_t *p, uint32_t y,
    const uint32_t *sums)
{
    uint32_t        i, step, height, area[2], wide;
    uint64_t        inverse[2];
    unsigned        k;
    unsigned char  *mean;

    /*
     * A box is step wide, or one more.  Its sum is at most 255 areas, so
     * multiplying instead of dividing by the area does not overflow.
     */

    step = p->width / p->columns;
    height = imagegram_picture_height(p, y);

    for (i = 0; i < 2; i++) {
        area[i] = (step + i) * height;
        inverse[i] = (((uint64_t) 1 << 40) + area[i] / 2) / area[i];
    }

    mean = p->means;

    for (i = 0; i < p->columns; i++) {
        wide = p->edges[i + 1] - p->edges[i] - step;

        for (k = 0; k < p->color.channels; k++) {
            *mean++ = (unsigned char) (((uint64_t) (*sums++ + area[wide] / 2)
                                        * inverse[wide]) >> 40);
        }
    }

    imagegram_color_row(&p->color, imagegram_resize_row(&p->resize), p->means,
                        p->columns);
    imagegram_resize_add(&p->resize);
}
