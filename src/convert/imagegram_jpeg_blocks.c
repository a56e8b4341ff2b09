
/*
 * One array a component.  libjpeg works on a window of block rows, where blocks
 * are as it knows them; what a scan has put there is taken over when the window
 * moves on.
 */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "imagegram_jpeg_blocks.h"
#include <jerror.h>


/* around what is seen, for what upsampling mixes in and what is rounded */
#define IMAGEGRAM_BLOCKS_MARGIN  2


typedef enum {
    IMAGEGRAM_WINDOW_READ = 0,
    IMAGEGRAM_WINDOW_DC,            /* the scan has nothing else */
    IMAGEGRAM_WINDOW_AC             /* or anything */
} imagegram_window_e;


struct jvirt_barray_control {
    uint32_t             columns;   /* of blocks */
    uint32_t             rows;
    uint32_t             x;         /* those whose values are kept */
    uint32_t             x_end;
    uint32_t             y;
    uint32_t             y_end;

    unsigned             n;         /* values of a block, the first is DC */
    unsigned char        place[DCTSIZE2];   /* of each value, in a block */
    uint64_t             places;    /* the same, as bits */
    unsigned char        value[DCTSIZE2];   /* of each of these */
    JCOEF               *values;
    uint64_t            *masks;     /* which are not zero; NULL: one scan */

    imagegram_window_e   window;
    uint32_t             at;        /* its first row */
    uint32_t             height;
    JBLOCKROW            blocks;
    JBLOCKROW           *lines;     /* where its rows begin in blocks */
};


static jvirt_barray_ptr imagegram_jpeg_blocks_request(j_common_ptr common,
    int pool, boolean zero, JDIMENSION columns, JDIMENSION rows,
    JDIMENSION height);
static void imagegram_jpeg_blocks_seen(jvirt_barray_ptr a,
    j_decompress_ptr cinfo, const jpeg_component_info *c,
    const imagegram_view_t *view);
static void imagegram_jpeg_blocks_span(uint32_t *from, uint32_t *to,
    uint32_t start, uint32_t size, int factor, int max, uint32_t n);
static void imagegram_jpeg_blocks_keep(jvirt_barray_ptr a,
    const imagegram_view_t *view);
static uint64_t imagegram_jpeg_blocks_kept(jvirt_barray_ptr a);
static void imagegram_jpeg_blocks_realize(j_common_ptr common);
static void imagegram_jpeg_blocks_allocate(j_common_ptr common,
    jvirt_barray_ptr a, int masks);
static void *imagegram_jpeg_blocks_zeros(j_common_ptr common, size_t size);
static JBLOCKARRAY imagegram_jpeg_blocks_access(j_common_ptr common,
    jvirt_barray_ptr a, JDIMENSION at, JDIMENSION height, boolean writable);
static void imagegram_jpeg_blocks_load(jvirt_barray_ptr a, int refined);
static void imagegram_jpeg_blocks_save(jvirt_barray_ptr a);
static uint64_t imagegram_jpeg_blocks_mask(const JCOEF *block);
static JCOEF *imagegram_jpeg_blocks_values(jvirt_barray_ptr a, uint32_t x,
    uint32_t y);
static void imagegram_jpeg_blocks_fail(j_common_ptr common, int code)
    __attribute__((noreturn));


void
imagegram_jpeg_blocks_use(imagegram_jpeg_blocks_t *b, j_decompress_ptr cinfo,
    const imagegram_view_t *view, long max)
{
    b->view = *view;

    cinfo->mem->max_memory_to_use = max;
    cinfo->mem->request_virt_barray = imagegram_jpeg_blocks_request;
    cinfo->mem->realize_virt_arrays = imagegram_jpeg_blocks_realize;
    cinfo->mem->access_virt_barray = imagegram_jpeg_blocks_access;

    /* gaps that a file leaves between scans are not smoothed over: that would
     * take a window of several heights */

    cinfo->do_block_smoothing = FALSE;
}


/* one for each component, in their order */

static jvirt_barray_ptr
imagegram_jpeg_blocks_request(j_common_ptr common, int pool, boolean zero,
    JDIMENSION columns, JDIMENSION rows, JDIMENSION height)
{
    j_decompress_ptr          cinfo;
    jvirt_barray_ptr          a;
    imagegram_jpeg_blocks_t  *b;

    (void) pool;
    (void) zero;
    (void) height;

    cinfo = (j_decompress_ptr) common;
    b = common->client_data;

    if (b->n >= (unsigned) cinfo->num_components) {
        imagegram_jpeg_blocks_fail(common, JERR_BAD_VIRTUAL_ACCESS);
    }

    a = imagegram_jpeg_blocks_zeros(common,
                                    sizeof(struct jvirt_barray_control));

    a->columns = columns;
    a->rows = rows;

    imagegram_jpeg_blocks_seen(a, cinfo, &cinfo->comp_info[b->n], &b->view);
    imagegram_jpeg_blocks_keep(a, &b->view);

    b->arrays[b->n++] = a;

    return a;
}


