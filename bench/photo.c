
/*
 * photo format width height seed [tile]
 *
 * Prints a picture that was never taken: what photos have in common, from a
 * seed, so that none needs to be kept.  Soft shapes, edges, fine texture and
 * the noise of a sensor; the same on every machine.
 *
 * The format is ppm, png, bmp24 or bmp8.  With a tile each pixel is repeated so
 * many times in both directions: a picture that is large and says little.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spng.h>


#define OCTAVES  10

typedef struct {
    uint32_t  width;
    uint32_t  height;
    uint32_t  seed;
    uint32_t  tile;
} photo_t;


static void photo_row(const photo_t *p, uint32_t y, unsigned char *rgb);
static void photo_pixel(const photo_t *p, uint32_t x, uint32_t y,
    unsigned char *rgb);
static int photo_noise(uint32_t seed, uint32_t x, uint32_t y, unsigned shift);
static uint32_t photo_hash(uint32_t seed, uint32_t x, uint32_t y);
static int photo_ppm(const photo_t *p, unsigned char *row);
static int photo_bmp(const photo_t *p, unsigned char *row, unsigned bits);
static void photo_bmp_header(const photo_t *p, unsigned bits,
    uint32_t stride);
static int photo_png(const photo_t *p, unsigned char *row);
static void put_le32(unsigned char *p, uint32_t n);


int
main(int argc, char **argv)
{
    int             rc;
    photo_t         p;
    const char     *format;
    unsigned char  *row;

    if (argc < 5) {
        fprintf(stderr, "usage: photo format width height seed [tile]\n");
        return 1;
    }

    format = argv[1];
    p.width = (uint32_t) strtoul(argv[2], NULL, 10);
    p.height = (uint32_t) strtoul(argv[3], NULL, 10);
    p.seed = (uint32_t) strtoul(argv[4], NULL, 10);
    p.tile = (argc > 5) ? (uint32_t) strtoul(argv[5], NULL, 10) : 1;

    row = calloc(p.width + 1, 3);

    if (row == NULL || p.width == 0 || p.height == 0 || p.tile == 0) {
        return 1;
    }

    if (strcmp(format, "ppm") == 0) {
        rc = photo_ppm(&p, row);

    } else if (strcmp(format, "png") == 0) {
        rc = photo_png(&p, row);

    } else if (strcmp(format, "bmp24") == 0) {
        rc = photo_bmp(&p, row, 24);

    } else if (strcmp(format, "bmp8") == 0) {
        rc = photo_bmp(&p, row, 8);

    } else {
        rc = 1;
    }

    free(row);

    return (rc == 0 && fflush(stdout) == 0) ? 0 : 1;
}


/* a tile's rows are the same: made once */

static void
photo_row(const photo_t *p, uint32_t y, unsigned char *rgb)
{
    uint32_t  x;

    if (p->tile > 1 && y % p->tile != 0) {
        return;
    }

    for (x = 0; x < p->width; x++, rgb += 3) {
        if (p->tile > 1 && x % p->tile != 0) {
            memcpy(rgb, rgb - 3, 3);

        } else {
            photo_pixel(p, x / p->tile, y / p->tile, rgb);
        }
    }
}


/*
 * Light is a sum of octaves, of which the coarse ones are strong; where a
 * coarse one crosses a level there is an edge.  Color changes slowly.
 */

static void
photo_pixel(const photo_t *p, uint32_t x, uint32_t y, unsigned char *rgb)
{
    int       light, color[3], k, v;
    unsigned  i;

    light = 0;

    for (i = 0; i < OCTAVES; i++) {
        light += photo_noise(p->seed + i, x, y, 10 - i) >> (i / 3 + 1);
    }

    if (photo_noise(p->seed + 20, x, y, 8) > 24) {
        light += 56;
    }

    color[0] = photo_noise(p->seed + 30, x, y, 9) / 3;
    color[2] = photo_noise(p->seed + 31, x, y, 9) / 3;
    color[1] = -(color[0] + color[2]) / 2;

    for (k = 0; k < 3; k++) {

        /* a sensor's noise is a sum of many small ones */

        uint32_t  h = photo_hash(p->seed + 40 + k, x, y);

        v = (int) ((h & 7) + (h >> 8 & 7) + (h >> 16 & 7)) - 10;
        v = 128 + light + color[k] + v;

        rgb[k] = (unsigned char) (v < 0 ? 0 : v > 255 ? 255 : v);
    }
}


/* -128 to 127, smooth between points that are 1 << shift apart */

static int
photo_noise(uint32_t seed, uint32_t x, uint32_t y, unsigned shift)
{
    int       corner[4], top, bottom;
    uint32_t  i, fx, fy, mask;

    mask = (1u << shift) - 1;
    fx = ((x & mask) << 8) >> shift;
    fy = ((y & mask) << 8) >> shift;

    for (i = 0; i < 4; i++) {
        corner[i] = (int) (photo_hash(seed, (x >> shift) + (i & 1),
                                      (y >> shift) + (i >> 1)) & 255) - 128;
    }

    top = corner[0] * (int) (256 - fx) + corner[1] * (int) fx;
    bottom = corner[2] * (int) (256 - fx) + corner[3] * (int) fx;

    return (top * (int) (256 - fy) + bottom * (int) fy) / 65536;
}


