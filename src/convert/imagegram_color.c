
/*
 * Color by Little CMS, directly: rows of 8-bit samples, so that no picture
 * has to be held for it, and with errors that can be told apart.  The sRGB
 * profile lives as long as the process; a transform as long as one image.
 */

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <lcms2.h>
#include <lcms2_plugin.h>

#include "imagegram_color.h"


/* bytes: the largest sensible table of CMYK needs 15 MB */
#define IMAGEGRAM_COLOR_MEMORY  (24 * 1024 * 1024)


static void *imagegram_color_malloc(cmsContext context, cmsUInt32Number n);
static void imagegram_color_free(cmsContext context, void *p);
static void *imagegram_color_realloc(cmsContext context, void *p,
    cmsUInt32Number n);
static int imagegram_color_format(imagegram_color_t *c, cmsHPROFILE profile,
    cmsUInt32Number *format);
static int imagegram_color_is_srgb(cmsHPROFILE profile);
static void imagegram_color_cmyk(unsigned char *dst, const unsigned char *src,
    size_t n, unsigned char invert);


static cmsHPROFILE  imagegram_srgb;
static size_t       imagegram_color_memory;     /* bytes it has allocated */


static cmsPluginMemHandler  imagegram_color_plugin = {
    { cmsPluginMagicNumber, 2000, cmsPluginMemHandlerSig, NULL },
    imagegram_color_malloc,
    imagegram_color_free,
    imagegram_color_realloc,
    NULL,
    NULL,
    NULL
};


int
imagegram_color_init(void)
{
    if (!cmsPlugin(&imagegram_color_plugin)) {
        return -1;
    }

    imagegram_srgb = cmsCreate_sRGBProfile();

    return (imagegram_srgb == NULL) ? -1 : 0;
}


imagegram_reason_e
imagegram_color_open(imagegram_color_t *c, imagegram_samples_e samples,
    const unsigned char *icc, size_t len)
{
    cmsHPROFILE      profile;
    cmsUInt32Number  format;

    static const unsigned  channels[] = { 1, 3, 3, 4, 4 };

    c->samples = samples;
    c->channels = channels[samples];
    c->transform = NULL;
    c->from_rgb = 0;

    if (icc == NULL || len == 0 || len > IMAGEGRAM_ICC_MAX) {
        return IMAGEGRAM_OK;
    }

    /* Little CMS gives no reason but malloc()'s */

    errno = 0;

    profile = cmsOpenProfileFromMem(icc, (cmsUInt32Number) len);

    if (profile == NULL) {
        return (errno == ENOMEM) ? IMAGEGRAM_MEMORY : IMAGEGRAM_OK;
    }

    if (imagegram_color_format(c, profile, &format) == 0
        && !imagegram_color_is_srgb(profile))
    {
        c->transform = cmsCreateTransform(profile, format, imagegram_srgb,
                                          TYPE_RGB_8, INTENT_PERCEPTUAL, 0);
    }

    cmsCloseProfile(profile);

    if (c->transform == NULL) {
        c->from_rgb = 0;

        if (errno == ENOMEM) {
            return IMAGEGRAM_MEMORY;
        }
    }

    return IMAGEGRAM_OK;
}


void
imagegram_color_row(const imagegram_color_t *c, unsigned char *dst,
    const unsigned char *src, size_t n)
{
    size_t                i;
    const unsigned char  *p;

    if (c->transform != NULL && !c->from_rgb) {
        cmsDoTransform(c->transform, src, dst, (cmsUInt32Number) n);
        return;
    }

    switch (c->samples) {

    case IMAGEGRAM_SAMPLES_GRAY:
        for (i = 0; i < n; i++) {
            memset(dst + 3 * i, src[i], 3);
        }

        break;

    case IMAGEGRAM_SAMPLES_RGB:
        memcpy(dst, src, 3 * n);
        break;

    case IMAGEGRAM_SAMPLES_BGR:
        for (i = 0, p = src; i < n; i++, p += 3) {
            dst[3 * i] = p[2];
            dst[3 * i + 1] = p[1];
            dst[3 * i + 2] = p[0];
        }

        break;

    case IMAGEGRAM_SAMPLES_CMYK:
        imagegram_color_cmyk(dst, src, n, 0xff);
        break;

    case IMAGEGRAM_SAMPLES_CMYK_REV:
        imagegram_color_cmyk(dst, src, n, 0);
        break;
    }

    if (c->from_rgb) {
        cmsDoTransform(c->transform, dst, dst, (cmsUInt32Number) n);
    }
}


