
/*
 * Both kinds of bodies come down to the same: a field begins, has pieces, and
 * ends.  What is wrong with a field is noted and its content dropped, so that
 * the answer can name every field at fault; what is wrong with the body as a
 * whole ends the reading at once.
 *
 * Everything is in the caller's imagegram_form_t.
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "imagegram_form.h"
#include "../parse/imagegram_json.h"
#include "../parse/imagegram_multipart.h"
#include "../parse/imagegram_text.h"


static void imagegram_form_init(imagegram_form_t *form,
    const imagegram_job_t *job, int original);
static imagegram_reason_e imagegram_form_multipart(imagegram_form_t *form,
    int body);
static imagegram_reason_e imagegram_form_json(imagegram_form_t *form,
    int body);
static ssize_t imagegram_form_fill(imagegram_form_t *form, int body);
static imagegram_reason_e imagegram_form_part_begin(void *data,
    const char *name, size_t name_len);
static imagegram_reason_e imagegram_form_part_data(void *data,
    const unsigned char *piece, size_t len);
static imagegram_reason_e imagegram_form_part_end(void *data);
static imagegram_reason_e imagegram_form_member_string(void *data,
    const char *name, size_t name_len, const unsigned char *piece, size_t len,
    int last);
static imagegram_reason_e imagegram_form_member_other(void *data,
    const char *name, size_t name_len);
static imagegram_field_e imagegram_form_field(const char *name,
    size_t name_len, const char *image);
static imagegram_reason_e imagegram_form_base64(imagegram_form_t *form,
    const unsigned char *p, size_t len, int last);
static void imagegram_form_text(imagegram_form_t *form,
    imagegram_field_e field, const unsigned char *piece, size_t len);
static imagegram_reason_e imagegram_form_image(imagegram_form_t *form,
    const unsigned char *piece, size_t len);
static imagegram_reason_e imagegram_form_image_end(imagegram_form_t *form);
static imagegram_reason_e imagegram_form_blame_image(imagegram_form_t *form,
    imagegram_reason_e reason);
static imagegram_reason_e imagegram_form_check(imagegram_form_t *form);


static const imagegram_multipart_handlers_t  imagegram_form_parts = {
    imagegram_form_part_begin,
    imagegram_form_part_data,
    imagegram_form_part_end
};


static const imagegram_json_handlers_t  imagegram_form_members = {
    imagegram_form_member_string,
    imagegram_form_member_other
};


imagegram_reason_e
imagegram_form_read(imagegram_form_t *form, const imagegram_job_t *job,
    int body, int original)
{
    imagegram_reason_e  rc;

    imagegram_form_init(form, job, original);

    rc = (job->kind == IMAGEGRAM_BODY_JSON)
         ? imagegram_form_json(form, body)
         : imagegram_form_multipart(form, body);

    if (rc == IMAGEGRAM_OK) {
        return imagegram_form_check(form);
    }

    /* what was found so far is not the whole truth about the fields */

    memset(form->fields, 0, sizeof(form->fields));

    return rc;
}


static void
imagegram_form_init(imagegram_form_t *form, const imagegram_job_t *job,
    int original)
{
    imagegram_form_text_t  *text;

    memset(form, 0, offsetof(imagegram_form_t, author));
    memset(&form->base64, 0, sizeof(imagegram_base64_t));

    form->job = job;
    form->field = IMAGEGRAM_FIELD_MAX;

    imagegram_original_init(&form->original, job, original);

    /* a character has at most four bytes, or two where it is CR LF */

    text = &form->texts[IMAGEGRAM_FIELD_AUTHOR];
    text->data = form->author;
    text->size = 4 * (size_t) job->max_author;

    text = &form->texts[IMAGEGRAM_FIELD_BODY];
    text->data = form->body;
    text->size = 4 * (size_t) job->max_body;
}


