
/*
 * The parsers without nginx: their edge cases, in tables.  Each body is fed as
 * a whole and octet by octet, which must not make a difference.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imagegram_base64.h"
#include "imagegram_disposition.h"
#include "imagegram_json.h"
#include "imagegram_multipart.h"
#include "imagegram_reason.h"
#include "imagegram_text.h"


#define bytes(s)  s, sizeof(s) - 1


/* what handlers were told, as a text */

typedef struct {
    size_t  len;
    int     open;
    char    text[65536];
} record_t;


static void test_reasons(void);
static void test_text(void);
static void test_base64(void);
static void test_json(void);
static void test_json_limits(void);
static void test_json_handlers(void);
static void test_multipart(void);
static void test_multipart_limits(void);
static void test_multipart_cuts(void);
static void test_disposition(void);
static imagegram_reason_e feed_json(record_t *r, const char *p, size_t len,
    size_t step);
static imagegram_reason_e feed_multipart(record_t *r, const char *boundary,
    const char *p, size_t len, size_t step);
static imagegram_reason_e on_string(void *data, const char *name,
    size_t name_len, const unsigned char *piece, size_t len, int last);
static imagegram_reason_e on_other(void *data, const char *name,
    size_t name_len);
static imagegram_reason_e on_begin(void *data, const char *name,
    size_t name_len);
static imagegram_reason_e on_data(void *data, const unsigned char *piece,
    size_t len);
static imagegram_reason_e on_end(void *data);
static imagegram_reason_e refuse_string(void *data, const char *name,
    size_t name_len, const unsigned char *piece, size_t len, int last);
static void add(record_t *r, const void *p, size_t len);
static size_t repeat(char *dst, const char *s, size_t n);
static void ok(int good, const char *what, size_t i);


static unsigned  tests, failures;


int
main(void)
{
    test_reasons();
    test_text();
    test_base64();
    test_json();
    test_json_limits();
    test_json_handlers();
    test_multipart();
    test_multipart_limits();
    test_multipart_cuts();
    test_disposition();

    printf("1..%u\n", tests);

    return failures ? 1 : 0;
}


static void
test_reasons(void)
{
    ok(imagegram_reason_status(IMAGEGRAM_OK) == 200, "status of OK", 0);
    ok(imagegram_reason_status(IMAGEGRAM_FORMAT) == 415, "status of FORMAT",
       0);
    ok(imagegram_reason_status(IMAGEGRAM_DISK_FULL) == 507,
       "status of the last reason", 0);
    ok(imagegram_reason_status(IMAGEGRAM_REASON_MAX) == 503,
       "status out of range", 0);
    ok(imagegram_reason_text(4000000000u)
       == imagegram_reason_text(IMAGEGRAM_INTERNAL), "text out of range", 0);
}


