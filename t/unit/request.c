
/*
 * The parsers of paths, cursors and header values: their edge cases, in
 * tables.
 */

#include "imagegram_cursor.h"
#include "imagegram_idempotency.h"
#include "imagegram_route.h"
#include "imagegram_tus.h"
#include "unit.h"


#define octets(s)  (const unsigned char *) (s)

#define ID1  "83df3a6c-1487-41c5-815a-faef8c154816"
#define ID2  "00000000-ffff-0000-aaaa-0123456789ab"


static void test_routes(void);
static void test_cursors(void);
static void test_idempotency(void);
static void test_tus_number(void);
static void test_tus_checksum(void);
static void test_tus_metadata(void);
static void test_tus_find(void);
static void test_tus_decode(void);
static int says(const char *in, size_t len, const char *out);


int
main(void)
{
    test_routes();
    test_cursors();
    test_idempotency();
    test_tus_number();
    test_tus_checksum();
    test_tus_metadata();
    test_tus_find();
    test_tus_decode();

    return done();
}


static void
test_routes(void)
{
    size_t             i;
    imagegram_route_t  route;

    static const struct {
        const char            *path;
        imagegram_resource_e   resource;
        int                    post;        /* where it starts, or 0 */
        int                    comment;
        int                    upload;
    } cases[] = {
        { "posts",                        IMAGEGRAM_ROUTE_POSTS,   0, 0, 0 },
        { "posts/" ID1,                   IMAGEGRAM_ROUTE_POST,    6, 0, 0 },
        { "posts/" ID1 "/comments",       IMAGEGRAM_ROUTE_COMMENTS, 6, 0, 0 },
        { "posts/" ID1 "/comments/" ID2,  IMAGEGRAM_ROUTE_COMMENT,
          6, 52, 0 },
        { "uploads",                      IMAGEGRAM_ROUTE_UPLOADS, 0, 0, 0 },
        { "uploads/" ID2,                 IMAGEGRAM_ROUTE_UPLOAD,  0, 0, 8 },

        { "",                             IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "post",                         IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "postsx",                       IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "Posts",                        IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "/posts",                       IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "posts/",                       IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "posts/" ID1 "/",               IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "posts/" ID1 "0",               IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "posts/" ID1 "/comments/",      IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "posts/" ID1 "/comments/" ID2 "/", IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "posts/83DF3A6C-1487-41c5-815a-faef8c154816",
          IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "posts/83df3a6c-1487-41c5-815a-faef8c15481",
          IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "posts/83df3a6c014870-41c5-815a-faef8c154816",
          IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "upload",                       IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "uploads/",                     IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "uploads/x",                    IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "uploads" ID1,                  IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "uploads/" ID1 "/",             IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "uploads/" ID1 ".info",         IMAGEGRAM_ROUTE_NONE, 0, 0, 0 },
        { "uploads/" ID1 "/comments",     IMAGEGRAM_ROUTE_NONE, 0, 0, 0 }
    };

#define at(part)                                                              \
    (cases[i].part ? octets(cases[i].path) + cases[i].part : NULL)

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&route, 0xa5, sizeof(route));

        imagegram_route_parse(&route, octets(cases[i].path),
                              strlen(cases[i].path));

        ok(route.resource == cases[i].resource, "resource", i);

        if (route.resource != IMAGEGRAM_ROUTE_NONE) {
            ok(route.post == at(post) && route.comment == at(comment)
               && route.upload == at(upload),
               "parts of a path", i);
        }
    }

#undef at
}


