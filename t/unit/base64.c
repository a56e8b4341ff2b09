
/*
 * Base64, in pieces of any size, which must not make a difference.
 */

#include "imagegram_base64.h"
#include "unit.h"


static void test_base64(void);


int
main(void)
{
    test_base64();

    return done();
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
