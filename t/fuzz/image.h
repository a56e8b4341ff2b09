
/*
 * What the fuzzers of the three formats have in common: the converter's own
 * files, from bytes to a JPEG that nobody looks at.
 */

#ifndef _IMAGE_H_INCLUDED_
#define _IMAGE_H_INCLUDED_


#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/convert/imagegram_image.h"


/* small, so that many are tried */
#define IMAGE_SIDE    24
#define IMAGE_PIXELS  (1 << 16)


/* fit: any number */

static void
image_convert(const unsigned char *data, size_t size, unsigned fit)
{
    imagegram_job_t      job = {
        .max_image_pixels = IMAGE_PIXELS,
        .width = IMAGE_SIDE,
        .height = IMAGE_SIDE + 5,
        .fit = fit % (IMAGEGRAM_FIT_STRETCH + 1),
        .quality = 50
    };
    imagegram_format_e   format;
    imagegram_reason_e   rc;

    static int           in = -1, out;

    if (in == -1) {
        in = memfd_create("image", 0);
        out = open("/dev/null", O_WRONLY);

        if (in == -1 || out == -1 || imagegram_image_init() != 0) {
            abort();
        }
    }

    if (ftruncate(in, 0) != 0
        || pwrite(in, data, size, 0) != (ssize_t) size)
    {
        abort();
    }

    rc = imagegram_image_convert(in, out, &job, &format);

    /* not the image's fault */

    if (rc == IMAGEGRAM_INTERNAL || rc == IMAGEGRAM_DISK_FULL) {
        abort();
    }
}


#endif /* _IMAGE_H_INCLUDED_ */