static void
test_cursors(void)
{
    size_t         i, len;
    uint64_t       score;
    unsigned char  buf[IMAGEGRAM_CURSOR_LEN];

    static const struct {
        uint64_t     score;
        const char  *out;
    } cursors[] = {
        { 0,                       "f0" },
        { 15,                      "ff" },
        { 16,                      "f10" },
        { 0x123456789abcde,        "f123456789abcde" },
        { IMAGEGRAM_CURSOR_SCORE,  "f20000000000000" }
    };

    static const char  *refused[] = {
        "", "f", "0", "c0", "F0", "f00", "f01", "fA", "f-1", "f 1", "f1 ",
        "fg", "f20000000000001", "fffffffffffffff", "f123456789abcdef"
    };

    for (i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {

        len = imagegram_cursor_encode(buf, IMAGEGRAM_CURSOR_FEED,
                                      cursors[i].score);

        ok(len == strlen(cursors[i].out)
           && memcmp(buf, cursors[i].out, len) == 0,
           "cursor of a score", i);

        ok(imagegram_cursor_decode(buf, len, IMAGEGRAM_CURSOR_FEED, &score)
           == 0 && score == cursors[i].score,
           "score of a cursor", i);
    }

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        ok(imagegram_cursor_decode(octets(refused[i]), strlen(refused[i]),
                                   IMAGEGRAM_CURSOR_FEED, &score)
           == -1, "no cursor", i);
    }
}


