
/*
 * What the decoders of the three formats have in common: each reads the whole
 * image from in, begins p, gives it all rows and ends it.
 *
 * Gives OK, DIMENSIONS, COMPLEXITY, DECODE, MEMORY or INTERNAL.  Whatever it
 * gives, imagegram_picture_free() is the caller's to call.
 */

#ifndef _IMAGEGRAM_DECODE_H_INCLUDED_
#define _IMAGEGRAM_DECODE_H_INCLUDED_


#include "imagegram_input.h"
#include "imagegram_picture.h"


imagegram_reason_e imagegram_png_decode(imagegram_input_t *in,
    imagegram_picture_t *p);
imagegram_reason_e imagegram_jpeg_decode(imagegram_input_t *in,
    imagegram_picture_t *p);
imagegram_reason_e imagegram_bmp_decode(imagegram_input_t *in,
    imagegram_picture_t *p);


#endif /* _IMAGEGRAM_DECODE_H_INCLUDED_ */
