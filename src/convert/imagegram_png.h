
/*
 * PNG, shared by the three files that read it: chunks and what they say about
 * the pixels (imagegram_png.c), the stream of compressed data (..._data.c), and
 * rows (..._rows.c).  All of it lives as long as one image.
 */

#ifndef _IMAGEGRAM_PNG_H_INCLUDED_
#define _IMAGEGRAM_PNG_H_INCLUDED_


#include <isa-l/igzip_lib.h>

#include "imagegram_decode.h"


/* colors, and what a type may consist of */
#define IMAGEGRAM_PNG_GRAY       0
#define IMAGEGRAM_PNG_RGB        2
#define IMAGEGRAM_PNG_PALETTE    3
#define IMAGEGRAM_PNG_ALPHA      4


typedef struct {
    imagegram_input_t     *in;
    imagegram_picture_t   *picture;

    uint32_t               width;
    uint32_t               height;
    unsigned               depth;       /* bits of a sample */
    unsigned               type;        /* of color */
    unsigned               samples;     /* a pixel, with alpha */
    int                    interlaced;

    unsigned               has;         /* chunks that were read, as bits */
    unsigned               ancillary;   /* chunks that were skipped */
    unsigned               colors;
    unsigned char          palette[256 * 4];    /* RGBA */
    int                    keyed;       /* one color is transparent */
    unsigned               key[3];
    uint32_t               gamma;       /* as in gAMA; 0: none */
    int                    srgb;
    imagegram_source_t     source;
    unsigned char         *icc;

    unsigned char          chunk[8];    /* the head of the one at work */
    uint32_t               left;        /* bytes of it */
    uint32_t               crc;

    struct inflate_state  *inflate;
    unsigned               header;      /* bytes of it that were read */
    unsigned               first;       /* of them */

    size_t                 row_len;     /* of the longest row, bytes */
    unsigned char         *row;         /* each with its filter before it */
    unsigned char         *above;
    unsigned char         *unpacked;    /* a byte a pixel; NULL: not needed */
    unsigned char         *out;
    unsigned char         *curve;       /* 8 or 16 to 8 bits; NULL: none */
    unsigned char          table[256 * 3];      /* gray or palette, on white */
} imagegram_png_t;


/*
 * A chunk's head, then its bytes, then its end, where the sum is checked.
 * imagegram_png_skip() takes the place of the last two, and checks nothing.
 * Each gives OK or DECODE.
 */
imagegram_reason_e imagegram_png_head(imagegram_png_t *png);
imagegram_reason_e imagegram_png_read(imagegram_png_t *png, void *dst,
    size_t n);
imagegram_reason_e imagegram_png_tail(imagegram_png_t *png);
imagegram_reason_e imagegram_png_skip(imagegram_png_t *png);

/* Whether that is the type of the chunk at work. */
int imagegram_png_is(const imagegram_png_t *png, const char *type);

/*
 * Inflates n bytes of the pixels to dst; the chunk at work is an IDAT.  Gives
 * OK or DECODE.
 */
imagegram_reason_e imagegram_png_inflate(imagegram_png_t *png,
    unsigned char *dst, size_t n);

/*
 * Inflates what len bytes of zlib's format hold, at most max bytes, to *dst,
 * which is the caller's to free; NULL where it is broken.  Gives OK, MEMORY or
 * COMPLEXITY.
 */
imagegram_reason_e imagegram_png_inflate_all(unsigned char **dst, size_t *n,
    const unsigned char *src, size_t len, size_t max);

/* Gives all rows to the picture.  Gives OK, DECODE or MEMORY. */
imagegram_reason_e imagegram_png_rows(imagegram_png_t *png);

/*
 * Turns filtered bytes into what they stand for; all are 0 above the first
 * row.  A pixel takes step bytes; behind row and above are 4 bytes of room.
 * Gives OK or DECODE.
 */
imagegram_reason_e imagegram_png_unfilter(unsigned filter, unsigned char *row,
    const unsigned char *above, size_t n, unsigned step);


#endif /* _IMAGEGRAM_PNG_H_INCLUDED_ */
