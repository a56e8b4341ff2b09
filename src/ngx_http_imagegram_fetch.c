
/*
 * Fetches, see the header.
 *
 * A fetch has a pool of its own, in which its page is rendered, and which the
 * requests that wait for it share: it lives until the last of them has ended.
 * As long as it has a command it is on its way, and in the worker's list.
 * Requests join one that was begun under the generation of now: what they have
 * seen of changes, that page has, too.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_fetch.h"
#include "ngx_http_imagegram_request.h"
#include "ngx_http_imagegram_response.h"
#include "ngx_http_imagegram_store.h"


#define NGX_HTTP_IMAGEGRAM_FETCH_POOL  1024


typedef struct {
    ngx_queue_t                     queue;      /* of those on their way */
    ngx_pool_t                     *pool;
    ngx_http_imagegram_cache_t     *cache;
    ngx_str_t                       key;
    uint64_t                        generation;
    ngx_http_imagegram_fetch_pt     render;
    ngx_http_imagegram_command_t   *command;
    ngx_queue_t                     waiting;    /* requests */
    ngx_uint_t                      users;      /* requests, and whoever makes
                                                 * it or answers them */
    ngx_http_imagegram_answer_t     plain;
    ngx_http_imagegram_answer_t     compressed; /* len 0: not yet */
} ngx_http_imagegram_fetch_t;


/* a cleanup of the request's pool */

typedef struct {
    ngx_queue_t                     queue;
    ngx_http_request_t             *request;
    ngx_http_imagegram_fetch_t     *fetch;
    ngx_uint_t                      gzip;
    ngx_uint_t                      waiting;    /* in the queue */
} ngx_http_imagegram_waiter_t;


static ngx_http_imagegram_fetch_t *ngx_http_imagegram_fetch_find(
    ngx_http_imagegram_cache_t *cache, ngx_str_t *key, uint64_t generation);
static ngx_http_imagegram_fetch_t *ngx_http_imagegram_fetch_create(
    ngx_http_imagegram_loc_conf_t *conf, ngx_http_imagegram_page_t *page,
    ngx_str_t *key, uint64_t generation);
static ngx_int_t ngx_http_imagegram_fetch_join(
    ngx_http_imagegram_fetch_t *fetch, ngx_http_request_t *r, ngx_uint_t gzip);
static void ngx_http_imagegram_fetch_leave(void *data);
static void ngx_http_imagegram_fetch_release(
    ngx_http_imagegram_fetch_t *fetch);
static void ngx_http_imagegram_fetch_reply(void *data, ngx_int_t rc,
    redisReply *reply);
static ngx_int_t ngx_http_imagegram_fetch_send(
    ngx_http_imagegram_fetch_t *fetch, ngx_http_request_t *r, ngx_uint_t gzip);
static ngx_int_t ngx_http_imagegram_fetch_failed(ngx_http_request_t *r,
    ngx_int_t rc);
static ngx_int_t ngx_http_imagegram_fetch_compress(
    ngx_http_imagegram_fetch_t *fetch);


static ngx_queue_t  ngx_http_imagegram_fetches;


void
ngx_http_imagegram_fetch_init_process(void)
{
    ngx_queue_init(&ngx_http_imagegram_fetches);
}


ngx_int_t
ngx_http_imagegram_fetch(ngx_http_request_t *r,
    ngx_http_imagegram_page_t *page, ngx_str_t *key, ngx_uint_t gzip,
    uint64_t generation, ngx_http_imagegram_fetch_pt render)
{
    ngx_int_t                       rc;
    ngx_http_imagegram_fetch_t     *fetch;
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    fetch = ngx_http_imagegram_fetch_find(conf->cache, key, generation);

    if (fetch) {
        return ngx_http_imagegram_fetch_join(fetch, r, gzip);
    }

    fetch = ngx_http_imagegram_fetch_create(conf, page, key, generation);

    if (fetch == NULL) {
        return ngx_http_imagegram_store_failed(r);
    }

    fetch->render = render;

    rc = ngx_http_imagegram_fetch_join(fetch, r, gzip);

    ngx_http_imagegram_fetch_release(fetch);

    return rc;
}


static ngx_http_imagegram_fetch_t *
ngx_http_imagegram_fetch_find(ngx_http_imagegram_cache_t *cache,
    ngx_str_t *key, uint64_t generation)
{
    ngx_queue_t                 *q;
    ngx_http_imagegram_fetch_t  *fetch;

    for (q = ngx_queue_head(&ngx_http_imagegram_fetches);
         q != ngx_queue_sentinel(&ngx_http_imagegram_fetches);
         q = ngx_queue_next(q))
    {
        fetch = ngx_queue_data(q, ngx_http_imagegram_fetch_t, queue);

        if (fetch->cache == cache && fetch->generation == generation
            && fetch->key.len == key->len
            && ngx_memcmp(fetch->key.data, key->data, key->len) == 0)
        {
            return fetch;
        }
    }

    return NULL;
}


