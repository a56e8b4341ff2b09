
/*
 * What an image's first bytes tell, and how many more are asked for.
 */

#include "imagegram_header.h"
#include "unit.h"


#define PIXELS  1000

#define PNG     "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
#define SUM     "----"                      /* nobody looks at it here */

/* the height, the width and the number of components of a frame */
#define FRAME   "\xff\xc0\0\x11\x08\0\x14\0\x1e\3"

#define BMP     "BM------------"
#define BMP12   BMP "\x0c\0\0\0"
#define BMP40   BMP "\x28\0\0\0"

/* formats, shortened */
#define NO      IMAGEGRAM_FORMAT_NONE
#define P       IMAGEGRAM_FORMAT_PNG
#define J       IMAGEGRAM_FORMAT_JPEG
#define B       IMAGEGRAM_FORMAT_BMP


typedef struct {
    const char          *in;
    size_t               in_len;
    imagegram_reason_e   rc;
    imagegram_format_e   format;
    uint32_t             width;
    uint32_t             height;
    uint32_t             bits;
    uint64_t             need;      /* where rc is OK and width 0 */
} case_t;


static void test_formats(void);
static void test_png(void);
static void test_jpeg(void);
static void test_bmp(void);
static void test_limits(void);
static void check(const char *what, const case_t *cases, size_t n);
static int is(const case_t *c);


int
main(void)
{
    test_formats();
    test_png();
    test_jpeg();
    test_bmp();
    test_limits();

    return done();
}


static void
test_formats(void)
{
    static const case_t  cases[] = {
        { bytes(""),                 IMAGEGRAM_OK,     NO, 0, 0, 0, 8 },
        { bytes("\x89PNG\r\n\x1a"),  IMAGEGRAM_OK,     NO, 0, 0, 0, 8 },
        { bytes("\x89PNG\r\n\x1a\n"), IMAGEGRAM_OK,    P,  0, 0, 0, 33 },
        { bytes("\x89PNG\n"),        IMAGEGRAM_FORMAT, NO, 0, 0, 0, 0 },
        { bytes("\xff"),             IMAGEGRAM_OK,     NO, 0, 0, 0, 3 },
        { bytes("\xff\xd8"),         IMAGEGRAM_OK,     NO, 0, 0, 0, 3 },
        { bytes("\xff\xd8\xff"),     IMAGEGRAM_OK,     J,  0, 0, 0, 6 },
        { bytes("\xff\xd8\0"),       IMAGEGRAM_FORMAT, NO, 0, 0, 0, 0 },
        { bytes("B"),                IMAGEGRAM_OK,     NO, 0, 0, 0, 18 },
        { bytes(BMP "\x28\0\0"),     IMAGEGRAM_OK,     NO, 0, 0, 0, 18 },
        { bytes(BMP40),              IMAGEGRAM_OK,     B,  0, 0, 0, 30 },
        { bytes(BMP "\x0d\0\0\0"),   IMAGEGRAM_FORMAT, NO, 0, 0, 0, 0 },
        { bytes(BMP "\x7d\0\0\0"),   IMAGEGRAM_FORMAT, NO, 0, 0, 0, 0 },
        { bytes("BMW"),              IMAGEGRAM_OK,     NO, 0, 0, 0, 18 },
        { bytes("BMW is no picture!"), IMAGEGRAM_FORMAT, NO, 0, 0, 0, 0 },
        { bytes("GIF89a"),           IMAGEGRAM_FORMAT, NO, 0, 0, 0, 0 }
    };

    check("format", cases, sizeof(cases) / sizeof(cases[0]));
}


static void
test_png(void)
{
    static const case_t  cases[] = {
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\x08\2\0\0\0" SUM),
          IMAGEGRAM_OK, P, 30, 20, 24, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\x10\6\0\0\1" SUM),
          IMAGEGRAM_OK, P, 30, 20, 64, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\1\3\0\0\0" SUM),
          IMAGEGRAM_OK, P, 30, 20, 1, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\x08\2\0\0\0---"),
          IMAGEGRAM_OK, P, 0, 0, 0, 33 },

        { bytes("\x89PNG\r\n\x1a\n\0\0\0\rCgBI"
                "\0\0\0\x1e\0\0\0\x14\x08\2\0\0\0" SUM),
          IMAGEGRAM_DECODE, P, 0, 0, 0, 0 },
        { bytes(PNG "\0\0\0\0\0\0\0\x14\x08\2\0\0\0" SUM),
          IMAGEGRAM_DECODE, P, 0, 0, 0, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\0\x08\2\0\0\0" SUM),
          IMAGEGRAM_DECODE, P, 0, 0, 0, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\0\2\0\0\0" SUM),
          IMAGEGRAM_DECODE, P, 0, 0, 0, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\3\0\0\0\0" SUM),
          IMAGEGRAM_DECODE, P, 0, 0, 0, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\x20\0\0\0\0" SUM),
          IMAGEGRAM_DECODE, P, 0, 0, 0, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\x08\1\0\0\0" SUM),
          IMAGEGRAM_DECODE, P, 0, 0, 0, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\x08\7\0\0\0" SUM),
          IMAGEGRAM_DECODE, P, 0, 0, 0, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\4\2\0\0\0" SUM),
          IMAGEGRAM_DECODE, P, 0, 0, 0, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\x10\3\0\0\0" SUM),
          IMAGEGRAM_DECODE, P, 0, 0, 0, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\x08\2\1\0\0" SUM),
          IMAGEGRAM_DECODE, P, 0, 0, 0, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\x08\2\0\1\0" SUM),
          IMAGEGRAM_DECODE, P, 0, 0, 0, 0 },
        { bytes(PNG "\0\0\0\x1e\0\0\0\x14\x08\2\0\0\2" SUM),
          IMAGEGRAM_DECODE, P, 0, 0, 0, 0 },

        { bytes(PNG "\0\0\0\x1f\0\0\0\x21\x08\2\0\0\0" SUM),
          IMAGEGRAM_DIMENSIONS, P, 31, 33, 24, 0 }
    };

    check("PNG", cases, sizeof(cases) / sizeof(cases[0]));
}


