
/*
 * The rule for authors, captions and comments: valid UTF-8 (RFC 3629), so many
 * code points, no control character (C0, DEL, C1) but tab and LF.
 *
 * Knows no nginx type; used by workers and by the converter.
 */

#ifndef _IMAGEGRAM_TEXT_H_INCLUDED_
#define _IMAGEGRAM_TEXT_H_INCLUDED_


#include <stddef.h>

#include "imagegram_reason.h"


/*
 * Checks a field and brings its line ends into form, in place: CR LF and CR
 * become LF, so *len (bytes) may shrink.  max is in code points, counted
 * after that.  Gives OK, EMPTY, LONG, UTF8 or CONTROL.
 */
imagegram_reason_e imagegram_text_normalize(unsigned char *s, size_t *len,
    size_t max);

/*
 * The length in bytes (1 to 4) of the well-formed UTF-8 sequence at p, which
 * has n > 0 bytes, and its code point; 0 where there is none (overlong forms,
 * surrogates, above U+10FFFF, cut off).
 */
size_t imagegram_utf8_decode(const unsigned char *p, size_t n,
    unsigned *codepoint);


#endif /* _IMAGEGRAM_TEXT_H_INCLUDED_ */
