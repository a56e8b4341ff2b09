
/*
 * Format and size from an image's first bytes.  Owns nothing, keeps nothing:
 * each call starts from the first byte again.
 */

#include <string.h>

#include "imagegram_bytes.h"
#include "imagegram_header.h"


#define IMAGEGRAM_PNG_IHDR    33    /* signature, IHDR with its CRC */
#define IMAGEGRAM_BMP_FILE    14    /* the header of the file */


static imagegram_format_e imagegram_header_format(const unsigned char *p,
    size_t n, size_t *need);
static imagegram_reason_e imagegram_header_png(imagegram_header_t *h,
    const unsigned char *p, size_t n);
static imagegram_reason_e imagegram_header_jpeg(imagegram_header_t *h,
    const unsigned char *p, size_t n);
static imagegram_reason_e imagegram_header_jpeg_frame(imagegram_header_t *h,
    const unsigned char *p, size_t n);
static imagegram_reason_e imagegram_header_bmp(imagegram_header_t *h,
    const unsigned char *p, size_t n);
static int imagegram_header_is(const unsigned char *p, size_t n,
    const char *magic, size_t len);


static const char  imagegram_png_magic[] = "\x89PNG\r\n\x1a\n";
static const char  imagegram_jpeg_magic[] = "\xff\xd8\xff";
static const char  imagegram_bmp_magic[] = "BM";


imagegram_reason_e
imagegram_header_check(imagegram_header_t *h, const unsigned char *p,
    size_t n, uint64_t max_pixels)
{
    size_t              need;
    imagegram_reason_e  rc;

    memset(h, 0, sizeof(imagegram_header_t));

    h->format = imagegram_header_format(p, n, &need);

    switch (h->format) {

    case IMAGEGRAM_FORMAT_PNG:
        rc = imagegram_header_png(h, p, n);
        break;

    case IMAGEGRAM_FORMAT_JPEG:
        rc = imagegram_header_jpeg(h, p, n);
        break;

    case IMAGEGRAM_FORMAT_BMP:
        rc = imagegram_header_bmp(h, p, n);
        break;

    default:
        h->need = need;
        return (need == 0) ? IMAGEGRAM_FORMAT : IMAGEGRAM_OK;
    }

    if (rc != IMAGEGRAM_OK || h->width == 0) {
        return rc;
    }

    return imagegram_header_limits(h->width, h->height, max_pixels);
}


imagegram_reason_e
imagegram_header_limits(uint32_t width, uint32_t height, uint64_t max_pixels)
{
    if (width == 0 || height == 0) {
        return IMAGEGRAM_DECODE;
    }

    if (width > IMAGEGRAM_SIDE_MAX || height > IMAGEGRAM_SIDE_MAX
        || (uint64_t) width * height > max_pixels)
    {
        return IMAGEGRAM_DIMENSIONS;
    }

    return IMAGEGRAM_OK;
}


static imagegram_format_e
imagegram_header_format(const unsigned char *p, size_t n, size_t *need)
{
    size_t  size;

    *need = 0;

    if (imagegram_header_is(p, n, imagegram_png_magic, 8)) {
        *need = 8;
        return (n >= 8) ? IMAGEGRAM_FORMAT_PNG : IMAGEGRAM_FORMAT_NONE;
    }

    if (imagegram_header_is(p, n, imagegram_jpeg_magic, 3)) {
        *need = 3;
        return (n >= 3) ? IMAGEGRAM_FORMAT_JPEG : IMAGEGRAM_FORMAT_NONE;
    }

    if (imagegram_header_is(p, n, imagegram_bmp_magic, 2)) {

        /* two letters are a weak magic: the header's size belongs to it */

        if (n < IMAGEGRAM_BMP_FILE + 4) {
            *need = IMAGEGRAM_BMP_FILE + 4;
            return IMAGEGRAM_FORMAT_NONE;
        }

        size = imagegram_get_le32(p + IMAGEGRAM_BMP_FILE);

        if (size == 12 || (size >= 16 && size <= 124)) {
            return IMAGEGRAM_FORMAT_BMP;
        }
    }

    return IMAGEGRAM_FORMAT_NONE;
}


