
/*
 * Transfers, see the header.
 */

#include "ngx_http_imagegram_id.h"
#include "ngx_http_imagegram_task.h"
#include "ngx_http_imagegram_transfer.h"


static void ngx_http_imagegram_transfer_init(ngx_http_imagegram_transfer_t *t,
    u_char *id);


ngx_http_imagegram_transfer_t *
ngx_http_imagegram_transfer_create(ngx_http_request_t *r, u_char *id)
{
    ngx_http_imagegram_ctx_t       *ctx;
    ngx_http_imagegram_transfer_t  *t;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    t = (ngx_http_imagegram_transfer_t *) ngx_http_imagegram_job_create(r,
                                        sizeof(ngx_http_imagegram_transfer_t));
    if (t == NULL) {
        return NULL;
    }

    t->user.len = ctx->user.len;
    t->user.data = ngx_pstrdup(t->job.pool, &ctx->user);

    if (t->user.data == NULL) {
        ngx_http_imagegram_job_destroy(&t->job);
        return NULL;
    }

    ngx_http_imagegram_transfer_init(t, id);

    return t;
}


ngx_http_imagegram_transfer_t *
ngx_http_imagegram_transfer_adopt(ngx_http_imagegram_loc_conf_t *conf,
    u_char *id)
{
    ngx_http_imagegram_transfer_t  *t;

    t = (ngx_http_imagegram_transfer_t *) ngx_http_imagegram_job_create_alone(
                                  conf, sizeof(ngx_http_imagegram_transfer_t));
    if (t) {
        ngx_http_imagegram_transfer_init(t, id);
    }

    return t;
}


static void
ngx_http_imagegram_transfer_init(ngx_http_imagegram_transfer_t *t, u_char *id)
{
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = t->job.conf;

    ngx_http_imagegram_upload_init(&t->upload, conf->storage,
                                   conf->max_image_pixels);

    if (id) {
        ngx_memcpy(t->upload.id, id, IMAGEGRAM_ID_LEN);

    } else {
        ngx_http_imagegram_id_create(t->upload.id);
    }
}


ngx_int_t
ngx_http_imagegram_transfer_thread(ngx_http_imagegram_transfer_t *t,
    void (*work)(void *data, ngx_log_t *log), void (*done)(void *data))
{
    return ngx_http_imagegram_task_post(t->job.task, work, done, t);
}


ngx_http_request_t *
ngx_http_imagegram_transfer_end(ngx_http_imagegram_transfer_t *t)
{
    ngx_http_request_t  *r;

    r = t->job.request;

    if (t->texts_data) {
        ngx_free(t->texts_data);
    }

    ngx_http_imagegram_upload_close(&t->upload);
    ngx_http_imagegram_job_destroy(&t->job);

    return r;
}
