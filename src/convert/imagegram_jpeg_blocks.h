
/*
 * The coefficients of a JPEG in several scans, such as a progressive one,
 * which are all held until the last scan is read.  libjpeg would keep 128
 * bytes a block.  Here it is what will be seen of it, which is little where
 * the picture shrinks; and a bit for each other coefficient, because later
 * scans of a progressive one depend on which ones are not zero.
 *
 * It takes the place of libjpeg's virtual arrays of blocks.
 */

#ifndef _IMAGEGRAM_JPEG_BLOCKS_H_INCLUDED_
#define _IMAGEGRAM_JPEG_BLOCKS_H_INCLUDED_


#include <stdio.h>
#include <stdint.h>

#include <jpeglib.h>

#include "imagegram_picture.h"


typedef struct {
    imagegram_view_t      view;
    jvirt_barray_ptr      arrays[MAX_COMPONENTS];
    unsigned              n;
} imagegram_jpeg_blocks_t;          /* all zero: at the start */


/*
 * To be called before decompression starts; cinfo->client_data points to b or
 * to something that begins with it.  The memory is cinfo's, for the image.  If
 * more than max bytes were needed, libjpeg's error is JERR_NO_BACKING_STORE.
 */
void imagegram_jpeg_blocks_use(imagegram_jpeg_blocks_t *b,
    j_decompress_ptr cinfo, const imagegram_view_t *view, long max);


#endif /* _IMAGEGRAM_JPEG_BLOCKS_H_INCLUDED_ */
