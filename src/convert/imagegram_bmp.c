
/*
 * BMP: its headers, of all generations from OS/2 1.x (12 bytes) to Windows'
 * fifth (124), and what stands between them and the pixels.
 *
 * A reader of our own: libraries hold the whole picture, as eight bytes a
 * pixel.
 */

#include <stdlib.h>
#include <string.h>

#include "../parse/imagegram_bytes.h"
#include "../parse/imagegram_header.h"
#include "imagegram_bmp.h"


#define IMAGEGRAM_BMP_FILE      14      /* bytes: the header of the file, */
#define IMAGEGRAM_BMP_CORE      12      /* the smallest of the image, */
#define IMAGEGRAM_BMP_OS2       64      /* that of OS/2 2.x, */
#define IMAGEGRAM_BMP_MASKS     52      /* with masks inside, */
#define IMAGEGRAM_BMP_V5        124     /* the largest */

#define IMAGEGRAM_BMP_EMBEDDED  0x4d424544      /* "MBED" */

/* so much may a file be shorter than it says: some writers round up */
#define IMAGEGRAM_BMP_SLACK     4096


static imagegram_reason_e imagegram_bmp_headers(imagegram_bmp_t *bmp);
static imagegram_reason_e imagegram_bmp_compression(imagegram_bmp_t *bmp,
    const unsigned char *info, uint32_t size);
static imagegram_reason_e imagegram_bmp_masks(imagegram_bmp_t *bmp,
    const unsigned char *info, uint32_t size);
static imagegram_reason_e imagegram_bmp_palette(imagegram_bmp_t *bmp,
    uint32_t size, uint32_t colors);
static imagegram_reason_e imagegram_bmp_profile(imagegram_bmp_t *bmp,
    const unsigned char *info);
static imagegram_reason_e imagegram_bmp_rows(imagegram_bmp_t *bmp);


