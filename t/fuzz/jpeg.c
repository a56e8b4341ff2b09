
/*
 * JPEG, from header to rows.  The first octet chooses how it fits.
 */

#define _GNU_SOURCE

#include "image.h"


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size != 0) {
        image_convert(data + 1, size - 1, data[0]);
    }

    return 0;
}
