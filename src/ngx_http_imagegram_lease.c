
/*
 * Leases, see the header.
 *
 * One is held from the moment that Redis is asked for it: if the answer is
 * lost it may have been granted, and is given up like any other.
 */

#include "ngx_http_imagegram_lease.h"
#include "ngx_http_imagegram_store.h"


/* ms */
#define NGX_HTTP_IMAGEGRAM_LEASE_TIME     30000
#define NGX_HTTP_IMAGEGRAM_LEASE_RENEWAL  10000

/* bytes: a key, with its prefix */
#define NGX_HTTP_IMAGEGRAM_LEASE_POOL     512


static void ngx_http_imagegram_lease_end(ngx_http_imagegram_lease_t *lease);
static void ngx_http_imagegram_lease_reply(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_imagegram_lease_given_up(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_imagegram_lease_renew(ngx_event_t *ev);
static void ngx_http_imagegram_lease_ignored(void *data, ngx_int_t rc,
    redisReply *reply);


ngx_int_t
ngx_http_imagegram_lease_start(ngx_http_imagegram_lease_t *lease)
{
    lease->renewal.handler = ngx_http_imagegram_lease_renew;
    lease->renewal.data = lease;
    lease->renewal.log = ngx_cycle->log;
    lease->renewal.cancelable = 1;

    if (ngx_http_imagegram_store_reserve(lease->job->conf, lease->job->pool,
                                         lease->idem->record, lease->token,
                                         NGX_HTTP_IMAGEGRAM_LEASE_TIME,
                                         ngx_http_imagegram_lease_reply, lease)
        == NULL)
    {
        return NGX_ERROR;
    }

    lease->held = 1;

    return NGX_OK;
}


void
ngx_http_imagegram_lease_stop(ngx_http_imagegram_lease_t *lease,
    ngx_uint_t completed)
{
    if (!lease->held) {
        return;
    }

    ngx_http_imagegram_lease_end(lease);

    if (!completed) {
        (void) ngx_http_imagegram_store_release(lease->job->conf,
                                                lease->job->pool,
                                                lease->idem->record,
                                                lease->token,
                                              ngx_http_imagegram_lease_ignored,
                                                NULL);
    }
}


ngx_int_t
ngx_http_imagegram_lease_give_up(ngx_http_imagegram_lease_t *lease,
    ngx_http_imagegram_lease_pt handler)
{
    if (!lease->held) {
        return NGX_DECLINED;
    }

    ngx_http_imagegram_lease_end(lease);

    lease->handler = handler;

    if (ngx_http_imagegram_store_release(lease->job->conf, lease->job->pool,
                                         lease->idem->record, lease->token,
                                         ngx_http_imagegram_lease_given_up,
                                         lease)
        == NULL)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* It is held, and to be renewed, no more. */

static void
ngx_http_imagegram_lease_end(ngx_http_imagegram_lease_t *lease)
{
    lease->held = 0;

    if (lease->renewal.timer_set) {
        ngx_del_timer(&lease->renewal);
    }
}


static void
ngx_http_imagegram_lease_given_up(void *data, ngx_int_t rc, redisReply *reply)
{
    ngx_http_imagegram_lease_t *lease = data;

    lease->handler(lease->data, rc == NGX_OK ? NGX_OK : NGX_ERROR);
}


static void
ngx_http_imagegram_lease_reply(void *data, ngx_int_t rc, redisReply *reply)
{
    ngx_http_imagegram_lease_t *lease = data;

    if (rc != NGX_OK || reply->type != REDIS_REPLY_INTEGER) {
        lease->handler(lease->data, NGX_ERROR);
        return;
    }

    if (reply->integer == 0) {
        lease->held = 0;
        lease->handler(lease->data, NGX_BUSY);
        return;
    }

    /* for a key that is completed already this does nothing */

    ngx_add_timer(&lease->renewal, NGX_HTTP_IMAGEGRAM_LEASE_RENEWAL);

    lease->handler(lease->data, NGX_OK);
}


/* One that cannot be renewed ends; the script that completes it will see. */

static void
ngx_http_imagegram_lease_renew(ngx_event_t *ev)
{
    ngx_http_imagegram_lease_t *lease = ev->data;

    ngx_pool_t  *pool;

    /* the job's own would grow for as long as the attempt takes */

    pool = ngx_create_pool(NGX_HTTP_IMAGEGRAM_LEASE_POOL, ngx_cycle->log);

    if (pool) {
        (void) ngx_http_imagegram_store_reserve(lease->job->conf, pool,
                                           lease->idem->record, lease->token,
                                           NGX_HTTP_IMAGEGRAM_LEASE_TIME,
                                           ngx_http_imagegram_lease_ignored,
                                           NULL);
        ngx_destroy_pool(pool);
    }

    ngx_add_timer(ev, NGX_HTTP_IMAGEGRAM_LEASE_RENEWAL);
}


static void
ngx_http_imagegram_lease_ignored(void *data, ngx_int_t rc, redisReply *reply)
{
    /* nobody waits for it, but without a handler it would not be sent once
     * Redis is back */
}
