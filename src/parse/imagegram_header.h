
/*
 * What the first bytes of an image tell: its format, by its magic, and its
 * size, checked against the limits before anything is decoded.
 *
 * Knows no nginx type and no image library; used by workers, to refuse a
 * hopeless upload early, and by the converter.
 */

#ifndef _IMAGEGRAM_HEADER_H_INCLUDED_
#define _IMAGEGRAM_HEADER_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "../convert/imagegram_protocol.h"


/* the longest side of an image: what a JPEG can have */
#define IMAGEGRAM_SIDE_MAX      65535

/* bytes with which a PNG or BMP is always decided */
#define IMAGEGRAM_HEADER_MAX    138


typedef struct {
    imagegram_format_e  format;     /* NONE as long as it is not known */
    uint32_t            width;      /* 0 as long as they are not known */
    uint32_t            height;
    uint32_t            bits;       /* a pixel, as stored; 0: not known */
    uint64_t            need;       /* decides, or learns more, with so many
                                     * bytes from the start */
} imagegram_header_t;


/*
 * Looks at the first n bytes of an image.  Gives OK, FORMAT, DIMENSIONS or
 * DECODE, as far as n bytes tell; OK with h->width == 0 means that h->need
 * bytes are needed to say more.
 */
imagegram_reason_e imagegram_header_check(imagegram_header_t *h,
    const unsigned char *p, size_t n, uint64_t max_pixels);

/* Gives OK, or DIMENSIONS; DECODE where there is no pixel. */
imagegram_reason_e imagegram_header_limits(uint32_t width, uint32_t height,
    uint64_t max_pixels);


#endif /* _IMAGEGRAM_HEADER_H_INCLUDED_ */