imagegram_reason_e
imagegram_bmp_decode(imagegram_input_t *in, imagegram_picture_t *p)
{
    imagegram_bmp_t    *bmp;
    imagegram_reason_e  rc;

    bmp = calloc(1, sizeof(imagegram_bmp_t));
    if (bmp == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    bmp->in = in;
    bmp->picture = p;

    rc = imagegram_bmp_headers(bmp);

    if (rc == IMAGEGRAM_OK) {
        rc = imagegram_bmp_rows(bmp);
    }

    if (rc == IMAGEGRAM_DECODE && in->failed) {
        rc = IMAGEGRAM_INTERNAL;
    }

    free(bmp->row);
    free(bmp->samples);
    free(bmp->icc);
    free(bmp);

    return (rc == IMAGEGRAM_OK) ? imagegram_picture_end(p) : rc;
}


static imagegram_reason_e
imagegram_bmp_headers(imagegram_bmp_t *bmp)
{
    uint32_t             size, colors;
    unsigned char        head[IMAGEGRAM_BMP_FILE + IMAGEGRAM_BMP_V5], *info;
    imagegram_header_t   h;
    imagegram_reason_e   rc;

    /* what an older header does not have is zero */

    memset(head, 0, sizeof(head));
    info = head + IMAGEGRAM_BMP_FILE;

    if (imagegram_input_read(bmp->in, head, IMAGEGRAM_BMP_FILE + 4) != 0) {
        return IMAGEGRAM_DECODE;
    }

    size = imagegram_get_le32(info);

    if (size < IMAGEGRAM_BMP_CORE || size > IMAGEGRAM_BMP_V5
        || imagegram_input_read(bmp->in, info + 4, size - 4) != 0)
    {
        return IMAGEGRAM_DECODE;
    }

    rc = imagegram_header_check(&h, head, sizeof(head),
                                bmp->picture->job->max_image_pixels);
    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    bmp->width = h.width;
    bmp->height = h.height;
    bmp->bits = h.bits;
    bmp->offset = imagegram_get_le32(head + 10);
    bmp->top_down = (size != IMAGEGRAM_BMP_CORE && (info[11] & 0x80));

    if (imagegram_get_le32(head + 2) > bmp->in->size + IMAGEGRAM_BMP_SLACK) {
        return IMAGEGRAM_DECODE;
    }

    rc = imagegram_bmp_compression(bmp, info, size);
    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    /* in the smallest header the palette's first bytes stand there */

    colors = (size == IMAGEGRAM_BMP_CORE) ? 0 : imagegram_get_le32(info + 32);

    rc = imagegram_bmp_palette(bmp, size, colors);
    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    return (size == IMAGEGRAM_BMP_V5) ? imagegram_bmp_profile(bmp, info)
                                      : IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_bmp_compression(imagegram_bmp_t *bmp, const unsigned char *info,
    uint32_t size)
{
    bmp->compression = (size == IMAGEGRAM_BMP_CORE)
                       ? IMAGEGRAM_BMP_RGB : imagegram_get_le32(info + 16);

    switch (bmp->compression) {

    case IMAGEGRAM_BMP_RGB:
        if (bmp->bits != 16 && bmp->bits != 32) {
            return IMAGEGRAM_OK;
        }

        bmp->fields[0].mask = (bmp->bits == 16) ? 0x7c00 : 0xff0000;
        bmp->fields[1].mask = (bmp->bits == 16) ? 0x03e0 : 0x00ff00;
        bmp->fields[2].mask = (bmp->bits == 16) ? 0x001f : 0x0000ff;

        return imagegram_bmp_fields(bmp);

    case IMAGEGRAM_BMP_RLE8:
    case IMAGEGRAM_BMP_RLE4:
        return (bmp->top_down
                || bmp->bits != (bmp->compression == IMAGEGRAM_BMP_RLE8
                                 ? 8 : 4))
               ? IMAGEGRAM_DECODE : IMAGEGRAM_OK;

    case IMAGEGRAM_BMP_BITFIELDS:
    case IMAGEGRAM_BMP_ALPHABITFIELDS:

        /* to OS/2 these numbers mean something else */

        if (size == IMAGEGRAM_BMP_OS2
            || (bmp->bits != 16 && bmp->bits != 32))
        {
            return IMAGEGRAM_DECODE;
        }

        return imagegram_bmp_masks(bmp, info, size);

    default:
        return IMAGEGRAM_DECODE;
    }
}


/* in the header, or behind it */

static imagegram_reason_e
imagegram_bmp_masks(imagegram_bmp_t *bmp, const unsigned char *info,
    uint32_t size)
{
    unsigned       i, n;
    unsigned char  masks[16];

    memset(masks, 0, sizeof(masks));

    if (size >= IMAGEGRAM_BMP_MASKS) {
        n = (size == IMAGEGRAM_BMP_MASKS) ? 12 : 16;
        memcpy(masks, info + 40, n);

    } else {
        n = (bmp->compression == IMAGEGRAM_BMP_BITFIELDS) ? 12 : 16;

        if (imagegram_input_read(bmp->in, masks, n) != 0) {
            return IMAGEGRAM_DECODE;
        }
    }

    for (i = 0; i < 4; i++) {
        bmp->fields[i].mask = imagegram_get_le32(masks + 4 * i);
    }

    return imagegram_bmp_fields(bmp);
}


static imagegram_reason_e
imagegram_bmp_palette(imagegram_bmp_t *bmp, uint32_t size, uint32_t colors)
{
    unsigned       i, entry;
    uint64_t       at, room;
    unsigned char  color[4];

    at = imagegram_input_tell(bmp->in);

    if (bmp->offset < at) {
        return IMAGEGRAM_DECODE;
    }

    entry = (size == IMAGEGRAM_BMP_CORE) ? 3 : 4;
    room = (bmp->offset - at) / entry;

    if (colors > room) {
        return IMAGEGRAM_DECODE;
    }

    if (bmp->bits > 8) {
        return IMAGEGRAM_OK;
    }

    if (colors == 0 || colors > 1u << bmp->bits) {
        colors = 1u << bmp->bits;
    }

    bmp->colors = (colors < room) ? colors : (unsigned) room;

    for (i = 0; i < bmp->colors; i++) {
        if (imagegram_input_read(bmp->in, color, entry) != 0) {
            return IMAGEGRAM_DECODE;
        }

        bmp->palette[3 * i] = color[2];
        bmp->palette[3 * i + 1] = color[1];
        bmp->palette[3 * i + 2] = color[0];
    }

    return IMAGEGRAM_OK;
}


/* one that is out of place is ignored, like one that is broken */

static imagegram_reason_e
imagegram_bmp_profile(imagegram_bmp_t *bmp, const unsigned char *info)
{
    uint32_t  at, len;

    at = imagegram_get_le32(info + 112);
    len = imagegram_get_le32(info + 116);

    if (imagegram_get_le32(info + 56) != IMAGEGRAM_BMP_EMBEDDED
        || len == 0 || len > IMAGEGRAM_ICC_MAX
        || imagegram_input_seek(bmp->in, (uint64_t) IMAGEGRAM_BMP_FILE + at)
           != 0)
    {
        return IMAGEGRAM_OK;
    }

    bmp->icc = malloc(len);
    if (bmp->icc == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    if (imagegram_input_read(bmp->in, bmp->icc, len) == 0) {
        bmp->icc_len = len;
    }

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_bmp_rows(imagegram_bmp_t *bmp)
{
    imagegram_source_t  s;
    imagegram_reason_e  rc;

    memset(&s, 0, sizeof(imagegram_source_t));

    s.width = bmp->width;
    s.height = bmp->height;
    s.orientation = 1;
    s.order = bmp->top_down ? IMAGEGRAM_ORDER_ROWS : IMAGEGRAM_ORDER_UPWARDS;
    s.samples = (bmp->bits == 24) ? IMAGEGRAM_SAMPLES_BGR
                                  : IMAGEGRAM_SAMPLES_RGB;
    s.icc = bmp->icc;
    s.icc_len = bmp->icc_len;

    if (imagegram_input_seek(bmp->in, bmp->offset) != 0) {
        return IMAGEGRAM_DECODE;
    }

    rc = imagegram_picture_begin(bmp->picture, &s);
    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    bmp->row = malloc((size_t) bmp->width * 4);
    bmp->samples = malloc((size_t) bmp->width * 3);

    if (bmp->row == NULL || bmp->samples == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    return (bmp->compression == IMAGEGRAM_BMP_RLE8
            || bmp->compression == IMAGEGRAM_BMP_RLE4)
           ? imagegram_bmp_rle(bmp) : imagegram_bmp_pixels(bmp);
}
