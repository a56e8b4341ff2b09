
/*
 * The inside of a JSON string.  What it keeps between two pieces is in the
 * caller's imagegram_json_string_t.
 *
 * Knows no nginx type.
 */

#include <stdint.h>
#include <string.h>

#include "imagegram_json_string.h"


enum {
    IMAGEGRAM_JSON_STRING_PLAIN = 0,
    IMAGEGRAM_JSON_STRING_ESCAPE,           /* behind '\' */
    IMAGEGRAM_JSON_STRING_HEX,              /* behind '\u' */
    IMAGEGRAM_JSON_STRING_LOW_BACKSLASH,    /* behind a high surrogate */
    IMAGEGRAM_JSON_STRING_LOW_U
};


static imagegram_reason_e imagegram_json_string_run(
    imagegram_json_string_t *s, const unsigned char **pos,
    const unsigned char *end);
static const unsigned char *imagegram_json_string_plain(
    const unsigned char *p, const unsigned char *end);
static imagegram_reason_e imagegram_json_string_lead(
    imagegram_json_string_t *s, unsigned char ch);
static imagegram_reason_e imagegram_json_string_escape(
    imagegram_json_string_t *s, unsigned char ch,
    imagegram_json_piece_t *piece);
static imagegram_reason_e imagegram_json_string_hex(
    imagegram_json_string_t *s, unsigned char ch,
    imagegram_json_piece_t *piece);
static size_t imagegram_json_string_encode(unsigned char *dst,
    unsigned codepoint);


imagegram_reason_e
imagegram_json_string_next(imagegram_json_string_t *s,
    const unsigned char **pos, const unsigned char *end,
    imagegram_json_piece_t *piece)
{
    imagegram_reason_e    rc;
    const unsigned char  *p;

    p = *pos;

    piece->data = p;
    piece->len = 0;
    piece->last = 0;

    if (s->state != IMAGEGRAM_JSON_STRING_PLAIN) {
        *pos = p + 1;
        return imagegram_json_string_escape(s, *p, piece);
    }

    rc = imagegram_json_string_run(s, &p, end);

    piece->len = p - *pos;
    *pos = p;

    if (rc != IMAGEGRAM_OK || p == end) {
        return rc;
    }

    *pos = p + 1;

    if (*p == '"') {
        piece->last = 1;
        return IMAGEGRAM_OK;
    }

    s->state = IMAGEGRAM_JSON_STRING_ESCAPE;

    return (*p == '\\') ? IMAGEGRAM_OK : IMAGEGRAM_JSON;
}


/*
 * Moves *pos to the end of the octets that stand for themselves, well-formed
 * UTF-8; gives JSON_UTF8 where it is not.
 */

static imagegram_reason_e
imagegram_json_string_run(imagegram_json_string_t *s,
    const unsigned char **pos, const unsigned char *end)
{
    imagegram_reason_e    rc;
    const unsigned char  *p;

    rc = IMAGEGRAM_OK;

    for (p = *pos; p < end; p++) {

        if (s->utf8_left) {

            if (*p < s->utf8_low || *p > s->utf8_high) {
                rc = IMAGEGRAM_JSON_UTF8;
                break;
            }

            s->utf8_left--;
            s->utf8_low = 0x80;
            s->utf8_high = 0xbf;
            continue;
        }

        p = imagegram_json_string_plain(p, end);

        if (p == end || *p < 0x80) {
            break;
        }

        rc = imagegram_json_string_lead(s, *p);

        if (rc != IMAGEGRAM_OK) {
            break;
        }
    }

    *pos = p;

    return rc;
}


/*
 * Gives the first octet that is a quote, a backslash, a control character or
 * not ASCII.  Base64 of 100 MB comes through here: eight octets at a time,
 * by the borrow that a subtraction leaves in an octet's high bit.
 */

