
/*
 * PNG's filters undone, the second largest part of a PNG's time.  Owns nothing.
 *
 * Each byte is told as a difference to what is left of it, above it, or both,
 * so that pixels can only be worked on one after the other: those of three and
 * four bytes as a vector, others byte by byte.
 */

#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "imagegram_png.h"
#include "imagegram_vector.h"


#define IMAGEGRAM_FILTER_NONE     0
#define IMAGEGRAM_FILTER_SUB      1
#define IMAGEGRAM_FILTER_UP       2
#define IMAGEGRAM_FILTER_AVERAGE  3
#define IMAGEGRAM_FILTER_PAETH    4


static void imagegram_filter_up(unsigned char *restrict row,
    const unsigned char *restrict above, size_t n);
static void imagegram_filter_bytes(unsigned filter, unsigned char *row,
    const unsigned char *above, size_t n, size_t step);
static int imagegram_filter_paeth(int a, int b, int c);

#ifdef __SSE2__
static void imagegram_filter_pixels(unsigned filter, unsigned char *row,
    const unsigned char *above, size_t n, size_t step);
static __m128i imagegram_filter_load(const unsigned char *p);
static __m128i imagegram_filter_nearest(__m128i a, __m128i b, __m128i c);
static __m128i imagegram_filter_abs(__m128i x);
#endif


imagegram_reason_e
imagegram_png_unfilter(unsigned filter, unsigned char *row,
    const unsigned char *above, size_t n, unsigned step)
{
    switch (filter) {

    case IMAGEGRAM_FILTER_NONE:
        return IMAGEGRAM_OK;

    case IMAGEGRAM_FILTER_UP:
        imagegram_filter_up(row, above, n);
        return IMAGEGRAM_OK;

    case IMAGEGRAM_FILTER_SUB:
    case IMAGEGRAM_FILTER_AVERAGE:
    case IMAGEGRAM_FILTER_PAETH:
        break;

    default:
        return IMAGEGRAM_DECODE;
    }

#ifdef __SSE2__

    if (step == 3 || step == 4) {
        imagegram_filter_pixels(filter, row, above, n, step);
        return IMAGEGRAM_OK;
    }

#endif

    imagegram_filter_bytes(filter, row, above, n, step);

    return IMAGEGRAM_OK;
}


IMAGEGRAM_VECTOR
static void
imagegram_filter_up(unsigned char *restrict row,
    const unsigned char *restrict above, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        row[i] = (unsigned char) (row[i] + above[i]);
    }
}


static void
imagegram_filter_bytes(unsigned filter, unsigned char *row,
    const unsigned char *above, size_t n, size_t step)
{
    int                   value;
    size_t                i;
    const unsigned char  *left, *corner;

    left = row - step;
    corner = above - step;

    for (i = 0; i < n; i++) {

        switch (filter) {

        case IMAGEGRAM_FILTER_SUB:
            value = left[i];
            break;

        case IMAGEGRAM_FILTER_AVERAGE:
            value = (left[i] + above[i]) / 2;
            break;

        default:
            value = imagegram_filter_paeth(left[i], above[i], corner[i]);
        }

        row[i] = (unsigned char) (row[i] + value);
    }
}


static int
imagegram_filter_paeth(int a, int b, int c)
{
    int  pa, pb, pc;

    pa = abs(b - c);
    pb = abs(a - c);
    pc = abs(a + b - 2 * c);

    return (pa <= pb && pa <= pc) ? a : (pb <= pc) ? b : c;
}


#ifdef __SSE2__

/*
 * Samples of a pixel as 16 bits each.  Of pixels of three bytes a fourth one
 * comes along; what becomes of it is overwritten by the next pixel, which is
 * read before.
 */

static void
imagegram_filter_pixels(unsigned filter, unsigned char *row,
    const unsigned char *above, size_t n, size_t step)
{
    int                   value;
    size_t                i;
    __m128i               a, b, c, next;
    const unsigned char  *end;

    const __m128i  low = _mm_set1_epi16(255);

    a = _mm_setzero_si128();
    c = a;
    end = row + n;
    next = imagegram_filter_load(row);

    for (i = 0; row < end; i += step, row += step) {

        switch (filter) {

        case IMAGEGRAM_FILTER_SUB:
            break;

        case IMAGEGRAM_FILTER_AVERAGE:
            b = imagegram_filter_load(above + i);
            a = _mm_srli_epi16(_mm_add_epi16(a, b), 1);
            break;

        default:
            b = imagegram_filter_load(above + i);
            a = imagegram_filter_nearest(a, b, c);
            c = b;
        }

        a = _mm_and_si128(_mm_add_epi16(a, next), low);
        next = imagegram_filter_load(row + step);

        value = _mm_cvtsi128_si32(_mm_packus_epi16(a, a));
        memcpy(row, &value, sizeof(value));
    }
}


static __m128i
imagegram_filter_load(const unsigned char *p)
{
    int  value;

    memcpy(&value, p, sizeof(value));

    return _mm_unpacklo_epi8(_mm_cvtsi32_si128(value), _mm_setzero_si128());
}


/* Paeth's choice: the one that is next to a + b - c */

static __m128i
imagegram_filter_nearest(__m128i a, __m128i b, __m128i c)
{
    __m128i  pa, pb, pc, least, is_a, is_b;

    pa = _mm_sub_epi16(b, c);
    pb = _mm_sub_epi16(a, c);
    pc = imagegram_filter_abs(_mm_add_epi16(pa, pb));
    pa = imagegram_filter_abs(pa);
    pb = imagegram_filter_abs(pb);

    least = _mm_min_epi16(pc, _mm_min_epi16(pa, pb));
    is_a = _mm_cmpeq_epi16(least, pa);
    is_b = _mm_cmpeq_epi16(least, pb);

    b = _mm_or_si128(_mm_and_si128(is_b, b), _mm_andnot_si128(is_b, c));

    return _mm_or_si128(_mm_and_si128(is_a, a), _mm_andnot_si128(is_a, b));
}


static __m128i
imagegram_filter_abs(__m128i x)
{
    return _mm_max_epi16(x, _mm_sub_epi16(_mm_setzero_si128(), x));
}

#endif
