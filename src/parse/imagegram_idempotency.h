
/*
 * The value of an Idempotency-Key header.
 *
 * Knows no nginx type.
 */

#ifndef _IMAGEGRAM_IDEMPOTENCY_H_INCLUDED_
#define _IMAGEGRAM_IDEMPOTENCY_H_INCLUDED_


#include <stddef.h>


#define IMAGEGRAM_IDEMPOTENCY_MAX  255        /* bytes */


/*
 * Whether len bytes at p are a key: 1 to IMAGEGRAM_IDEMPOTENCY_MAX characters
 * of visible ASCII.  Quotes are characters like others.
 */
int imagegram_idempotency_valid(const unsigned char *p, size_t len);


#endif /* _IMAGEGRAM_IDEMPOTENCY_H_INCLUDED_ */
