
/*
 * Color: rows of an image, gray, RGB or CMYK, with or without an ICC profile,
 * become sRGB.
 */

#ifndef _IMAGEGRAM_COLOR_H_INCLUDED_
#define _IMAGEGRAM_COLOR_H_INCLUDED_


#include <stddef.h>

#include "../parse/imagegram_reason.h"


/* the largest ICC profile that is looked at, bytes */
#define IMAGEGRAM_ICC_MAX   (4 * 1024 * 1024)


/* what a pixel consists of, one byte each */
typedef enum {
    IMAGEGRAM_SAMPLES_GRAY = 0,
    IMAGEGRAM_SAMPLES_RGB,
    IMAGEGRAM_SAMPLES_BGR,
    IMAGEGRAM_SAMPLES_CMYK,         /* 255 is full ink */
    IMAGEGRAM_SAMPLES_CMYK_REV      /* 255 is no ink, as Adobe stores it */
} imagegram_samples_e;


typedef struct {
    imagegram_samples_e   samples;
    unsigned              channels;
    void                 *transform;    /* lcms; NULL: none is needed */
    int                   from_rgb;     /* it wants gray as RGB */
} imagegram_color_t;


/* Prepares what all conversions share.  Gives 0 or -1. */
int imagegram_color_init(void);

/*
 * Prepares a conversion.  icc may be NULL; it is not needed any more after
 * the call.  A profile that is broken or does not fit the samples is ignored.
 * Gives OK or MEMORY.
 */
imagegram_reason_e imagegram_color_open(imagegram_color_t *c,
    imagegram_samples_e samples, const unsigned char *icc, size_t len);

/* Converts n pixels at src to n RGB pixels at dst. */
void imagegram_color_row(const imagegram_color_t *c, unsigned char *dst,
    const unsigned char *src, size_t n);

/* May be called for one that is all zero. */
void imagegram_color_close(imagegram_color_t *c);


#endif /* _IMAGEGRAM_COLOR_H_INCLUDED_ */
