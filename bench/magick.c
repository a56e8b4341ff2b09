
/*
 * magick photo out
 *
 * What MagickWand alone makes of a photo: reads it as a whole, turns it
 * upright, cuts the middle out, Lanczos, and writes a progressive JPEG of
 * 600x600 (or what the name of out asks for).
 */

#include <stdio.h>

#include <wand/MagickWand.h>


#define SIDE     600
#define QUALITY  82


static int convert(MagickWand *wand, const char *out);


int
main(int argc, char **argv)
{
    int          rc;
    MagickWand  *wand;

    if (argc != 3) {
        fprintf(stderr, "usage: magick photo out\n");
        return 1;
    }

    MagickWandGenesis();

    wand = NewMagickWand();

    rc = MagickReadImage(wand, argv[1]) ? convert(wand, argv[2]) : 1;

    (void) DestroyMagickWand(wand);

    MagickWandTerminus();

    return rc;
}


static int
convert(MagickWand *wand, const char *out)
{
    size_t  width, height, side;

    if (!MagickAutoOrientImage(wand)) {
        return 1;
    }

    width = MagickGetImageWidth(wand);
    height = MagickGetImageHeight(wand);
    side = (width < height) ? width : height;

    return !(MagickCropImage(wand, side, side, (ssize_t) (width - side) / 2,
                             (ssize_t) (height - side) / 2)
             && MagickResetImagePage(wand, "")
             && MagickResizeImage(wand, SIDE, SIDE, LanczosFilter, 1.0)
             && MagickStripImage(wand)
             && MagickSetImageCompressionQuality(wand, QUALITY)
             && MagickSetInterlaceScheme(wand, JPEGInterlace)
             && MagickWriteImage(wand, out));
}
