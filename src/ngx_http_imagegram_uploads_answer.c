
/*
 * tus 1.0.0: answers.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_header.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_request.h"
#include "ngx_http_imagegram_response.h"
#include "ngx_http_imagegram_tus.h"
#include "ngx_http_imagegram_uploads_answer.h"


static ngx_int_t ngx_http_imagegram_uploads_failed(ngx_http_request_t *r,
    ngx_http_imagegram_transfer_t *t);
static ngx_int_t ngx_http_imagegram_uploads_send(ngx_http_request_t *r,
    ngx_http_imagegram_transfer_t *t);
static ngx_int_t ngx_http_imagegram_uploads_headers(ngx_http_request_t *r,
    ngx_http_imagegram_transfer_t *t);
static ngx_int_t ngx_http_imagegram_uploads_metadata(ngx_http_request_t *r,
    ngx_http_imagegram_transfer_t *t);
static ngx_int_t ngx_http_imagegram_uploads_path(ngx_http_request_t *r,
    const char *header, const char *folder, u_char *id);


void
ngx_http_imagegram_uploads_answer(void *data)
{
    ngx_http_imagegram_transfer_t *t = data;

    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = t->job.request;
    rc = NGX_OK;

    if (r) {
        rc = t->status == NGX_OK ? ngx_http_imagegram_uploads_send(r, t)
                                 : ngx_http_imagegram_uploads_failed(r, t);
    }

    r = ngx_http_imagegram_transfer_end(t);

    if (r) {
        ngx_http_imagegram_request_done(r, rc);
    }
}


static ngx_int_t
ngx_http_imagegram_uploads_failed(ngx_http_request_t *r,
    ngx_http_imagegram_transfer_t *t)
{
    unsigned                      fields[IMAGEGRAM_FIELD_MAX];
    ngx_http_imagegram_upload_t  *u;

    u = &t->upload;

    if (u->record.state == NGX_HTTP_IMAGEGRAM_UPLOAD_REFUSED
        && t->status != NGX_HTTP_GONE)
    {
        ngx_memzero(fields, sizeof(fields));
        fields[IMAGEGRAM_FIELD_IMAGE] = u->record.reason;

        return ngx_http_imagegram_problem_reason(r, u->record.reason, fields);
    }

    switch (t->status) {

    case NGX_HTTP_CONFLICT:
        return ngx_http_imagegram_problem(r, NGX_HTTP_CONFLICT,
                  "Upload-Offset is not that of the upload, or another "
                  "request has taken it over");

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        return ngx_http_imagegram_problem(r, t->status,
                                 "that is more than Upload-Length announced");

    default:
        return t->status;
    }
}


static ngx_int_t
ngx_http_imagegram_uploads_send(ngx_http_request_t *r,
    ngx_http_imagegram_transfer_t *t)
{
    ngx_uint_t  status;

    if (t->method == NGX_HTTP_DELETE) {
        return ngx_http_imagegram_send_empty(r, NGX_HTTP_NO_CONTENT);
    }

    status = NGX_HTTP_NO_CONTENT;

    if (ngx_http_imagegram_uploads_headers(r, t) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (t->method == NGX_HTTP_POST) {
        status = NGX_HTTP_CREATED;

        if (ngx_http_imagegram_uploads_path(r, "Location", "uploads",
                                           t->upload.id)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (t->method == NGX_HTTP_HEAD) {
        status = NGX_HTTP_OK;

        if (ngx_http_imagegram_uploads_metadata(r, t) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_imagegram_send_empty(r, status);
}


static ngx_int_t
ngx_http_imagegram_uploads_headers(ngx_http_request_t *r,
    ngx_http_imagegram_transfer_t *t)
{
    ngx_http_imagegram_upload_t  *u;

    u = &t->upload;

    if (ngx_http_imagegram_tus_add_number(r, "Upload-Offset", u->offset)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (u->record.state == NGX_HTTP_IMAGEGRAM_UPLOAD_POSTED) {
        return ngx_http_imagegram_uploads_path(r, "Content-Location", "posts",
                                              u->id);
    }

    if (ngx_http_imagegram_upload_complete(u)) {
        return NGX_OK;
    }

    return ngx_http_imagegram_tus_add_expires(r, u->touched
                                                 + t->job.conf->upload_expires);
}


static ngx_int_t
ngx_http_imagegram_uploads_metadata(ngx_http_request_t *r,
    ngx_http_imagegram_transfer_t *t)
{
    u_char     *value;
    ngx_str_t  *metadata;

    if (ngx_http_imagegram_add_header(r, "Cache-Control", "no-store")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    metadata = &t->texts[NGX_HTTP_IMAGEGRAM_UPLOAD_METADATA];

    if (metadata->len) {
        value = ngx_pnalloc(r->pool, metadata->len + 1);
        if (value == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_cpystrn(value, metadata->data, metadata->len + 1);

        if (ngx_http_imagegram_add_header(r, "Upload-Metadata",
                                          (char *) value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_imagegram_tus_add_number(r, "Upload-Length",
                                             t->upload.record.length);
}


static ngx_int_t
ngx_http_imagegram_uploads_path(ngx_http_request_t *r, const char *header,
    const char *folder, u_char *id)
{
    u_char  *path;

    path = ngx_http_imagegram_path(r, sizeof("uploads/") + IMAGEGRAM_ID_LEN,
                                   "%s/%*s", folder,
                                   (size_t) IMAGEGRAM_ID_LEN, id);
    if (path == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_imagegram_add_header(r, header, (char *) path);
}
