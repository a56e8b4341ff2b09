
/*
 * Cursors: what is accepted is exactly what the score's cursor is, and belongs
 * to one list; every score comes back.
 *
 * The first eight octets are a score, too.
 */

#include <stdlib.h>
#include <string.h>

#include "imagegram_cursor.h"


static void decode(const unsigned char *p, size_t len);
static void encode(imagegram_cursor_e list, uint64_t score);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    uint64_t  score;

    decode(data, size);

    if (size >= sizeof(score)) {
        memcpy(&score, data, sizeof(score));
        score %= IMAGEGRAM_CURSOR_SCORE + 1;

        encode(IMAGEGRAM_CURSOR_FEED, score);
        encode(IMAGEGRAM_CURSOR_COMMENTS, score);
    }

    return 0;
}


static void
decode(const unsigned char *p, size_t len)
{
    int                 feed, comments;
    uint64_t            score;
    unsigned char       buf[IMAGEGRAM_CURSOR_LEN];
    imagegram_cursor_e  list;

    feed = imagegram_cursor_decode(p, len, IMAGEGRAM_CURSOR_FEED, &score);
    comments = imagegram_cursor_decode(p, len, IMAGEGRAM_CURSOR_COMMENTS,
                                       &score);

    if (feed == 0 && comments == 0) {
        abort();
    }

    if (feed == 0 || comments == 0) {
        list = (feed == 0) ? IMAGEGRAM_CURSOR_FEED : IMAGEGRAM_CURSOR_COMMENTS;

        if (score > IMAGEGRAM_CURSOR_SCORE
            || imagegram_cursor_encode(buf, list, score) != len
            || memcmp(buf, p, len) != 0)
        {
            abort();
        }
    }
}


static void
encode(imagegram_cursor_e list, uint64_t score)
{
    size_t          len;
    uint64_t        again;
    unsigned char  *cursor, buf[IMAGEGRAM_CURSOR_LEN];

    len = imagegram_cursor_encode(buf, list, score);

    /* on the heap, so that reading beyond it is seen */

    cursor = malloc(len);
    memcpy(cursor, buf, len);

    if (imagegram_cursor_decode(cursor, len, list, &again) != 0
        || again != score)
    {
        abort();
    }

    free(cursor);
}
