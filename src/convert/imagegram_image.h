
/*
 * One image to one JPEG: the header check, decoding in rows, colour, size,
 * encoding.  Runs in a sandboxed child, on fds only.
 */

#ifndef _IMAGEGRAM_IMAGE_H_INCLUDED_
#define _IMAGEGRAM_IMAGE_H_INCLUDED_


#include "imagegram_protocol.h"


/* Prepares what all children share.  Called once, in the parent.  Gives 0 or
 * -1. */
int imagegram_image_init(void);

/*
 * Converts the image that is the whole file behind fd in (told by its bytes)
 * to a JPEG written to fd out, which is empty: size, fit, quality and limits
 * are the job's.  Sets *format as soon as it is known.  Does not sync, does
 * not close.  Gives OK, FORMAT, DIMENSIONS, COMPLEXITY, DECODE, MEMORY,
 * DISK_FULL or INTERNAL.
 */
imagegram_reason_e imagegram_image_convert(int in, int out,
    const imagegram_job_t *job, imagegram_format_e *format);


#endif /* _IMAGEGRAM_IMAGE_H_INCLUDED_ */
