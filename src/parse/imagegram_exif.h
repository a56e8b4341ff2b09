
/*
 * The one thing that is read from EXIF: how a picture is to be turned.
 *
 * Knows no nginx type and no image library.
 */

#ifndef _IMAGEGRAM_EXIF_H_INCLUDED_
#define _IMAGEGRAM_EXIF_H_INCLUDED_


#include <stddef.h>


/*
 * The orientation, 1 to 8, from EXIF data, which starts with the TIFF header
 * ("II" or "MM"); 1 where it is absent or makes no sense.
 */
unsigned imagegram_exif_orientation(const unsigned char *p, size_t n);


#endif /* _IMAGEGRAM_EXIF_H_INCLUDED_ */
