
/*
 * What the application segments of a JPEG say: orientation and ICC profile.
 * Bounded, however many segments there are.
 */

#ifndef _IMAGEGRAM_JPEG_META_H_INCLUDED_
#define _IMAGEGRAM_JPEG_META_H_INCLUDED_


#include <stddef.h>


#define IMAGEGRAM_SEGMENT_MAX  65533    /* bytes, without the length */


typedef struct {
    unsigned         orientation;       /* 1 to 8 */
    unsigned         exif;              /* was seen */

    unsigned char   *icc_part[256];     /* by their numbers, from 1 */
    size_t           icc_part_len[256];
    unsigned         icc_parts;         /* announced */
    size_t           icc_len;           /* of all parts */
    unsigned char   *icc;               /* all in one */

    unsigned char    segment[IMAGEGRAM_SEGMENT_MAX];
} imagegram_jpeg_meta_t;            /* all zero, orientation 1: at the start */


/* Looks at n bytes of an APPn segment in m->segment.  Gives 0, or -1 where
 * there is no memory. */
int imagegram_jpeg_meta_segment(imagegram_jpeg_meta_t *m, size_t n);

/*
 * Puts the profile together; *icc, NULL where it is absent or incomplete,
 * stays m's.  Gives 0, or -1 where there is no memory.
 */
int imagegram_jpeg_meta_icc(imagegram_jpeg_meta_t *m,
    const unsigned char **icc, size_t *len);

void imagegram_jpeg_meta_free(imagegram_jpeg_meta_t *m);


#endif /* _IMAGEGRAM_JPEG_META_H_INCLUDED_ */
