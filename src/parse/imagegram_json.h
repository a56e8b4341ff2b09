
/*
 * A push parser for strict RFC 8259: one value, which is an object, nothing
 * behind it, valid UTF-8, paired surrogates, no duplicate member names at any
 * depth.  It delivers the members of the outermost object; what is nested
 * deeper is checked and dropped.
 *
 * String values come in pieces as they are read, so that an image of 100 MB
 * in base64 never stands in memory as one string.  All memory is inside
 * imagegram_json_t; member names are bounded (see IMAGEGRAM_JSON_*).
 *
 * Knows no nginx type; used by workers (comments) and by the converter
 * (posts).
 */

#ifndef _IMAGEGRAM_JSON_H_INCLUDED_
#define _IMAGEGRAM_JSON_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "imagegram_json_string.h"
#include "imagegram_reason.h"


#define IMAGEGRAM_JSON_DEPTH    32     /* nested arrays and objects */

/* of all objects that are open at a time */
#define IMAGEGRAM_JSON_MEMBERS  512
#define IMAGEGRAM_JSON_NAMES    16384  /* bytes */


/*
 * What the parser calls, with the decoded name of an outermost member (not
 * NUL-terminated).  Anything but OK stops the parser, and is what
 * imagegram_json_feed() then gives.
 *
 * string: a piece of a string value, decoded; len may be 0.  Once the value is
 * complete it is called with last set (once a value, maybe with len > 0).
 * other: the member's value is no string; called once, at its start.
 */
typedef struct {
    imagegram_reason_e  (*string)(void *data, const char *name,
                                  size_t name_len, const unsigned char *piece,
                                  size_t len, int last);
    imagegram_reason_e  (*other)(void *data, const char *name,
                                 size_t name_len);
} imagegram_json_handlers_t;


/* the fields of these are the parser's own */

typedef struct {
    uint32_t                          hash;
    uint16_t                          offset;     /* in names */
    uint16_t                          len;
} imagegram_json_member_t;


typedef struct {
    unsigned char                     object;     /* or an array */
    uint16_t                          members;    /* of the levels above */
    uint16_t                          names_len;  /* likewise */
} imagegram_json_level_t;


typedef struct {
    const imagegram_json_handlers_t  *handlers;
    void                             *data;

    unsigned                          state;
    unsigned                          depth;
    imagegram_json_level_t            levels[IMAGEGRAM_JSON_DEPTH];

    const char                       *literal;    /* what is left of it */

    unsigned                          in_name;    /* the string is a name */
    imagegram_json_string_t           string;

    unsigned                          members_len;
    size_t                            names_len;  /* with the open name */
    imagegram_json_member_t           members[IMAGEGRAM_JSON_MEMBERS];
    char                              names[IMAGEGRAM_JSON_NAMES];
} imagegram_json_t;


/* h and data must outlive the parser; there is nothing to free. */
void imagegram_json_init(imagegram_json_t *j,
    const imagegram_json_handlers_t *h, void *data);

/*
 * Parses len more bytes.  Gives OK, what a handler gave, or JSON,
 * JSON_TRAILING, JSON_DUPLICATE, JSON_UTF8, JSON_LIMIT, JSON_OBJECT; after
 * anything but OK the parser must not be fed again.
 */
imagegram_reason_e imagegram_json_feed(imagegram_json_t *j,
    const unsigned char *p, size_t len);

/* Gives OK if what was fed is one complete object, or JSON. */
imagegram_reason_e imagegram_json_end(imagegram_json_t *j);


#endif /* _IMAGEGRAM_JSON_H_INCLUDED_ */