static ngx_http_imagegram_fetch_t *
ngx_http_imagegram_fetch_create(ngx_http_imagegram_loc_conf_t *conf,
    ngx_http_imagegram_page_t *page, ngx_str_t *key, uint64_t generation)
{
    ngx_pool_t                  *pool;
    ngx_http_imagegram_fetch_t  *fetch;

    pool = ngx_create_pool(NGX_HTTP_IMAGEGRAM_FETCH_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    fetch = ngx_pcalloc(pool, sizeof(ngx_http_imagegram_fetch_t));

    if (fetch) {
        fetch->pool = pool;
        fetch->cache = conf->cache;
        fetch->generation = generation;
        fetch->key.len = key->len;
        fetch->key.data = ngx_pstrdup(pool, key);
        fetch->command = ngx_http_imagegram_store_page(conf, pool, page->limit,
                                               page->max,
                                               ngx_http_imagegram_fetch_reply,
                                               fetch);
    }

    if (fetch == NULL || fetch->key.data == NULL || fetch->command == NULL) {

        if (fetch && fetch->command) {
            ngx_http_imagegram_redis_forget(fetch->command);
        }

        ngx_destroy_pool(pool);
        return NULL;
    }

    fetch->users = 1;

    ngx_queue_init(&fetch->waiting);
    ngx_queue_insert_head(&ngx_http_imagegram_fetches, &fetch->queue);

    return fetch;
}


static ngx_int_t
ngx_http_imagegram_fetch_join(ngx_http_imagegram_fetch_t *fetch,
    ngx_http_request_t *r, ngx_uint_t gzip)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_imagegram_waiter_t  *waiter;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_imagegram_waiter_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    waiter = cln->data;
    waiter->request = r;
    waiter->fetch = fetch;
    waiter->gzip = gzip;
    waiter->waiting = 1;

    cln->handler = ngx_http_imagegram_fetch_leave;

    ngx_queue_insert_tail(&fetch->waiting, &waiter->queue);
    fetch->users++;

    ngx_http_imagegram_request_hold(r, 1);

    return NGX_DONE;
}


static void
ngx_http_imagegram_fetch_leave(void *data)
{
    ngx_http_imagegram_waiter_t *waiter = data;

    if (waiter->waiting) {
        ngx_queue_remove(&waiter->queue);
    }

    ngx_http_imagegram_fetch_release(waiter->fetch);
}


static void
ngx_http_imagegram_fetch_release(ngx_http_imagegram_fetch_t *fetch)
{
    if (--fetch->users) {
        return;
    }

    if (fetch->command) {
        ngx_http_imagegram_redis_forget(fetch->command);
        ngx_queue_remove(&fetch->queue);
    }

    ngx_destroy_pool(fetch->pool);
}


static void
ngx_http_imagegram_fetch_reply(void *data, ngx_int_t rc, redisReply *reply)
{
    ngx_http_imagegram_fetch_t *fetch = data;

    ngx_queue_t                  *q;
    ngx_http_request_t           *r;
    ngx_http_imagegram_waiter_t  *waiter;

    fetch->command = NULL;
    ngx_queue_remove(&fetch->queue);
    fetch->users++;

    q = ngx_queue_head(&fetch->waiting);
    waiter = ngx_queue_data(q, ngx_http_imagegram_waiter_t, queue);

    rc = (rc == NGX_OK) ? fetch->render(waiter->request, reply, fetch->pool,
                                        &fetch->plain)
                        : NGX_HTTP_SERVICE_UNAVAILABLE;

    if (rc == NGX_OK) {
        ngx_http_imagegram_cache_put(fetch->cache, &fetch->key, &fetch->plain,
                                     fetch->generation);
    }

    /* the end of one may be that of others: of an HTTP/2 connection, say */

    while (!ngx_queue_empty(&fetch->waiting)) {
        q = ngx_queue_head(&fetch->waiting);
        waiter = ngx_queue_data(q, ngx_http_imagegram_waiter_t, queue);

        ngx_queue_remove(q);
        waiter->waiting = 0;

        r = waiter->request;

        ngx_http_imagegram_request_done(r, rc == NGX_OK
                       ? ngx_http_imagegram_fetch_send(fetch, r, waiter->gzip)
                       : ngx_http_imagegram_fetch_failed(r, rc));
    }

    ngx_http_imagegram_fetch_release(fetch);
}


static ngx_int_t
ngx_http_imagegram_fetch_failed(ngx_http_request_t *r, ngx_int_t rc)
{
    return (rc == NGX_HTTP_SERVICE_UNAVAILABLE)
               ? ngx_http_imagegram_store_failed(r) : rc;
}


static ngx_int_t
ngx_http_imagegram_fetch_send(ngx_http_imagegram_fetch_t *fetch,
    ngx_http_request_t *r, ngx_uint_t gzip)
{
    if (!gzip || !ngx_http_imagegram_answer_compressible(&fetch->plain)) {
        return ngx_http_imagegram_send_answer(r, &fetch->plain);
    }

    if (fetch->compressed.body.len == 0
        && ngx_http_imagegram_fetch_compress(fetch) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_imagegram_send_answer(r, &fetch->compressed);
}


static ngx_int_t
ngx_http_imagegram_fetch_compress(ngx_http_imagegram_fetch_t *fetch)
{
    if (ngx_http_imagegram_answer_gzip(fetch->pool, &fetch->plain,
                                       &fetch->compressed)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_imagegram_cache_put(fetch->cache, &fetch->key, &fetch->compressed,
                                 fetch->generation);

    return NGX_OK;
}
