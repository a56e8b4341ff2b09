
/*
 * Content-Type: the type, and where a form's boundary is.
 */

#include "imagegram_media.h"
#include "unit.h"


#define octets(s)  (const unsigned char *) (s)
#define SIZE       8


static void test_types(void);
static void test_boundaries(void);


int
main(void)
{
    test_types();
    test_boundaries();

    return done();
}


static void
test_types(void)
{
    size_t  i;

    static const struct {
        const char  *in;
        int          is;
    } cases[] = {
        { "application/json",                   1 },
        { "Application/JSON",                   1 },
        { "application/json;charset=utf-8",     1 },
        { "application/json \t; charset=utf-8", 1 },
        { "application/json;",                  1 },
        { "application/json ",                  1 },

        { "",                                   0 },
        { "application/jso",                    0 },
        { "application/json5",                  0 },
        { "application/json+x",                 0 },
        { "application/json x",                 0 },
        { "application/json, text/plain",       0 },
        { " application/json",                  0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ok(imagegram_media_is(octets(cases[i].in), strlen(cases[i].in),
                              "application/json")
           == cases[i].is,
           "media type", i);
    }
}


static void
test_boundaries(void)
{
    char    boundary[SIZE + 1];
    size_t  i, n;

    static const struct {
        const char  *in;
        const char  *boundary;      /* "": refused */
    } cases[] = {
        { "multipart/form-data; boundary=ab",            "ab" },
        { "multipart/form-data;boundary=ab",             "ab" },
        { "multipart/form-data; \t BOUNDARY=ab",         "ab" },
        { "multipart/form-data; boundary=ab; x=y",       "ab" },
        { "multipart/form-data; boundary=ab ; x=y",      "ab" },
        { "multipart/form-data; x=y; boundary=ab",       "ab" },
        { "multipart/form-data; x=\"y;z\"; boundary=ab", "ab" },
        { "multipart/form-data; boundary=\"a b\"",       "a b" },
        { "multipart/form-data; boundary=\"a:b\"; x=y",  "a:b" },
        { "multipart/form-data; boundary=12345678",      "12345678" },
        { "multipart/form-data; boundary=ab; boundary=cd", "ab" },

        /* what has no value does not hide it */

        { "multipart/form-data; x; boundary=ab",         "ab" },
        { "multipart/form-data;; boundary=ab",           "ab" },
        { "multipart/form-data; =y; boundary=ab",        "ab" },
        { "multipart/form-data; boundary; boundary=ab",  "ab" },

        /* nor does a text that looks like one count */

        { "multipart/form-data; x=\"; boundary=ab\"",    "" },
        { "multipart/form-data; xboundary=ab",           "" },

        { "",                                            "" },
        { "multipart/form-data",                         "" },
        { "multipart/form-data;",                        "" },
        { "multipart/form-data; boundary",               "" },
        { "multipart/form-data; boundary=",              "" },
        { "multipart/form-data; boundary=\"\"",          "" },
        { "multipart/form-data; boundary=\"ab",          "" },
        { "multipart/form-data; boundary=\"",            "" },
        { "multipart/form-data; x=\"y; boundary=ab",     "" },
        { "multipart/form-data; boundary=123456789",     "" },
        { "multipart/form-data; boundary=a*b",           "" },
        { "multipart/form-data; boundary=a\"b\"",        "" },
        { "multipart/form-data; boundary=\"a\\b\"",      "" },
        { "multipart/form-data; boundary=\xc3\xa9",      "" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(boundary, '#', sizeof(boundary));

        n = imagegram_media_boundary(octets(cases[i].in),
                                     strlen(cases[i].in), boundary, SIZE);

        ok(n == strlen(cases[i].boundary)
           && memcmp(boundary, cases[i].boundary, n) == 0
           && boundary[SIZE] == '#',
           "boundary", i);
    }

    n = imagegram_media_boundary(octets("multipart/form-data; boundary=a\0b"),
                                 sizeof("multipart/form-data; boundary=a\0b")
                                 - 1, boundary, SIZE);

    ok(n == 0, "boundary with a NUL", 0);
}
