
/*
 * author and body of a comment, from strict JSON.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_fields.h"
#include "ngx_http_imagegram_problem.h"
#include "parse/imagegram_json.h"
#include "parse/imagegram_media.h"
#include "parse/imagegram_text.h"


/* what is allowed beside the fields: unknown members, white space */
#define NGX_HTTP_IMAGEGRAM_FIELDS_ROOM  4096

/* a character as JSON: an escaped surrogate pair */
#define NGX_HTTP_IMAGEGRAM_FIELDS_CHAR  12


typedef struct {
    u_char                        *data;
    size_t                         len;
    unsigned                       seen;
    unsigned                       reason;      /* imagegram_reason_e */
} ngx_http_imagegram_field_t;


/* a decoded string is never longer than the JSON it is in */

typedef struct {
    ngx_http_imagegram_field_t     fields[IMAGEGRAM_FIELD_MAX];
    imagegram_json_t               parser;
} ngx_http_imagegram_fields_t;


static unsigned ngx_http_imagegram_fields_read(
    ngx_http_imagegram_fields_t *fields, ngx_str_t *json);
static imagegram_reason_e ngx_http_imagegram_fields_string(void *data,
    const char *name, size_t name_len, const unsigned char *piece, size_t len,
    int last);
static imagegram_reason_e ngx_http_imagegram_fields_other(void *data,
    const char *name, size_t name_len);
static ngx_http_imagegram_field_t *ngx_http_imagegram_fields_find(
    ngx_http_imagegram_fields_t *fields, const char *name, size_t len);
static ngx_int_t ngx_http_imagegram_fields_check(ngx_http_request_t *r,
    ngx_http_imagegram_fields_t *fields);


static imagegram_json_handlers_t  ngx_http_imagegram_fields_handlers = {
    ngx_http_imagegram_fields_string,
    ngx_http_imagegram_fields_other
};


ngx_uint_t
ngx_http_imagegram_fields_is_json(ngx_http_request_t *r)
{
    ngx_table_elt_t  *type;

    type = r->headers_in.content_type;

    return type && imagegram_media_is(type->value.data, type->value.len,
                                      "application/json");
}


size_t
ngx_http_imagegram_fields_size(ngx_http_imagegram_loc_conf_t *conf)
{
    return NGX_HTTP_IMAGEGRAM_FIELDS_ROOM
           + (conf->max_author + conf->max_body)
             * NGX_HTTP_IMAGEGRAM_FIELDS_CHAR;
}


ngx_int_t
ngx_http_imagegram_fields_parse(ngx_http_request_t *r, ngx_str_t *json,
    ngx_str_t *author, ngx_str_t *body)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    imagegram_reason_e            reason;
    ngx_http_imagegram_ctx_t     *ctx;
    ngx_http_imagegram_fields_t  *fields;

    fields = ngx_pcalloc(r->pool, sizeof(ngx_http_imagegram_fields_t));
    if (fields == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i <= IMAGEGRAM_FIELD_BODY; i++) {
        fields->fields[i].data = ngx_pnalloc(r->pool, json->len + 1);
        if (fields->fields[i].data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    reason = ngx_http_imagegram_fields_read(fields, json);
    if (reason != IMAGEGRAM_OK) {
        return ngx_http_imagegram_problem_reason(r, reason, NULL);
    }

    rc = ngx_http_imagegram_fields_check(r, fields);
    if (rc != NGX_OK) {
        return rc;
    }

    author->data = fields->fields[IMAGEGRAM_FIELD_AUTHOR].data;
    author->len = fields->fields[IMAGEGRAM_FIELD_AUTHOR].len;
    body->data = fields->fields[IMAGEGRAM_FIELD_BODY].data;
    body->len = fields->fields[IMAGEGRAM_FIELD_BODY].len;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    return ngx_http_imagegram_fields_author(r, &ctx->user, author);
}


static unsigned
ngx_http_imagegram_fields_read(ngx_http_imagegram_fields_t *fields,
    ngx_str_t *json)
{
    imagegram_reason_e  reason;

    imagegram_json_init(&fields->parser, &ngx_http_imagegram_fields_handlers,
                        fields);

    reason = imagegram_json_feed(&fields->parser, json->data, json->len);

    if (reason != IMAGEGRAM_OK) {
        return reason;
    }

    return imagegram_json_end(&fields->parser);
}


static imagegram_reason_e
ngx_http_imagegram_fields_string(void *data, const char *name,
    size_t name_len, const unsigned char *piece, size_t len, int last)
{
    ngx_http_imagegram_field_t  *field;

    field = ngx_http_imagegram_fields_find(data, name, name_len);

    if (field) {
        field->seen = 1;
        ngx_memcpy(field->data + field->len, piece, len);
        field->len += len;
    }

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
ngx_http_imagegram_fields_other(void *data, const char *name, size_t name_len)
{
    ngx_http_imagegram_field_t  *field;

    field = ngx_http_imagegram_fields_find(data, name, name_len);

    if (field) {
        field->seen = 1;
        field->reason = IMAGEGRAM_NOT_STRING;
    }

    return IMAGEGRAM_OK;
}


static ngx_http_imagegram_field_t *
ngx_http_imagegram_fields_find(ngx_http_imagegram_fields_t *fields,
    const char *name, size_t len)
{
    if (len == 6 && ngx_strncmp(name, "author", 6) == 0) {
        return &fields->fields[IMAGEGRAM_FIELD_AUTHOR];
    }

    if (len == 4 && ngx_strncmp(name, "body", 4) == 0) {
        return &fields->fields[IMAGEGRAM_FIELD_BODY];
    }

    return NULL;
}


static ngx_int_t
ngx_http_imagegram_fields_check(ngx_http_request_t *r,
    ngx_http_imagegram_fields_t *fields)
{
    unsigned                        reasons[IMAGEGRAM_FIELD_MAX];
    ngx_uint_t                      i, bad, max[IMAGEGRAM_FIELD_BODY + 1];
    ngx_http_imagegram_field_t     *field;
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    max[IMAGEGRAM_FIELD_AUTHOR] = conf->max_author;
    max[IMAGEGRAM_FIELD_BODY] = conf->max_body;
    reasons[IMAGEGRAM_FIELD_IMAGE] = IMAGEGRAM_OK;
    bad = 0;

    for (i = 0; i <= IMAGEGRAM_FIELD_BODY; i++) {
        field = &fields->fields[i];

        if (!field->seen) {
            field->reason = i == IMAGEGRAM_FIELD_AUTHOR && conf->user
                            ? IMAGEGRAM_OK : IMAGEGRAM_MISSING;

        } else if (field->reason == IMAGEGRAM_OK) {
            field->reason = imagegram_text_normalize(field->data, &field->len,
                                                     max[i]);
        }

        reasons[i] = field->reason;

        if (field->reason != IMAGEGRAM_OK) {
            bad = field->reason;
        }
    }

    if (bad == IMAGEGRAM_OK) {
        return NGX_OK;
    }

    return ngx_http_imagegram_problem_reason(r, bad, reasons);
}


ngx_int_t
ngx_http_imagegram_fields_author(ngx_http_request_t *r, ngx_str_t *user,
    ngx_str_t *author)
{
    if (user->len == 0) {
        return NGX_OK;
    }

    if (author->len
        && (author->len != user->len
            || ngx_memcmp(author->data, user->data, user->len) != 0))
    {
        return ngx_http_imagegram_problem(r, NGX_HTTP_FORBIDDEN,
                                          "author is somebody else");
    }

    *author = *user;

    return NGX_OK;
}
