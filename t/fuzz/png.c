
/*
 * PNG, from chunks to rows.  Bits of the first octet say how the rest becomes
 * one, since hardly any change of one by chance leaves its sums right, or
 * what is compressed readable: PNG_SUMS, each chunk gets the sum it needs;
 * PNG_STORED, what is in IDAT is what shall come out of it.  The others choose
 * how it fits.
 */

#define _GNU_SOURCE

#include <string.h>

#include <isa-l/crc.h>

#include "imagegram_bytes.h"
#include "image.h"


#define PNG_SUMS       0x01
#define PNG_STORED     0x02

#define PNG_SIGNATURE  8
#define PNG_HEAD       8
#define PNG_SUM        4
#define PNG_BLOCK      65535            /* bytes of deflate's stored ones */
#define PNG_MAX        (1 << 20)


typedef struct {
    unsigned char   data[PNG_MAX];
    size_t          size;
} png_t;


static void png_chunk(png_t *png, const unsigned char *chunk, size_t n,
    unsigned how);
static void png_store(png_t *png, const unsigned char *p, size_t n);
static void png_add(png_t *png, const void *p, size_t n);
static void png_add_be32(png_t *png, uint32_t value);


static png_t  built;


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t                n;
    unsigned              how;
    const unsigned char  *p, *end;

    if (size == 0) {
        return 0;
    }

    how = data[0];
    p = data + 1;
    end = data + size;

    if (!(how & (PNG_SUMS|PNG_STORED)) || size - 1 < PNG_SIGNATURE) {
        image_convert(p, size - 1, how >> 2);
        return 0;
    }

    built.size = 0;
    png_add(&built, p, PNG_SIGNATURE);
    p += PNG_SIGNATURE;

    while (end - p >= PNG_HEAD + PNG_SUM) {
        n = imagegram_get_be32(p);

        if (n > (size_t) (end - p) - PNG_HEAD - PNG_SUM) {
            break;
        }

        png_chunk(&built, p, n, how);
        p += PNG_HEAD + n + PNG_SUM;
    }

    png_add(&built, p, (size_t) (end - p));
    image_convert(built.data, built.size, how >> 2);

    return 0;
}


static void
png_chunk(png_t *png, const unsigned char *chunk, size_t n, unsigned how)
{
    size_t    start;
    uint32_t  len;

    start = png->size;

    png_add(png, chunk, PNG_HEAD);

    if ((how & PNG_STORED) && memcmp(chunk + 4, "IDAT", 4) == 0) {
        png_store(png, chunk + PNG_HEAD, n);

        len = (uint32_t) (png->size - start - PNG_HEAD);
        png->size = start;
        png_add_be32(png, len);
        png->size += 4 + len;

    } else {
        png_add(png, chunk + PNG_HEAD, n);
    }

    if (how & PNG_SUMS) {
        png_add_be32(png, crc32_gzip_refl(0, png->data + start + 4,
                                          png->size - start - 4));

    } else {
        png_add(png, chunk + PNG_HEAD + n, PNG_SUM);
    }
}


/* zlib's header, and blocks; Adler's sum at the end nobody reads */

static void
png_store(png_t *png, const unsigned char *p, size_t n)
{
    size_t         len;
    unsigned char  head[5];

    png_add(png, "\x78\x01", 2);

    do {
        len = (n < PNG_BLOCK) ? n : PNG_BLOCK;

        head[0] = (len == n);
        head[1] = (unsigned char) len;
        head[2] = (unsigned char) (len >> 8);
        head[3] = (unsigned char) ~head[1];
        head[4] = (unsigned char) ~head[2];

        png_add(png, head, sizeof(head));
        png_add(png, p, len);

        p += len;
        n -= len;
    } while (n != 0);
}


/* what does not fit any more is left out */

static void
png_add(png_t *png, const void *p, size_t n)
{
    if (n <= PNG_MAX - png->size) {
        memcpy(png->data + png->size, p, n);
        png->size += n;
    }
}


static void
png_add_be32(png_t *png, uint32_t value)
{
    unsigned char  bytes[4];

    bytes[0] = (unsigned char) (value >> 24);
    bytes[1] = (unsigned char) (value >> 16);
    bytes[2] = (unsigned char) (value >> 8);
    bytes[3] = (unsigned char) value;

    png_add(png, bytes, sizeof(bytes));
}
