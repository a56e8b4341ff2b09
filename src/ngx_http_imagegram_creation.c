
/*
 * POST posts.
 *
 * A creation is a job.  Until the body is complete it ends with the request;
 * from then on it is published whether the client waits or not.  With an
 * idempotency key it holds a lease on that, from before the body is read.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_admission.h"
#include "ngx_http_imagegram_card.h"
#include "ngx_http_imagegram_creation.h"
#include "ngx_http_imagegram_fields.h"
#include "ngx_http_imagegram_header.h"
#include "ngx_http_imagegram_id.h"
#include "ngx_http_imagegram_idempotency.h"
#include "ngx_http_imagegram_intake.h"
#include "ngx_http_imagegram_job.h"
#include "ngx_http_imagegram_lease.h"
#include "ngx_http_imagegram_publication.h"
#include "ngx_http_imagegram_request.h"
#include "ngx_http_imagegram_response.h"
#include "ngx_http_imagegram_store.h"


typedef struct {
    ngx_http_imagegram_job_t           job;
    ngx_http_imagegram_publication_t   publication;
    ngx_http_imagegram_lease_t         lease;
    ngx_str_t                          user;
} ngx_http_imagegram_creation_t;


static ngx_http_imagegram_creation_t *ngx_http_imagegram_creation_create(
    ngx_http_request_t *r, imagegram_job_t *job);
static void ngx_http_imagegram_creation_reserved(void *data, ngx_int_t rc);
static ngx_int_t ngx_http_imagegram_creation_receive(
    ngx_http_imagegram_creation_t *creation);
static void ngx_http_imagegram_creation_left(ngx_http_imagegram_job_t *job);
static void ngx_http_imagegram_creation_received(void *data, ngx_int_t rc);
static ngx_int_t ngx_http_imagegram_creation_accept(
    ngx_http_imagegram_publication_t *publication, ngx_str_t *author,
    ngx_str_t *body);
static void ngx_http_imagegram_creation_published(
    ngx_http_imagegram_publication_t *publication, ngx_int_t rc,
    ngx_str_t *card);
static void ngx_http_imagegram_creation_failed(void *data, ngx_int_t rc);
static ngx_int_t ngx_http_imagegram_creation_answer(
    ngx_http_imagegram_creation_t *creation, ngx_str_t *text);
static ngx_http_request_t *ngx_http_imagegram_creation_end(
    ngx_http_imagegram_creation_t *creation, ngx_uint_t completed);


ngx_int_t
ngx_http_imagegram_create_post(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    imagegram_job_t                 job;
    ngx_http_imagegram_creation_t  *creation;

    ngx_memzero(&job, sizeof(imagegram_job_t));

    rc = ngx_http_imagegram_admit(r, &job);
    if (rc != NGX_OK) {
        return rc;
    }

    creation = ngx_http_imagegram_creation_create(r, &job);
    if (creation == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_imagegram_idempotency_init(r, &creation->publication.idem);

    if (rc != NGX_OK) {
        (void) ngx_http_imagegram_creation_end(creation, 0);
        return rc;
    }

    if (!creation->publication.idem.given) {
        return ngx_http_imagegram_creation_receive(creation);
    }

    if (ngx_http_imagegram_lease_start(&creation->lease) != NGX_OK) {
        (void) ngx_http_imagegram_creation_end(creation, 0);
        return ngx_http_imagegram_store_failed(r);
    }

    ngx_http_imagegram_request_hold(r, 0);

    return NGX_DONE;
}


static void
ngx_http_imagegram_creation_reserved(void *data, ngx_int_t rc)
{
    ngx_http_imagegram_creation_t *creation = data;

    ngx_http_request_t  *r;

    r = creation->job.request;

    if (rc == NGX_OK && r) {

        /* the intake has a hold of its own; ours ends with NGX_DONE */

        rc = ngx_http_imagegram_creation_receive(creation);
        ngx_http_imagegram_request_done(r, rc);
        return;
    }

    rc = rc == NGX_BUSY ? ngx_http_imagegram_idempotency_running(r)
                        : ngx_http_imagegram_store_failed(r);

    r = ngx_http_imagegram_creation_end(creation, 0);

    if (r) {
        ngx_http_imagegram_request_done(r, rc);
    }
}


/* Gives what a content handler would. */

static ngx_int_t
ngx_http_imagegram_creation_receive(ngx_http_imagegram_creation_t *creation)
{
    ngx_fd_t                          *fd;
    ngx_int_t                          rc;
    ngx_http_request_t                *r;
    ngx_http_imagegram_publication_t  *publication;

    r = creation->job.request;
    publication = &creation->publication;

    fd = &publication->conversion.fds[IMAGEGRAM_FD_BODY];

    /* like nginx's own temporary files, opened in the event loop */

    *fd = ngx_http_imagegram_storage_create(creation->job.conf->storage,
                                            publication->id,
                                            NGX_HTTP_IMAGEGRAM_TEMP_BODY);

    if (*fd == NGX_INVALID_FILE) {
        rc = ngx_http_imagegram_storage_status(ngx_errno);

        ngx_log_error(NGX_LOG_CRIT, r->connection->log, ngx_errno,
                      "imagegram: creating a file in \"%V/tmp\" failed",
                      &creation->job.conf->storage->path);

        (void) ngx_http_imagegram_creation_end(creation, 0);
        return rc;
    }

    creation->job.left = ngx_http_imagegram_creation_left;

    return ngx_http_imagegram_intake_file(r, *fd, 0,
                   ngx_http_imagegram_admission_size(creation->job.conf,
                                             publication->conversion.job.kind),
                   NULL, ngx_http_imagegram_creation_received, creation);
}


