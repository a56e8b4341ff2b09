
/*
 * The rule for authors, captions and comments.  Works on the caller's memory,
 * keeps nothing.
 *
 * Knows no nginx type.
 */

#include "imagegram_text.h"


static int imagegram_text_control(unsigned codepoint);


imagegram_reason_e
imagegram_text_normalize(unsigned char *s, size_t *len, size_t max)
{
    size_t          n, count;
    unsigned        codepoint;
    unsigned char  *p, *last, *dst;

    p = s;
    dst = s;
    last = s + *len;

    for (count = 0; p < last; count++) {

        n = imagegram_utf8_decode(p, last - p, &codepoint);

        if (n == 0) {
            return IMAGEGRAM_UTF8;
        }

        if (codepoint == '\r') {
            p += (last - p > 1 && p[1] == '\n') ? 2 : 1;
            *dst++ = '\n';
            continue;
        }

        if (imagegram_text_control(codepoint)) {
            return IMAGEGRAM_CONTROL;
        }

        while (n--) {
            *dst++ = *p++;
        }
    }

    *len = dst - s;

    if (count == 0) {
        return IMAGEGRAM_EMPTY;
    }

    return (count > max) ? IMAGEGRAM_LONG : IMAGEGRAM_OK;
}


/* C0 but tab and LF, DEL, C1 */

static int
imagegram_text_control(unsigned codepoint)
{
    if (codepoint < 0x20) {
        return codepoint != '\t' && codepoint != '\n';
    }

    return codepoint >= 0x7f && codepoint <= 0x9f;
}


size_t
imagegram_utf8_decode(const unsigned char *p, size_t n, unsigned *codepoint)
{
    size_t    i, len;
    unsigned  c, min;

    c = p[0];

    if (c < 0x80) {
        *codepoint = c;
        return 1;
    }

    if (c >= 0xc2 && c <= 0xdf) {
        len = 2;
        min = 0x80;
        c &= 0x1f;

    } else if (c >= 0xe0 && c <= 0xef) {
        len = 3;
        min = 0x800;
        c &= 0x0f;

    } else if (c >= 0xf0 && c <= 0xf4) {
        len = 4;
        min = 0x10000;
        c &= 0x07;

    } else {
        return 0;
    }

    if (n < len) {
        return 0;
    }

    for (i = 1; i < len; i++) {

        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = (c << 6) | (p[i] & 0x3f);
    }

    if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }

    *codepoint = c;

    return len;
}
