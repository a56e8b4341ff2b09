
/*
 * The application segments of one JPEG.  The parts of the profile are kept
 * until imagegram_jpeg_meta_free().
 */

#include <stdlib.h>
#include <string.h>

#include "../parse/imagegram_exif.h"
#include "imagegram_color.h"
#include "imagegram_jpeg_meta.h"


/* both with their terminating zeros, as they stand in the file */
#define IMAGEGRAM_EXIF_MAGIC    "Exif\0"
#define IMAGEGRAM_ICC_MAGIC     "ICC_PROFILE"

#define IMAGEGRAM_ICC_HEAD      (sizeof(IMAGEGRAM_ICC_MAGIC) + 2)


static int imagegram_jpeg_meta_part(imagegram_jpeg_meta_t *m,
    const unsigned char *p, size_t n);


int
imagegram_jpeg_meta_segment(imagegram_jpeg_meta_t *m, size_t n)
{
    size_t                len;
    const unsigned char  *p;

    p = m->segment;
    len = sizeof(IMAGEGRAM_EXIF_MAGIC);

    if (n > len && memcmp(p, IMAGEGRAM_EXIF_MAGIC, len) == 0) {

        /* editors leave a second one behind; the first one counts */

        if (!m->exif) {
            m->exif = 1;
            m->orientation = imagegram_exif_orientation(p + len, n - len);
        }

        return 0;
    }

    len = sizeof(IMAGEGRAM_ICC_MAGIC);

    if (n > IMAGEGRAM_ICC_HEAD && memcmp(p, IMAGEGRAM_ICC_MAGIC, len) == 0) {
        return imagegram_jpeg_meta_part(m, p + len, n - len);
    }

    return 0;
}


int
imagegram_jpeg_meta_icc(imagegram_jpeg_meta_t *m, const unsigned char **icc,
    size_t *len)
{
    unsigned        i;
    unsigned char  *p;

    *icc = NULL;
    *len = 0;

    for (i = 1; i <= m->icc_parts; i++) {
        if (m->icc_part[i] == NULL) {
            return 0;
        }
    }

    if (m->icc_len == 0) {
        return 0;
    }

    m->icc = malloc(m->icc_len);
    if (m->icc == NULL) {
        return -1;
    }

    p = m->icc;

    for (i = 1; i <= m->icc_parts; i++) {
        memcpy(p, m->icc_part[i], m->icc_part_len[i]);
        p += m->icc_part_len[i];
    }

    *icc = m->icc;
    *len = (size_t) (p - m->icc);

    return 0;
}


void
imagegram_jpeg_meta_free(imagegram_jpeg_meta_t *m)
{
    unsigned  i;

    for (i = 0; i < 256; i++) {
        free(m->icc_part[i]);
    }

    free(m->icc);
}


/* number, count, data; what contradicts earlier parts is not looked at */

static int
imagegram_jpeg_meta_part(imagegram_jpeg_meta_t *m, const unsigned char *p,
    size_t n)
{
    unsigned        number, count;
    unsigned char  *part;

    number = p[0];
    count = p[1];
    n -= 2;

    if (number == 0 || number > count
        || (m->icc_parts != 0 && m->icc_parts != count)
        || m->icc_part[number] != NULL
        || n > IMAGEGRAM_ICC_MAX - m->icc_len)
    {
        return 0;
    }

    part = malloc(n);
    if (part == NULL) {
        return -1;
    }

    memcpy(part, p + 2, n);

    m->icc_part[number] = part;
    m->icc_part_len[number] = n;
    m->icc_parts = count;
    m->icc_len += n;

    return 0;
}
