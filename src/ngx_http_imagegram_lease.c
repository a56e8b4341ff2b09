
/*
 * Leases, see the header.
 */

#include "ngx_http_imagegram_lease.h"
#include "ngx_http_imagegram_store.h"


/* ms */
#define NGX_HTTP_IMAGEGRAM_LEASE_TIME     30000
#define NGX_HTTP_IMAGEGRAM_LEASE_RENEWAL  10000


static void ngx_http_imagegram_lease_reply(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_imagegram_lease_given_up(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_imagegram_lease_renew(ngx_event_t *ev);
static void ngx_http_imagegram_lease_renewed(void *data, ngx_int_t rc,
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

    return NGX_OK;
}


void
ngx_http_imagegram_lease_stop(ngx_http_imagegram_lease_t *lease,
    ngx_uint_t completed)
{
    if (!lease->renewal.timer_set) {
        return;
    }

    ngx_del_timer(&lease->renewal);

    if (!completed) {
        (void) ngx_http_imagegram_store_release(lease->job->conf,
                                                lease->job->pool,
                                                lease->idem->record,
                                                lease->token, NULL, NULL);
    }
}


ngx_int_t
ngx_http_imagegram_lease_give_up(ngx_http_imagegram_lease_t *lease,
    ngx_http_imagegram_lease_pt handler)
{
    if (!lease->renewal.timer_set) {
        return NGX_DECLINED;
    }

    ngx_del_timer(&lease->renewal);

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

    (void) ngx_http_imagegram_store_reserve(lease->job->conf, lease->job->pool,
                                            lease->idem->record, lease->token,
                                            NGX_HTTP_IMAGEGRAM_LEASE_TIME,
                                            ngx_http_imagegram_lease_renewed,
                                            NULL);

    ngx_add_timer(ev, NGX_HTTP_IMAGEGRAM_LEASE_RENEWAL);
}


static void
ngx_http_imagegram_lease_renewed(void *data, ngx_int_t rc, redisReply *reply)
{
    /* nobody waits for it */
}
