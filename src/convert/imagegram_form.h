
/*
 * The body of a POST of a post, multipart or JSON: takes the text fields out,
 * writes the image to the original's file.  Reads in constant memory,
 * whatever the size of the body.
 */

#ifndef _IMAGEGRAM_FORM_H_INCLUDED_
#define _IMAGEGRAM_FORM_H_INCLUDED_


#include <stddef.h>

#include "imagegram_original.h"
#include "imagegram_protocol.h"
#include "../parse/imagegram_base64.h"


/* buffers; base64 is decoded so many characters at a time */

#define IMAGEGRAM_FORM_READ     262144
#define IMAGEGRAM_FORM_BASE64   16384
#define IMAGEGRAM_FORM_DECODED  imagegram_base64_decoded(IMAGEGRAM_FORM_BASE64)


typedef struct {
    size_t                  len;        /* 0 where not given */
    size_t                  size;       /* of data, as far as it is used */
    unsigned char          *data;
} imagegram_form_text_t;


typedef struct {
    const imagegram_job_t  *job;        /* the caller's */

    unsigned                seen[IMAGEGRAM_FIELD_MAX];
    imagegram_reason_e      fields[IMAGEGRAM_FIELD_MAX];
    imagegram_field_e       field;      /* of the part that is being read;
                                         * FIELD_MAX: none, it is dropped */

    imagegram_form_text_t   texts[IMAGEGRAM_FIELD_IMAGE];
    unsigned char           author[4 * IMAGEGRAM_AUTHOR_MAX];
    unsigned char           body[4 * IMAGEGRAM_BODY_MAX];

    imagegram_base64_t      base64;
    imagegram_original_t    original;

    unsigned char           input[IMAGEGRAM_FORM_READ];
    unsigned char           decoded[IMAGEGRAM_FORM_DECODED];
} imagegram_form_t;


/*
 * Reads the whole file behind fd body.  Gives OK; what is wrong with the body
 * as a whole (MULTIPART, JSON, ..., IMAGE_SIZE, FORMAT), DISK_FULL, INTERNAL;
 * or the first of the reasons that form->fields then has.  The image is
 * checked as far as its first bytes tell.
 */
imagegram_reason_e imagegram_form_read(imagegram_form_t *form,
    const imagegram_job_t *job, int body, int original);

#endif /* _IMAGEGRAM_FORM_H_INCLUDED_ */