static void
test_text(void)
{
    size_t         i, len;
    unsigned char  s[64];

    static const struct {
        const char          *in;
        size_t               in_len;
        size_t               max;
        imagegram_reason_e   rc;
        const char          *out;
    } cases[] = {
        { bytes(""),                       9, IMAGEGRAM_EMPTY,   "" },
        { bytes("a"),                      1, IMAGEGRAM_OK,      "a" },
        { bytes("ab"),                     1, IMAGEGRAM_LONG,    "ab" },
        { bytes("a\r\nb\rc\nd"),           9, IMAGEGRAM_OK,    "a\nb\nc\nd" },
        { bytes("\r\n\r\n"),               2, IMAGEGRAM_OK,      "\n\n" },
        { bytes("\r\r\n"),                 2, IMAGEGRAM_OK,      "\n\n" },
        { bytes("\n\r"),                   2, IMAGEGRAM_OK,      "\n\n" },
        { bytes("\ta"),                    9, IMAGEGRAM_OK,      "\ta" },
        { bytes("\xf0\x9f\x98\x80\xc3\xa9"), 2, IMAGEGRAM_OK,
          "\xf0\x9f\x98\x80\xc3\xa9" },
        { bytes("\xf0\x9f\x98\x80\xc3\xa9"), 1, IMAGEGRAM_LONG,
          "\xf0\x9f\x98\x80\xc3\xa9" },
        { bytes("\xc2\xa0"),               9, IMAGEGRAM_OK,    "\xc2\xa0" },
        { bytes("\xf4\x8f\xbf\xbf"),       9, IMAGEGRAM_OK,
          "\xf4\x8f\xbf\xbf" },
        { bytes("\xef\xbb\xbf"),           9, IMAGEGRAM_OK,
          "\xef\xbb\xbf" },

        { bytes("\0"),                     9, IMAGEGRAM_CONTROL, NULL },
        { bytes("a\vb"),                   9, IMAGEGRAM_CONTROL, NULL },
        { bytes("\x1b"),                   9, IMAGEGRAM_CONTROL, NULL },
        { bytes("\x7f"),                   9, IMAGEGRAM_CONTROL, NULL },
        { bytes("\xc2\x80"),               9, IMAGEGRAM_CONTROL, NULL },
        { bytes("\xc2\x85"),               9, IMAGEGRAM_CONTROL, NULL },
        { bytes("\xc2\x9f"),               9, IMAGEGRAM_CONTROL, NULL },

        { bytes("\x80"),                   9, IMAGEGRAM_UTF8,    NULL },
        { bytes("\xc0\x80"),               9, IMAGEGRAM_UTF8,    NULL },
        { bytes("\xc1\xbf"),               9, IMAGEGRAM_UTF8,    NULL },
        { bytes("\xe0\x9f\xbf"),           9, IMAGEGRAM_UTF8,    NULL },
        { bytes("\xed\xa0\x80"),           9, IMAGEGRAM_UTF8,    NULL },
        { bytes("\xf0\x8f\xbf\xbf"),       9, IMAGEGRAM_UTF8,    NULL },
        { bytes("\xf4\x90\x80\x80"),       9, IMAGEGRAM_UTF8,    NULL },
        { bytes("\xf5\x80\x80\x80"),       9, IMAGEGRAM_UTF8,    NULL },
        { bytes("a\xe2\x82"),              9, IMAGEGRAM_UTF8,    NULL },
        { bytes("\xe2\x82z"),              9, IMAGEGRAM_UTF8,    NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = cases[i].in_len;
        memcpy(s, cases[i].in, len);

        ok(imagegram_text_normalize(s, &len, cases[i].max) == cases[i].rc
           && (cases[i].out == NULL
               || (len == strlen(cases[i].out)
                   && memcmp(s, cases[i].out, len) == 0)),
           "text", i);
    }
}


static void
test_base64(void)
{
    long                n, total;
    size_t              i, step, at, len;
    unsigned char       out[64];
    imagegram_base64_t  b;

    static const struct {
        const char  *in;
        const char  *out;       /* NULL: refused */
    } cases[] = {
        { "",              "" },
        { "YQ==",          "a" },
        { "YWI=",          "ab" },
        { "YWJj",          "abc" },
        { "YWJjZGVmZ2hp",  "abcdefghi" },
        { "++//",          "\xfb\xef\xff" },

        { "Y",             NULL },
        { "YQ",            NULL },
        { "YQ=",           NULL },
        { "YWI",           NULL },
        { "YQ===",         NULL },
        { "YWI==",         NULL },
        { "YWJj=",         NULL },
        { "=",             NULL },
        { "Y===",          NULL },
        { "====",          NULL },
        { "YQ==YQ==",      NULL },
        { "YQ=a",          NULL },
        { "YR==",          NULL },
        { "YWJ=",          NULL },
        { "YWJj\n",        NULL },
        { "YW Jj",         NULL },
        { "-_-_",          NULL },
        { "YWJ\xc3",       NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = strlen(cases[i].in);

        for (step = 1; step <= 13; step++) {

            memset(&b, 0, sizeof(b));
            total = 0;

            for (at = 0; at < len; at += step) {
                n = imagegram_base64_feed(&b, out + total,
                                  (const unsigned char *) cases[i].in + at,
                                  (len - at < step) ? len - at : step);

                if (n == -1) {
                    total = -1;
                    break;
                }

                total += n;
            }

            if (total != -1 && imagegram_base64_end(&b) == -1) {
                total = -1;
            }

            ok((cases[i].out == NULL) == (total == -1)
               && (total == -1 || ((size_t) total == strlen(cases[i].out)
                                   && memcmp(out, cases[i].out, total) == 0)),
               "base64", i);
        }
    }
}


/* strings as name="value", others as name! */

static void
test_json(void)
{
    size_t           i;
    static record_t  whole, octets;

    static const struct {
        const char          *in;
        size_t               in_len;
        imagegram_reason_e   rc;
        const char          *out;       /* NULL: not looked at */
    } cases[] = {
        { bytes("{}"),                        IMAGEGRAM_OK, "" },
        { bytes(" \t\r\n{ } \n"),             IMAGEGRAM_OK, "" },
        { bytes("{\"a\":\"b\"}"),             IMAGEGRAM_OK, "a=\"b\"" },
        { bytes("{\"a\":\"\"}"),              IMAGEGRAM_OK, "a=\"\"" },
        { bytes("{\"\":\"x\"}"),              IMAGEGRAM_OK, "=\"x\"" },
        { bytes("{ \"a\" : 1 , \"b\" : \"c\" }"), IMAGEGRAM_OK,
          "a!b=\"c\"" },
        { bytes("{\"a\":{\"b\":\"c\",\"d\":[\"e\",{}]},\"f\":\"g\"}"),
          IMAGEGRAM_OK, "a!f=\"g\"" },
        { bytes("{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":1}]}"),
          IMAGEGRAM_OK, "a!b!" },
        { bytes("{\"a\":[0,-0,10,-1.5,1e5,1E+5,0.1e-5,true,false,null]}"),
          IMAGEGRAM_OK, "a!" },
        { bytes("{\"a\":0,\"b\":-1e2}"),      IMAGEGRAM_OK, "a!b!" },
        { bytes("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"), IMAGEGRAM_OK,
          "a=\"\"\\/\b\f\n\r\t\"" },
        { bytes("{\"a\":\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\"}"),
          IMAGEGRAM_OK, "a=\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { bytes("{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}"),
          IMAGEGRAM_OK, "a=\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"" },
        { bytes("{\"\\u0061\\n\":\"x\"}"),    IMAGEGRAM_OK, "a\n=\"x\"" },

        { bytes(""),                          IMAGEGRAM_JSON, NULL },
        { bytes(" "),                         IMAGEGRAM_JSON, NULL },
        { bytes("{"),                         IMAGEGRAM_JSON, NULL },
        { bytes("}"),                         IMAGEGRAM_JSON, NULL },
        { bytes("x"),                         IMAGEGRAM_JSON, NULL },
        { bytes("\0{}"),                      IMAGEGRAM_JSON, NULL },
        { bytes("\xef\xbb\xbf{}"),            IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\"}"),                   IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":}"),                  IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":1,}"),                IMAGEGRAM_JSON, NULL },
        { bytes("{,}"),                       IMAGEGRAM_JSON, NULL },
        { bytes("{a:1}"),                     IMAGEGRAM_JSON, NULL },
        { bytes("{'a':1}"),                   IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\" 1}"),                 IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":1 \"b\":2}"),         IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":[1,]}"),              IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":[,1]}"),              IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":[1}}"),               IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":{]}"),                IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":[1 2]}"),             IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":/**/1}"),             IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":01}"),                IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":-}"),                 IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":+1}"),                IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":.5}"),                IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":1.}"),                IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":1e}"),                IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":1e+}"),               IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":1.e5}"),              IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":0x1}"),               IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":NaN}"),               IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":tru}"),               IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":True}"),              IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":nulll}"),             IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":\"x}"),               IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":\"\n\"}"),            IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":\"\0\"}"),            IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":\"\\x\"}"),           IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":\"\\'\"}"),           IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":\"\\\0\"}"),          IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":\"\\u12G4\"}"),       IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":\"\\u123\"}"),        IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":\xc3\xa9}"),          IMAGEGRAM_JSON, NULL },

        { bytes("[]"),                        IMAGEGRAM_JSON_OBJECT, "" },
        { bytes("\"a\""),                     IMAGEGRAM_JSON_OBJECT, "" },
        { bytes(" 1"),                        IMAGEGRAM_JSON_OBJECT, "" },
        { bytes("null"),                      IMAGEGRAM_JSON_OBJECT, "" },

        { bytes("{}{"),                       IMAGEGRAM_JSON_TRAILING, "" },
        { bytes("{} x"),                      IMAGEGRAM_JSON_TRAILING, "" },
        { bytes("{}\0"),                      IMAGEGRAM_JSON_TRAILING, "" },

        { bytes("{\"a\":1,\"a\":2}"),    IMAGEGRAM_JSON_DUPLICATE, "a!" },
        { bytes("{\"a\":1,\"\\u0061\":2}"), IMAGEGRAM_JSON_DUPLICATE, "a!" },
        { bytes("{\"\":1,\"\":2}"),           IMAGEGRAM_JSON_DUPLICATE, "!" },
        { bytes("{\"a\":[{\"b\":{},\"c\":1,\"b\":2}]}"),
          IMAGEGRAM_JSON_DUPLICATE, "a!" },
        { bytes("{\"a\":{\"b\":{\"c\":1}},\"x\":1,\"a\":1}"),
          IMAGEGRAM_JSON_DUPLICATE, "a!x!" },

        { bytes("{\"a\":\"\x80\"}"),          IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"a\":\"\xc0\x80\"}"),      IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"a\":\"\xe0\x80\x80\"}"),  IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"a\":\"\xed\xa0\x80\"}"),  IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"a\":\"\xf4\x90\x80\x80\"}"), IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"a\":\"x\xc3\"}"),         IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"a\":\"\xe2\x82\\n\"}"),   IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"\xff\":1}"),              IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"a\":\"\\ud800\"}"),       IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"a\":\"\\ud800x\"}"),      IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"a\":\"\\ud800\\n\"}"),    IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"a\":\"\\ud800\\u0041\"}"), IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"a\":\"\\ud800\\ud800\"}"), IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"a\":\"\\udc00\"}"),       IMAGEGRAM_JSON_UTF8, NULL },
        { bytes("{\"x\":[\"\\udc00\"]}"),     IMAGEGRAM_JSON_UTF8, NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        ok(feed_json(&whole, cases[i].in, cases[i].in_len, 0) == cases[i].rc
           && (cases[i].out == NULL
               || strcmp(whole.text, cases[i].out) == 0),
           "JSON as a whole", i);

        ok(feed_json(&octets, cases[i].in, cases[i].in_len, 1) == cases[i].rc
           && octets.len == whole.len
           && memcmp(octets.text, whole.text, whole.len) == 0,
           "JSON by octets", i);
    }

    (void) feed_json(&whole, bytes("{\"a\":\"x\\u0000y\"}"), 0);

    ok(whole.len == sizeof("a=\"x.y\"") - 1 && whole.text[4] == '\0',
       "JSON: an escaped NUL comes through", 0);
}


