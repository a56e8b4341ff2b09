
/*
 * The original's file.  Owns nothing; what it keeps is in the caller's
 * imagegram_original_t.
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "imagegram_original.h"


static imagegram_reason_e imagegram_original_head(imagegram_original_t *o);
static imagegram_reason_e imagegram_original_output(imagegram_original_t *o,
    const unsigned char *p, size_t len);


void
imagegram_original_init(imagegram_original_t *o, const imagegram_job_t *job,
    int fd)
{
    memset(o, 0, offsetof(imagegram_original_t, head));

    o->fd = fd;
    o->job = job;
}


imagegram_reason_e
imagegram_original_write(imagegram_original_t *o, const unsigned char *piece,
    size_t len)
{
    size_t              n;
    imagegram_reason_e  rc;

    if (len > o->job->max_image_size - o->size) {
        return IMAGEGRAM_IMAGE_SIZE;
    }

    o->size += len;

    if (len > 0 && o->head_len < IMAGEGRAM_HEADER_MAX) {

        n = IMAGEGRAM_HEADER_MAX - o->head_len;
        n = (len < n) ? len : n;

        memcpy(o->head + o->head_len, piece, n);
        o->head_len += n;

        if (o->head_len == IMAGEGRAM_HEADER_MAX) {
            rc = imagegram_original_head(o);

            if (rc != IMAGEGRAM_OK) {
                return rc;
            }
        }
    }

    while (len) {

        if (o->len == 0 && len >= IMAGEGRAM_ORIGINAL_BUFFER) {
            return imagegram_original_output(o, piece, len);
        }

        n = IMAGEGRAM_ORIGINAL_BUFFER - o->len;
        n = (len < n) ? len : n;

        memcpy(o->buffer + o->len, piece, n);

        o->len += n;
        piece += n;
        len -= n;

        if (o->len == IMAGEGRAM_ORIGINAL_BUFFER) {
            rc = imagegram_original_output(o, o->buffer, o->len);
            o->len = 0;

            if (rc != IMAGEGRAM_OK) {
                return rc;
            }
        }
    }

    return IMAGEGRAM_OK;
}


imagegram_reason_e
imagegram_original_end(imagegram_original_t *o)
{
    imagegram_reason_e  rc;

    if (o->size == 0) {
        return IMAGEGRAM_EMPTY;
    }

    if (o->head_len < IMAGEGRAM_HEADER_MAX) {
        rc = imagegram_original_head(o);

        if (rc != IMAGEGRAM_OK) {
            return rc;
        }
    }

    return imagegram_original_output(o, o->buffer, o->len);
}


/* The rest need not be read where the first bytes rule the image out. */

static imagegram_reason_e
imagegram_original_head(imagegram_original_t *o)
{
    imagegram_header_t  header;
    imagegram_reason_e  rc;

    rc = imagegram_header_check(&header, o->head, o->head_len,
                                o->job->max_image_pixels);

    return (header.format == IMAGEGRAM_FORMAT_NONE) ? IMAGEGRAM_FORMAT : rc;
}


static imagegram_reason_e
imagegram_original_output(imagegram_original_t *o, const unsigned char *p,
    size_t len)
{
    ssize_t  n;

    while (len) {
        n = write(o->fd, p, len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            return imagegram_original_disk_reason(errno);
        }

        p += n;
        len -= n;
    }

    return IMAGEGRAM_OK;
}


imagegram_reason_e
imagegram_original_disk_reason(int err)
{
    return (err == ENOSPC || err == EDQUOT || err == EFBIG)
           ? IMAGEGRAM_DISK_FULL : IMAGEGRAM_INTERNAL;
}
