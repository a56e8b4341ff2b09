
/*
 * A BMP while it is decoded: shared by the parts of the reader, which are the
 * headers (imagegram_bmp.c), pixels as stored (imagegram_bmp_pixels.c) and
 * run lengths (imagegram_bmp_rle.c).
 */

#ifndef _IMAGEGRAM_BMP_H_INCLUDED_
#define _IMAGEGRAM_BMP_H_INCLUDED_


#include "imagegram_decode.h"


#define IMAGEGRAM_BMP_RGB             0
#define IMAGEGRAM_BMP_RLE8            1
#define IMAGEGRAM_BMP_RLE4            2
#define IMAGEGRAM_BMP_BITFIELDS       3
#define IMAGEGRAM_BMP_ALPHABITFIELDS  6


/* one channel of 16 or 32 bit pixels */
typedef struct {
    uint32_t              mask;
    unsigned              shift;        /* of its upper eight bits at most */
    unsigned char         value[256];   /* those, scaled to eight bits */
} imagegram_bmp_field_t;


typedef struct {
    imagegram_input_t      *in;
    imagegram_picture_t    *picture;

    uint32_t                width;
    uint32_t                height;
    int                     top_down;
    unsigned                bits;           /* a pixel */
    unsigned                compression;
    uint32_t                offset;         /* of the pixels in the file */

    unsigned                colors;         /* in the palette */
    unsigned char           palette[256 * 3];
    imagegram_bmp_field_t   fields[4];      /* red, green, blue, alpha */

    unsigned char          *icc;            /* NULL: none */
    size_t                  icc_len;

    unsigned char          *row;            /* as stored */
    unsigned char          *samples;        /* as the picture wants it */
} imagegram_bmp_t;


/*
 * Sets up bmp->fields from their masks.  Gives OK, or DECODE where they make
 * no sense.
 */
imagegram_reason_e imagegram_bmp_fields(imagegram_bmp_t *bmp);

/* Reads all rows of pixels that are not compressed. */
imagegram_reason_e imagegram_bmp_pixels(imagegram_bmp_t *bmp);

/* Reads all rows of RLE8 or RLE4; pixels that are left out are white. */
imagegram_reason_e imagegram_bmp_rle(imagegram_bmp_t *bmp);


#endif /* _IMAGEGRAM_BMP_H_INCLUDED_ */