static void
test_json_limits(void)
{
    size_t           n, i;
    static char      s[65536];
    static record_t  r;

    n = repeat(s, "{\"a\":", IMAGEGRAM_JSON_DEPTH);
    n += repeat(s + n, "1", 1);
    n += repeat(s + n, "}", IMAGEGRAM_JSON_DEPTH);
    ok(feed_json(&r, s, n, 0) == IMAGEGRAM_OK, "JSON: deep", 0);

    n = repeat(s, "{\"a\":", IMAGEGRAM_JSON_DEPTH);
    n += repeat(s + n, "[", 1);
    ok(feed_json(&r, s, n, 0) == IMAGEGRAM_JSON_LIMIT, "JSON: deeper", 0);

    for (i = 0, n = 0; i <= IMAGEGRAM_JSON_MEMBERS; i++) {
        n += sprintf(s + n, "%s\"%zu\":1", i ? "," : "{", i);

        if (i + 1 == IMAGEGRAM_JSON_MEMBERS) {
            s[n] = '}';
            ok(feed_json(&r, s, n + 1, 0) == IMAGEGRAM_OK,
               "JSON: many members", 0);
        }
    }

    s[n] = '}';
    ok(feed_json(&r, s, n + 1, 0) == IMAGEGRAM_JSON_LIMIT,
       "JSON: more members", 0);

    n = repeat(s, "{\"", 1);
    n += repeat(s + n, "x", IMAGEGRAM_JSON_NAMES);
    n += repeat(s + n, "\":1}", 1);
    ok(feed_json(&r, s, n, 0) == IMAGEGRAM_OK, "JSON: a long name", 0);

    n = repeat(s, "{\"", 1);
    n += repeat(s + n, "x", IMAGEGRAM_JSON_NAMES + 1);
    ok(feed_json(&r, s, n, 0) == IMAGEGRAM_JSON_LIMIT,
       "JSON: a longer name", 0);

    /* what comes first counts, however it is fed */

    n += repeat(s + n, "\xff", 1);
    ok(feed_json(&r, s, n, 0) == IMAGEGRAM_JSON_LIMIT
       && feed_json(&r, s, n, 1) == IMAGEGRAM_JSON_LIMIT,
       "JSON: a longer name, then something wrong", 0);

    n = repeat(s, "{\"x\":[{\"a\":1}", 1);
    n += repeat(s + n, ",{\"a\":1}", IMAGEGRAM_JSON_MEMBERS + 1);
    n += repeat(s + n, "],\"y\":\"z\"}", 1);
    ok(feed_json(&r, s, n, 0) == IMAGEGRAM_OK
       && strcmp(r.text, "x!y=\"z\"") == 0,
       "JSON: names of closed objects are forgotten", 0);
}


