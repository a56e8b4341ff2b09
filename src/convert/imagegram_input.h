
/*
 * A file read from its start to its end through a buffer of its own, by
 * pread(), so that nobody else's offset moves.
 */

#ifndef _IMAGEGRAM_INPUT_H_INCLUDED_
#define _IMAGEGRAM_INPUT_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define IMAGEGRAM_INPUT_BUFFER  65536


typedef struct {
    int             fd;         /* the caller's, stays open */
    int             failed;     /* a read failed: not the image's fault */
    uint64_t        size;       /* of the file */
    uint64_t        offset;     /* in the file, of what follows the buffer */
    unsigned char  *pos;        /* what is buffered and not consumed yet */
    unsigned char  *last;
    unsigned char   buffer[IMAGEGRAM_INPUT_BUFFER];
} imagegram_input_t;


/* Starts at the beginning of fd's file.  Gives 0 or -1. */
int imagegram_input_open(imagegram_input_t *in, int fd);

/* Refills an empty buffer.  Gives 0, or -1 at the end of the file. */
int imagegram_input_fill(imagegram_input_t *in);

/* Reads exactly n bytes.  Gives 0, or -1 if the file ends before. */
int imagegram_input_read(imagegram_input_t *in, void *dst, size_t n);

/* Skips exactly n bytes.  Gives 0, or -1 if the file ends before. */
int imagegram_input_skip(imagegram_input_t *in, uint64_t n);

/* Continues at an offset.  Gives 0, or -1 if the file ends before. */
int imagegram_input_seek(imagegram_input_t *in, uint64_t offset);

/* The offset of the next byte. */
uint64_t imagegram_input_tell(const imagegram_input_t *in);


#endif /* _IMAGEGRAM_INPUT_H_INCLUDED_ */
