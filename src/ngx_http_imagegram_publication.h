
/*
 * A publication: what makes a post of a complete body.
 *
 *   prepare   (thread) files for JPEG and original
 *   convert   original and JPEG, and the fields of a form
 *   place     (thread) original and JPEG to where they stay; tmp/ is cleaned
 *   store     the script; from here on the post is in the feed
 *
 * If the script was not carried out the files are removed again (thread); if
 * nobody knows, they stay: the post may appear yet.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_PUBLICATION_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_PUBLICATION_H_INCLUDED_


#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_idempotency.h"
#include "ngx_http_imagegram_job.h"


typedef struct ngx_http_imagegram_publication_s
    ngx_http_imagegram_publication_t;


/*
 * Takes the fields that the converter found, valid during the call: sets
 * author and body, and gives NGX_OK or the status to refuse the post with.
 */
typedef ngx_int_t (*ngx_http_imagegram_publication_accept_pt)(
    ngx_http_imagegram_publication_t *publication, ngx_str_t *author,
    ngx_str_t *body);

/*
 * Called once, at the end.
 *
 * NGX_OK        the post is in the feed, or was made before with the same
 *               idempotency key; card is its card, valid during the call
 * NGX_DECLINED  there is no post, and nothing of it is left
 * NGX_ERROR     nobody knows whether there is a post, or will be
 *
 * In the last two cases status says how a request for it is to end, and the
 * job's request, if there is one, has the problem set.
 */
typedef void (*ngx_http_imagegram_publication_pt)(
    ngx_http_imagegram_publication_t *publication, ngx_int_t rc,
    ngx_str_t *card);


/* Lives in the pool of its job, with whose thread it works. */

struct ngx_http_imagegram_publication_s {
    ngx_http_imagegram_job_t                  *job;
    u_char                                     id[IMAGEGRAM_ID_LEN];
    ngx_str_t                                  author;
    ngx_str_t                                  body;
    ngx_http_imagegram_conversion_t            conversion;
                                                /* its fds are closed at the
                                                 * end */
    ngx_http_imagegram_idempotency_t           idem;
    ngx_http_imagegram_publication_accept_pt   accept;
    ngx_http_imagegram_publication_pt          handler;

    imagegram_format_e                         format;
    imagegram_reason_e                         reason;   /* what the converter
                                                * gave, OK: nothing wrong */
    ngx_int_t                                  status;

    ngx_err_t                                  err;      /* of a thread */
    ngx_str_t                                  before;   /* card of the post
                                                * that there was */
};


/*
 * Sets up a zeroed publication for a post of the job's location; kind,
 * boundary, the body's fd and the handlers are the caller's to set.
 */
void ngx_http_imagegram_publication_init(
    ngx_http_imagegram_publication_t *publication,
    ngx_http_imagegram_job_t *job);

/* Starts with the body complete. */
void ngx_http_imagegram_publication_start(
    ngx_http_imagegram_publication_t *publication);

/* Ends one that was not started; the handler is called with NGX_DECLINED. */
void ngx_http_imagegram_publication_give_up(
    ngx_http_imagegram_publication_t *publication, ngx_int_t status);


#endif /* _NGX_HTTP_IMAGEGRAM_PUBLICATION_H_INCLUDED_ */
