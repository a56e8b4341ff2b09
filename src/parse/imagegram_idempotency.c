
/*
 * Idempotency-Key.  Keeps nothing.
 */

#include "imagegram_idempotency.h"


int
imagegram_idempotency_valid(const unsigned char *p, size_t len)
{
    size_t  i;

    if (len == 0 || len > IMAGEGRAM_IDEMPOTENCY_MAX) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (p[i] <= ' ' || p[i] >= 0x7f) {
            return 0;
        }
    }

    return 1;
}
