
/*
 * Numbers as image files store them: unsigned, of two or four bytes, in
 * either order, at any address.
 */

#ifndef _IMAGEGRAM_BYTES_H_INCLUDED_
#define _IMAGEGRAM_BYTES_H_INCLUDED_


#include <stdint.h>


static inline uint32_t
imagegram_get_le16(const unsigned char *p)
{
    return (uint32_t) p[0] | (uint32_t) p[1] << 8;
}


static inline uint32_t
imagegram_get_le32(const unsigned char *p)
{
    return imagegram_get_le16(p) | imagegram_get_le16(p + 2) << 16;
}


static inline uint32_t
imagegram_get_be16(const unsigned char *p)
{
    return (uint32_t) p[0] << 8 | (uint32_t) p[1];
}


static inline uint32_t
imagegram_get_be32(const unsigned char *p)
{
    return imagegram_get_be16(p) << 16 | imagegram_get_be16(p + 2);
}


#endif /* _IMAGEGRAM_BYTES_H_INCLUDED_ */
