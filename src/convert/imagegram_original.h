
/*
 * The original of an image: its file, written in pieces through a buffer, and
 * checked as far as its size and its first bytes tell.
 */

#ifndef _IMAGEGRAM_ORIGINAL_H_INCLUDED_
#define _IMAGEGRAM_ORIGINAL_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "imagegram_protocol.h"
#include "../parse/imagegram_header.h"


#define IMAGEGRAM_ORIGINAL_BUFFER  131072


typedef struct {
    int                     fd;         /* the caller's */
    const imagegram_job_t  *job;        /* likewise */
    uint64_t                size;
    size_t                  head_len;
    size_t                  len;        /* in buffer */
    unsigned char           head[IMAGEGRAM_HEADER_MAX];
    unsigned char           buffer[IMAGEGRAM_ORIGINAL_BUFFER];
} imagegram_original_t;


void imagegram_original_init(imagegram_original_t *o,
    const imagegram_job_t *job, int fd);

/*
 * Writes a piece.  Gives OK, IMAGE_SIZE, FORMAT, DIMENSIONS, DECODE,
 * DISK_FULL or INTERNAL; after anything but OK nothing more may be written.
 */
imagegram_reason_e imagegram_original_write(imagegram_original_t *o,
    const unsigned char *piece, size_t len);

/* Writes what is in the buffer.  Gives the same, or EMPTY. */
imagegram_reason_e imagegram_original_end(imagegram_original_t *o);

/* The reason for a failed write or sync. */
imagegram_reason_e imagegram_original_disk_reason(int err);


#endif /* _IMAGEGRAM_ORIGINAL_H_INCLUDED_ */
