
/*
 * Lanczos in two steps for each row of the result: the rows that it is made of
 * are weighed and added up, and the sum is resized from left to right.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "imagegram_resize.h"
#include "imagegram_vector.h"


#define IMAGEGRAM_LOBES  3

/* rows that are added up at a time */
#define IMAGEGRAM_ROWS   4


/* taps that are multiplied at a time, from left to right: of six samples, and
 * two more come along */
#define IMAGEGRAM_TAPS   2

typedef float  imagegram_resize_taps_t __attribute__((vector_size(32)));

#define IMAGEGRAM_LANES  (sizeof(imagegram_resize_taps_t) / sizeof(float))


static int imagegram_resize_axis(imagegram_resize_axis_t *axis, uint32_t to,
    uint32_t from);
static void imagegram_resize_weigh(imagegram_resize_axis_t *axis, uint32_t i,
    double center, double scale);
static double imagegram_resize_lanczos(double x);
static int imagegram_resize_spread(imagegram_resize_t *r);
static void imagegram_resize_down(imagegram_resize_t *r);
static void imagegram_resize_sum(float *restrict sums,
    const unsigned char **rows, const float *weights, size_t n);
static void imagegram_resize_across(imagegram_resize_t *r);
static unsigned char imagegram_resize_sample(float value);


imagegram_reason_e
imagegram_resize_open(imagegram_resize_t *r, unsigned char *dst,
    uint32_t dst_width, uint32_t dst_height, uint32_t width, uint32_t height,
    int upwards)
{
    size_t  n;

    memset(r, 0, sizeof(imagegram_resize_t));

    r->dst = dst;
    r->dst_width = dst_width;
    r->dst_height = dst_height;
    r->width = width;
    r->height = height;
    r->upwards = upwards;

    if (imagegram_resize_axis(&r->across, dst_width, width) != 0
        || imagegram_resize_axis(&r->down, dst_height, height) != 0
        || imagegram_resize_spread(r) != 0)
    {
        return IMAGEGRAM_MEMORY;
    }

    n = (size_t) width * 3;

    r->rows = malloc(n * r->down.taps);

    /* the last pixel has lanes behind it, too */

    r->sums = calloc(n + IMAGEGRAM_LANES, sizeof(float));

    return (r->rows != NULL && r->sums != NULL) ? IMAGEGRAM_OK
                                                : IMAGEGRAM_MEMORY;
}


unsigned char *
imagegram_resize_row(imagegram_resize_t *r)
{
    return r->rows + (size_t) r->width * 3 * (r->in % r->down.taps);
}


void
imagegram_resize_add(imagegram_resize_t *r)
{
    r->in++;

    while (r->out < r->dst_height
           && r->down.first[r->out] + r->down.taps <= r->in)
    {
        imagegram_resize_down(r);
        imagegram_resize_across(r);

        r->out++;
    }
}


int
imagegram_resize_done(const imagegram_resize_t *r)
{
    return r->in == r->height;
}


void
imagegram_resize_close(imagegram_resize_t *r)
{
    free(r->across.first);
    free(r->across.weights);
    free(r->down.first);
    free(r->down.weights);
    free(r->spread);
    free(r->rows);
    free(r->sums);

    memset(r, 0, sizeof(imagegram_resize_t));
}


static int
imagegram_resize_axis(imagegram_resize_axis_t *axis, uint32_t to,
    uint32_t from)
{
    double    scale, center;
    int64_t   first;
    uint32_t  i;

    scale = (from > to) ? (double) from / to : 1;

    axis->taps = (uint32_t) (2 * IMAGEGRAM_LOBES * scale) + 1;

    if (axis->taps > from) {
        axis->taps = from;
    }

    axis->first = malloc(to * sizeof(uint32_t));
    axis->weights = malloc((size_t) to * axis->taps * sizeof(float));

    if (axis->first == NULL || axis->weights == NULL) {
        return -1;
    }

    for (i = 0; i < to; i++) {
        center = (i + 0.5) * from / to - 0.5;
        first = (int64_t) ceil(center - IMAGEGRAM_LOBES * scale);

        if (first > (int64_t) from - axis->taps) {
            first = (int64_t) from - axis->taps;
        }

        axis->first[i] = (first > 0) ? (uint32_t) first : 0;

        imagegram_resize_weigh(axis, i, center, scale);
    }

    return 0;
}


/* at the edges less is added up, so that all is divided by what was */

