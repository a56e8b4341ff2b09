
/*
 * Content-Disposition in the head of a part.
 */

#include "imagegram_disposition.h"
#include "unit.h"


static void test_disposition(void);


int
main(void)
{
    test_disposition();

    return done();
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
