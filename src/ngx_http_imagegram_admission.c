
/*
 * Admission of posts.  A client that is refused here has sent nothing yet, if
 * it waits for "100 Continue"; who is let in will be converted.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_admission.h"
#include "ngx_http_imagegram_fields.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_store.h"
#include "parse/imagegram_media.h"


/* what a body may have beside the image: fields, boundaries, part headers */
#define NGX_HTTP_IMAGEGRAM_ADMISSION_ROOM  65536


static ngx_int_t ngx_http_imagegram_admission_kind(ngx_http_request_t *r,
    imagegram_job_t *job);


ngx_int_t
ngx_http_imagegram_admit(ngx_http_request_t *r, imagegram_job_t *job)
{
    ngx_int_t                       rc;
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    rc = ngx_http_imagegram_admission_kind(r, job);
    if (rc != NGX_OK) {
        return rc;
    }

    if (r->headers_in.content_length_n
        > ngx_http_imagegram_admission_size(conf, job->kind))
    {
        return ngx_http_imagegram_problem_reason(r, IMAGEGRAM_IMAGE_SIZE,
                                                 NULL);
    }

    if (!ngx_http_imagegram_redis_available(conf->redis)) {
        return ngx_http_imagegram_store_failed(r);
    }

    if (ngx_http_imagegram_converters_busy(conf->converters)) {
        return ngx_http_imagegram_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                          "no more images can be taken in now");
    }

    return NGX_OK;
}


/* multipart/form-data with its boundary (RFC 7578), or application/json */

static ngx_int_t
ngx_http_imagegram_admission_kind(ngx_http_request_t *r, imagegram_job_t *job)
{
    ngx_table_elt_t           *type;
    ngx_http_imagegram_ctx_t  *ctx;

    if (ngx_http_imagegram_fields_is_json(r)) {
        ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);
        ctx->json = 1;

        job->kind = IMAGEGRAM_BODY_JSON;
        return NGX_OK;
    }

    type = r->headers_in.content_type;

    if (type == NULL
        || !imagegram_media_is(type->value.data, type->value.len,
                               "multipart/form-data"))
    {
        return ngx_http_imagegram_problem(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                         "a post is multipart/form-data or application/json");
    }

    job->kind = IMAGEGRAM_BODY_MULTIPART;
    job->boundary_len = imagegram_media_boundary(type->value.data,
                                                 type->value.len,
                                                 job->boundary,
                                                 IMAGEGRAM_BOUNDARY_MAX);
    if (job->boundary_len == 0) {
        return ngx_http_imagegram_problem(r, NGX_HTTP_BAD_REQUEST,
                           "the multipart boundary is missing or malformed");
    }

    return NGX_OK;
}


off_t
ngx_http_imagegram_admission_size(ngx_http_imagegram_loc_conf_t *conf,
    imagegram_body_e kind)
{
    off_t  size;

    size = conf->max_image_size;

    if (kind == IMAGEGRAM_BODY_JSON) {
        size = (size + 2) / 3 * 4;
        size += size / 32;
    }

    return size + ngx_http_imagegram_fields_size(conf)
           + NGX_HTTP_IMAGEGRAM_ADMISSION_ROOM;
}
