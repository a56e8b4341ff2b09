
/*
 * Texts of users: normalized, or refused.
 */

#include "imagegram_text.h"
#include "unit.h"


static void test_text(void);


int
main(void)
{
    test_text();

    return done();
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