static imagegram_reason_e
imagegram_form_multipart(imagegram_form_t *form, int body)
{
    ssize_t                n;
    imagegram_reason_e     rc;
    imagegram_multipart_t  multipart;

    imagegram_multipart_init(&multipart, form->job->boundary,
                             form->job->boundary_len, &imagegram_form_parts,
                             form);

    while ((n = imagegram_form_fill(form, body)) > 0) {

        rc = imagegram_multipart_feed(&multipart, form->input, n);

        if (rc != IMAGEGRAM_OK) {
            return rc;
        }
    }

    return (n == 0) ? imagegram_multipart_end(&multipart)
                    : IMAGEGRAM_INTERNAL;
}


static imagegram_reason_e
imagegram_form_json(imagegram_form_t *form, int body)
{
    ssize_t             n;
    imagegram_json_t    json;
    imagegram_reason_e  rc;

    imagegram_json_init(&json, &imagegram_form_members, form);

    while ((n = imagegram_form_fill(form, body)) > 0) {

        rc = imagegram_json_feed(&json, form->input, n);

        if (rc != IMAGEGRAM_OK) {
            return rc;
        }
    }

    return (n == 0) ? imagegram_json_end(&json) : IMAGEGRAM_INTERNAL;
}


static ssize_t
imagegram_form_fill(imagegram_form_t *form, int body)
{
    ssize_t  n;

    do {
        n = read(body, form->input, IMAGEGRAM_FORM_READ);
    } while (n == -1 && errno == EINTR);

    return n;
}


