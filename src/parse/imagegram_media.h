
/*
 * The value of a Content-Type header: a media type and its parameters
 * (RFC 9110, section 8.3.1).
 *
 * Knows no nginx type.
 */

#ifndef _IMAGEGRAM_MEDIA_H_INCLUDED_
#define _IMAGEGRAM_MEDIA_H_INCLUDED_


#include <stddef.h>


/* Whether the value, len bytes at p, names that type (in lower case), with or
 * without parameters. */
int imagegram_media_is(const unsigned char *p, size_t len, const char *type);

/*
 * Finds the parameter "boundary" of a multipart type (RFC 2046, section 5.1.1)
 * and copies it to boundary, which has room for size bytes.  Gives its length;
 * 0 where there is none, it is malformed or too long.
 */
size_t imagegram_media_boundary(const unsigned char *p, size_t len,
    char *boundary, size_t size);


#endif /* _IMAGEGRAM_MEDIA_H_INCLUDED_ */
