
/*
 * EXIF: the orientation, wherever it is, and 1 where it makes no sense.
 */

#include "imagegram_exif.h"
#include "unit.h"


#define ENTRY(tag)  tag "\0\3\0\0\0\1\0\7\0\0"


static void test_orientation(void);
static unsigned orientation(const char *p, size_t n);


int
main(void)
{
    test_orientation();

    return done();
}


static void
test_orientation(void)
{
    size_t  i;

    static const struct {
        const char  *in;
        size_t       in_len;
        unsigned     out;
    } cases[] = {
        { bytes("MM\0*\0\0\0\x08\0\1" ENTRY("\1\x12")),           7 },
        { bytes("II*\0\x08\0\0\0\1\0"
                "\x12\1\3\0\1\0\0\0\7\0\0\0"),                    7 },

        /* the directory is elsewhere; the entry is not the first one */

        { bytes("MM\0*\0\0\0\x0a--\0\1" ENTRY("\1\x12")),         7 },
        { bytes("MM\0*\0\0\0\x08\0\2" ENTRY("\1\x0f") ENTRY("\1\x12")), 7 },

        /* it is behind what the directory counts, or is not all there */

        { bytes("MM\0*\0\0\0\x08\0\1" ENTRY("\1\x0f") ENTRY("\1\x12")), 1 },
        { bytes("MM\0*\0\0\0\x08\0\2" ENTRY("\1\x0f") "\1\x12\0\3"), 1 },
        { bytes("MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\7\0"),   1 },
        { bytes("MM\0*\0\0\0\x08\0\0" ENTRY("\1\x12")),           1 },
        { bytes("MM\0*\0\0\0\x08\xff\xff"),                       1 },

        /* it is no number of 16 bits, or none from 1 to 8 */

        { bytes("MM\0*\0\0\0\x08\0\1\1\x12\0\4\0\0\0\1\0\0\0\7"), 1 },
        { bytes("MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\0\0\0"), 1 },
        { bytes("MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\x09\0\0"), 1 },

        /* no TIFF, or a directory that lies outside */

        { bytes(""),                                              1 },
        { bytes("MM\0*\0\0\0"),                                   1 },
        { bytes("MI\0*\0\0\0\x08\0\1" ENTRY("\1\x12")),           1 },
        { bytes("JJ\0*\0\0\0\x08\0\1" ENTRY("\1\x12")),           1 },
        { bytes("MM*\0\0\0\0\x08\0\1" ENTRY("\1\x12")),           1 },
        { bytes("MM\0+\0\0\0\x08\0\1" ENTRY("\1\x12")),           1 },
        { bytes("MM\0*\0\0\0\x08"),                               1 },
        { bytes("MM\0*\0\0\0\x08\0"),                             1 },
        { bytes("MM\0*\xff\xff\xff\xff\0\1" ENTRY("\1\x12")),     1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ok(orientation(cases[i].in, cases[i].in_len) == cases[i].out,
           "orientation", i);
    }
}


/* from the heap, so that reading beyond n bytes is seen */

static unsigned
orientation(const char *p, size_t n)
{
    unsigned        value;
    unsigned char  *copy;

    copy = malloc(n);
    memcpy(copy, p, n);

    value = imagegram_exif_orientation(copy, n);

    free(copy);

    return value;
}
