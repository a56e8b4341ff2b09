
/*
 * tus's headers.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_fields.h"
#include "ngx_http_imagegram_header.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_tus.h"
#include "parse/imagegram_media.h"
#include "parse/imagegram_text.h"


static ngx_int_t ngx_http_imagegram_tus_number(ngx_http_request_t *r,
    const char *name, off_t *n, const char *detail);
static ngx_int_t ngx_http_imagegram_tus_field(ngx_http_request_t *r,
    ngx_str_t *metadata, const char *name, ngx_uint_t max, ngx_str_t *value,
    unsigned *reason);


static char  ngx_http_imagegram_tus[] = "1.0.0";


ngx_uint_t
ngx_http_imagegram_tus_method(ngx_http_request_t *r)
{
    ngx_uint_t   i;
    ngx_str_t   *name;

    static struct {
        ngx_str_t   name;
        ngx_uint_t  method;
    } methods[] = {
        { ngx_string("PATCH"), NGX_HTTP_PATCH },
        { ngx_string("DELETE"), NGX_HTTP_DELETE },
        { ngx_string("HEAD"), NGX_HTTP_HEAD },
        { ngx_string("OPTIONS"), NGX_HTTP_OPTIONS }
    };

    if (r->method != NGX_HTTP_POST) {
        return r->method;
    }

    name = ngx_http_imagegram_get_header(r, "X-HTTP-Method-Override");

    if (name == NULL) {
        return NGX_HTTP_POST;
    }

    for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (name->len == methods[i].name.len
            && ngx_strncmp(name->data, methods[i].name.data, name->len) == 0)
        {
            return methods[i].method;
        }
    }

    return NGX_HTTP_POST;
}


ngx_int_t
ngx_http_imagegram_tus_version(ngx_http_request_t *r)
{
    ngx_str_t  *version;

    version = ngx_http_imagegram_get_header(r, "Tus-Resumable");

    if (version && version->len == sizeof(ngx_http_imagegram_tus) - 1
        && ngx_strncmp(version->data, ngx_http_imagegram_tus, version->len)
           == 0)
    {
        return NGX_OK;
    }

    if (ngx_http_imagegram_add_header(r, "Tus-Version", ngx_http_imagegram_tus)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_imagegram_problem(r, NGX_HTTP_PRECONDITION_FAILED,
                                      "Tus-Resumable is not 1.0.0");
}


ngx_int_t
ngx_http_imagegram_tus_length(ngx_http_request_t *r, off_t *length)
{
    unsigned                        fields[IMAGEGRAM_FIELD_MAX];
    ngx_int_t                       rc;
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    rc = ngx_http_imagegram_tus_number(r, "Upload-Length", length,
                                       "Upload-Length is not a number");
    if (rc != NGX_OK) {
        return rc;
    }

    if (*length > conf->max_image_size) {
        return ngx_http_imagegram_problem_reason(r, IMAGEGRAM_IMAGE_SIZE,
                                                 NULL);
    }

    if (*length == 0) {
        ngx_memzero(fields, sizeof(fields));
        fields[IMAGEGRAM_FIELD_IMAGE] = IMAGEGRAM_EMPTY;

        return ngx_http_imagegram_problem_reason(r, IMAGEGRAM_EMPTY, fields);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_tus_metadata(ngx_http_request_t *r, ngx_str_t *metadata,
    ngx_str_t *author, ngx_str_t *body)
{
    unsigned                        fields[IMAGEGRAM_FIELD_MAX];
    ngx_int_t                       rc;
    ngx_str_t                      *value;
    ngx_http_imagegram_ctx_t       *ctx;
    ngx_http_imagegram_loc_conf_t  *conf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    value = ngx_http_imagegram_get_header(r, "Upload-Metadata");

    ngx_str_null(metadata);

    if (value) {
        *metadata = *value;
    }

    ngx_memzero(fields, sizeof(fields));

    rc = ngx_http_imagegram_tus_field(r, metadata, "author", conf->max_author,
                                      author, &fields[IMAGEGRAM_FIELD_AUTHOR]);
    if (rc == NGX_OK) {
        rc = ngx_http_imagegram_tus_field(r, metadata, "body", conf->max_body,
                                          body, &fields[IMAGEGRAM_FIELD_BODY]);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (fields[IMAGEGRAM_FIELD_AUTHOR] == IMAGEGRAM_MISSING && conf->user) {
        fields[IMAGEGRAM_FIELD_AUTHOR] = IMAGEGRAM_OK;
    }

    if (fields[IMAGEGRAM_FIELD_AUTHOR] != IMAGEGRAM_OK) {
        return ngx_http_imagegram_problem_reason(r,
                                              fields[IMAGEGRAM_FIELD_AUTHOR],
                                              fields);
    }

    if (fields[IMAGEGRAM_FIELD_BODY] != IMAGEGRAM_OK) {
        return ngx_http_imagegram_problem_reason(r,
                                                fields[IMAGEGRAM_FIELD_BODY],
                                                fields);
    }

    return ngx_http_imagegram_fields_author(r, &ctx->user, author);
}


ngx_int_t
ngx_http_imagegram_tus_offset(ngx_http_request_t *r, off_t *offset)
{
    return ngx_http_imagegram_tus_number(r, "Upload-Offset", offset,
                                         "Upload-Offset is not a number");
}


ngx_int_t
ngx_http_imagegram_tus_checksum(ngx_http_request_t *r,
    u_char sha1[IMAGEGRAM_TUS_SHA1_LEN], ngx_uint_t *given)
{
    ngx_str_t  *value;

    value = ngx_http_imagegram_get_header(r, "Upload-Checksum");

    *given = (value != NULL);

    if (value == NULL) {
        return NGX_OK;
    }

    switch (imagegram_tus_checksum(value->data, value->len, sha1)) {

    case 0:
        return NGX_OK;

    case -2:
        return ngx_http_imagegram_problem(r, NGX_HTTP_BAD_REQUEST,
                                "the algorithm of Upload-Checksum is not sha1");

    default:
        return ngx_http_imagegram_problem(r, NGX_HTTP_BAD_REQUEST,
                                          "Upload-Checksum is malformed");
    }
}


ngx_int_t
ngx_http_imagegram_tus_body(ngx_http_request_t *r, ngx_uint_t *given)
{
    ngx_table_elt_t  *type;

    type = r->headers_in.content_type;

    /* HTTP/2 streams that tell no length are marked as chunked, too */

    *given = r->headers_in.content_length_n > 0 || r->headers_in.chunked;

    if (*given
        && (type == NULL
            || !imagegram_media_is(type->value.data, type->value.len,
                                   "application/offset+octet-stream")))
    {
        return ngx_http_imagegram_problem(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                "the body of an upload is "
                                "application/offset+octet-stream");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_tus_options(ngx_http_request_t *r)
{
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    if (ngx_http_imagegram_add_header(r, "Tus-Version", ngx_http_imagegram_tus)
        != NGX_OK
        || ngx_http_imagegram_add_header(r, "Tus-Extension",
                                         "creation,creation-with-upload,"
                                         "termination,expiration,checksum")
           != NGX_OK
        || ngx_http_imagegram_add_header(r, "Tus-Checksum-Algorithm", "sha1")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_imagegram_tus_add_number(r, "Tus-Max-Size",
                                             conf->max_image_size);
}


ngx_int_t
ngx_http_imagegram_tus_headers(ngx_http_request_t *r)
{
    ngx_http_imagegram_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    if (ctx == NULL
        || (ctx->route.resource != IMAGEGRAM_ROUTE_UPLOADS
            && ctx->route.resource != IMAGEGRAM_ROUTE_UPLOAD))
    {
        return NGX_OK;
    }

    return ngx_http_imagegram_add_header(r, "Tus-Resumable",
                                         ngx_http_imagegram_tus);
}


ngx_int_t
ngx_http_imagegram_tus_add_number(ngx_http_request_t *r, const char *name,
    off_t n)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_OFF_T_LEN + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(p, "%O%Z", n);

    return ngx_http_imagegram_add_header(r, name, (char *) p);
}


ngx_int_t
ngx_http_imagegram_tus_add_expires(ngx_http_request_t *r, time_t expires)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, sizeof("Mon, 28 Sep 1970 06:00:00 GMT"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    *ngx_http_time(p, expires) = '\0';

    return ngx_http_imagegram_add_header(r, "Upload-Expires", (char *) p);
}


static ngx_int_t
ngx_http_imagegram_tus_number(ngx_http_request_t *r, const char *name,
    off_t *n, const char *detail)
{
    int64_t     number;
    ngx_str_t  *value;

    value = ngx_http_imagegram_get_header(r, name);

    if (value == NULL
        || imagegram_tus_number(value->data, value->len, &number) != 0)
    {
        return ngx_http_imagegram_problem(r, NGX_HTTP_BAD_REQUEST, detail);
    }

    *n = number;

    return NGX_OK;
}


/* Sets reason where the field is at fault; value is empty then. */

static ngx_int_t
ngx_http_imagegram_tus_field(ngx_http_request_t *r, ngx_str_t *metadata,
    const char *name, ngx_uint_t max, ngx_str_t *value, unsigned *reason)
{
    int                    found;
    long                   len;
    size_t                 size;
    imagegram_tus_pair_t   pair;

    ngx_str_null(value);

    found = imagegram_tus_metadata_find(metadata->data, metadata->len, name,
                                        &pair);
    if (found == -1) {
        return ngx_http_imagegram_problem(r, NGX_HTTP_BAD_REQUEST,
                                          "Upload-Metadata is malformed");
    }

    if (found == 0) {
        *reason = IMAGEGRAM_MISSING;
        return NGX_OK;
    }

    value->data = ngx_pnalloc(r->pool, pair.value_len + 1);
    if (value->data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = imagegram_tus_metadata_decode(&pair, value->data,
                                        pair.value_len + 1);
    if (len < 0) {
        *reason = IMAGEGRAM_BASE64;
        return NGX_OK;
    }

    size = len;
    *reason = imagegram_text_normalize(value->data, &size, max);

    if (*reason == IMAGEGRAM_OK) {
        value->len = size;
    }

    return NGX_OK;
}
