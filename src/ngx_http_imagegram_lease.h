
/*
 * A lease on an idempotency key, for an attempt that takes its time: renewed
 * as long as the attempt runs, and over by itself soon after its process died.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_LEASE_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_LEASE_H_INCLUDED_


#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_idempotency.h"
#include "ngx_http_imagegram_job.h"


/*
 * Called once, in the event loop, never from within: NGX_OK, the attempt may
 * run; NGX_BUSY, another one is running; NGX_ERROR, Redis did not answer.
 */
typedef void (*ngx_http_imagegram_lease_pt)(void *data, ngx_int_t rc);


/* Lives in the pool of its job. */

typedef struct {
    ngx_http_imagegram_job_t          *job;
    ngx_http_imagegram_idempotency_t  *idem;
    u_char                            *token;    /* an ID, the attempt's */
    ngx_http_imagegram_lease_pt        handler;
    void                              *data;
    ngx_event_t                        renewal;
    unsigned                           held:1;   /* or it may be */
} ngx_http_imagegram_lease_t;


/* Asks for it.  NGX_ERROR: Redis cannot be asked. */
ngx_int_t ngx_http_imagegram_lease_start(ngx_http_imagegram_lease_t *lease);

/* Renews it no more, before its job ends; and gives it up, unless the attempt
 * has completed the key, without waiting for that.  Fine for one that was not
 * started. */
void ngx_http_imagegram_lease_stop(ngx_http_imagegram_lease_t *lease,
    ngx_uint_t completed);

/* Gives it up, calls handler(lease->data, NGX_OK or NGX_ERROR) when that is
 * done.  NGX_DECLINED: nothing is held, or Redis cannot be asked. */
ngx_int_t ngx_http_imagegram_lease_give_up(ngx_http_imagegram_lease_t *lease,
    ngx_http_imagegram_lease_pt handler);


#endif /* _NGX_HTTP_IMAGEGRAM_LEASE_H_INCLUDED_ */