static void
test_idempotency(void)
{
    size_t         i;
    unsigned char  key[IMAGEGRAM_IDEMPOTENCY_MAX + 1];

    static const struct {
        const char  *in;
        size_t       len;
        int          valid;
    } cases[] = {
        { bytes("a"),           1 },
        { bytes("!"),           1 },
        { bytes("~"),           1 },
        { bytes("\"" ID1 "\""), 1 },
        { bytes(""),            0 },
        { bytes(" "),           0 },
        { bytes("a b"),         0 },
        { bytes("a\t"),         0 },
        { bytes("a\0"),         0 },
        { bytes("\x7f"),        0 },
        { bytes("\xc3\xa9"),    0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ok(imagegram_idempotency_valid(octets(cases[i].in), cases[i].len)
           == cases[i].valid, "idempotency key", i);
    }

    memset(key, 'k', sizeof(key));

    ok(imagegram_idempotency_valid(key, IMAGEGRAM_IDEMPOTENCY_MAX) == 1,
       "the longest idempotency key", 0);
    ok(imagegram_idempotency_valid(key, sizeof(key)) == 0,
       "an idempotency key that is too long", 0);
}


static void
test_tus_number(void)
{
    int      rc;
    size_t   i;
    int64_t  n;

    static const struct {
        const char  *in;
        size_t       len;
        int64_t      n;         /* -1: refused */
    } cases[] = {
        { bytes("0"),                     0 },
        { bytes("7"),                     7 },
        { bytes("20971520"),              20971520 },
        { bytes("007"),                   7 },
        { bytes("9223372036854775807"),   INT64_MAX },
        { bytes("00000000000000000000009223372036854775807"), INT64_MAX },

        { bytes("9223372036854775808"),   -1 },
        { bytes("9223372036854775810"),   -1 },
        { bytes("18446744073709551616"),  -1 },
        { bytes("99999999999999999999"),  -1 },
        { bytes(""),                      -1 },
        { bytes("+1"),                    -1 },
        { bytes("-1"),                    -1 },
        { bytes("-0"),                    -1 },
        { bytes(" 1"),                    -1 },
        { bytes("1 "),                    -1 },
        { bytes("1,1"),                   -1 },
        { bytes("1.0"),                   -1 },
        { bytes("1e3"),                   -1 },
        { bytes("0x10"),                  -1 },
        { bytes("1\0"),                   -1 },
        { bytes("/"),                     -1 },
        { bytes(":"),                     -1 },
        { bytes("\xef\xbc\x91"),          -1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        rc = imagegram_tus_number(octets(cases[i].in), cases[i].len, &n);

        ok(rc == (cases[i].n == -1 ? -1 : 0) && (rc == -1 || n == cases[i].n),
           "tus number", i);
    }
}


static void
test_tus_checksum(void)
{
    int            rc;
    size_t         i;
    unsigned char  sha1[IMAGEGRAM_TUS_SHA1_LEN];

    static const unsigned char  zeros[IMAGEGRAM_TUS_SHA1_LEN];

    /* that of an empty body */

    static const unsigned char  empty[] =
        "\xda\x39\xa3\xee\x5e\x6b\x4b\x0d\x32\x55"
        "\xbf\xef\x95\x60\x18\x90\xaf\xd8\x07\x09";

    static const struct {
        const char  *in;
        int          rc;
    } cases[] = {
        { "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",    0 },

        { "",                                     -1 },
        { "sha1",                                 -1 },
        { "sha1 ",                                -1 },
        { " sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",   -1 },
        { "sha1  2jmj7l5rSw0yVb/vlWAYkK/YBwk=",   -1 },
        { "sha1\t2jmj7l5rSw0yVb/vlWAYkK/YBwk=",   -1 },
        { "sha1,2jmj7l5rSw0yVb/vlWAYkK/YBwk=",    -1 },
        { "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk= ",   -1 },
        { "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk",     -1 },
        { "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwl=",    -1 },
        { "sha1 2jmj7l5rSw0yVb_vlWAYkK_YBwk=",    -1 },
        { "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBw==",    -1 },
        { "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwkA",    -1 },
        { "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=AAAA", -1 },
        { "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709", -1 },
        { "md5",                                  -1 },

        { "md5 1B2M2Y8AsgTpgAmY7PhCfg==",         -2 },
        { "SHA1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",    -2 },
        { "sha 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",     -2 },
        { "sha10 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",   -2 },
        { "sha256 ",                              -2 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(sha1, 0, sizeof(sha1));

        rc = imagegram_tus_checksum(octets(cases[i].in), strlen(cases[i].in),
                                    sha1);

        ok(rc == cases[i].rc
           && memcmp(sha1, rc == 0 ? empty : zeros, sizeof(sha1)) == 0,
           "tus checksum", i);
    }
}


static void
test_tus_metadata(void)
{
    size_t  i;

    /* pairs as key=value; */

    static const struct {
        const char  *in;
        size_t       len;
        const char  *out;       /* NULL: refused */
    } cases[] = {
        { bytes(""),                  "" },
        { bytes(" \t"),               "" },
        { bytes("a"),                 "a=;" },
        { bytes("a "),                "a=;" },
        { bytes("a YQ=="),            "a=YQ==;" },
        { bytes("a YQ==,b Yg=="),     "a=YQ==;b=Yg==;" },
        { bytes("a ,b Yg=="),         "a=;b=Yg==;" },
        { bytes("a,b,c"),             "a=;b=;c=;" },
        { bytes("a YQ== , b Yg=="),   "a=YQ==;b=Yg==;" },
        { bytes(" a YQ==\t,\tb "),    "a=YQ==;b=;" },
        { bytes("a  , b"),            "a=;b=;" },
        { bytes("a x,a y"),           "a=x;a=y;" },
        { bytes("a YQ==;b"),          "a=YQ==;b;" },
        { bytes("a-b=\"c\"~! -_"),    "a-b=\"c\"~!=-_;" },

        { bytes(","),                 NULL },
        { bytes("a,"),                NULL },
        { bytes("a YQ==,"),           NULL },
        { bytes("a YQ==, "),          NULL },
        { bytes(",a"),                NULL },
        { bytes("a,,b"),              NULL },
        { bytes("a, ,b"),             NULL },
        { bytes("a  YQ=="),           NULL },
        { bytes("a YQ== b"),          NULL },
        { bytes("a\tYQ=="),           NULL },
        { bytes("\xc3\xa9 YQ=="),     NULL },
        { bytes("a\x7f"),             NULL },
        { bytes("a YQ\0=="),          NULL },
        { bytes("a YQ==\r"),          NULL },
        { bytes("a YQ==\xc2\xa0"),    NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ok(says(cases[i].in, cases[i].len, cases[i].out), "tus metadata", i);
    }
}


/* Whether the metadata's pairs are those; NULL: it is malformed. */

static int
says(const char *in, size_t len, const char *out)
{
    int                    rc;
    char                   text[256];
    size_t                 n;
    const unsigned char   *p, *last;
    imagegram_tus_pair_t   pair;

    n = 0;
    text[0] = '\0';

    p = octets(in);
    last = p + len;

    while ((rc = imagegram_tus_metadata_next(&p, last, &pair)) == 1) {

        n += (size_t) snprintf(text + n, sizeof(text) - n, "%.*s=%.*s;",
                               (int) pair.key_len, pair.key,
                               (int) pair.value_len, pair.value);

        if (n >= sizeof(text)) {
            abort();
        }
    }

    return out ? rc == 0 && strcmp(text, out) == 0 : rc == -1;
}


static void
test_tus_find(void)
{
    int                   rc;
    size_t                i;
    imagegram_tus_pair_t  pair;

    static const struct {
        const char  *in;
        int          rc;
        const char  *value;
    } cases[] = {
        { "",                          0,  NULL },
        { "filename YQ==",             0,  NULL },
        { "Body YQ==",                 0,  NULL },
        { "bod YQ==,body2 YQ==",       0,  NULL },
        { "body",                      1,  "" },
        { "body YQ==",                 1,  "YQ==" },
        { "author Yg==, body YQ==",    1,  "YQ==" },
        { "body YQ==,author Yg==",     1,  "YQ==" },
        { "author x,author y,body z",  1,  "z" },

        { "body YQ==,body YQ==",       -1, NULL },
        { "body,author,body",          -1, NULL },
        { "body YQ==,,author Yg==",    -1, NULL },
        { "body YQ==,author Yg==,",    -1, NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        rc = imagegram_tus_metadata_find(octets(cases[i].in),
                                         strlen(cases[i].in), "body", &pair);

        ok(rc == cases[i].rc, "finding in tus metadata", i);

        if (rc == 1 && cases[i].rc == 1) {
            ok(pair.value_len == strlen(cases[i].value)
               && memcmp(pair.value, cases[i].value, pair.value_len) == 0,
               "found in tus metadata", i);
        }
    }
}


static void
test_tus_decode(void)
{
    long                  n;
    size_t                i;
    unsigned char         buf[16];
    imagegram_tus_pair_t  pair;

    static const struct {
        const char  *in;
        size_t       size;
        long         n;
        const char  *out;
    } cases[] = {
        { "",          0, 0,  "" },
        { "YQ==",      1, 1,  "a" },
        { "YWI=",      2, 2,  "ab" },
        { "YWJj",      3, 3,  "abc" },
        { "YWJjZA==",  9, 4,  "abcd" },

        { "YQ==",      0, -2, NULL },
        { "YWI=",      1, -2, NULL },
        { "YWJj",      2, -2, NULL },
        { "YWJjZA==",  3, -2, NULL },

        { "YQ",        9, -1, NULL },
        { "Y",         9, -1, NULL },
        { "=",         9, -1, NULL },
        { "====",      9, -1, NULL },
        { "YWJj====",  9, -1, NULL },
        { "YQ==YQ==",  9, -1, NULL },
        { "YR==",      9, -1, NULL },
        { "-_-_",      9, -1, NULL },
        { "????",      9, -1, NULL }
    };

    memset(&pair, 0, sizeof(pair));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        pair.value = octets(cases[i].in);
        pair.value_len = strlen(cases[i].in);

        memset(buf, '#', sizeof(buf));

        n = imagegram_tus_metadata_decode(&pair, buf, cases[i].size);

        ok(n == cases[i].n && buf[cases[i].size] == '#'
           && (n < 0 || memcmp(buf, cases[i].out, (size_t) n) == 0),
           "decoding tus metadata", i);
    }
}
