
/*
 * PNG by libspng, row by row; of an interlaced one, the pixels of each pass
 * go where they belong, so that no full picture is held either.
 *
 * libspng is given only the chunks that matter for the pixels: text is never
 * inflated, and a million chunks of it cost no memory.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <spng.h>

#include "../parse/imagegram_bytes.h"
#include "../parse/imagegram_exif.h"
#include "../parse/imagegram_header.h"
#include "imagegram_decode.h"


#define IMAGEGRAM_PNG_SIGNATURE   8
#define IMAGEGRAM_PNG_FRAME       12        /* length, type, CRC of a chunk */
#define IMAGEGRAM_PNG_ANCILLARY   100       /* chunks */

#define IMAGEGRAM_PNG_GAMMA_SRGB  45455     /* 1/2.2, as in gAMA */


typedef struct {
    imagegram_input_t    *in;
    imagegram_picture_t  *picture;
    spng_ctx             *spng;

    uint64_t              left;         /* of the chunk that is passed on */
    unsigned char         head[8];      /* its length and type, */
    unsigned              head_len;     /* as far as not passed on yet */
    unsigned              ancillary;    /* chunks seen */
    int                   complex;      /* too many */

    struct spng_ihdr      ihdr;
    imagegram_source_t    source;
    int                   format;       /* SPNG_FMT_... */
    size_t                row_len;
    unsigned char        *row;          /* as libspng gives it, */
    unsigned char        *samples;      /* and on white */
    unsigned char        *gamma;        /* 8 or 16 to 8 bits; NULL: none */
} imagegram_png_t;