static imagegram_reason_e
imagegram_form_part_begin(void *data, const char *name, size_t name_len)
{
    imagegram_form_t   *form = data;
    imagegram_field_e   field;

    field = imagegram_form_field(name, name_len, "image");

    if (field < IMAGEGRAM_FIELD_MAX && form->seen[field]++) {
        form->fields[field] = IMAGEGRAM_TWICE;
        field = IMAGEGRAM_FIELD_MAX;
    }

    form->field = field;

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_form_part_data(void *data, const unsigned char *piece, size_t len)
{
    imagegram_form_t  *form = data;

    if (form->field == IMAGEGRAM_FIELD_IMAGE) {
        return imagegram_form_image(form, piece, len);
    }

    if (form->field < IMAGEGRAM_FIELD_MAX) {
        imagegram_form_text(form, form->field, piece, len);
    }

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_form_part_end(void *data)
{
    imagegram_form_t  *form = data;

    return (form->field == IMAGEGRAM_FIELD_IMAGE)
           ? imagegram_form_image_end(form) : IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_form_member_string(void *data, const char *name, size_t name_len,
    const unsigned char *piece, size_t len, int last)
{
    imagegram_form_t   *form = data;
    imagegram_field_e   field;

    field = imagegram_form_field(name, name_len, "image_contents");

    if (field == IMAGEGRAM_FIELD_MAX) {
        return IMAGEGRAM_OK;
    }

    form->seen[field] = 1;

    if (field == IMAGEGRAM_FIELD_IMAGE) {
        return imagegram_form_base64(form, piece, len, last);
    }

    imagegram_form_text(form, field, piece, len);

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_form_member_other(void *data, const char *name, size_t name_len)
{
    imagegram_form_t   *form = data;
    imagegram_field_e   field;

    field = imagegram_form_field(name, name_len, "image_contents");

    if (field < IMAGEGRAM_FIELD_MAX) {
        form->seen[field] = 1;
        form->fields[field] = IMAGEGRAM_NOT_STRING;
    }

    return IMAGEGRAM_OK;
}


static imagegram_field_e
imagegram_form_field(const char *name, size_t name_len, const char *image)
{
    size_t       i;
    const char  *names[IMAGEGRAM_FIELD_MAX];

    names[IMAGEGRAM_FIELD_AUTHOR] = "author";
    names[IMAGEGRAM_FIELD_BODY] = "body";
    names[IMAGEGRAM_FIELD_IMAGE] = image;

    for (i = 0; i < IMAGEGRAM_FIELD_MAX; i++) {

        if (strlen(names[i]) == name_len
            && memcmp(names[i], name, name_len) == 0)
        {
            break;
        }
    }

    return i;
}


static imagegram_reason_e
imagegram_form_base64(imagegram_form_t *form, const unsigned char *p,
    size_t len, int last)
{
    long                n;
    size_t              size;
    imagegram_reason_e  rc;

    for ( /* void */ ; len; p += size, len -= size) {

        size = (len < IMAGEGRAM_FORM_BASE64) ? len : IMAGEGRAM_FORM_BASE64;

        if (form->fields[IMAGEGRAM_FIELD_IMAGE] != IMAGEGRAM_OK) {
            return IMAGEGRAM_OK;
        }

        n = imagegram_base64_feed(&form->base64, form->decoded, p, size);

        if (n == -1) {
            form->fields[IMAGEGRAM_FIELD_IMAGE] = IMAGEGRAM_BASE64;
            return IMAGEGRAM_OK;
        }

        rc = imagegram_form_image(form, form->decoded, n);

        if (rc != IMAGEGRAM_OK) {
            return rc;
        }
    }

    if (!last || form->fields[IMAGEGRAM_FIELD_IMAGE] != IMAGEGRAM_OK) {
        return IMAGEGRAM_OK;
    }

    if (imagegram_base64_end(&form->base64) == -1) {
        form->fields[IMAGEGRAM_FIELD_IMAGE] = IMAGEGRAM_BASE64;
        return IMAGEGRAM_OK;
    }

    return imagegram_form_image_end(form);
}


static void
imagegram_form_text(imagegram_form_t *form, imagegram_field_e field,
    const unsigned char *piece, size_t len)
{
    imagegram_form_text_t  *text;

    text = &form->texts[field];

    if (len > text->size - text->len) {
        form->fields[field] = IMAGEGRAM_LONG;
        return;
    }

    memcpy(text->data + text->len, piece, len);
    text->len += len;
}


static imagegram_reason_e
imagegram_form_image(imagegram_form_t *form, const unsigned char *piece,
    size_t len)
{
    if (form->fields[IMAGEGRAM_FIELD_IMAGE] != IMAGEGRAM_OK) {
        return IMAGEGRAM_OK;
    }

    return imagegram_form_blame_image(form,
                    imagegram_original_write(&form->original, piece, len));
}


static imagegram_reason_e
imagegram_form_image_end(imagegram_form_t *form)
{
    if (form->fields[IMAGEGRAM_FIELD_IMAGE] != IMAGEGRAM_OK) {
        return IMAGEGRAM_OK;
    }

    return imagegram_form_blame_image(form,
                    imagegram_original_end(&form->original));
}


/* Notes a reason that is about the field; gives the other ones. */

static imagegram_reason_e
imagegram_form_blame_image(imagegram_form_t *form, imagegram_reason_e reason)
{
    switch (reason) {

    case IMAGEGRAM_EMPTY:
    case IMAGEGRAM_DIMENSIONS:
    case IMAGEGRAM_DECODE:
        form->fields[IMAGEGRAM_FIELD_IMAGE] = reason;
        return IMAGEGRAM_OK;

    default:
        return reason;
    }
}


/* Checks what only the whole body tells; gives the first field at fault. */

static imagegram_reason_e
imagegram_form_check(imagegram_form_t *form)
{
    size_t                  i;
    size_t                  max[IMAGEGRAM_FIELD_IMAGE];
    imagegram_reason_e     *reason;
    imagegram_form_text_t  *text;

    max[IMAGEGRAM_FIELD_AUTHOR] = form->job->max_author;
    max[IMAGEGRAM_FIELD_BODY] = form->job->max_body;

    for (i = 0; i < IMAGEGRAM_FIELD_MAX; i++) {
        reason = &form->fields[i];

        if (!form->seen[i]) {
            *reason = (i == IMAGEGRAM_FIELD_AUTHOR
                       && form->job->author_optional) ? IMAGEGRAM_OK
                                                      : IMAGEGRAM_MISSING;

        } else if (*reason == IMAGEGRAM_OK && i < IMAGEGRAM_FIELD_IMAGE) {
            text = &form->texts[i];
            *reason = imagegram_text_normalize(text->data, &text->len,
                                               max[i]);
        }
    }

    for (i = 0; i < IMAGEGRAM_FIELD_MAX; i++) {

        if (form->fields[i] != IMAGEGRAM_OK) {
            return form->fields[i];
        }
    }

    return IMAGEGRAM_OK;
}
