
/*
 * Image headers: more bytes never take back what fewer bytes told, and as
 * long as nothing is told, more bytes are asked for.
 *
 * The first octet seeds the limit of pixels.
 */

#include <stdlib.h>
#include <string.h>

#include "imagegram_header.h"


#define STEP_FROM  256          /* every length up to here, then some */


typedef struct {
    size_t              n;
    imagegram_reason_e  rc;
    imagegram_header_t  h;
} answer_t;


static void ask(answer_t *a, const unsigned char *p, size_t n,
    uint64_t max_pixels);
static int final(answer_t *a);
static void check(answer_t *a, uint64_t max_pixels);
static void compare(answer_t *before, answer_t *after);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t    n;
    uint64_t  max_pixels;
    answer_t  before, after;

    if (size == 0) {
        return 0;
    }

    max_pixels = (uint64_t) 1 << data[0] % 40;

    data++;
    size--;

    ask(&before, data, 0, max_pixels);
    check(&before, max_pixels);

    for (n = 1; n <= size; n += (n < STEP_FROM) ? 1 : 1 + n / 16) {

        ask(&after, data, n, max_pixels);

        check(&after, max_pixels);
        compare(&before, &after);

        before = after;
    }

    return 0;
}


/* on the heap, so that reading beyond n bytes is seen */

static void
ask(answer_t *a, const unsigned char *p, size_t n, uint64_t max_pixels)
{
    unsigned char  *copy;

    copy = malloc(n);
    memcpy(copy, p, n);

    memset(a, 0xa5, sizeof(answer_t));

    a->n = n;
    a->rc = imagegram_header_check(&a->h, copy, n, max_pixels);

    free(copy);
}


static int
final(answer_t *a)
{
    return a->rc != IMAGEGRAM_OK || a->h.width != 0;
}


static void
check(answer_t *a, uint64_t max_pixels)
{
    imagegram_header_t  *h = &a->h;

    switch (a->rc) {

    case IMAGEGRAM_OK:
        if (h->width == 0) {
            if (h->need <= a->n) {
                abort();
            }

            break;
        }

        if (h->format == IMAGEGRAM_FORMAT_NONE || h->height == 0
            || h->bits == 0 || h->bits > 64
            || h->width > IMAGEGRAM_SIDE_MAX
            || h->height > IMAGEGRAM_SIDE_MAX
            || (uint64_t) h->width * h->height > max_pixels)
        {
            abort();
        }

        break;

    case IMAGEGRAM_FORMAT:
        if (h->format != IMAGEGRAM_FORMAT_NONE) {
            abort();
        }

        break;

    case IMAGEGRAM_DIMENSIONS:
    case IMAGEGRAM_DECODE:
        if (h->format == IMAGEGRAM_FORMAT_NONE) {
            abort();
        }

        break;

    default:
        abort();
    }

    /* but for segments of a JPEG, which may be any number */

    if (a->n >= IMAGEGRAM_HEADER_MAX && !final(a)
        && h->format != IMAGEGRAM_FORMAT_JPEG)
    {
        abort();
    }
}


static void
compare(answer_t *before, answer_t *after)
{
    imagegram_header_t  *b = &before->h, *a = &after->h;

    if (b->format != IMAGEGRAM_FORMAT_NONE && a->format != b->format) {
        abort();
    }

    if (final(before)) {
        if (after->rc != before->rc || a->format != b->format
            || a->width != b->width || a->height != b->height
            || a->bits != b->bits)
        {
            abort();
        }

        return;
    }

    /* once the format is known, fewer bytes than were asked for do not do */

    if (b->format != IMAGEGRAM_FORMAT_NONE
        && (final(after) ? after->n < b->need : a->need < b->need))
    {
        abort();
    }
}