static void
imagegram_jpeg_blocks_seen(jvirt_barray_ptr a, j_decompress_ptr cinfo,
    const jpeg_component_info *c, const imagegram_view_t *view)
{
    a->height = (uint32_t) c->v_samp_factor;

    imagegram_jpeg_blocks_span(&a->x, &a->x_end, view->x, view->width,
                               c->h_samp_factor, cinfo->max_h_samp_factor,
                               a->columns);

    imagegram_jpeg_blocks_span(&a->y, &a->y_end, view->y, view->height,
                               c->v_samp_factor, cinfo->max_v_samp_factor,
                               a->rows);
}


/* the blocks, of n, that size pixels are in */

static void
imagegram_jpeg_blocks_span(uint32_t *from, uint32_t *to, uint32_t start,
    uint32_t size, int factor, int max, uint32_t n)
{
    uint64_t  first, last;

    first = (uint64_t) start * (unsigned) factor
            / (DCTSIZE * (unsigned) max);
    last = ((uint64_t) start + size) * (unsigned) factor
           / (DCTSIZE * (unsigned) max);

    first -= (first < IMAGEGRAM_BLOCKS_MARGIN) ? first
                                               : IMAGEGRAM_BLOCKS_MARGIN;
    last += IMAGEGRAM_BLOCKS_MARGIN + 1;

    *from = (uint32_t) first;
    *to = (last < n) ? (uint32_t) last : n;
}


/*
 * A block that becomes one, two or four pixels wide says little by its higher
 * frequencies; by those of an even number nothing: they cancel out.
 */

static void
imagegram_jpeg_blocks_keep(jvirt_barray_ptr a, const imagegram_view_t *view)
{
    unsigned  u, v, i;

    static const unsigned char  frequencies[DCTSIZE + 1] = {
        0, 0x01, 0x0b, 0, 0x2f, 0, 0, 0, 0xff
    };

    for (v = 0; v < DCTSIZE; v++) {
        for (u = 0; u < DCTSIZE; u++) {
            i = v * DCTSIZE + u;

            if ((frequencies[view->across] >> u & 1)
                && (frequencies[view->down] >> v & 1))
            {
                a->places |= (uint64_t) 1 << i;
                a->value[i] = (unsigned char) a->n;
                a->place[a->n++] = (unsigned char) i;
            }
        }
    }
}


/* blocks whose values are kept */

static uint64_t
imagegram_jpeg_blocks_kept(jvirt_barray_ptr a)
{
    return (uint64_t) (a->x_end - a->x) * (a->y_end - a->y);
}


static void
imagegram_jpeg_blocks_realize(j_common_ptr common)
{
    int                       masks;
    uint64_t                  size;
    unsigned                  i;
    jvirt_barray_ptr          a;
    imagegram_jpeg_blocks_t  *b;

    b = common->client_data;
    masks = ((j_decompress_ptr) common)->progressive_mode;
    size = 0;

    for (i = 0; i < b->n; i++) {
        a = b->arrays[i];

        size += imagegram_jpeg_blocks_kept(a) * a->n * sizeof(JCOEF);
        size += (uint64_t) a->columns * a->height * sizeof(JBLOCK);

        if (masks) {
            size += (uint64_t) a->columns * a->rows * sizeof(uint64_t);
        }
    }

    if (size > (uint64_t) common->mem->max_memory_to_use) {
        imagegram_jpeg_blocks_fail(common, JERR_NO_BACKING_STORE);
    }

    for (i = 0; i < b->n; i++) {
        imagegram_jpeg_blocks_allocate(common, b->arrays[i], masks);
    }
}


static void
imagegram_jpeg_blocks_allocate(j_common_ptr common, jvirt_barray_ptr a,
    int masks)
{
    size_t    n;
    uint32_t  y;

    n = (size_t) imagegram_jpeg_blocks_kept(a) * a->n;
    a->values = imagegram_jpeg_blocks_zeros(common, n * sizeof(JCOEF));

    n = (size_t) a->columns * a->rows;

    if (masks) {
        a->masks = imagegram_jpeg_blocks_zeros(common, n * sizeof(uint64_t));
    }

    n = (size_t) a->columns * a->height;
    a->blocks = imagegram_jpeg_blocks_zeros(common, n * sizeof(JBLOCK));
    a->lines = imagegram_jpeg_blocks_zeros(common,
                                           a->height * sizeof(JBLOCKROW));

    for (y = 0; y < a->height; y++) {
        a->lines[y] = a->blocks + (size_t) y * a->columns;
    }
}


/* size bytes, which live as long as the image */

static void *
imagegram_jpeg_blocks_zeros(j_common_ptr common, size_t size)
{
    return memset(common->mem->alloc_large(common, JPOOL_IMAGE, size), 0,
                  size);
}


