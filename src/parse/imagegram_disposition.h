
/*
 * The Content-Disposition of a part of multipart/form-data (RFC 7578, section
 * 4.2).  A part of imagegram_multipart.
 *
 * Knows no nginx type.
 */

#ifndef _IMAGEGRAM_DISPOSITION_H_INCLUDED_
#define _IMAGEGRAM_DISPOSITION_H_INCLUDED_


#include <stddef.h>


/*
 * Reads the header's value, len bytes at value, and decodes its parameter
 * "name" in place, which *name and *name_len then tell.  Gives 0, or -1 where
 * the value is malformed, is not form-data, or has not exactly one name.
 */
int imagegram_disposition_parse(char *value, size_t len, char **name,
    size_t *name_len);


#endif /* _IMAGEGRAM_DISPOSITION_H_INCLUDED_ */
