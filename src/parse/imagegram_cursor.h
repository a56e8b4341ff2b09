
/*
 * Cursors: what a client gets as nextPage and sends back.  A cursor is the
 * score of the last item of a page, so a walk goes on behind it even if that
 * item is gone meanwhile.
 *
 * Knows no nginx type.
 */

#ifndef _IMAGEGRAM_CURSOR_H_INCLUDED_
#define _IMAGEGRAM_CURSOR_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define IMAGEGRAM_CURSOR_LEN    15            /* bytes at most */

#define IMAGEGRAM_CURSOR_SCORE  9007199254740992ull
                                              /* 2^53, what a score, which is
                                               * a double, can count to */


/* what a cursor walks through; one list's cursor is none of the other's */

typedef enum {
    IMAGEGRAM_CURSOR_FEED = 'f',
    IMAGEGRAM_CURSOR_COMMENTS = 'c'
} imagegram_cursor_e;


/*
 * Writes the cursor of a score up to IMAGEGRAM_CURSOR_SCORE to buf, which has
 * room for IMAGEGRAM_CURSOR_LEN bytes; letters and digits only.  Gives its
 * length.
 */
size_t imagegram_cursor_encode(unsigned char *buf, imagegram_cursor_e list,
    uint64_t score);

/* Gives 0 and the score, or -1 if that is no cursor of that list. */
int imagegram_cursor_decode(const unsigned char *p, size_t len,
    imagegram_cursor_e list, uint64_t *score);


#endif /* _IMAGEGRAM_CURSOR_H_INCLUDED_ */
