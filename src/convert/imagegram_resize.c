
/*
 * ImageMagick, of which only the resampling is used: no coder, no delegate,
 * no file.  It lives as long as the process; a wand as long as one call.
 *
 * Where memory runs out ImageMagick may end the process.  Its handler for
 * that is replaced by one that jumps out; it is then in no state to go on.
 */

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <wand/MagickWand.h>

#include "imagegram_resize.h"


/* bytes of ImageMagick's: a pixel, and what else it allocates */
#define IMAGEGRAM_PIXEL        8
#define IMAGEGRAM_RESIZE_ROOM  (4 * 1024 * 1024)


static uint64_t imagegram_resize_need(uint32_t dst_width, uint32_t dst_height,
    uint32_t width, uint32_t height);
static int imagegram_resize_probe(uint32_t dst_width, uint32_t dst_height,
    uint32_t width, uint32_t height);
static imagegram_reason_e imagegram_resize_run(MagickWand *wand,
    unsigned char *dst, uint32_t dst_width, uint32_t dst_height);
static int imagegram_resize_limits(void);
static imagegram_reason_e imagegram_resize_reason(MagickWand *wand);
static void imagegram_resize_fatal(const ExceptionType severity,
    const char *reason, const char *description);


static const char  imagegram_policy[] =
    "<policymap>"
    "<policy domain=\"coder\" rights=\"none\" pattern=\"*\"/>"
    "<policy domain=\"delegate\" rights=\"none\" pattern=\"*\"/>"
    "<policy domain=\"filter\" rights=\"none\" pattern=\"*\"/>"
    "<policy domain=\"module\" rights=\"none\" pattern=\"*\"/>"
    "<policy domain=\"path\" rights=\"none\" pattern=\"*\"/>"
    "</policymap>";

static jmp_buf  imagegram_resize_jump;


int
imagegram_resize_init(void)
{
    ExceptionInfo  *exception;

    /* an ImageMagick with a time limit ends the process */

    unsetenv("MAGICK_TIME_LIMIT");

    MagickWandGenesis();

    /*
     * One fence more: only raw pixels come here, so no coder is reached anyway.
     * Some releases refuse a policy where the system has one of its own.
     */

    exception = AcquireExceptionInfo();
    (void) SetMagickSecurityPolicy(imagegram_policy, exception);
    exception = DestroyExceptionInfo(exception);

    if (imagegram_resize_limits() != 0) {
        return -1;
    }

    (void) SetFatalErrorHandler(imagegram_resize_fatal);

    return 0;
}


/*
 * With no disk to go to, ImageMagick aborts beyond its limits.  Area is that
 * of one image; area and memory must stay below theirs.
 */

int
imagegram_resize_fits(uint32_t dst_width, uint32_t dst_height, uint32_t width,
    uint32_t height)
{
    uint32_t  wide, high;

    if (width == dst_width && height == dst_height) {
        return 1;
    }

    wide = (width > dst_width) ? width : dst_width;
    high = (height > dst_height) ? height : dst_height;

    return wide <= MagickGetResourceLimit(WidthResource)
           && high <= MagickGetResourceLimit(HeightResource)
           && (uint64_t) wide * high < MagickGetResourceLimit(AreaResource)
           && imagegram_resize_need(dst_width, dst_height, width, height)
              < MagickGetResourceLimit(MemoryResource);
}


imagegram_reason_e
imagegram_resize(unsigned char *dst, uint32_t dst_width, uint32_t dst_height,
    unsigned char *src, uint32_t width, uint32_t height)
{
    MagickWand          *wand;
    MagickBooleanType    ok;
    imagegram_reason_e   rc;

    if (width == dst_width && height == dst_height) {
        memcpy(dst, src, (size_t) width * 3 * height);
        free(src);
        return IMAGEGRAM_OK;
    }

    if (imagegram_resize_probe(dst_width, dst_height, width, height) != 0) {
        free(src);
        return IMAGEGRAM_MEMORY;
    }

    if (setjmp(imagegram_resize_jump) != 0) {
        free(src);
        return IMAGEGRAM_MEMORY;
    }

    wand = NewMagickWand();

    ok = MagickConstituteImage(wand, width, height, "RGB", CharPixel, src);

    rc = ok ? imagegram_resize_run(wand, dst, dst_width, dst_height)
            : imagegram_resize_reason(wand);

    free(src);

    (void) DestroyMagickWand(wand);

    return rc;
}


static imagegram_reason_e
imagegram_resize_run(MagickWand *wand, unsigned char *dst, uint32_t dst_width,
    uint32_t dst_height)
{
    if (!MagickResizeImage(wand, dst_width, dst_height, LanczosFilter, 1.0)
        || MagickGetImageWidth(wand) != dst_width
        || MagickGetImageHeight(wand) != dst_height
        || !MagickExportImagePixels(wand, 0, 0, dst_width, dst_height, "RGB",
                                    CharPixel, dst))
    {
        return imagegram_resize_reason(wand);
    }

    return IMAGEGRAM_OK;
}


/* bytes: the image, stretched one way, stretched both ways */

static uint64_t
imagegram_resize_need(uint32_t dst_width, uint32_t dst_height, uint32_t width,
    uint32_t height)
{
    uint64_t  n, across, down;

    across = (uint64_t) dst_width * height;
    down = (uint64_t) width * dst_height;

    n = (uint64_t) width * height + (uint64_t) dst_width * dst_height
        + ((across > down) ? across : down);

    return n * IMAGEGRAM_PIXEL;
}


/*
 * Where memory runs out while it makes an image, this version aborts.  Nobody
 * else allocates, so what can be had now can be had then.
 */

static int
imagegram_resize_probe(uint32_t dst_width, uint32_t dst_height,
    uint32_t width, uint32_t height)
{
    void      *p;
    uint64_t   need;

    if (!imagegram_resize_fits(dst_width, dst_height, width, height)) {
        return -1;
    }

    need = imagegram_resize_need(dst_width, dst_height, width, height);

    p = malloc(need + IMAGEGRAM_RESIZE_ROOM);
    if (p == NULL) {
        return -1;
    }

    free(p);

    return 0;
}


/* the address space is what bounds the memory */

static int
imagegram_resize_limits(void)
{
    return (SetMagickResourceLimit(ThreadResource, 1)
            && SetMagickResourceLimit(DiskResource, 0)
            && SetMagickResourceLimit(MapResource, 0)) ? 0 : -1;
}


static imagegram_reason_e
imagegram_resize_reason(MagickWand *wand)
{
    switch (MagickGetExceptionType(wand)) {

    case ResourceLimitError:
    case ResourceLimitFatalError:
    case CacheError:
        return IMAGEGRAM_MEMORY;

    default:
        return IMAGEGRAM_INTERNAL;
    }
}


static void
imagegram_resize_fatal(const ExceptionType severity, const char *reason,
    const char *description)
{
    (void) severity;
    (void) reason;
    (void) description;

    longjmp(imagegram_resize_jump, 1);
}
