
/*
 * EXIF: a TIFF structure, of which only the first directory is looked at.
 * Owns nothing.
 */

#include "imagegram_bytes.h"
#include "imagegram_exif.h"


#define IMAGEGRAM_TIFF_ORIENTATION  0x0112
#define IMAGEGRAM_TIFF_SHORT        3
#define IMAGEGRAM_TIFF_ENTRY        12      /* bytes */


unsigned
imagegram_exif_orientation(const unsigned char *p, size_t n)
{
    size_t     i, count, ifd;
    uint32_t   value;
    uint32_t (*get16)(const unsigned char *);
    uint32_t (*get32)(const unsigned char *);

    if (n < 8) {
        return 1;
    }

    if (p[0] == 'I' && p[1] == 'I') {
        get16 = imagegram_get_le16;
        get32 = imagegram_get_le32;

    } else if (p[0] == 'M' && p[1] == 'M') {
        get16 = imagegram_get_be16;
        get32 = imagegram_get_be32;

    } else {
        return 1;
    }

    ifd = get32(p + 4);

    if (get16(p + 2) != 42 || ifd > n - 2) {
        return 1;
    }

    count = get16(p + ifd);
    ifd += 2;

    for (i = 0; i < count && n - ifd >= IMAGEGRAM_TIFF_ENTRY; i++) {

        if (get16(p + ifd) == IMAGEGRAM_TIFF_ORIENTATION) {
            value = get16(p + ifd + 8);

            if (get16(p + ifd + 2) != IMAGEGRAM_TIFF_SHORT
                || value < 1 || value > 8)
            {
                return 1;
            }

            return value;
        }

        ifd += IMAGEGRAM_TIFF_ENTRY;
    }

    return 1;
}