static JBLOCKARRAY
imagegram_jpeg_blocks_access(j_common_ptr common, jvirt_barray_ptr a,
    JDIMENSION at, JDIMENSION height, boolean writable)
{
    j_decompress_ptr  cinfo;

    cinfo = (j_decompress_ptr) common;

    if (height > a->height || at > a->rows - height) {
        imagegram_jpeg_blocks_fail(common, JERR_BAD_VIRTUAL_ACCESS);
    }

    imagegram_jpeg_blocks_save(a);

    a->at = at;
    a->window = !writable ? IMAGEGRAM_WINDOW_READ
                : (cinfo->progressive_mode && cinfo->Se == 0)
                ? IMAGEGRAM_WINDOW_DC : IMAGEGRAM_WINDOW_AC;

    imagegram_jpeg_blocks_load(a, cinfo->progressive_mode && cinfo->Ah != 0);

    return a->lines;
}


/*
 * A scan that refines must find what is not zero, be it another number.  One
 * that does not finds zeros.
 */

static void
imagegram_jpeg_blocks_load(jvirt_barray_ptr a, int refined)
{
    JCOEF     *block, *values;
    uint64_t   mask;
    uint32_t   x, y;
    unsigned   i;

    for (y = a->at; y < a->at + a->height; y++) {
        block = a->lines[y - a->at][0];

        if (a->window != IMAGEGRAM_WINDOW_DC) {
            memset(block, 0, a->columns * sizeof(JBLOCK));
        }

        if (a->window == IMAGEGRAM_WINDOW_AC && refined) {

            for (x = 0; x < a->columns; x++, block += DCTSIZE2) {
                mask = a->masks[(size_t) y * a->columns + x];

                for ( /* void */ ; mask != 0; mask &= mask - 1) {
                    block[__builtin_ctzll(mask)] = 1;
                }
            }
        }

        if (a->window == IMAGEGRAM_WINDOW_AC && !refined) {
            continue;
        }

        for (x = a->x; x < a->x_end; x++) {
            values = imagegram_jpeg_blocks_values(a, x, y);

            if (values == NULL) {
                break;
            }

            block = a->lines[y - a->at][x];

            if (a->window == IMAGEGRAM_WINDOW_DC) {
                block[0] = values[0];
                continue;
            }

            for (i = 0; i < a->n; i++) {
                block[a->place[i]] = values[i];
            }
        }
    }
}


static void
imagegram_jpeg_blocks_save(jvirt_barray_ptr a)
{
    JCOEF     *block, *values;
    uint64_t   mask;
    uint32_t   x, y;
    unsigned   i;

    if (a->window == IMAGEGRAM_WINDOW_READ) {
        return;
    }

    for (y = a->at; y < a->at + a->height; y++) {

        for (x = 0; x < a->columns; x++) {
            block = a->lines[y - a->at][x];
            values = imagegram_jpeg_blocks_values(a, x, y);

            if (a->window == IMAGEGRAM_WINDOW_DC) {
                if (values != NULL) {
                    values[0] = block[0];
                }

                continue;
            }

            mask = imagegram_jpeg_blocks_mask(block);

            if (a->masks != NULL) {
                a->masks[(size_t) y * a->columns + x] |= mask;
            }

            if (values == NULL) {
                continue;
            }

            for (mask &= a->places; mask != 0; mask &= mask - 1) {
                i = (unsigned) __builtin_ctzll(mask);
                values[a->value[i]] = block[i];
            }
        }
    }

    a->window = IMAGEGRAM_WINDOW_READ;
}


/* the bits of coefficients that are not zero */

#if defined(__SSE2__)

static uint64_t
imagegram_jpeg_blocks_mask(const JCOEF *block)
{
    __m128i   low, high, zeros;
    uint64_t  mask;
    unsigned  i, bits;

    mask = 0;

    for (i = 0; i < DCTSIZE2; i += 16) {
        low = _mm_loadu_si128((const __m128i *) (block + i));
        high = _mm_loadu_si128((const __m128i *) (block + i + 8));

        zeros = _mm_packs_epi16(_mm_cmpeq_epi16(low, _mm_setzero_si128()),
                                _mm_cmpeq_epi16(high, _mm_setzero_si128()));

        bits = ~(unsigned) _mm_movemask_epi8(zeros) & 0xffff;
        mask |= (uint64_t) bits << i;
    }

    return mask;
}

#else

static uint64_t
imagegram_jpeg_blocks_mask(const JCOEF *block)
{
    uint64_t  mask, four;
    unsigned  i, k;

    mask = 0;

    for (i = 0; i < DCTSIZE2; i += 4) {
        memcpy(&four, block + i, sizeof(four));

        if (four == 0) {
            continue;
        }

        for (k = i; k < i + 4; k++) {
            mask |= (uint64_t) (block[k] != 0) << k;
        }
    }

    return mask;
}

#endif


/* NULL: of this block nothing is kept */

static JCOEF *
imagegram_jpeg_blocks_values(jvirt_barray_ptr a, uint32_t x, uint32_t y)
{
    if (x < a->x || x >= a->x_end || y < a->y || y >= a->y_end) {
        return NULL;
    }

    return a->values + a->n * ((size_t) (y - a->y) * (a->x_end - a->x)
                               + (x - a->x));
}


/* does not return: libjpeg's own errors jump, and so does this one */

static void
imagegram_jpeg_blocks_fail(j_common_ptr common, int code)
{
    common->err->msg_code = code;
    common->err->error_exit(common);

    abort();
}