static const unsigned char *
imagegram_json_string_plain(const unsigned char *p, const unsigned char *end)
{
    uint64_t               w, quote, backslash;
    static const uint64_t  ones = 0x0101010101010101;

    while (end - p >= 8) {

        memcpy(&w, p, 8);

        quote = w ^ (ones * '"');
        backslash = w ^ (ones * '\\');

        if ((w | (w - ones * 0x20) | (quote - ones) | (backslash - ones))
            & (ones * 0x80))
        {
            break;
        }

        p += 8;
    }

    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


static imagegram_reason_e
imagegram_json_string_lead(imagegram_json_string_t *s, unsigned char ch)
{
    if (ch < 0xc2 || ch > 0xf4) {
        return IMAGEGRAM_JSON_UTF8;
    }

    s->utf8_left = 1 + (ch >= 0xe0) + (ch >= 0xf0);

    /* no overlong forms, no surrogates, nothing above U+10FFFF */

    s->utf8_low = (ch == 0xe0) ? 0xa0 : (ch == 0xf0) ? 0x90 : 0x80;
    s->utf8_high = (ch == 0xed) ? 0x9f : (ch == 0xf4) ? 0x8f : 0xbf;

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_json_string_escape(imagegram_json_string_t *s, unsigned char ch,
    imagegram_json_piece_t *piece)
{
    const char         *p;
    static const char   from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

    switch (s->state) {

    case IMAGEGRAM_JSON_STRING_HEX:
        return imagegram_json_string_hex(s, ch, piece);

    case IMAGEGRAM_JSON_STRING_LOW_BACKSLASH:
        s->state = IMAGEGRAM_JSON_STRING_LOW_U;
        return (ch == '\\') ? IMAGEGRAM_OK : IMAGEGRAM_JSON_UTF8;

    case IMAGEGRAM_JSON_STRING_LOW_U:
        s->state = IMAGEGRAM_JSON_STRING_HEX;
        return (ch == 'u') ? IMAGEGRAM_OK : IMAGEGRAM_JSON_UTF8;

    default: /* IMAGEGRAM_JSON_STRING_ESCAPE */
        break;
    }

    if (ch == 'u') {
        s->state = IMAGEGRAM_JSON_STRING_HEX;
        return IMAGEGRAM_OK;
    }

    p = memchr(from, ch, sizeof(from) - 1);

    if (p == NULL) {
        return IMAGEGRAM_JSON;
    }

    s->decoded[0] = to[p - from];
    s->state = IMAGEGRAM_JSON_STRING_PLAIN;

    piece->data = s->decoded;
    piece->len = 1;

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_json_string_hex(imagegram_json_string_t *s, unsigned char ch,
    imagegram_json_piece_t *piece)
{
    unsigned  c, digit;

    c = ch | 0x20;

    if (ch >= '0' && ch <= '9') {
        digit = ch - '0';

    } else if (c >= 'a' && c <= 'f') {
        digit = c - 'a' + 10;

    } else {
        return IMAGEGRAM_JSON;
    }

    s->hex = (s->hex << 4) | digit;

    if (++s->hex_count < 4) {
        return IMAGEGRAM_OK;
    }

    c = s->hex;
    s->hex = 0;
    s->hex_count = 0;

    if (s->surrogate == 0 && c >= 0xd800 && c <= 0xdbff) {
        s->surrogate = c;
        s->state = IMAGEGRAM_JSON_STRING_LOW_BACKSLASH;
        return IMAGEGRAM_OK;
    }

    if ((c >= 0xdc00 && c <= 0xdfff) != (s->surrogate != 0)) {
        return IMAGEGRAM_JSON_UTF8;
    }

    if (s->surrogate) {
        c = 0x10000 + ((s->surrogate - 0xd800) << 10) + (c - 0xdc00);
        s->surrogate = 0;
    }

    s->state = IMAGEGRAM_JSON_STRING_PLAIN;

    piece->data = s->decoded;
    piece->len = imagegram_json_string_encode(s->decoded, c);

    return IMAGEGRAM_OK;
}


static size_t
imagegram_json_string_encode(unsigned char *dst, unsigned codepoint)
{
    size_t                 n, i;
    static const unsigned  leads[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };

    n = 1 + (codepoint >= 0x80) + (codepoint >= 0x800)
        + (codepoint >= 0x10000);

    for (i = n - 1; i > 0; i--) {
        dst[i] = 0x80 | (codepoint & 0x3f);
        codepoint >>= 6;
    }

    dst[0] = leads[n] | codepoint;

    return n;
}
