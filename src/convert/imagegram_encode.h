
/*
 * The JPEG that is served: progressive, 4:2:0, sRGB, without metadata.
 */

#ifndef _IMAGEGRAM_ENCODE_H_INCLUDED_
#define _IMAGEGRAM_ENCODE_H_INCLUDED_


#include <stdint.h>

#include "../parse/imagegram_reason.h"


/*
 * Writes width x height RGB pixels to fd.  Gives OK, MEMORY, DISK_FULL or
 * INTERNAL.
 */
imagegram_reason_e imagegram_encode(int fd, const unsigned char *pixels,
    uint32_t width, uint32_t height, unsigned quality);


#endif /* _IMAGEGRAM_ENCODE_H_INCLUDED_ */
