
/*
 * images=base64.  The load, the task and the cards are memory of the
 * request's pool, which is blocked while the thread works on them; the
 * encoded images are allocated by the thread and freed by a cleanup of the
 * pool.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_images.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_request.h"
#include "ngx_http_imagegram_task.h"


struct ngx_http_imagegram_images_s {
    ngx_http_request_t            *request;
    ngx_http_imagegram_storage_t  *storage;
    ngx_http_imagegram_card_t     *cards;
    ngx_uint_t                     n;
    ngx_http_imagegram_images_pt   handler;
    void                          *data;
};


static void ngx_http_imagegram_images_work(void *data, ngx_log_t *log);
static void ngx_http_imagegram_images_read(
    ngx_http_imagegram_storage_t *storage, ngx_http_imagegram_card_t *card,
    ngx_log_t *log);
static ngx_int_t ngx_http_imagegram_images_encode(ngx_fd_t fd, size_t size,
    ngx_str_t *base64, ngx_log_t *log);
static void ngx_http_imagegram_images_done(void *data);
static void ngx_http_imagegram_images_resume(ngx_http_request_t *r);
static void ngx_http_imagegram_images_cleanup(void *data);


ngx_int_t
ngx_http_imagegram_images_load(ngx_http_request_t *r,
    ngx_http_imagegram_card_t *cards, ngx_uint_t n,
    ngx_http_imagegram_images_pt handler, void *data)
{
    ngx_uint_t                      i;
    ngx_thread_task_t              *task;
    ngx_pool_cleanup_t             *cln;
    ngx_http_imagegram_ctx_t       *ctx;
    ngx_http_imagegram_images_t    *images;
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    task = ngx_thread_task_alloc(r->pool, 0);
    if (task == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_imagegram_images_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    images = cln->data;
    cln->handler = ngx_http_imagegram_images_cleanup;

    images->request = r;
    images->storage = conf->storage;
    images->cards = cards;
    images->n = n;
    images->handler = handler;
    images->data = data;

    for (i = 0; i < n; i++) {
        cards[i].inlined = 1;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);
    ctx->images = images;

    if (ngx_http_imagegram_task_post(task, ngx_http_imagegram_images_work,
                                     ngx_http_imagegram_images_done, images)
        != NGX_OK)
    {
        return ngx_http_imagegram_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                          "too many files wait to be read");
    }

    ngx_http_imagegram_request_block(r);

    return NGX_DONE;
}


static void
ngx_http_imagegram_images_work(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_images_t *images = data;

    ngx_uint_t  i;

    for (i = 0; i < images->n; i++) {
        ngx_http_imagegram_images_read(images->storage, &images->cards[i],
                                       log);
    }
}


/* An image that is gone (its post was deleted meanwhile) is an empty one. */

static void
ngx_http_imagegram_images_read(ngx_http_imagegram_storage_t *storage,
    ngx_http_imagegram_card_t *card, ngx_log_t *log)
{
    off_t     size;
    ngx_fd_t  fd;

    fd = ngx_http_imagegram_storage_open_jpeg(storage, card->id, &size);

    if (fd == NGX_INVALID_FILE) {
        if (ngx_errno != NGX_ENOENT) {
            ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                          "imagegram: opening the image of post %*s below "
                          "\"%V\" failed", (size_t) IMAGEGRAM_ID_LEN,
                          card->id, &storage->path);
        }

        return;
    }

    if (ngx_http_imagegram_images_encode(fd, size, &card->base64, log)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "imagegram: reading the image of post %*s below "
                      "\"%V\" failed", (size_t) IMAGEGRAM_ID_LEN, card->id,
                      &storage->path);
    }

    ngx_close_file(fd);
}


static ngx_int_t
ngx_http_imagegram_images_encode(ngx_fd_t fd, size_t size, ngx_str_t *base64,
    ngx_log_t *log)
{
    size_t     done;
    ssize_t    n;
    ngx_str_t  file, text;

    file.len = size;
    file.data = ngx_alloc(size, log);
    if (file.data == NULL) {
        return NGX_ERROR;
    }

    for (done = 0; done < size; done += n) {
        n = pread(fd, file.data + done, size - done, done);

        if (n <= 0) {
            ngx_free(file.data);
            return NGX_ERROR;
        }
    }

    text.data = ngx_alloc(ngx_base64_encoded_length(size), log);
    if (text.data == NULL) {
        ngx_free(file.data);
        return NGX_ERROR;
    }

    ngx_encode_base64(&text, &file);
    ngx_free(file.data);

    *base64 = text;

    return NGX_OK;
}


static void
ngx_http_imagegram_images_done(void *data)
{
    ngx_http_imagegram_images_t *images = data;

    ngx_http_imagegram_request_unblock(images->request,
                                       ngx_http_imagegram_images_resume);
}


static void
ngx_http_imagegram_images_resume(ngx_http_request_t *r)
{
    ngx_http_imagegram_ctx_t     *ctx;
    ngx_http_imagegram_images_t  *images;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);
    images = ctx->images;

    images->handler(r, images->data);
}


static void
ngx_http_imagegram_images_cleanup(void *data)
{
    ngx_http_imagegram_images_t *images = data;

    ngx_uint_t  i;

    for (i = 0; i < images->n; i++) {
        if (images->cards[i].base64.data) {
            ngx_free(images->cards[i].base64.data);
        }
    }
}
