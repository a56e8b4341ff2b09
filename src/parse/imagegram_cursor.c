
/*
 * A cursor is the list's letter and the score in hexadecimal digits, without
 * leading zeros, so that every score has exactly one cursor.
 */

#include "imagegram_cursor.h"


static int imagegram_cursor_digit(unsigned char c);


size_t
imagegram_cursor_encode(unsigned char *buf, imagegram_cursor_e list,
    uint64_t score)
{
    int             shift;
    unsigned char  *p;

    static const char  hex[] = "0123456789abcdef";

    p = buf;
    *p++ = (unsigned char) list;

    shift = 0;

    while (shift < 52 && score >> (shift + 4) != 0) {
        shift += 4;
    }

    for ( /* void */ ; shift >= 0; shift -= 4) {
        *p++ = (unsigned char) hex[(score >> shift) & 0xf];
    }

    return (size_t) (p - buf);
}


int
imagegram_cursor_decode(const unsigned char *p, size_t len,
    imagegram_cursor_e list, uint64_t *score)
{
    int       digit;
    size_t    i;
    uint64_t  value;

    if (len < 2 || len > IMAGEGRAM_CURSOR_LEN || p[0] != list
        || (p[1] == '0' && len > 2))
    {
        return -1;
    }

    value = 0;

    for (i = 1; i < len; i++) {
        digit = imagegram_cursor_digit(p[i]);

        if (digit == -1) {
            return -1;
        }

        value = (value << 4) | (unsigned) digit;
    }

    if (value > IMAGEGRAM_CURSOR_SCORE) {
        return -1;
    }

    *score = value;

    return 0;
}


static int
imagegram_cursor_digit(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return -1;
}