static uint32_t
photo_hash(uint32_t seed, uint32_t x, uint32_t y)
{
    uint32_t  h;

    h = seed * 0x9e3779b1u ^ x * 0x85ebca6bu ^ y * 0xc2b2ae35u;
    h = (h ^ h >> 15) * 0x2c1b3c6du;
    h = (h ^ h >> 12) * 0x297a2d39u;

    return h ^ h >> 15;
}


static int
photo_ppm(const photo_t *p, unsigned char *row)
{
    uint32_t  y;

    printf("P6\n%u %u\n255\n", p->width, p->height);

    for (y = 0; y < p->height; y++) {
        photo_row(p, y, row);

        if (fwrite(row, 3, p->width, stdout) != p->width) {
            return 1;
        }
    }

    return 0;
}


/* bottom up; 8 bits are a palette of 6 x 6 x 7 colors */

static int
photo_bmp(const photo_t *p, unsigned char *row, unsigned bits)
{
    uint32_t        x, y, stride;
    unsigned char  *line, *rgb;

    stride = (p->width * bits / 8 + 3) & ~3u;
    line = calloc(stride, 1);

    if (line == NULL) {
        return 1;
    }

    photo_bmp_header(p, bits, stride);

    for (y = 0; y < p->height; y++) {
        photo_row(p, y, row);

        for (x = 0, rgb = row; x < p->width; x++, rgb += 3) {
            if (bits == 8) {
                line[x] = (unsigned char) (rgb[0] * 6 / 256 * 42
                                           + rgb[1] * 7 / 256 * 6
                                           + rgb[2] * 6 / 256);
                continue;
            }

            line[3 * x] = rgb[2];
            line[3 * x + 1] = rgb[1];
            line[3 * x + 2] = rgb[0];
        }

        if (fwrite(line, 1, stride, stdout) != stride) {
            free(line);
            return 1;
        }
    }

    free(line);

    return 0;
}


static void
photo_bmp_header(const photo_t *p, unsigned bits, uint32_t stride)
{
    unsigned       i, colors;
    unsigned char  head[54], color[4];

    colors = (bits == 8) ? 252 : 0;

    memset(head, 0, sizeof(head));
    memcpy(head, "BM", 2);
    put_le32(head + 2, 54 + 4 * colors + stride * p->height);
    put_le32(head + 10, 54 + 4 * colors);
    put_le32(head + 14, 40);
    put_le32(head + 18, p->width);
    put_le32(head + 22, p->height);
    head[26] = 1;
    head[28] = (unsigned char) bits;
    put_le32(head + 46, colors);

    (void) fwrite(head, 1, sizeof(head), stdout);

    for (i = 0; i < colors; i++) {
        color[0] = (unsigned char) (i % 6 * 51);
        color[1] = (unsigned char) (i / 6 % 7 * 255 / 6);
        color[2] = (unsigned char) (i / 42 * 51);
        color[3] = 0;

        (void) fwrite(color, 1, 4, stdout);
    }
}


static int
photo_png(const photo_t *p, unsigned char *row)
{
    int               rc, filter;
    uint32_t          y;
    spng_ctx         *png;
    struct spng_ihdr  ihdr;

    png = spng_ctx_new(SPNG_CTX_ENCODER);

    memset(&ihdr, 0, sizeof(ihdr));
    ihdr.width = p->width;
    ihdr.height = p->height;
    ihdr.bit_depth = 8;
    ihdr.color_type = SPNG_COLOR_TYPE_TRUECOLOR;

    /* to try all of them is most of the time that tiles would take */

    filter = (p->tile > 1) ? SPNG_FILTER_CHOICE_UP : SPNG_FILTER_CHOICE_ALL;

    rc = spng_set_png_file(png, stdout)
         || spng_set_ihdr(png, &ihdr)
         || spng_set_option(png, SPNG_IMG_COMPRESSION_LEVEL, 1)
         || spng_set_option(png, SPNG_FILTER_CHOICE, filter)
         || spng_encode_image(png, NULL, 0, SPNG_FMT_PNG,
                              SPNG_ENCODE_PROGRESSIVE|SPNG_ENCODE_FINALIZE);

    for (y = 0; y < p->height && rc == 0; y++) {
        photo_row(p, y, row);

        rc = spng_encode_row(png, row, (size_t) p->width * 3);
    }

    spng_ctx_free(png);

    return (rc == 0 || rc == SPNG_EOI) ? 0 : 1;
}


static void
put_le32(unsigned char *p, uint32_t n)
{
    p[0] = (unsigned char) n;
    p[1] = (unsigned char) (n >> 8);
    p[2] = (unsigned char) (n >> 16);
    p[3] = (unsigned char) (n >> 24);
}
