
/*
 * The headers of an upload: the input is each header's value.  What is
 * accepted obeys the rule, by a second, slower reading, and reads the same
 * when it is written anew.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imagegram_idempotency.h"
#include "imagegram_tus.h"


/* more pairs than this are not looked at one by one: it is quadratic */

#define PAIRS  64


static void number(const unsigned char *p, size_t len);
static void checksum(const unsigned char *p, size_t len);
static void metadata(const unsigned char *p, size_t len);
static size_t pairs(const unsigned char *p, size_t len,
    imagegram_tus_pair_t *list);
static void rewrite(imagegram_tus_pair_t *list, size_t n, size_t len);
static void find(const unsigned char *p, size_t len,
    imagegram_tus_pair_t *list, size_t n, imagegram_tus_pair_t *pair);
static void decode(imagegram_tus_pair_t *pair);
static int same(const unsigned char *a, size_t a_len, const unsigned char *b,
    size_t b_len);
static size_t visible(const unsigned char *p, size_t len);
static size_t encode(unsigned char *dst, const unsigned char *p, size_t len);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    number(data, size);
    checksum(data, size);
    metadata(data, size);

    if (imagegram_idempotency_valid(data, size)
        != (size > 0 && size < 256 && visible(data, size) == size))
    {
        abort();
    }

    return 0;
}


static void
number(const unsigned char *p, size_t len)
{
    int      good, n;
    char     text[32];
    size_t   i;
    int64_t  value;

    static const char  max[] = "9223372036854775807";

    good = len > 0;

    for (i = 0; i < len; i++) {
        good = good && p[i] >= '0' && p[i] <= '9';
    }

    for (i = 0; good && i + 1 < len && p[i] == '0'; i++) { /* void */ }

    if (good && len - i >= sizeof(max) - 1) {
        good = len - i == sizeof(max) - 1
               && memcmp(p + i, max, sizeof(max) - 1) <= 0;
    }

    if ((imagegram_tus_number(p, len, &value) == 0) != good) {
        abort();
    }

    if (good) {
        n = snprintf(text, sizeof(text), "%lld", (long long) value);

        if (!same((unsigned char *) text, (size_t) n, p + i, len - i)) {
            abort();
        }
    }
}


static void
checksum(const unsigned char *p, size_t len)
{
    int            rc;
    size_t         n;
    unsigned char  sha1[IMAGEGRAM_TUS_SHA1_LEN], text[64];

    rc = imagegram_tus_checksum(p, len, sha1);

    if (rc == -2 && len >= 5 && memcmp(p, "sha1 ", 5) == 0) {
        abort();
    }

    if (rc != 0) {
        return;
    }

    memcpy(text, "sha1 ", 5);
    n = 5 + encode(text + 5, sha1, sizeof(sha1));

    if (!same(text, n, p, len)) {
        abort();
    }
}


static void
metadata(const unsigned char *p, size_t len)
{
    size_t                 i, n, commas;
    imagegram_tus_pair_t  *list, none;

    /* a key and a comma each */

    list = malloc((len / 2 + 1) * sizeof(imagegram_tus_pair_t));
    n = pairs(p, len, list);

    if (n == (size_t) -1) {
        if (imagegram_tus_metadata_find(p, len, "a", &none) != -1) {
            abort();
        }

    } else {
        for (i = 0, commas = 0; i < len; i++) {
            commas += p[i] == ',';
        }

        if (commas != (n ? n - 1 : 0)) {
            abort();
        }

        rewrite(list, n, len);

        for (i = 0; i < n && i < PAIRS; i++) {
            find(p, len, list, n, &list[i]);
            decode(&list[i]);
        }
    }

    free(list);
}


/* Gives how many there are, in order and none in another; -1: malformed. */

static size_t
pairs(const unsigned char *p, size_t len, imagegram_tus_pair_t *list)
{
    int                    rc;
    size_t                 n;
    const unsigned char   *pos, *last, *end;
    imagegram_tus_pair_t  *pair;

    pos = p;
    end = p;
    last = p + len;

    for (n = 0; /* void */ ; n++) {
        pair = &list[n];
        rc = imagegram_tus_metadata_next(&pos, last, pair);

        if (rc != 1) {
            return (rc == 0) ? n : (size_t) -1;
        }

        if (pair->key < end || pair->key_len == 0
            || pair->value < pair->key + pair->key_len
            || pair->value + pair->value_len > last
            || pos < pair->value + pair->value_len || pos > last
            || visible(pair->key, pair->key_len) != pair->key_len
            || visible(pair->value, pair->value_len) != pair->value_len
            || memchr(pair->key, ',', pair->key_len)
            || memchr(pair->value, ',', pair->value_len))
        {
            abort();
        }

        end = pos;
    }
}


