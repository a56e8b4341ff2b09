
/*
 * The values of tus's headers.  Nothing is copied but what is decoded; keeps
 * nothing.
 */

#include <string.h>

#include "imagegram_base64.h"
#include "imagegram_tus.h"


static long imagegram_tus_base64(unsigned char *buf, size_t size,
    const unsigned char *p, size_t len);
static const unsigned char *imagegram_tus_word(const unsigned char *p,
    const unsigned char *last);
static const unsigned char *imagegram_tus_space(const unsigned char *p,
    const unsigned char *last);


int
imagegram_tus_number(const unsigned char *p, size_t len, int64_t *n)
{
    int      digit;
    size_t   i;
    int64_t  value;

    if (len == 0) {
        return -1;
    }

    value = 0;

    for (i = 0; i < len; i++) {

        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }

        digit = p[i] - '0';

        if (value > (INT64_MAX - digit) / 10) {
            return -1;
        }

        value = value * 10 + digit;
    }

    *n = value;

    return 0;
}


int
imagegram_tus_checksum(const unsigned char *p, size_t len,
    unsigned char sha1[IMAGEGRAM_TUS_SHA1_LEN])
{
    unsigned char         digest[IMAGEGRAM_TUS_SHA1_LEN];
    const unsigned char  *end, *last;

    last = p + len;
    end = imagegram_tus_word(p, last);

    if (end == p || end == last || *end != ' ') {
        return -1;
    }

    if (end - p != 4 || memcmp(p, "sha1", 4) != 0) {
        return -2;
    }

    end++;

    if (imagegram_tus_base64(digest, sizeof(digest), end,
                             (size_t) (last - end))
        != IMAGEGRAM_TUS_SHA1_LEN)
    {
        return -1;
    }

    memcpy(sha1, digest, sizeof(digest));

    return 0;
}


/*
 * "key base64", separated by commas.  The space and the value may be missing,
 * or only the value: tus-js-client writes "key " for an empty one.
 */

int
imagegram_tus_metadata_next(const unsigned char **pos,
    const unsigned char *last, imagegram_tus_pair_t *pair)
{
    const unsigned char  *p, *end;

    p = imagegram_tus_space(*pos, last);

    if (p == last) {
        return 0;
    }

    end = imagegram_tus_word(p, last);

    if (end == p) {
        return -1;
    }

    pair->key = p;
    pair->key_len = (size_t) (end - p);

    p = (end < last && *end == ' ') ? end + 1 : end;
    end = imagegram_tus_word(p, last);

    pair->value = p;
    pair->value_len = (size_t) (end - p);

    p = imagegram_tus_space(end, last);

    if (p < last) {

        if (*p != ',') {
            return -1;
        }

        /* a comma at the very end would look like no comma next time */

        p = imagegram_tus_space(p + 1, last);

        if (p == last) {
            return -1;
        }
    }

    *pos = p;

    return 1;
}


int
imagegram_tus_metadata_find(const unsigned char *p, size_t len,
    const char *key, imagegram_tus_pair_t *pair)
{
    int                    rc, found;
    size_t                 key_len;
    const unsigned char   *last;
    imagegram_tus_pair_t   next;

    found = 0;
    last = p + len;
    key_len = strlen(key);

    for ( ;; ) {
        rc = imagegram_tus_metadata_next(&p, last, &next);

        if (rc != 1) {
            return (rc == 0) ? found : -1;
        }

        if (next.key_len != key_len || memcmp(next.key, key, key_len) != 0) {
            continue;
        }

        if (found) {
            return -1;
        }

        found = 1;
        *pair = next;
    }
}


long
imagegram_tus_metadata_decode(const imagegram_tus_pair_t *pair,
    unsigned char *buf, size_t size)
{
    return imagegram_tus_base64(buf, size, pair->value, pair->value_len);
}


/*
 * Whole groups only, so that the padding tells the length beforehand: what
 * does not fit is not decoded, and what is decoded fits.
 */

static long
imagegram_tus_base64(unsigned char *buf, size_t size, const unsigned char *p,
    size_t len)
{
    long                n;
    size_t              need;
    imagegram_base64_t  b;

    if (len % 4 != 0) {
        return -1;
    }

    need = len / 4 * 3;

    if (len) {
        need -= (p[len - 1] == '=') + (p[len - 2] == '=');
    }

    if (need > size) {
        return -2;
    }

    memset(&b, 0, sizeof(b));

    n = imagegram_base64_feed(&b, buf, p, len);

    return (imagegram_base64_end(&b) == 0) ? n : -1;
}


/* the end of the visible ASCII at p; a comma is none of it */

static const unsigned char *
imagegram_tus_word(const unsigned char *p, const unsigned char *last)
{
    while (p < last && *p > ' ' && *p < 0x7f && *p != ',') {
        p++;
    }

    return p;
}


static const unsigned char *
imagegram_tus_space(const unsigned char *p, const unsigned char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
}