void
imagegram_color_close(imagegram_color_t *c)
{
    if (c->transform != NULL) {
        cmsDeleteTransform(c->transform);
        c->transform = NULL;
    }
}


/*
 * A profile of a few bytes may announce a table of half a gigabyte, which is
 * filled with zeros before its end is missed.  Such a one is taken for broken.
 */

static void *
imagegram_color_malloc(cmsContext context, cmsUInt32Number n)
{
    return imagegram_color_realloc(context, NULL, n);
}


static void
imagegram_color_free(cmsContext context, void *p)
{
    (void) context;

    if (p != NULL) {
        imagegram_color_memory -= malloc_usable_size(p);
        free(p);
    }
}


static void *
imagegram_color_realloc(cmsContext context, void *p, cmsUInt32Number n)
{
    void    *new;
    size_t   old;

    (void) context;

    old = (p != NULL) ? malloc_usable_size(p) : 0;

    if (n > IMAGEGRAM_COLOR_MEMORY
        || imagegram_color_memory - old > IMAGEGRAM_COLOR_MEMORY - n)
    {
        return NULL;
    }

    new = realloc(p, n);

    if (new != NULL) {
        imagegram_color_memory += malloc_usable_size(new) - old;
    }

    return new;
}


/* how Little CMS calls the samples, if the profile is one for them */

static int
imagegram_color_format(imagegram_color_t *c, cmsHPROFILE profile,
    cmsUInt32Number *format)
{
    cmsColorSpaceSignature  space;

    switch (cmsGetDeviceClass(profile)) {

    case cmsSigInputClass:
    case cmsSigDisplayClass:
    case cmsSigOutputClass:
    case cmsSigColorSpaceClass:
        break;

    default:
        return -1;
    }

    space = cmsGetColorSpace(profile);

    switch (c->samples) {

    case IMAGEGRAM_SAMPLES_GRAY:
        c->from_rgb = (space == cmsSigRgbData);
        *format = c->from_rgb ? TYPE_RGB_8 : TYPE_GRAY_8;
        return (space == cmsSigGrayData || c->from_rgb) ? 0 : -1;

    case IMAGEGRAM_SAMPLES_RGB:
        *format = TYPE_RGB_8;
        return (space == cmsSigRgbData) ? 0 : -1;

    case IMAGEGRAM_SAMPLES_BGR:
        *format = TYPE_BGR_8;
        return (space == cmsSigRgbData) ? 0 : -1;

    case IMAGEGRAM_SAMPLES_CMYK:
        *format = TYPE_CMYK_8;
        return (space == cmsSigCmykData) ? 0 : -1;

    case IMAGEGRAM_SAMPLES_CMYK_REV:
        *format = TYPE_CMYK_8_REV;
        return (space == cmsSigCmykData) ? 0 : -1;
    }

    return -1;
}


/* most photos carry one of these, and nothing is to be done for them */

static int
imagegram_color_is_srgb(cmsHPROFILE profile)
{
    char    name[64];
    size_t  i;

    static const char  *srgb[] = {
        "sRGB IEC61966-2.1",
        "sRGB IEC61966-2-1 black scaled",
        "sRGB built-in",
        "sRGB2014",
        "sRGB"
    };

    memset(name, 0, sizeof(name));

    cmsGetProfileInfoASCII(profile, cmsInfoDescription, "en", "US", name,
                           sizeof(name) - 1);

    for (i = 0; i < sizeof(srgb) / sizeof(srgb[0]); i++) {
        if (strcmp(name, srgb[i]) == 0) {
            return 1;
        }
    }

    return 0;
}


static void
imagegram_color_cmyk(unsigned char *dst, const unsigned char *src, size_t n,
    unsigned char invert)
{
    size_t    i, k;
    unsigned  black, value;

    for (i = 0; i < n; i++, src += 4, dst += 3) {
        black = src[3] ^ invert;

        for (k = 0; k < 3; k++) {
            value = (unsigned) (src[k] ^ invert) * black;
            dst[k] = (unsigned char) ((value + 127) / 255);
        }
    }
}
