
/*
 * Forms.  Each body is fed as a whole and octet by octet, which must not make a
 * difference.
 */

#include "imagegram_multipart.h"
#include "unit.h"


#define PART(name)  "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n"


static void test_multipart(void);
static void test_multipart_limits(void);
static void test_multipart_cuts(void);
static void test_multipart_handlers(void);
static imagegram_reason_e feed_multipart(record_t *r, const char *boundary,
    const char *p, size_t len, size_t step);
static imagegram_reason_e on_begin(void *data, const char *name,
    size_t name_len);
static imagegram_reason_e on_data(void *data, const unsigned char *piece,
    size_t len);
static imagegram_reason_e on_end(void *data);
static imagegram_reason_e refuse_begin(void *data, const char *name,
    size_t name_len);
static imagegram_reason_e refuse_data(void *data, const unsigned char *piece,
    size_t len);
static imagegram_reason_e refuse_end(void *data);
static imagegram_reason_e refuse(void *data);


int
main(void)
{
    test_multipart();
    test_multipart_limits();
    test_multipart_cuts();
    test_multipart_handlers();

    return done();
}


/* parts as name=content& */

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


/*
 * The n-th call of a handler is refused, for each n, also in a false start:
 * that is what is given, and nobody is called any more.
 */

static void
test_multipart_handlers(void)
{
    int                    good;
    size_t                 at, len, step;
    unsigned               n, left;
    imagegram_reason_e     rc;
    imagegram_multipart_t  m;

    static const unsigned char  s[] = "--ab\r\n" PART("x")
                                      "1\r\n--ac\r\n--\r\n--abc\r\n--ab-c"
                                      "\r\n--ab\r\n" PART("y") "2\r\n--ab--";

    static const imagegram_multipart_handlers_t  h = {
        refuse_begin, refuse_data, refuse_end
    };

    for (step = 1; step < sizeof(s); step++) {
        good = 1;

        for (n = 1; ; n++) {
            left = n;
            rc = IMAGEGRAM_OK;

            imagegram_multipart_init(&m, "ab", 2, &h, &left);

            for (at = 0; at < sizeof(s) - 1 && rc == IMAGEGRAM_OK; at += len)
            {
                len = sizeof(s) - 1 - at;
                len = (len < step) ? len : step;

                rc = imagegram_multipart_feed(&m, s + at, len);
            }

            if (rc == IMAGEGRAM_OK) {
                break;
            }

            good = good && rc == IMAGEGRAM_IMAGE_SIZE && left == 0;
        }

        /* two parts begin, have content and end */

        ok(good && n > 6 && left == 1
           && imagegram_multipart_end(&m) == IMAGEGRAM_OK,
           "multipart: a refusal stops it, pieces of", step);
    }
}


/* step 0: as a whole */

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
refuse_begin(void *data, const char *name, size_t name_len)
{
    (void) name;
    (void) name_len;

    return refuse(data);
}


static imagegram_reason_e
refuse_data(void *data, const unsigned char *piece, size_t len)
{
    (void) piece;
    (void) len;

    return refuse(data);
}


static imagegram_reason_e
refuse_end(void *data)
{
    return refuse(data);
}


/* the call with which nothing is left */

static imagegram_reason_e
refuse(void *data)
{
    unsigned  *left = data;

    return --*left ? IMAGEGRAM_OK : IMAGEGRAM_IMAGE_SIZE;
}
