
/*
 * The last step of shrinking, and all of enlarging: Lanczos, by MagickWand.
 */

#ifndef _IMAGEGRAM_RESIZE_H_INCLUDED_
#define _IMAGEGRAM_RESIZE_H_INCLUDED_


#include <stdint.h>

#include "../parse/imagegram_reason.h"


/*
 * Starts ImageMagick with one thread, no disk and a policy under which it
 * reads and writes nothing.  Gives 0 or -1.
 */
int imagegram_resize_init(void);

/*
 * Whether ImageMagick's own limits, which a system's policy.xml sets, leave
 * room to resize width x height pixels so.
 */
int imagegram_resize_fits(uint32_t dst_width, uint32_t dst_height,
    uint32_t width, uint32_t height);

/*
 * Resizes width x height RGB pixels at src, which it frees, to dst, which has
 * room for what comes out.  Gives OK, MEMORY or INTERNAL.  After MEMORY
 * ImageMagick must not be used any more.
 */
imagegram_reason_e imagegram_resize(unsigned char *dst, uint32_t dst_width,
    uint32_t dst_height, unsigned char *src, uint32_t width, uint32_t height);


#endif /* _IMAGEGRAM_RESIZE_H_INCLUDED_ */
