
/*
 * What is between the quotes of a JSON string, decoded in pieces: escapes,
 * surrogate pairs, the check for UTF-8.  A part of imagegram_json.
 *
 * Knows no nginx type.
 */

#ifndef _IMAGEGRAM_JSON_STRING_H_INCLUDED_
#define _IMAGEGRAM_JSON_STRING_H_INCLUDED_


#include <stddef.h>

#include "imagegram_reason.h"


/* all zero: behind the opening quote; so it is again behind the closing one */

typedef struct {
    unsigned              state;
    unsigned              utf8_left;    /* octets that a sequence lacks */
    unsigned char         utf8_low;     /* bounds of the next one */
    unsigned char         utf8_high;
    unsigned              hex;          /* of a \u escape */
    unsigned              hex_count;
    unsigned              surrogate;    /* the high one; 0: none */
    unsigned char         decoded[4];   /* an escape */
} imagegram_json_string_t;


/* data points into what is being read, or into the imagegram_json_string_t */

typedef struct {
    const unsigned char  *data;
    size_t                len;          /* may be 0 */
    int                   last;
} imagegram_json_piece_t;


/*
 * Reads the next piece from *pos, which is before end, and moves *pos behind
 * it; the last one ends at the closing quote.  Gives OK, JSON or JSON_UTF8;
 * the piece is what came before the fault.
 */
imagegram_reason_e imagegram_json_string_next(imagegram_json_string_t *s,
    const unsigned char **pos, const unsigned char *end,
    imagegram_json_piece_t *piece);


#endif /* _IMAGEGRAM_JSON_STRING_H_INCLUDED_ */
