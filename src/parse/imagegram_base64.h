
/*
 * Base64 as of RFC 4648, section 4, decoded in pieces: the standard alphabet,
 * padded, no white space, zero pad bits.
 *
 * Knows no nginx type.
 */

#ifndef _IMAGEGRAM_BASE64_H_INCLUDED_
#define _IMAGEGRAM_BASE64_H_INCLUDED_


#include <stddef.h>


typedef struct {
    unsigned  bits;       /* not yet given out */
    unsigned  count;      /* characters in bits, 0 to 3 */
    unsigned  padding;    /* '=' seen, 0 to 2 */
} imagegram_base64_t;     /* all zero: at the start */


/* the most bytes that decoding len characters gives */
#define imagegram_base64_decoded(len)  (((len) + 3) / 4 * 3)


/*
 * Decodes len characters at src into dst, which has room for
 * imagegram_base64_decoded(len) bytes.  Gives how many it wrote, or -1 if
 * src is not base64.
 */
long imagegram_base64_feed(imagegram_base64_t *b, unsigned char *dst,
    const unsigned char *src, size_t len);

/* Gives 0 if what was fed is complete, or -1. */
int imagegram_base64_end(imagegram_base64_t *b);


#endif /* _IMAGEGRAM_BASE64_H_INCLUDED_ */
