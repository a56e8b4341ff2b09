
/*
 * The subscription, see the header.  There is one object for each cache, from
 * the worker's start to its end, in the cycle's pool; its connection is open
 * only while this worker is the subscriber.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_id.h"
#include "ngx_http_imagegram_subscription.h"


/* ms between two beats, and between two looks of those that only watch */
#define NGX_HTTP_IMAGEGRAM_SUBSCRIPTION_BEAT   25
#define NGX_HTTP_IMAGEGRAM_SUBSCRIPTION_WATCH  100

/* beats that did not come back, after which the connection is made anew */
#define NGX_HTTP_IMAGEGRAM_SUBSCRIPTION_UNHEARD  40

/* ms of silence after Redis refused something, which is logged each time */
#define NGX_HTTP_IMAGEGRAM_SUBSCRIPTION_PAUSE  5000


typedef struct {
    ngx_http_imagegram_cache_t     *cache;
    ngx_http_imagegram_redis_t     *redis;      /* its own connection */
    ngx_http_imagegram_listener_t   listener;
    ngx_event_t                     tick;       /* timer */
    u_char                          id[IMAGEGRAM_ID_LEN];   /* in its beats */
    ngx_uint_t                      losses;     /* when it was asked for */
    ngx_uint_t                      unheard;    /* beats */
    ngx_msec_t                      pause;      /* its end */
    unsigned                        open:1;
    unsigned                        ready:1;    /* the connection is */
    unsigned                        asked:1;    /* and not answered yet */
    unsigned                        posts:1;    /* there were some lately */
} ngx_http_imagegram_subscription_t;


static void ngx_http_imagegram_subscription_tick(ngx_event_t *ev);
static void ngx_http_imagegram_subscription_open(
    ngx_http_imagegram_subscription_t *sub);
static void ngx_http_imagegram_subscription_close(
    ngx_http_imagegram_subscription_t *sub);
static void ngx_http_imagegram_subscription_ready(void *data);
static void ngx_http_imagegram_subscription_lost(void *data);
static void ngx_http_imagegram_subscription_ask(
    ngx_http_imagegram_subscription_t *sub);