static void
test_jpeg(void)
{
    static const case_t  cases[] = {
        { bytes("\xff\xd8" FRAME),  IMAGEGRAM_OK, J, 30, 20, 24, 0 },
        { bytes("\xff\xd8\xff\xe0\0\4--" FRAME),
          IMAGEGRAM_OK, J, 30, 20, 24, 0 },
        { bytes("\xff\xd8\xff\xc4\0\2\xff\xc8\0\2\xff\xcc\0\2" FRAME),
          IMAGEGRAM_OK, J, 30, 20, 24, 0 },

        /* FF as often as one likes, markers alone, and garbage */

        { bytes("\xff\xd8\xff\xff\xff" FRAME),
          IMAGEGRAM_OK, J, 30, 20, 24, 0 },
        { bytes("\xff\xd8\xff\1\xff\xd0\xff\xd7" FRAME),
          IMAGEGRAM_OK, J, 30, 20, 24, 0 },
        { bytes("\xff\xd8\xff\xe0\0\2junk\xff\0" FRAME),
          IMAGEGRAM_OK, J, 30, 20, 24, 0 },

        /* as far as it goes */

        { bytes("\xff\xd8\xff\xff\xff\xff"),
          IMAGEGRAM_OK, J, 0, 0, 0, 9 },
        { bytes("\xff\xd8\xff\xe1\1\0--"),
          IMAGEGRAM_OK, J, 0, 0, 0, 264 },
        { bytes("\xff\xd8\xff\xc0\0\x11\x08\0\x14\0\x1e"),
          IMAGEGRAM_OK, J, 0, 0, 0, 12 },

        { bytes("\xff\xd8\xff\xc2\0\x0b\x08\0\x14\0\x1e\1"),
          IMAGEGRAM_OK, J, 30, 20, 8, 0 },
        { bytes("\xff\xd8\xff\xc1\0\x14\x08\0\x14\0\x1e\4"),
          IMAGEGRAM_OK, J, 30, 20, 32, 0 },

        /* no frame before the pixels or the end; a second start */

        { bytes("\xff\xd8\xff\xda\0\2"), IMAGEGRAM_DECODE, J, 0, 0, 0, 0 },
        { bytes("\xff\xd8\xff\xd9\0\2"), IMAGEGRAM_DECODE, J, 0, 0, 0, 0 },
        { bytes("\xff\xd8\xff\xd8\0\2"), IMAGEGRAM_DECODE, J, 0, 0, 0, 0 },

        /* lossless, arithmetic, 12 bits, two and five components */

        { bytes("\xff\xd8\xff\xc3\0\x11\x08\0\x14\0\x1e\3"),
          IMAGEGRAM_DECODE, J, 0, 0, 0, 0 },
        { bytes("\xff\xd8\xff\xc9\0\x11\x08\0\x14\0\x1e\3"),
          IMAGEGRAM_DECODE, J, 0, 0, 0, 0 },
        { bytes("\xff\xd8\xff\xc1\0\x11\x0c\0\x14\0\x1e\3"),
          IMAGEGRAM_DECODE, J, 0, 0, 0, 0 },
        { bytes("\xff\xd8\xff\xc0\0\x0e\x08\0\x14\0\x1e\2"),
          IMAGEGRAM_DECODE, J, 0, 0, 0, 0 },
        { bytes("\xff\xd8\xff\xc0\0\x17\x08\0\x14\0\x1e\5"),
          IMAGEGRAM_DECODE, J, 0, 0, 0, 0 },

        /* without width; without height, which could come later */

        { bytes("\xff\xd8\xff\xc0\0\x11\x08\0\x14\0\0\3"),
          IMAGEGRAM_DECODE, J, 0, 0, 0, 0 },
        { bytes("\xff\xd8\xff\xc0\0\x11\x08\0\0\0\x1e\3"),
          IMAGEGRAM_DECODE, J, 0, 0, 0, 0 },

        { bytes("\xff\xd8\xff\xc0\0\x11\x08\0\x1f\0\x21\3"),
          IMAGEGRAM_DIMENSIONS, J, 33, 31, 24, 0 }
    };

    check("JPEG", cases, sizeof(cases) / sizeof(cases[0]));
}


