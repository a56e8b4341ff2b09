
/*
 * Base64 in pieces.  Keeps up to three characters between them, in the
 * caller's imagegram_base64_t.
 *
 * Knows no nginx type.
 */

#include "imagegram_base64.h"


static const unsigned char *imagegram_base64_groups(unsigned char **dst,
    const unsigned char *p, const unsigned char *last);
static int imagegram_base64_pad(imagegram_base64_t *b, unsigned char **dst);


/* an octet's six bits; what is outside the alphabet has a higher bit set */

#define XX  128

static const unsigned char  imagegram_base64_values[256] = {
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, 62, XX, XX, XX, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, XX, XX, XX, XX, XX, XX,
    XX,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, XX, XX, XX, XX, XX,
    XX, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX
};

#undef XX


long
imagegram_base64_feed(imagegram_base64_t *b, unsigned char *dst,
    const unsigned char *src, size_t len)
{
    unsigned              value;
    unsigned char        *start;
    const unsigned char  *p, *last;

    p = src;
    last = src + len;
    start = dst;

    while (p < last) {

        if (b->count == 0 && b->padding == 0) {
            p = imagegram_base64_groups(&dst, p, last);

            if (p == last) {
                break;
            }
        }

        if (*p == '=') {
            if (imagegram_base64_pad(b, &dst) == -1) {
                return -1;
            }

            p++;
            continue;
        }

        value = imagegram_base64_values[*p++];

        if (value > 63 || b->padding) {
            return -1;
        }

        b->bits = (b->bits << 6) | value;

        if (++b->count == 4) {
            *dst++ = b->bits >> 16;
            *dst++ = b->bits >> 8;
            *dst++ = b->bits;

            b->bits = 0;
            b->count = 0;
        }
    }

    return dst - start;
}


/* Decodes whole groups of four as long as all their characters are digits. */

static const unsigned char *
imagegram_base64_groups(unsigned char **dst, const unsigned char *p,
    const unsigned char *last)
{
    unsigned        a, b, c, d;
    unsigned char  *out;

    for (out = *dst; last - p >= 4; p += 4) {

        a = imagegram_base64_values[p[0]];
        b = imagegram_base64_values[p[1]];
        c = imagegram_base64_values[p[2]];
        d = imagegram_base64_values[p[3]];

        if ((a | b | c | d) > 63) {
            break;
        }

        out[0] = (a << 2) | (b >> 4);
        out[1] = (b << 4) | (c >> 2);
        out[2] = (c << 6) | d;
        out += 3;
    }

    *dst = out;

    return p;
}


/*
 * Takes one '='.  The last group has two or three digits, and the bits that
 * they have beyond whole octets must be zero.  Nothing is given out before
 * the group is complete: that is what bounds the room that is needed.
 */

static int
imagegram_base64_pad(imagegram_base64_t *b, unsigned char **dst)
{
    unsigned char  *p;

    p = *dst;

    if (b->padding == 0 && b->count == 2) {

        if (b->bits & 0x0f) {
            return -1;
        }

        b->count = 3;

    } else if (b->padding == 0 && b->count == 3) {

        if (b->bits & 0x03) {
            return -1;
        }

        *p++ = b->bits >> 10;
        *p++ = b->bits >> 2;
        b->count = 0;

    } else if (b->padding == 1 && b->count == 3) {
        *p++ = b->bits >> 4;
        b->count = 0;

    } else {
        return -1;
    }

    b->padding++;
    *dst = p;

    return 0;
}


int
imagegram_base64_end(imagegram_base64_t *b)
{
    return (b->count == 0) ? 0 : -1;
}