/* without what may be left out */

static void
rewrite(imagegram_tus_pair_t *list, size_t n, size_t len)
{
    size_t                 i, size;
    unsigned char         *text, *p;
    imagegram_tus_pair_t  *again;

    text = malloc(len + n);
    p = text;

    for (i = 0; i < n; i++) {

        if (i) {
            *p++ = ',';
        }

        memcpy(p, list[i].key, list[i].key_len);
        p += list[i].key_len;

        if (list[i].value_len) {
            *p++ = ' ';
            memcpy(p, list[i].value, list[i].value_len);
            p += list[i].value_len;
        }
    }

    size = (size_t) (p - text);
    again = malloc((size / 2 + 1) * sizeof(imagegram_tus_pair_t));

    if (size > len || pairs(text, size, again) != n) {
        abort();
    }

    for (i = 0; i < n; i++) {
        if (!same(list[i].key, list[i].key_len, again[i].key,
                  again[i].key_len)
            || !same(list[i].value, list[i].value_len, again[i].value,
                     again[i].value_len))
        {
            abort();
        }
    }

    free(again);
    free(text);
}


/* A pair is found by its key, unless another one has that key, too. */

static void
find(const unsigned char *p, size_t len, imagegram_tus_pair_t *list,
    size_t n, imagegram_tus_pair_t *pair)
{
    int                    rc;
    char                  *key;
    size_t                 i, count;
    imagegram_tus_pair_t   found;

    key = malloc(pair->key_len + 1);
    memcpy(key, pair->key, pair->key_len);
    key[pair->key_len] = '\0';

    rc = imagegram_tus_metadata_find(p, len, key, &found);

    for (i = 0, count = 0; i < n; i++) {
        count += same(list[i].key, list[i].key_len, pair->key, pair->key_len);
    }

    if (rc != (count == 1 ? 1 : -1)
        || (rc == 1 && (found.key != pair->key
                        || found.value != pair->value
                        || found.value_len != pair->value_len)))
    {
        abort();
    }

    free(key);
}


/* What is decoded needs exactly its length as room, and encodes back. */

static void
decode(imagegram_tus_pair_t *pair)
{
    long            n;
    unsigned char  *buf, *exact, *text;

    buf = malloc(pair->value_len + 1);
    n = imagegram_tus_metadata_decode(pair, buf, pair->value_len + 1);

    if (n < -1) {
        abort();
    }

    if (n >= 0) {
        exact = malloc((size_t) n);
        text = malloc(pair->value_len + 4);

        if (imagegram_tus_metadata_decode(pair, exact, (size_t) n) != n
            || memcmp(exact, buf, (size_t) n) != 0
            || !same(text, encode(text, buf, (size_t) n), pair->value,
                     pair->value_len)
            || (n && imagegram_tus_metadata_decode(pair, exact,
                                                   (size_t) n - 1)
                     != -2))
        {
            abort();
        }

        free(exact);
        free(text);
    }

    free(buf);
}


static int
same(const unsigned char *a, size_t a_len, const unsigned char *b,
    size_t b_len)
{
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}


/* how many octets are visible ASCII */

static size_t
visible(const unsigned char *p, size_t len)
{
    size_t  i, n;

    for (i = 0, n = 0; i < len; i++) {
        n += p[i] >= '!' && p[i] <= '~';
    }

    return n;
}


static size_t
encode(unsigned char *dst, const unsigned char *p, size_t len)
{
    size_t    i, n;
    unsigned  bits;

    static const char  digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";

    for (i = 0, n = 0; i < len; i += 3) {
        bits = (unsigned) p[i] << 16;
        bits |= (i + 1 < len) ? (unsigned) p[i + 1] << 8 : 0;
        bits |= (i + 2 < len) ? p[i + 2] : 0;

        dst[n++] = (unsigned char) digits[bits >> 18];
        dst[n++] = (unsigned char) digits[(bits >> 12) & 63];
        dst[n++] = (i + 1 < len) ? (unsigned char) digits[(bits >> 6) & 63]
                                 : '=';
        dst[n++] = (i + 2 < len) ? (unsigned char) digits[bits & 63] : '=';
    }

    return n;
}