static void ngx_http_imagegram_subscription_confirmed(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_imagegram_subscription_beat(
    ngx_http_imagegram_subscription_t *sub);
static void ngx_http_imagegram_subscription_looked(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_imagegram_subscription_beaten(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_imagegram_subscription_refused(
    ngx_http_imagegram_subscription_t *sub);
static void ngx_http_imagegram_subscription_message(void *data,
    ngx_str_t *payload);


static ngx_array_t  ngx_http_imagegram_subscriptions;


ngx_int_t
ngx_http_imagegram_subscription_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                          i;
    ngx_http_imagegram_cache_t        **cache;
    ngx_http_imagegram_main_conf_t     *mcf;
    ngx_http_imagegram_subscription_t  *sub;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_imagegram_module);

    if (ngx_array_init(&ngx_http_imagegram_subscriptions, cycle->pool,
                       mcf->caches.nelts + 1,
                       sizeof(ngx_http_imagegram_subscription_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cache = mcf->caches.elts;

    for (i = 0; i < mcf->caches.nelts; i++) {
        sub = ngx_array_push(&ngx_http_imagegram_subscriptions);
        if (sub == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(sub, sizeof(ngx_http_imagegram_subscription_t));

        sub->cache = cache[i];
        sub->listener.ready = ngx_http_imagegram_subscription_ready;
        sub->listener.message = ngx_http_imagegram_subscription_message;
        sub->listener.lost = ngx_http_imagegram_subscription_lost;
        sub->listener.data = sub;

        sub->redis = ngx_http_imagegram_redis_listen(cycle->pool,
                                              cache[i]->redis, &sub->listener);
        if (sub->redis == NULL) {
            return NGX_ERROR;
        }

        sub->tick.data = sub;
        sub->tick.log = cycle->log;
        sub->tick.handler = ngx_http_imagegram_subscription_tick;
        sub->tick.cancelable = 1;

        ngx_http_imagegram_id_create(sub->id);

        /* a killed worker may have had this one's pid */

        ngx_http_imagegram_cache_disclaim(sub->cache);

        ngx_http_imagegram_subscription_tick(&sub->tick);
    }

    return NGX_OK;
}


void
ngx_http_imagegram_subscription_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                          i;
    ngx_http_imagegram_subscription_t  *sub;

    sub = ngx_http_imagegram_subscriptions.elts;

    for (i = 0; i < ngx_http_imagegram_subscriptions.nelts; i++) {
        ngx_http_imagegram_subscription_close(&sub[i]);
    }
}


static void
ngx_http_imagegram_subscription_tick(ngx_event_t *ev)
{
    ngx_uint_t                          losses;
    ngx_http_imagegram_subscription_t  *sub;

    sub = ev->data;

    if (ngx_exiting) {
        ngx_http_imagegram_subscription_close(sub);
        return;
    }

    if (!ngx_http_imagegram_cache_claim(sub->cache)) {
        ngx_http_imagegram_subscription_close(sub);
        ngx_add_timer(ev, NGX_HTTP_IMAGEGRAM_SUBSCRIPTION_WATCH);
        return;
    }

    if (sub->open && sub->unheard > NGX_HTTP_IMAGEGRAM_SUBSCRIPTION_UNHEARD) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "imagegram: nothing comes from channel \"%V\" of redis "
                      "%V, subscribing anew", &sub->cache->channel,
                      ngx_http_imagegram_redis_address(sub->cache->redis));

        ngx_http_imagegram_redis_close(sub->redis);
        sub->open = 0;
    }

    if (!sub->open) {
        ngx_http_imagegram_subscription_open(sub);
    }

    if (sub->ready && (ngx_msec_int_t) (ngx_current_msec - sub->pause) >= 0) {

        if (!sub->asked
            && ngx_http_imagegram_cache_distrusted(sub->cache, &losses))
        {
            ngx_http_imagegram_subscription_ask(sub);
        }

        ngx_http_imagegram_subscription_beat(sub);
    }

    ngx_add_timer(ev, NGX_HTTP_IMAGEGRAM_SUBSCRIPTION_BEAT);
}


static void
ngx_http_imagegram_subscription_open(ngx_http_imagegram_subscription_t *sub)
{
    ngx_http_imagegram_cache_distrust(sub->cache);

    sub->open = 1;
    sub->ready = 0;
    sub->asked = 0;
    sub->unheard = 0;
    sub->pause = ngx_current_msec;

    ngx_http_imagegram_redis_open(sub->redis, (ngx_cycle_t *) ngx_cycle);
}


static void
ngx_http_imagegram_subscription_close(ngx_http_imagegram_subscription_t *sub)
{
    if (!sub->open) {
        return;
    }

    ngx_http_imagegram_cache_disclaim(sub->cache);
    ngx_http_imagegram_redis_close(sub->redis);

    sub->open = 0;
}


static void
ngx_http_imagegram_subscription_ready(void *data)
{
    ngx_http_imagegram_subscription_t *sub = data;

    sub->ready = 1;
    sub->unheard = 0;

    ngx_http_imagegram_subscription_ask(sub);
}


static void
ngx_http_imagegram_subscription_lost(void *data)
{
    ngx_http_imagegram_subscription_t *sub = data;

    sub->ready = 0;

    ngx_http_imagegram_cache_distrust(sub->cache);
}


/*
 * Also where it has been subscribed for long: the answer shows that what was
 * published before has come.
 */

static void
ngx_http_imagegram_subscription_ask(ngx_http_imagegram_subscription_t *sub)
{
    ngx_str_t  args[2];

    (void) ngx_http_imagegram_cache_distrusted(sub->cache, &sub->losses);

    ngx_str_set(&args[0], "SUBSCRIBE");
    args[1] = sub->cache->channel;

    sub->asked = ngx_http_imagegram_redis_send(sub->redis, NULL, args, 2,
                                    ngx_http_imagegram_subscription_confirmed,
                                    sub)
                 != NULL;
}


static void
ngx_http_imagegram_subscription_confirmed(void *data, ngx_int_t rc,
    redisReply *reply)
{
    ngx_http_imagegram_subscription_t *sub = data;

    sub->asked = 0;

    if (rc == NGX_OK) {
        ngx_http_imagegram_cache_trust(sub->cache, sub->losses);

    } else if (reply) {
        ngx_http_imagegram_subscription_refused(sub);
    }
}


static void
ngx_http_imagegram_subscription_beat(ngx_http_imagegram_subscription_t *sub)
{
    u_char     payload[sizeof("beat ") + IMAGEGRAM_ID_LEN + 1 + NGX_TIME_T_LEN];
    ngx_str_t  args[3];

    ngx_str_set(&args[0], "EXISTS");
    args[1] = sub->cache->channel;

    (void) ngx_http_imagegram_redis_send(sub->cache->redis, NULL, args, 2,
                                       ngx_http_imagegram_subscription_looked,
                                       sub);

    ngx_str_set(&args[0], "PUBLISH");
    args[2].data = payload;
    args[2].len = ngx_sprintf(payload, "beat %*s %M",
                              (size_t) IMAGEGRAM_ID_LEN, sub->id,
                              ngx_current_msec)
                  - payload;

    (void) ngx_http_imagegram_redis_send(sub->cache->redis, NULL, args, 3,
                                       ngx_http_imagegram_subscription_beaten,
                                       sub);
}


/* FLUSHALL and the like publish nothing: that the feed, whose key is named like
 * the channel, is gone is to be seen. */

static void
ngx_http_imagegram_subscription_looked(void *data, ngx_int_t rc,
    redisReply *reply)
{
    ngx_http_imagegram_subscription_t *sub = data;

    ngx_uint_t  posts;

    if (rc != NGX_OK || reply->type != REDIS_REPLY_INTEGER) {
        return;
    }

    posts = (reply->integer != 0);

    if (sub->posts && !posts) {
        ngx_http_imagegram_cache_advance(sub->cache);
    }

    sub->posts = posts;
}


static void
ngx_http_imagegram_subscription_beaten(void *data, ngx_int_t rc,
    redisReply *reply)
{
    ngx_http_imagegram_subscription_t *sub = data;

    if (rc == NGX_OK) {
        sub->unheard++;

    } else if (reply) {
        ngx_http_imagegram_subscription_refused(sub);
    }
}


static void
ngx_http_imagegram_subscription_refused(ngx_http_imagegram_subscription_t *sub)
{
    sub->pause = ngx_current_msec + NGX_HTTP_IMAGEGRAM_SUBSCRIPTION_PAUSE;
}


/* What is no beat is a change, whoever made it. */

static void
ngx_http_imagegram_subscription_message(void *data, ngx_str_t *payload)
{
    ngx_http_imagegram_subscription_t *sub = data;

    u_char  *id;
    size_t   len;

    len = sizeof("beat ") - 1 + IMAGEGRAM_ID_LEN + 1;

    if (payload->len <= len
        || ngx_strncmp(payload->data, "beat ", sizeof("beat ") - 1) != 0)
    {
        ngx_http_imagegram_cache_advance(sub->cache);
        return;
    }

    id = payload->data + sizeof("beat ") - 1;

    if (ngx_memcmp(id, sub->id, IMAGEGRAM_ID_LEN) != 0) {
        return;
    }

    sub->unheard = 0;

    ngx_http_imagegram_cache_renew(sub->cache,
                           (ngx_msec_t) ngx_atoof(payload->data + len,
                                                  payload->len - len));
}