static void
imagegram_resize_weigh(imagegram_resize_axis_t *axis, uint32_t i,
    double center, double scale)
{
    float     *weights;
    double     sum, w;
    uint32_t   k;

    weights = axis->weights + (size_t) i * axis->taps;
    sum = 0;

    for (k = 0; k < axis->taps; k++) {
        w = imagegram_resize_lanczos((axis->first[i] + k - center) / scale);

        weights[k] = (float) w;
        sum += w;
    }

    for (k = 0; k < axis->taps; k++) {
        weights[k] = (float) (weights[k] / sum);
    }
}


static double
imagegram_resize_lanczos(double x)
{
    x = fabs(x) * M_PI;

    if (x < 1e-6) {
        return 1;
    }

    if (x >= IMAGEGRAM_LOBES * M_PI) {
        return 0;
    }

    return IMAGEGRAM_LOBES * sin(x) * sin(x / IMAGEGRAM_LOBES) / (x * x);
}


/* the weights across, one for each lane; a last tap without another one has
 * zeros beside it */

static int
imagegram_resize_spread(imagegram_resize_t *r)
{
    float        *lanes;
    size_t        n;
    uint32_t      i, k, taps;
    const float  *weights;

    taps = r->across.taps;
    weights = r->across.weights;

    r->steps = (taps + IMAGEGRAM_TAPS - 1) / IMAGEGRAM_TAPS;

    n = (size_t) r->dst_width * r->steps * IMAGEGRAM_LANES;

    r->spread = calloc(n, sizeof(float));
    if (r->spread == NULL) {
        return -1;
    }

    for (i = 0; i < r->dst_width; i++) {
        lanes = r->spread + (size_t) i * r->steps * IMAGEGRAM_LANES;

        for (k = 0; k < taps; k++, weights++) {
            lanes[0] = *weights;
            lanes[1] = *weights;
            lanes[2] = *weights;

            lanes += (k % IMAGEGRAM_TAPS == 0) ? 3 : IMAGEGRAM_LANES - 3;
        }
    }

    return 0;
}


/* the sums of the next row out; what is left of four rows weighs nothing */

static void
imagegram_resize_down(imagegram_resize_t *r)
{
    size_t                n;
    float                 w[IMAGEGRAM_ROWS];
    uint32_t              i, k, taps, first;
    const float          *weights;
    const unsigned char  *rows[IMAGEGRAM_ROWS];

    n = (size_t) r->width * 3;
    taps = r->down.taps;
    first = r->down.first[r->out];
    weights = r->down.weights + (size_t) r->out * taps;

    memset(r->sums, 0, n * sizeof(float));

    for (i = 0; i < taps; i += IMAGEGRAM_ROWS) {

        for (k = 0; k < IMAGEGRAM_ROWS; k++) {
            w[k] = (i + k < taps) ? weights[i + k] : 0;
            rows[k] = r->rows + n * ((first + i + k) % taps);
        }

        imagegram_resize_sum(r->sums, rows, w, n);
    }
}


IMAGEGRAM_VECTOR
static void
imagegram_resize_sum(float *restrict sums, const unsigned char **rows,
    const float *weights, size_t n)
{
    size_t                i;
    const float           w0 = weights[0], w1 = weights[1];
    const float           w2 = weights[2], w3 = weights[3];
    const unsigned char  *a = rows[0], *b = rows[1], *c = rows[2];
    const unsigned char  *d = rows[3];

    for (i = 0; i < n; i++) {
        sums[i] += w0 * a[i] + w1 * b[i] + w2 * c[i] + w3 * d[i];
    }
}


IMAGEGRAM_VECTOR
static void
imagegram_resize_across(imagegram_resize_t *r)
{
    uint32_t                  i, k, y;
    const float              *p, *lanes;
    unsigned char            *dst;
    imagegram_resize_taps_t   sum, samples, weights;

    y = r->upwards ? r->dst_height - 1 - r->out : r->out;
    dst = r->dst + (size_t) y * r->dst_width * 3;
    lanes = r->spread;

    for (i = 0; i < r->dst_width; i++, dst += 3) {
        p = r->sums + (size_t) r->across.first[i] * 3;
        memset(&sum, 0, sizeof(sum));

        for (k = 0; k < r->steps; k++) {
            memcpy(&samples, p, sizeof(samples));
            memcpy(&weights, lanes, sizeof(weights));

            sum += samples * weights;

            p += IMAGEGRAM_TAPS * 3;
            lanes += IMAGEGRAM_LANES;
        }

        dst[0] = imagegram_resize_sample(sum[0] + sum[3]);
        dst[1] = imagegram_resize_sample(sum[1] + sum[4]);
        dst[2] = imagegram_resize_sample(sum[2] + sum[5]);
    }
}


static unsigned char
imagegram_resize_sample(float value)
{
    value += 0.5f;

    return (value < 0) ? 0 : (value > 255) ? 255 : (unsigned char) value;
}