static imagegram_reason_e imagegram_png_begin(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_source(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_gamma(imagegram_png_t *png);
static imagegram_reason_e imagegram_png_rows(imagegram_png_t *png);
static const unsigned char *imagegram_png_flatten(imagegram_png_t *png,
    size_t n);
static void imagegram_png_flatten_16(imagegram_png_t *png, size_t n);
static int imagegram_png_read(spng_ctx *spng, void *data, void *dst,
    size_t len);
static int imagegram_png_chunk(imagegram_png_t *png);
static int imagegram_png_is(const unsigned char *type, const char *types);
static imagegram_reason_e imagegram_png_error(imagegram_png_t *png, int rc);


imagegram_reason_e
imagegram_png_decode(imagegram_input_t *in, imagegram_picture_t *p)
{
    imagegram_png_t     png;
    imagegram_reason_e  rc;

    memset(&png, 0, sizeof(imagegram_png_t));

    png.in = in;
    png.picture = p;
    png.left = IMAGEGRAM_PNG_SIGNATURE;

    /* each chunk's CRC is checked: a second sum over the same gains nothing */

    png.spng = spng_ctx_new(SPNG_CTX_IGNORE_ADLER32);
    if (png.spng == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    rc = imagegram_png_begin(&png);

    if (rc == IMAGEGRAM_OK) {
        rc = imagegram_png_rows(&png);
    }

    spng_ctx_free(png.spng);
    free(png.row);
    free(png.samples);
    free(png.gamma);

    return (rc == IMAGEGRAM_OK) ? imagegram_picture_end(p) : rc;
}


static imagegram_reason_e
imagegram_png_begin(imagegram_png_t *png)
{
    int                 rc;
    size_t              size;
    imagegram_reason_e  reason;

    rc = spng_set_png_stream(png->spng, imagegram_png_read, png);

    if (rc == 0) {
        rc = spng_set_chunk_limits(png->spng, IMAGEGRAM_ICC_MAX,
                                   IMAGEGRAM_ICC_MAX);
    }

    if (rc == 0) {
        rc = spng_get_ihdr(png->spng, &png->ihdr);
    }

    if (rc != 0) {
        return imagegram_png_error(png, rc);
    }

    reason = imagegram_header_limits(png->ihdr.width, png->ihdr.height,
                                     png->picture->job->max_image_pixels);
    if (reason != IMAGEGRAM_OK) {
        return reason;
    }

    reason = imagegram_png_source(png);
    if (reason != IMAGEGRAM_OK) {
        return reason;
    }

    rc = spng_decode_image(png->spng, NULL, 0, png->format,
                           SPNG_DECODE_PROGRESSIVE | SPNG_DECODE_TRNS);
    if (rc != 0) {
        return imagegram_png_error(png, rc);
    }

    rc = spng_decoded_image_size(png->spng, png->format, &size);
    if (rc != 0) {
        return imagegram_png_error(png, rc);
    }

    png->row_len = size / png->ihdr.height;

    png->row = malloc(png->row_len);
    png->samples = malloc((size_t) png->ihdr.width * 3);

    if (png->row == NULL || png->samples == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    return IMAGEGRAM_OK;
}


/* reads what stands before the pixels and chooses how to decode them */

static imagegram_reason_e
imagegram_png_source(imagegram_png_t *png)
{
    int                  rc, gray, opaque;
    struct spng_exif     exif;
    struct spng_iccp     icc;
    struct spng_trns     trns;
    imagegram_source_t  *s;
    imagegram_reason_e   reason;

    s = &png->source;

    rc = spng_get_trns(png->spng, &trns);
    if (rc != 0 && rc != SPNG_ECHUNKAVAIL) {
        return imagegram_png_error(png, rc);
    }

    gray = !(png->ihdr.color_type & SPNG_COLOR_TYPE_TRUECOLOR);
    opaque = (rc == SPNG_ECHUNKAVAIL
              && !(png->ihdr.color_type & SPNG_COLOR_TYPE_GRAYSCALE_ALPHA));

    s->width = png->ihdr.width;
    s->height = png->ihdr.height;
    s->orientation = 1;
    s->samples = gray ? IMAGEGRAM_SAMPLES_GRAY : IMAGEGRAM_SAMPLES_RGB;

    if (png->ihdr.interlace_method != SPNG_INTERLACE_NONE) {
        s->order = IMAGEGRAM_ORDER_PASSES;
    }

    if (png->ihdr.bit_depth == 16) {
        png->format = SPNG_FMT_RGBA16;

    } else if (!opaque) {
        png->format = SPNG_FMT_RGBA8;

    } else {
        png->format = gray ? SPNG_FMT_G8 : SPNG_FMT_RGB8;
    }

    if (spng_get_exif(png->spng, &exif) == 0) {
        s->orientation = imagegram_exif_orientation(
                             (unsigned char *) exif.data, exif.length);
    }

    if (spng_get_iccp(png->spng, &icc) == 0) {
        s->icc = (unsigned char *) icc.profile;
        s->icc_len = icc.profile_len;
    }

    reason = imagegram_png_gamma(png);
    if (reason != IMAGEGRAM_OK) {
        return reason;
    }

    return imagegram_picture_begin(png->picture, s);
}


/*
 * gAMA counts where neither a profile nor sRGB is given; 16 bits become 8 by
 * the same table.
 */

static imagegram_reason_e
imagegram_png_gamma(imagegram_png_t *png)
{
    double    exponent;
    uint8_t   intent;
    uint32_t  gamma, i, n;

    gamma = IMAGEGRAM_PNG_GAMMA_SRGB;

    if (png->source.icc == NULL
        && spng_get_srgb(png->spng, &intent) == SPNG_ECHUNKAVAIL)
    {
        (void) spng_get_gama_int(png->spng, &gamma);
    }

    exponent = (double) IMAGEGRAM_PNG_GAMMA_SRGB / (gamma ? gamma : 1);

    if (exponent > 0.95 && exponent < 1.05) {
        exponent = 1;
    }

    if (exponent == 1 && png->format != SPNG_FMT_RGBA16) {
        return IMAGEGRAM_OK;
    }

    n = (png->format == SPNG_FMT_RGBA16) ? 65536 : 256;

    png->gamma = malloc(n);
    if (png->gamma == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    for (i = 0; i < n; i++) {
        png->gamma[i] = (unsigned char)
                            (255 * pow((double) i / (n - 1), exponent) + 0.5);
    }

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_png_rows(imagegram_png_t *png)
{
    int                   rc;
    uint32_t              n, x, dx;
    const unsigned char  *samples;
    struct spng_row_info  info;

    static const unsigned char  start[] = { 0, 4, 0, 2, 0, 1, 0 };
    static const unsigned char  delta[] = { 8, 8, 4, 4, 2, 2, 1 };

    rc = 0;
    x = 0;
    dx = 1;

    while (rc == 0) {

        rc = spng_get_row_info(png->spng, &info);
        if (rc != 0) {
            break;
        }

        rc = spng_decode_scanline(png->spng, png->row, png->row_len);
        if (rc != 0 && rc != SPNG_EOI) {
            break;
        }

        if (png->source.order == IMAGEGRAM_ORDER_PASSES) {
            x = start[info.pass];
            dx = delta[info.pass];
        }

        n = (png->ihdr.width - x + dx - 1) / dx;

        samples = imagegram_png_flatten(png, n);

        if (png->source.order == IMAGEGRAM_ORDER_PASSES) {
            imagegram_picture_pass(png->picture, info.row_num, x, dx, n,
                                   samples);

        } else {
            imagegram_picture_row(png->picture, info.row_num, samples);
        }
    }

    if (rc == SPNG_EOI) {

        /* up to IEND: a file without its end was cut off */

        rc = spng_decode_chunks(png->spng);
    }

    return (rc == 0) ? IMAGEGRAM_OK : imagegram_png_error(png, rc);
}


/* n pixels of png->row, as the picture wants them */

static const unsigned char *
imagegram_png_flatten(imagegram_png_t *png, size_t n)
{
    size_t          i, k, channels;
    unsigned        alpha, value;
    unsigned char  *row, *dst;

    row = png->row;
    channels = png->picture->color.channels;

    if (png->format == SPNG_FMT_RGBA16) {
        imagegram_png_flatten_16(png, n);
        return png->samples;
    }

    if (png->format != SPNG_FMT_RGBA8) {
        for (i = 0; png->gamma != NULL && i < n * channels; i++) {
            row[i] = png->gamma[row[i]];
        }

        return row;
    }

    dst = png->samples;

    for (i = 0; i < n; i++, row += 4) {
        alpha = row[3];

        for (k = 0; k < channels; k++) {
            value = (png->gamma != NULL) ? png->gamma[row[k]] : row[k];

            if (alpha != 255) {
                value = (value * alpha + 255 * (255 - alpha) + 127) / 255;
            }

            *dst++ = (unsigned char) value;
        }
    }

    return png->samples;
}


static void
imagegram_png_flatten_16(imagegram_png_t *png, size_t n)
{
    size_t          i, k, channels;
    uint16_t        pixel[4];
    unsigned        alpha, value;
    unsigned char  *row, *dst;

    row = png->row;
    dst = png->samples;
    channels = png->picture->color.channels;

    for (i = 0; i < n; i++, row += sizeof(pixel)) {
        memcpy(pixel, row, sizeof(pixel));

        alpha = pixel[3];

        for (k = 0; k < channels; k++) {
            value = png->gamma[pixel[k]];
            *dst++ = (unsigned char) ((value * alpha + 255 * (65535 - alpha)
                                       + 32767) / 65535);
        }
    }
}


/* what libspng reads from: the file without what does not matter */

static int
imagegram_png_read(spng_ctx *spng, void *data, void *dst, size_t len)
{
    size_t            n;
    unsigned char    *p;
    imagegram_png_t  *png;

    (void) spng;

    p = dst;
    png = data;

    while (len != 0) {

        if (png->head_len == 0 && png->left == 0
            && imagegram_png_chunk(png) != 0)
        {
            break;
        }

        if (png->head_len != 0) {
            n = (len < png->head_len) ? len : png->head_len;

            memcpy(p, png->head + sizeof(png->head) - png->head_len, n);
            png->head_len -= (unsigned) n;

        } else {
            n = (len < png->left) ? len : (size_t) png->left;

            if (imagegram_input_read(png->in, p, n) != 0) {
                break;
            }

            png->left -= n;
        }

        p += n;
        len -= n;
    }

    return (len == 0) ? 0 : SPNG_IO_EOF;
}


/* finds the next chunk that is to be passed on */

static int
imagegram_png_chunk(imagegram_png_t *png)
{
    unsigned char  *type;

    for ( ;; ) {

        if (imagegram_input_read(png->in, png->head, sizeof(png->head)) != 0) {
            return -1;
        }

        png->left = (uint64_t) imagegram_get_be32(png->head)
                    + IMAGEGRAM_PNG_FRAME - sizeof(png->head);
        type = png->head + 4;

        if (!(type[0] & 0x20)
            || imagegram_png_is(type, "tRNSgAMAsRGBiCCPeXIf"))
        {
            png->head_len = sizeof(png->head);
            return 0;
        }

        /* the frames of an animation are many, and skipped as they are */

        if (!imagegram_png_is(type, "fcTLfdAT")
            && ++png->ancillary > IMAGEGRAM_PNG_ANCILLARY)
        {
            png->complex = 1;
            return -1;
        }

        if (imagegram_input_skip(png->in, png->left) != 0) {
            return -1;
        }
    }
}


static int
imagegram_png_is(const unsigned char *type, const char *types)
{
    for ( /* void */ ; *types != '\0'; types += 4) {
        if (memcmp(type, types, 4) == 0) {
            return 1;
        }
    }

    return 0;
}


static imagegram_reason_e
imagegram_png_error(imagegram_png_t *png, int rc)
{
    if (png->in->failed) {
        return IMAGEGRAM_INTERNAL;
    }

    if (png->complex || rc == SPNG_ECHUNK_LIMITS) {
        return IMAGEGRAM_COMPLEXITY;
    }

    return (rc == SPNG_EMEM) ? IMAGEGRAM_MEMORY : IMAGEGRAM_DECODE;
}
