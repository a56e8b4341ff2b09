
/*
 * JSON.  Each body is fed as a whole and octet by octet, which must not make a
 * difference.
 */

#include "imagegram_json.h"
#include "unit.h"


static void test_json(void);
static void test_json_limits(void);
static void test_json_handlers(void);
static imagegram_reason_e feed_json(record_t *r, const char *p, size_t len,
    size_t step);
static imagegram_reason_e on_string(void *data, const char *name,
    size_t name_len, const unsigned char *piece, size_t len, int last);
static imagegram_reason_e on_other(void *data, const char *name,
    size_t name_len);
static imagegram_reason_e refuse_string(void *data, const char *name,
    size_t name_len, const unsigned char *piece, size_t len, int last);


int
main(void)
{
    test_json();
    test_json_limits();
    test_json_handlers();

    return done();
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
        { bytes("{\"a\":[],\"b\":[[ ],[{ }]],\"c\":{}}"), IMAGEGRAM_OK,
          "a!b!c!" },
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
        { bytes("{\"a\":[}"),                 IMAGEGRAM_JSON, NULL },
        { bytes("{\"a\":]}"),                 IMAGEGRAM_JSON, NULL },
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