static imagegram_reason_e
imagegram_header_png(imagegram_header_t *h, const unsigned char *p, size_t n)
{
    static const unsigned char  samples[] = { 1, 0, 3, 1, 2, 0, 4 };

    unsigned  depth, type;

    h->need = IMAGEGRAM_PNG_IHDR;

    if (n < IMAGEGRAM_PNG_IHDR) {
        return IMAGEGRAM_OK;
    }

    depth = p[24];
    type = p[25];

    if (memcmp(p + 8, "\0\0\0\rIHDR", 8) != 0
        || depth == 0 || depth > 16 || (depth & (depth - 1)) != 0
        || type >= sizeof(samples) || samples[type] == 0
        || ((type == 2 || type >= 4) && depth < 8)
        || (type == 3 && depth > 8)
        || p[26] != 0 || p[27] != 0 || p[28] > 1)
    {
        return IMAGEGRAM_DECODE;
    }

    h->bits = depth * samples[type];
    h->width = imagegram_get_be32(p + 16);
    h->height = imagegram_get_be32(p + 20);

    return (h->width == 0) ? IMAGEGRAM_DECODE : IMAGEGRAM_OK;
}


/* segments up to the frame header (SOFn) */

static imagegram_reason_e
imagegram_header_jpeg(imagegram_header_t *h, const unsigned char *p, size_t n)
{
    size_t    i;
    unsigned  marker;

    i = 2;

    for ( ;; ) {
        /* any number of FF may stand before a marker */

        while (i + 1 < n && p[i] == 0xff && p[i + 1] == 0xff) {
            i++;
        }

        h->need = (uint64_t) i + 4;

        if (h->need > n) {
            return IMAGEGRAM_OK;
        }

        marker = p[i + 1];

        if (p[i] != 0xff || marker == 0) {

            /* garbage between segments: libjpeg knows how to skip it */

            i++;
            continue;
        }

        if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
            i += 2;
            continue;
        }

        if (marker == 0xd8 || marker == 0xd9 || marker == 0xda) {
            return IMAGEGRAM_DECODE;
        }

        if (marker >= 0xc0 && marker <= 0xcf
            && marker != 0xc4 && marker != 0xc8 && marker != 0xcc)
        {
            return imagegram_header_jpeg_frame(h, p + i, n - i);
        }

        i += 2 + imagegram_get_be16(p + i + 2);
    }
}


static imagegram_reason_e
imagegram_header_jpeg_frame(imagegram_header_t *h, const unsigned char *p,
    size_t n)
{
    unsigned  components;

    if (n < 10) {
        h->need += 6;
        return IMAGEGRAM_OK;
    }

    components = p[9];

    /* baseline, extended and progressive Huffman, 8 bit */

    if (p[1] > 0xc2 || p[4] != 8
        || (components != 1 && components != 3 && components != 4))
    {
        return IMAGEGRAM_DECODE;
    }

    h->bits = 8 * components;
    h->height = imagegram_get_be16(p + 5);
    h->width = imagegram_get_be16(p + 7);

    return (h->width == 0) ? IMAGEGRAM_DECODE : IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_header_bmp(imagegram_header_t *h, const unsigned char *p, size_t n)
{
    uint32_t  size;

    p += IMAGEGRAM_BMP_FILE;
    size = imagegram_get_le32(p);

    h->need = IMAGEGRAM_BMP_FILE + 16;

    if (n < IMAGEGRAM_BMP_FILE + 16) {
        return IMAGEGRAM_OK;
    }

    if (size == 12) {
        h->width = imagegram_get_le16(p + 4);
        h->height = imagegram_get_le16(p + 6);
        p += 8;

    } else {
        h->width = imagegram_get_le32(p + 4);
        h->height = imagegram_get_le32(p + 8);
        p += 12;

        /* a negative height means rows from the top down */

        if (h->height > INT32_MAX) {
            h->height = 0 - h->height;
        }
    }

    h->bits = imagegram_get_le16(p + 2);

    if (h->width == 0 || h->width > INT32_MAX
        || imagegram_get_le16(p) != 1
        || (h->bits != 1 && h->bits != 2 && h->bits != 4 && h->bits != 8
            && h->bits != 16 && h->bits != 24 && h->bits != 32))
    {
        return IMAGEGRAM_DECODE;
    }

    return IMAGEGRAM_OK;
}


static int
imagegram_header_is(const unsigned char *p, size_t n, const char *magic,
    size_t len)
{
    return memcmp(p, magic, (n < len) ? n : len) == 0;
}
