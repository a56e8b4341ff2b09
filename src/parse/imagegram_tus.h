
/*
 * The values of the headers of tus 1.0.0: Upload-Offset, Upload-Length,
 * Upload-Checksum and Upload-Metadata.
 *
 * Knows no nginx type.
 */

#ifndef _IMAGEGRAM_TUS_H_INCLUDED_
#define _IMAGEGRAM_TUS_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define IMAGEGRAM_TUS_SHA1_LEN  20


/* one pair of Upload-Metadata; both point into the header's value */

typedef struct {
    const unsigned char  *key;          /* visible ASCII, never empty */
    size_t                key_len;
    const unsigned char  *value;        /* visible ASCII, not yet decoded */
    size_t                value_len;    /* 0: empty or not given */
} imagegram_tus_pair_t;


/*
 * Reads Upload-Offset or Upload-Length, len bytes at p: decimal digits and
 * nothing else.  Gives 0 and the number, or -1 if that is none or is more
 * than INT64_MAX.
 */
int imagegram_tus_number(const unsigned char *p, size_t len, int64_t *n);

/*
 * Reads Upload-Checksum, len bytes at p: "sha1", a space, the digest in
 * base64.  Gives 0 and the digest, -1 if it is malformed, -2 if it is of
 * another algorithm; sha1 is not touched then.
 */
int imagegram_tus_checksum(const unsigned char *p, size_t len,
    unsigned char sha1[IMAGEGRAM_TUS_SHA1_LEN]);

/*
 * Reads the next pair of Upload-Metadata, from *pos, which starts at the
 * header's value, to last, the value's end, and moves *pos behind it.  Gives
 * 1 and the pair, 0 at the end (also of an empty value), -1 where the value
 * is malformed; *pos is of no use then.  Keys that occur twice and values
 * that are not base64 are not looked for here.
 */
int imagegram_tus_metadata_next(const unsigned char **pos,
    const unsigned char *last, imagegram_tus_pair_t *pair);

/*
 * Finds the pair of a key (case matters) in Upload-Metadata, len bytes at p,
 * all of which is read.  Gives 1 and the pair, 0 if there is none, -1 if the
 * value is malformed anywhere or has that key twice; the pair is of no use
 * then.
 */
int imagegram_tus_metadata_find(const unsigned char *p, size_t len,
    const char *key, imagegram_tus_pair_t *pair);

/*
 * Decodes the value of a pair into buf, which has room for size bytes, as
 * few as the decoded value has.  Gives its length; -1 if it is not base64
 * (RFC 4648, section 4, padded); -2 if it is longer than size.  What buf has
 * after an error means nothing.
 */
long imagegram_tus_metadata_decode(const imagegram_tus_pair_t *pair,
    unsigned char *buf, size_t size);


#endif /* _IMAGEGRAM_TUS_H_INCLUDED_ */
