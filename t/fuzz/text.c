
/*
 * The text rule: what is accepted obeys it, by a second, slower reading, and
 * is accepted again unchanged.
 *
 * The first octet is the most code points.
 */

#include <stdlib.h>
#include <string.h>

#include "imagegram_text.h"


static size_t check(const unsigned char *s, size_t len);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t              len, again, max, count;
    unsigned char      *s, *t;
    imagegram_reason_e  rc;

    if (size == 0) {
        return 0;
    }

    max = data[0];
    len = size - 1;

    s = malloc(len);
    memcpy(s, data + 1, len);

    rc = imagegram_text_normalize(s, &len, max);

    if (len > size - 1 || (rc == IMAGEGRAM_EMPTY) != (size == 1)) {
        abort();
    }

    if (rc == IMAGEGRAM_OK || rc == IMAGEGRAM_LONG) {
        count = check(s, len);

        if ((count > max) != (rc == IMAGEGRAM_LONG)) {
            abort();
        }

        t = malloc(len);
        memcpy(t, s, len);
        again = len;

        if (imagegram_text_normalize(t, &again, max) != rc || again != len
            || memcmp(s, t, len) != 0)
        {
            abort();
        }

        free(t);
    }

    free(s);

    return 0;
}


/* Counts the code points; each is the one form that its number has. */

static size_t
check(const unsigned char *s, size_t len)
{
    size_t    i, k, n, count;
    unsigned  c;

    for (i = 0, count = 0; i < len; i += n, count++) {

        c = s[i];
        n = (c < 0x80) ? 1 : (c < 0xe0) ? 2 : (c < 0xf0) ? 3 : 4;

        if (n > len - i) {
            abort();
        }

        if (n > 1) {
            c &= 0x7f >> n;

            for (k = 1; k < n; k++) {
                c = (c << 6) | (s[i + k] - 0x80);
            }
        }

        if ((c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7f && c < 0xa0)
            || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff
            || n != (size_t) 1 + (c > 0x7f) + (c > 0x7ff) + (c > 0xffff))
        {
            abort();
        }
    }

    return count;
}
