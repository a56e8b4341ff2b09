
/*
 * A push parser for multipart/form-data (RFC 7578, on RFC 2046): finds the
 * parts and their names, delivers their content in pieces.  All memory is
 * inside imagegram_multipart_t.
 *
 * Knows no nginx type.
 */

#ifndef _IMAGEGRAM_MULTIPART_H_INCLUDED_
#define _IMAGEGRAM_MULTIPART_H_INCLUDED_


#include <stddef.h>

#include "imagegram_reason.h"


/* limits; a body beyond them is refused as malformed */

#define IMAGEGRAM_MULTIPART_PARTS    256
#define IMAGEGRAM_MULTIPART_HEADERS  32     /* lines a part */
#define IMAGEGRAM_MULTIPART_BUFFER   4096   /* a part's name and one line */


/*
 * What the parser calls.  Anything but OK stops it, and is what
 * imagegram_multipart_feed() then gives.
 *
 * begin: a part starts; name (not NUL-terminated) is from its
 * Content-Disposition.  data: a piece of its content.  end: it is complete.
 */
typedef struct {
    imagegram_reason_e  (*begin)(void *data, const char *name,
                                 size_t name_len);
    imagegram_reason_e  (*data)(void *data, const unsigned char *piece,
                                size_t len);
    imagegram_reason_e  (*end)(void *data);
} imagegram_multipart_handlers_t;


/* its fields are the parser's own */
typedef struct {
    const imagegram_multipart_handlers_t  *handlers;
    void                                  *data;

    const char                            *boundary;
    size_t                                 boundary_len;

    unsigned                               state;
    unsigned                               parts;    /* 0: the preamble */
    unsigned                               headers;

    /* of a delimiter, CR LF "--" boundary, that may have begun */
    size_t                                 matched;  /* so many bytes */
    size_t                                 borrowed; /* of them, not content
                                                      * if it is none */

    unsigned                               named;
    size_t                                 name_len;
    size_t                                 line_len; /* behind the name */
    char                                   buffer[IMAGEGRAM_MULTIPART_BUFFER];
} imagegram_multipart_t;


/*
 * h, data and boundary must outlive the parser; nothing is to be freed.  The
 * boundary must be one of RFC 2046, without CR at least.
 */
void imagegram_multipart_init(imagegram_multipart_t *m, const char *boundary,
    size_t boundary_len, const imagegram_multipart_handlers_t *h, void *data);

/* Parses len more bytes.  Gives OK, what a handler gave, or MULTIPART. */
imagegram_reason_e imagegram_multipart_feed(imagegram_multipart_t *m,
    const unsigned char *p, size_t len);

/* Gives OK if the closing delimiter was seen, or MULTIPART. */
imagegram_reason_e imagegram_multipart_end(imagegram_multipart_t *m);


#endif /* _IMAGEGRAM_MULTIPART_H_INCLUDED_ */