static void
test_bmp(void)
{
    static const case_t  cases[] = {
        { bytes(BMP40 "\x1e\0\0\0\x14\0\0\0\1\0\x18\0"),
          IMAGEGRAM_OK, B, 30, 20, 24, 0 },
        { bytes(BMP40 "\x1e\0\0\0\xec\xff\xff\xff\1\0\x20\0"),
          IMAGEGRAM_OK, B, 30, 20, 32, 0 },
        { bytes(BMP12 "\x1e\0\x14\0\1\0\1\0----"),
          IMAGEGRAM_OK, B, 30, 20, 1, 0 },
        { bytes(BMP12 "\x1e\0\x14\0\1\0\1\0"),
          IMAGEGRAM_OK, B, 0, 0, 0, 30 },
        { bytes(BMP40 "\x1e\0\0\0\x14\0\0\0\1\0\x18"),
          IMAGEGRAM_OK, B, 0, 0, 0, 30 },

        /* without pixels, as wide as nobody can be, planes, depth */

        { bytes(BMP40 "\0\0\0\0\x14\0\0\0\1\0\x18\0"),
          IMAGEGRAM_DECODE, B, 0, 0, 0, 0 },
        { bytes(BMP40 "\x1e\0\0\0\0\0\0\0\1\0\x18\0"),
          IMAGEGRAM_DECODE, B, 0, 0, 0, 0 },
        { bytes(BMP40 "\0\0\0\x80\x14\0\0\0\1\0\x18\0"),
          IMAGEGRAM_DECODE, B, 0, 0, 0, 0 },
        { bytes(BMP40 "\x1e\0\0\0\x14\0\0\0\2\0\x18\0"),
          IMAGEGRAM_DECODE, B, 0, 0, 0, 0 },
        { bytes(BMP40 "\x1e\0\0\0\x14\0\0\0\1\0\3\0"),
          IMAGEGRAM_DECODE, B, 0, 0, 0, 0 },
        { bytes(BMP40 "\x1e\0\0\0\x14\0\0\0\1\0\0\0"),
          IMAGEGRAM_DECODE, B, 0, 0, 0, 0 },

        { bytes(BMP40 "\x1f\0\0\0\0\0\0\x80\1\0\x18\0"),
          IMAGEGRAM_DIMENSIONS, B, 31, 0x80000000, 24, 0 },
        { bytes(BMP40 "\x21\0\0\0\x1f\0\0\0\1\0\x18\0"),
          IMAGEGRAM_DIMENSIONS, B, 33, 31, 24, 0 }
    };

    check("BMP", cases, sizeof(cases) / sizeof(cases[0]));
}


static void
test_limits(void)
{
    size_t  i;

    static const struct {
        uint32_t            width;
        uint32_t            height;
        uint64_t            pixels;
        imagegram_reason_e  rc;
    } cases[] = {
        { 1,           1,           1,          IMAGEGRAM_OK },
        { 2,           2,           4,          IMAGEGRAM_OK },
        { 2,           2,           3,          IMAGEGRAM_DIMENSIONS },
        { 65535,       1,           UINT64_MAX, IMAGEGRAM_OK },
        { 65535,       65535,       4294836225, IMAGEGRAM_OK },
        { 65535,       65535,       4294836224, IMAGEGRAM_DIMENSIONS },
        { 65536,       1,           UINT64_MAX, IMAGEGRAM_DIMENSIONS },
        { 1,           65536,       UINT64_MAX, IMAGEGRAM_DIMENSIONS },
        { UINT32_MAX,  UINT32_MAX,  UINT64_MAX, IMAGEGRAM_DIMENSIONS },
        { 0,           1,           1,          IMAGEGRAM_DECODE },
        { 1,           0,           1,          IMAGEGRAM_DECODE }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ok(imagegram_header_limits(cases[i].width, cases[i].height,
                                   cases[i].pixels)
           == cases[i].rc,
           "limits", i);
    }
}


static void
check(const char *what, const case_t *cases, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        ok(is(&cases[i]), what, i);
    }
}


/* from the heap, so that reading beyond the last byte is seen */

static int
is(const case_t *c)
{
    unsigned char       *copy;
    imagegram_header_t   h;
    imagegram_reason_e   rc;

    copy = malloc(c->in_len);
    memcpy(copy, c->in, c->in_len);

    rc = imagegram_header_check(&h, copy, c->in_len, PIXELS);

    free(copy);

    if (rc != c->rc || h.format != c->format) {
        return 0;
    }

    switch (rc) {

    case IMAGEGRAM_OK:
        return c->width ? h.width == c->width && h.height == c->height
                          && h.bits == c->bits
                        : h.width == 0 && h.need == c->need;

    case IMAGEGRAM_DIMENSIONS:
        return h.width == c->width && h.height == c->height;

    default:
        return 1;
    }
}