static void
test_json_handlers(void)
{
    imagegram_json_t  json;

    static const unsigned char              s[] = "{\"a\":\"b\",";
    static const unsigned char              wrong[] = "{\"a\":\"b\xff";
    static const imagegram_json_handlers_t  h = { refuse_string, on_other };

    imagegram_json_init(&json, &h, NULL);

    ok(imagegram_json_feed(&json, s, sizeof(s) - 1) == IMAGEGRAM_IMAGE_SIZE,
       "JSON: what a handler gives stops it", 0);

    imagegram_json_init(&json, &h, NULL);

    ok(imagegram_json_feed(&json, wrong, sizeof(wrong) - 1)
       == IMAGEGRAM_IMAGE_SIZE,
       "JSON: before what is wrong behind it", 0);
}


/* parts as name=content& */

#define PART(name)  "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n"


static void
test_multipart(void)
{
    size_t           i;
    static record_t  whole, octets;

    static const struct {
        const char          *in;
        size_t               in_len;
        imagegram_reason_e   rc;
        const char          *out;       /* NULL: not looked at */
    } cases[] = {
        { bytes("--b--"),                            IMAGEGRAM_OK, "" },
        { bytes("--b--\r\n"),                        IMAGEGRAM_OK, "" },
        { bytes("preamble\r\n--b--epilogue --b"),    IMAGEGRAM_OK, "" },
        { bytes("--bb\r\n--b-\r\n-\r\n--\r\n\r\r\n--b\r\n" PART("a")
                "x\r\n--b--"),                       IMAGEGRAM_OK, "a=x&" },
        { bytes("--b\r\n" PART("a") "x\r\n--b--"),   IMAGEGRAM_OK, "a=x&" },
        { bytes("\r\n--b\r\n" PART("a") "x\r\n--b--"), IMAGEGRAM_OK,
          "a=x&" },
        { bytes("--b \t\r\n" PART("a") "x\r\n--b\t\r\n" PART("c")
                "y\r\n--b--"),                       IMAGEGRAM_OK,
          "a=x&c=y&" },
        { bytes("--b\r\n" PART("a") "\r\n--b--"),    IMAGEGRAM_OK, "a=&" },
        { bytes("--b\r\n" PART("a") "--b--"),        IMAGEGRAM_OK, "a=&" },
        { bytes("--b\r\n" PART("a") "--b"),          IMAGEGRAM_MULTIPART,
          "a=" },
        { bytes("--b\r\n" PART("a") "--c\r\n--b--"), IMAGEGRAM_OK,
          "a=--c&" },
        { bytes("--b\r\n" PART("a") "\r\n\r\n--b--"), IMAGEGRAM_OK,
          "a=\r\n&" },
        { bytes("--b\r\n" PART("a") "\r\r\n--b--"),  IMAGEGRAM_OK,
          "a=\r&" },
        { bytes("--b\r\n" PART("a") "\n--b\n\r\n--b--"), IMAGEGRAM_OK,
          "a=\n--b\n&" },
        { bytes("--b\r\n" PART("a") "x\r\n-\r\n--\r\n--c\r\n\r\n--b--"),
          IMAGEGRAM_OK, "a=x\r\n-\r\n--\r\n--c\r\n&" },
        { bytes("--b\r\n" PART("a") "x\r\n--bb\r\n--b-b\r\n--b\nc\r\n--b--"),
          IMAGEGRAM_OK, "a=x\r\n--bb\r\n--b-b\r\n--b\nc&" },
        { bytes("--b\r\n" PART("a") "x\r\n--b\r\n" PART("a") "y\r\n--b--"),
          IMAGEGRAM_OK, "a=x&a=y&" },
        { bytes("--b\r\nContent-Type: text/plain\r\n"
                "CONTENT-DISPOSITION:form-data;NAME=a;filename=\"b\"\r\n"
                "X-Y:\r\n\r\nx\r\n--b--"),           IMAGEGRAM_OK, "a=x&" },
        { bytes("x--b\r\n--b--"),                    IMAGEGRAM_OK, "" },

        { bytes(""),                                 IMAGEGRAM_MULTIPART,
          "" },
        { bytes("x"),                                IMAGEGRAM_MULTIPART,
          "" },
        { bytes("--b"),                              IMAGEGRAM_MULTIPART,
          "" },
        { bytes("--b-"),                             IMAGEGRAM_MULTIPART,
          "" },
        { bytes("--b\r\n" PART("a") "x\r\n"),        IMAGEGRAM_MULTIPART,
          NULL },
        { bytes("--b\r\n" PART("a") "x\n--b--"),     IMAGEGRAM_MULTIPART,
          NULL },
        { bytes("--b\r\n" PART("a") "x\r\n--b x"),   IMAGEGRAM_MULTIPART,
          "a=x&" },
        { bytes("--b\r\n" PART("a") "x\r\n--b\rx"),  IMAGEGRAM_MULTIPART,
          "a=x&" },
        { bytes("--b\r\n\r\nx\r\n--b--"),            IMAGEGRAM_MULTIPART,
          "" },
        { bytes("--b\r\nX: y\r\n\r\nx\r\n--b--"),    IMAGEGRAM_MULTIPART,
          "" },
        { bytes("--b\r\nnocolon\r\n\r\n"),           IMAGEGRAM_MULTIPART,
          "" },
        { bytes("--b\r\n: y\r\n"),                   IMAGEGRAM_MULTIPART,
          "" },
        { bytes("--b\r\nX: y\n"),                    IMAGEGRAM_MULTIPART,
          "" },
        { bytes("--b\r\nX: y\0\r\n"),                IMAGEGRAM_MULTIPART,
          "" },
        { bytes("--b\r\nX: y\rz"),                   IMAGEGRAM_MULTIPART,
          "" },
        { bytes("--b\r\nX: y\r\n z: folded\r\n"),    IMAGEGRAM_MULTIPART,
          "" },
        { bytes("--b\r\nContent-Disposition: form-data; name=a\r\n"
                "Content-Disposition: form-data; name=a\r\n"),
          IMAGEGRAM_MULTIPART, "" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        ok(feed_multipart(&whole, "b", cases[i].in, cases[i].in_len, 0)
           == cases[i].rc
           && (cases[i].out == NULL
               || strcmp(whole.text, cases[i].out) == 0),
           "multipart as a whole", i);

        ok(feed_multipart(&octets, "b", cases[i].in, cases[i].in_len, 1)
           == cases[i].rc
           && octets.len == whole.len
           && memcmp(octets.text, whole.text, whole.len) == 0,
           "multipart by octets", i);
    }
}


static void
test_multipart_limits(void)
{
    size_t           n;
    static char      s[65536];
    static record_t  r;

    n = repeat(s, "--b\r\n" PART("a") "x\r\n", IMAGEGRAM_MULTIPART_PARTS);
    n += repeat(s + n, "--b--", 1);
    ok(feed_multipart(&r, "b", s, n, 0) == IMAGEGRAM_OK, "many parts", 0);

    n = repeat(s, "--b\r\n" PART("a") "x\r\n",
               IMAGEGRAM_MULTIPART_PARTS + 1);
    n += repeat(s + n, "--b--", 1);
    ok(feed_multipart(&r, "b", s, n, 0) == IMAGEGRAM_MULTIPART,
       "more parts", 0);

    n = repeat(s, "--b\r\n", 1);
    n += repeat(s + n, "X: y\r\n", IMAGEGRAM_MULTIPART_HEADERS - 1);
    n += repeat(s + n, PART("a") "x\r\n--b--", 1);
    ok(feed_multipart(&r, "b", s, n, 0) == IMAGEGRAM_OK, "many headers", 0);

    n = repeat(s, "--b\r\n", 1);
    n += repeat(s + n, "X: y\r\n", IMAGEGRAM_MULTIPART_HEADERS);
    n += repeat(s + n, PART("a") "x\r\n--b--", 1);
    ok(feed_multipart(&r, "b", s, n, 0) == IMAGEGRAM_MULTIPART,
       "more headers", 0);

    n = repeat(s, "--b\r\n", 1);
    n += repeat(s + n, ":", IMAGEGRAM_MULTIPART_BUFFER + 1);
    ok(feed_multipart(&r, "b", s, n, 0) == IMAGEGRAM_MULTIPART,
       "a long header", 0);
}


/* A body of false starts, cut once, at every place. */

static void
test_multipart_cuts(void)
{
    size_t                 i;
    static record_t        r;
    imagegram_multipart_t  m;

    static const char  boundary[] = "-ab-a";
    static const char  s[] = "\r\n--\r\n---ab-\r\n---ab-a\r\n" PART("x")
                             "\r\r\n\r\n--\r\n---ab-\r\n---ab-ab"
                             "\r\n---ab-a-\r\n---ab-a-\r\n\r\n---ab-a--\r\n";
    static const char  out[] = "x=\r\r\n\r\n--\r\n---ab-\r\n---ab-ab"
                               "\r\n---ab-a-\r\n---ab-a-\r\n&";

    static const imagegram_multipart_handlers_t  h = {
        on_begin, on_data, on_end
    };

    for (i = 0; i < sizeof(s); i++) {
        memset(&r, 0, sizeof(r));

        imagegram_multipart_init(&m, boundary, sizeof(boundary) - 1, &h, &r);

        ok(imagegram_multipart_feed(&m, (const unsigned char *) s, i)
           == IMAGEGRAM_OK
           && imagegram_multipart_feed(&m, (const unsigned char *) s + i,
                                       sizeof(s) - 1 - i)
              == IMAGEGRAM_OK
           && imagegram_multipart_end(&m) == IMAGEGRAM_OK
           && strcmp(r.text, out) == 0,
           "multipart in two pieces", i);
    }
}


static void
test_disposition(void)
{
    int     rc;
    char    s[128], *name;
    size_t  i, len;

    static const struct {
        const char  *in;
        const char  *name;      /* NULL: refused */
    } cases[] = {
        { " form-data; name=\"a\"",                       "a" },
        { "form-data;name=a",                             "a" },
        { "FORM-DATA ; Name=\"a\" ; x=y ;",               "a" },
        { "form-data; name=\"\"",                         "" },
        { "form-data; filename=\"x\"; name=\"a b;c\"",    "a b;c" },
        { "form-data; filename=\"x;name=y\"; name=a",     "a" },
        { "form-data; filename=\"x\\\"; y\"; name=a",     "a" },
        { "form-data; name=a; filename=\"C:\\x\\y\"",     "a" },
        { "form-data; name=a; filename=\"x\\\"",          "a" },
        { "form-data; name=\"a\\\"b\\\\c\\d\"",           "a\"b\\c\\d" },
        { "form-data; name=\"a%22b%0D%0a%41%\"",          "a\"b\r\n%41%" },
        { "form-data; name=\"\xc3\xa9\"; filename*=UTF-8''x", "\xc3\xa9" },

        { "",                                             NULL },
        { "form-data",                                    NULL },
        { "attachment; name=a",                           NULL },
        { "form-datax; name=a",                           NULL },
        { "form-data name=a",                             NULL },
        { "form-data; name",                              NULL },
        { "form-data; name=",                             NULL },
        { "form-data; =a",                                NULL },
        { "form-data; name=\"a",                          NULL },
        { "form-data; name=\"a\"b",                       NULL },
        { "form-data; name=a\"b\"",                       NULL },
        { "form-data; name=a; name=b",                    NULL },
        { "form-data; filename=a",                        NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        strcpy(s, cases[i].in);

        rc = imagegram_disposition_parse(s, strlen(s), &name, &len);

        ok((cases[i].name == NULL)
           ? rc == -1
           : rc == 0 && len == strlen(cases[i].name)
             && memcmp(name, cases[i].name, len) == 0,
           "Content-Disposition", i);
    }
}


/* step 0: as a whole */

static imagegram_reason_e
feed_json(record_t *r, const char *p, size_t len, size_t step)
{
    size_t              n;
    imagegram_json_t    json;
    imagegram_reason_e  rc;

    static const imagegram_json_handlers_t  h = { on_string, on_other };

    memset(r, 0, sizeof(record_t));
    imagegram_json_init(&json, &h, r);

    for ( /* void */ ; len; p += n, len -= n) {
        n = (step && step < len) ? step : len;

        rc = imagegram_json_feed(&json, (const unsigned char *) p, n);

        if (rc != IMAGEGRAM_OK) {
            return rc;
        }
    }

    return imagegram_json_end(&json);
}


static imagegram_reason_e
feed_multipart(record_t *r, const char *boundary, const char *p, size_t len,
    size_t step)
{
    size_t                 n;
    imagegram_reason_e     rc;
    imagegram_multipart_t  m;

    static const imagegram_multipart_handlers_t  h = {
        on_begin, on_data, on_end
    };

    memset(r, 0, sizeof(record_t));
    imagegram_multipart_init(&m, boundary, strlen(boundary), &h, r);

    for ( /* void */ ; len; p += n, len -= n) {
        n = (step && step < len) ? step : len;

        rc = imagegram_multipart_feed(&m, (const unsigned char *) p, n);

        if (rc != IMAGEGRAM_OK) {
            return rc;
        }
    }

    return imagegram_multipart_end(&m);
}


static imagegram_reason_e
on_string(void *data, const char *name, size_t name_len,
    const unsigned char *piece, size_t len, int last)
{
    record_t  *r = data;

    if (!r->open) {
        add(r, name, name_len);
        add(r, "=\"", 2);
    }

    add(r, piece, len);

    if (last) {
        add(r, "\"", 1);
    }

    r->open = !last;

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
on_other(void *data, const char *name, size_t name_len)
{
    add(data, name, name_len);
    add(data, "!", 1);

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
on_begin(void *data, const char *name, size_t name_len)
{
    add(data, name, name_len);
    add(data, "=", 1);

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
on_data(void *data, const unsigned char *piece, size_t len)
{
    add(data, piece, len);

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
on_end(void *data)
{
    add(data, "&", 1);

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
refuse_string(void *data, const char *name, size_t name_len,
    const unsigned char *piece, size_t len, int last)
{
    (void) data;
    (void) name;
    (void) name_len;
    (void) piece;
    (void) len;
    (void) last;

    return IMAGEGRAM_IMAGE_SIZE;
}


/* Leaves room for a NUL. */

static void
add(record_t *r, const void *p, size_t len)
{
    if (len >= sizeof(r->text) - r->len) {
        abort();
    }

    memcpy(r->text + r->len, p, len);
    r->len += len;
}


static size_t
repeat(char *dst, const char *s, size_t n)
{
    size_t  i, len;

    len = strlen(s);

    for (i = 0; i < n; i++) {
        memcpy(dst + i * len, s, len);
    }

    return n * len;
}


static void
ok(int good, const char *what, size_t i)
{
    printf("%s %u - %s, case %zu\n", good ? "ok" : "not ok", ++tests, what,
           i);

    failures += !good;
}