static ngx_http_imagegram_creation_t *
ngx_http_imagegram_creation_create(ngx_http_request_t *r, imagegram_job_t *job)
{
    ngx_http_imagegram_ctx_t          *ctx;
    ngx_http_imagegram_creation_t     *creation;
    ngx_http_imagegram_publication_t  *publication;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    creation = (ngx_http_imagegram_creation_t *)
                   ngx_http_imagegram_job_create(r,
                                        sizeof(ngx_http_imagegram_creation_t));
    if (creation == NULL) {
        return NULL;
    }

    creation->user.len = ctx->user.len;
    creation->user.data = ngx_pstrdup(creation->job.pool, &ctx->user);

    if (creation->user.data == NULL) {
        ngx_http_imagegram_job_destroy(&creation->job);
        return NULL;
    }

    publication = &creation->publication;

    publication->conversion.job = *job;
    publication->accept = ngx_http_imagegram_creation_accept;
    publication->handler = ngx_http_imagegram_creation_published;

    ngx_http_imagegram_publication_init(publication, &creation->job);
    ngx_http_imagegram_id_create(publication->id);

    creation->lease.job = &creation->job;
    creation->lease.idem = &publication->idem;
    creation->lease.token = publication->id;
    creation->lease.handler = ngx_http_imagegram_creation_reserved;
    creation->lease.data = creation;

    return creation;
}


/* The client left while the body was being received. */

static void
ngx_http_imagegram_creation_left(ngx_http_imagegram_job_t *job)
{
    ngx_http_imagegram_creation_t  *creation;

    creation = (ngx_http_imagegram_creation_t *) job;

    ngx_http_imagegram_publication_give_up(&creation->publication, 0);
}


static void
ngx_http_imagegram_creation_received(void *data, ngx_int_t rc)
{
    ngx_http_imagegram_creation_t *creation = data;

    creation->job.left = NULL;

    if (rc != NGX_OK) {
        ngx_http_imagegram_publication_give_up(&creation->publication, rc);
        return;
    }

    ngx_http_imagegram_publication_start(&creation->publication);
}


static ngx_int_t
ngx_http_imagegram_creation_accept(
    ngx_http_imagegram_publication_t *publication, ngx_str_t *author,
    ngx_str_t *body)
{
    ngx_int_t                       rc;
    ngx_pool_t                     *pool;
    ngx_http_imagegram_creation_t  *creation;

    creation = (ngx_http_imagegram_creation_t *) publication->job;
    pool = creation->job.pool;

    rc = ngx_http_imagegram_fields_author(creation->job.request,
                                          &creation->user, author);
    if (rc != NGX_OK) {
        return rc;
    }

    publication->author.len = author->len;
    publication->author.data = ngx_pstrdup(pool, author);

    publication->body.len = body->len;
    publication->body.data = ngx_pstrdup(pool, body);

    if (publication->author.data == NULL || publication->body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_imagegram_creation_published(
    ngx_http_imagegram_publication_t *publication, ngx_int_t rc,
    ngx_str_t *card)
{
    ngx_int_t                       status;
    ngx_http_request_t             *r;
    ngx_http_imagegram_creation_t  *creation;

    creation = (ngx_http_imagegram_creation_t *) publication->job;

    /* who is refused may use the key again at once, in any worker */

    if (rc == NGX_DECLINED
        && ngx_http_imagegram_lease_give_up(&creation->lease,
                                            ngx_http_imagegram_creation_failed)
           == NGX_OK)
    {
        return;
    }

    status = publication->status;

    if (rc == NGX_OK && creation->job.request) {
        status = ngx_http_imagegram_creation_answer(creation, card);
    }

    r = ngx_http_imagegram_creation_end(creation, rc == NGX_OK);

    if (r) {
        ngx_http_imagegram_request_done(r, status);
    }
}


static void
ngx_http_imagegram_creation_failed(void *data, ngx_int_t rc)
{
    ngx_http_imagegram_creation_t *creation = data;

    ngx_int_t            status;
    ngx_http_request_t  *r;

    status = creation->publication.status;

    r = ngx_http_imagegram_creation_end(creation, 0);

    if (r) {
        ngx_http_imagegram_request_done(r, status);
    }
}


static ngx_int_t
ngx_http_imagegram_creation_answer(ngx_http_imagegram_creation_t *creation,
    ngx_str_t *text)
{
    u_char                     *location;
    ngx_str_t                   json, *base;
    ngx_http_request_t         *r;
    ngx_http_imagegram_card_t   card;

    r = creation->job.request;
    base = &creation->job.conf->image_base_json;

    if (ngx_http_imagegram_card_parse(&card, text->data, text->len) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    json.data = ngx_pnalloc(r->pool, ngx_http_imagegram_card_size(&card, base));
    if (json.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    json.len = ngx_http_imagegram_card_write(&card, base, json.data)
               - json.data;

    location = ngx_http_imagegram_path(r, sizeof("posts/") + IMAGEGRAM_ID_LEN,
                                       "posts/%*s", (size_t) IMAGEGRAM_ID_LEN,
                                       card.id);
    if (location == NULL
        || ngx_http_imagegram_add_header(r, "Location", (char *) location)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_imagegram_send_json(r, NGX_HTTP_CREATED, &json);
}


/* Gives the request, or NULL. */

static ngx_http_request_t *
ngx_http_imagegram_creation_end(ngx_http_imagegram_creation_t *creation,
    ngx_uint_t completed)
{
    ngx_http_request_t  *r;

    r = creation->job.request;

    ngx_http_imagegram_lease_stop(&creation->lease, completed);
    ngx_http_imagegram_job_destroy(&creation->job);

    return r;
}
