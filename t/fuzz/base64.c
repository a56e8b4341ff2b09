
/*
 * Base64: however a text is cut into pieces, the verdict and the octets are
 * the same; what is accepted is exactly what an encoder makes of the octets.
 *
 * The first octet seeds the cuts.
 */

#include <stdlib.h>
#include <string.h>

#include "imagegram_base64.h"


static long decode(unsigned char *dst, const unsigned char *p, size_t len,
    unsigned seed);
static size_t encode(unsigned char *dst, const unsigned char *p, size_t len);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    long            n, m;
    unsigned char  *whole, *split, *text;

    if (size == 0) {
        return 0;
    }

    whole = malloc(imagegram_base64_decoded(size) + 1);
    split = malloc(imagegram_base64_decoded(size) + 1);
    text = malloc(imagegram_base64_decoded(size) / 3 * 4 + 4);

    n = decode(whole, data + 1, size - 1, 0);
    m = decode(split, data + 1, size - 1, data[0] + 1);

    if (n != m) {
        abort();
    }

    if (n != -1) {
        if (memcmp(whole, split, n) != 0
            || encode(text, whole, n) != size - 1
            || memcmp(text, data + 1, size - 1) != 0)
        {
            abort();
        }
    }

    free(whole);
    free(split);
    free(text);

    return 0;
}


/* Gives -1 for what is not base64. */

static long
decode(unsigned char *dst, const unsigned char *p, size_t len, unsigned seed)
{
    long                n, total;
    size_t              size;
    unsigned char      *out;
    imagegram_base64_t  b;

    memset(&b, 0, sizeof(b));

    for (total = 0; len; p += size, len -= size) {

        size = len;

        if (seed) {
            seed = seed * 1103515245 + 12345;
            size = 1 + (seed >> 16) % 13;
            size = (size < len) ? size : len;
        }

        /* exactly as much room as promised to be enough */

        out = malloc(imagegram_base64_decoded(size));

        n = imagegram_base64_feed(&b, out, p, size);

        if (n > 0) {
            memcpy(dst + total, out, n);
        }

        free(out);

        if (n == -1) {
            return -1;
        }

        total += n;
    }

    return imagegram_base64_end(&b) == 0 ? total : -1;
}


static size_t
encode(unsigned char *dst, const unsigned char *p, size_t len)
{
    size_t    i, n;
    unsigned  bits;

    static const char  digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";

    for (i = 0, n = 0; i < len; i += 3) {
        bits = p[i] << 16;
        bits |= (i + 1 < len) ? p[i + 1] << 8 : 0;
        bits |= (i + 2 < len) ? p[i + 2] : 0;

        dst[n++] = digits[bits >> 18];
        dst[n++] = digits[(bits >> 12) & 63];
        dst[n++] = (i + 1 < len) ? digits[(bits >> 6) & 63] : '=';
        dst[n++] = (i + 2 < len) ? digits[bits & 63] : '=';
    }

    return n;
}
