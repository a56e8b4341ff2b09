
/*
 * Multipart: however a body is cut into pieces, the verdict, the names and
 * the contents are the same.
 *
 * The first octet seeds the cuts, the second is the length of the boundary,
 * which follows.
 */

#include <stdlib.h>
#include <string.h>

#include "imagegram_multipart.h"


#define BOUNDARY_MAX  8


/* what the handlers were told, as a text */

typedef struct {
    size_t              len;
    size_t              size;
    unsigned            open;       /* a part has begun */
    imagegram_reason_e  rc;
    unsigned char      *text;
} record_t;


static void parse(record_t *r, const char *boundary, size_t boundary_len,
    const unsigned char *p, size_t len, unsigned seed);
static imagegram_reason_e on_begin(void *data, const char *name,
    size_t name_len);
static imagegram_reason_e on_data(void *data, const unsigned char *piece,
    size_t len);
static imagegram_reason_e on_end(void *data);
static void add(record_t *r, const void *p, size_t len);
static void compare(record_t *a, record_t *b);


static const imagegram_multipart_handlers_t  handlers = {
    on_begin, on_data, on_end
};


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t    i, n;
    char      boundary[BOUNDARY_MAX];
    unsigned  seed;
    record_t  whole, split, octets;

    if (size < 2) {
        return 0;
    }

    seed = data[0] + 256;
    n = 1 + data[1] % BOUNDARY_MAX;

    if (size < 2 + n) {
        return 0;
    }

    /* a boundary has no CR */

    for (i = 0; i < n; i++) {
        boundary[i] = (data[2 + i] == '\r') ? '-' : data[2 + i];
    }

    data += 2 + n;
    size -= 2 + n;

    parse(&whole, boundary, n, data, size, 0);
    parse(&split, boundary, n, data, size, seed);
    parse(&octets, boundary, n, data, size, 1);

    compare(&whole, &split);
    compare(&whole, &octets);

    free(whole.text);
    free(split.text);
    free(octets.text);

    return 0;
}


/* seed 0: in one piece, 1: octet by octet, others: at random */

static void
parse(record_t *r, const char *boundary, size_t boundary_len,
    const unsigned char *p, size_t len, unsigned seed)
{
    size_t                        n;
    unsigned char                *copy;
    static imagegram_multipart_t  multipart;

    memset(r, 0, sizeof(record_t));
    memset(&multipart, 0xa5, sizeof(multipart));

    /* each part is said by two octets more than its name and content */

    r->size = 2 * len + 2;
    r->text = malloc(r->size);

    imagegram_multipart_init(&multipart, boundary, boundary_len, &handlers,
                             r);

    while (len && r->rc == IMAGEGRAM_OK) {

        n = len;

        if (seed) {
            seed = (seed == 1) ? 1 : seed * 1103515245 + 12345;
            n = (seed == 1) ? 1 : 1 + (seed >> 16) % 23;
            n = (n < len) ? n : len;
        }

        /* on the heap, so that reading beyond a piece is seen */

        copy = malloc(n);
        memcpy(copy, p, n);

        r->rc = imagegram_multipart_feed(&multipart, copy, n);

        free(copy);

        p += n;
        len -= n;
    }

    if (r->rc == IMAGEGRAM_OK) {
        r->rc = imagegram_multipart_end(&multipart);

        if (r->rc == IMAGEGRAM_OK && r->open) {
            abort();
        }
    }
}


static imagegram_reason_e
on_begin(void *data, const char *name, size_t name_len)
{
    record_t  *r = data;

    if (r->open++) {
        abort();
    }

    add(r, name, name_len);
    add(r, "=", 1);

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
on_data(void *data, const unsigned char *piece, size_t len)
{
    record_t  *r = data;

    if (!r->open || len == 0) {
        abort();
    }

    add(r, piece, len);

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
on_end(void *data)
{
    record_t  *r = data;

    if (!r->open--) {
        abort();
    }

    add(r, "&", 1);

    return IMAGEGRAM_OK;
}


/* More than there was in the body cannot come out of it. */

static void
add(record_t *r, const void *p, size_t len)
{
    if (len > r->size - r->len) {
        abort();
    }

    memcpy(r->text + r->len, p, len);
    r->len += len;
}


static void
compare(record_t *a, record_t *b)
{
    if (a->rc != b->rc || a->len != b->len
        || memcmp(a->text, b->text, a->len) != 0)
    {
        abort();
    }
}
