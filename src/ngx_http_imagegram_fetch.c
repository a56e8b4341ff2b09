
/*
 * Fetches, see the header.
 *
 * A fetch has a pool of its own, in which its page is rendered, and which the
 * requests that wait for it share: it lives until the last of them has ended.
 * As long as it has a command it is on its way.
 *
 * The worker's tree has the latest fetch of each page that is on its way, so
 * that requests may join it, which they do where the page is sure to have all
 * changes that they can have seen: because the fetch was begun under the
 * generation of now; or because its command waits for the end of this turn of
 * the event loop, and Redis has not read yet.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_fetch.h"
#include "ngx_http_imagegram_request.h"
#include "ngx_http_imagegram_response.h"
#include "ngx_http_imagegram_store.h"


#define NGX_HTTP_IMAGEGRAM_FETCH_POOL  1024


typedef struct {
    ngx_str_node_t                  node;       /* must be the first; its
                                                 * string is the page's key */
    ngx_uint_t                      latest;     /* it is in the tree */
    ngx_pool_t                     *pool;
    ngx_http_imagegram_loc_conf_t  *conf;
    uint64_t                        generation; /* 0: not to be stored */
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


static ngx_uint_t ngx_http_imagegram_fetch_joinable(
    ngx_http_imagegram_fetch_t *fetch, ngx_http_imagegram_loc_conf_t *conf,
    uint64_t generation);
static ngx_http_imagegram_fetch_t *ngx_http_imagegram_fetch_create(
    ngx_http_imagegram_loc_conf_t *conf, ngx_http_imagegram_page_t *page,
    ngx_str_t *key, uint64_t generation);
static void ngx_http_imagegram_fetch_unlist(
    ngx_http_imagegram_fetch_t *fetch);
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
static void ngx_http_imagegram_fetch_store(ngx_http_imagegram_fetch_t *fetch,
    ngx_http_imagegram_answer_t *answer);


static ngx_rbtree_t       ngx_http_imagegram_fetches;
static ngx_rbtree_node_t  ngx_http_imagegram_fetches_sentinel;


void
ngx_http_imagegram_fetch_init_process(void)
{
    ngx_rbtree_init(&ngx_http_imagegram_fetches,
                    &ngx_http_imagegram_fetches_sentinel,
                    ngx_str_rbtree_insert_value);
}


ngx_int_t
ngx_http_imagegram_fetch(ngx_http_request_t *r,
    ngx_http_imagegram_page_t *page, ngx_str_t *key, ngx_uint_t gzip,
    uint64_t generation, ngx_http_imagegram_fetch_pt render)
{
    uint32_t                        hash;
    ngx_int_t                       rc;
    ngx_http_imagegram_fetch_t     *fetch;
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);
    hash = ngx_crc32_short(key->data, key->len);

    fetch = (ngx_http_imagegram_fetch_t *)
                ngx_str_rbtree_lookup(&ngx_http_imagegram_fetches, key, hash);

    if (fetch) {

        if (ngx_http_imagegram_fetch_joinable(fetch, conf, generation)) {
            return ngx_http_imagegram_fetch_join(fetch, r, gzip);
        }

        ngx_http_imagegram_fetch_unlist(fetch);
    }

    fetch = ngx_http_imagegram_fetch_create(conf, page, key, generation);

    if (fetch == NULL) {
        return ngx_http_imagegram_store_failed(r);
    }

    fetch->render = render;
    fetch->latest = 1;
    fetch->node.node.key = hash;

    ngx_rbtree_insert(&ngx_http_imagegram_fetches, &fetch->node.node);

    rc = ngx_http_imagegram_fetch_join(fetch, r, gzip);

    ngx_http_imagegram_fetch_release(fetch);

    return rc;
}


static ngx_uint_t
ngx_http_imagegram_fetch_joinable(ngx_http_imagegram_fetch_t *fetch,
    ngx_http_imagegram_loc_conf_t *conf, uint64_t generation)
{
    if (generation) {
        return fetch->generation == generation
               && fetch->conf->cache == conf->cache;
    }

    return fetch->conf == conf
           && !ngx_http_imagegram_redis_sent(conf->redis, fetch->command);
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
        fetch->conf = conf;
        fetch->generation = generation;
        fetch->users = 1;
        fetch->node.str.len = key->len;
        fetch->node.str.data = ngx_pstrdup(pool, key);

        ngx_queue_init(&fetch->waiting);
    }

    if (fetch && fetch->node.str.data) {
        fetch->command = ngx_http_imagegram_store_page(conf, pool, page->limit,
                                               page->max,
                                               ngx_http_imagegram_fetch_reply,
                                               fetch);
        if (fetch->command) {
            return fetch;
        }
    }

    ngx_destroy_pool(pool);

    return NULL;
}


static void
ngx_http_imagegram_fetch_unlist(ngx_http_imagegram_fetch_t *fetch)
{
    if (fetch->latest) {
        ngx_rbtree_delete(&ngx_http_imagegram_fetches, &fetch->node.node);
        fetch->latest = 0;
    }
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
        ngx_http_imagegram_fetch_unlist(fetch);
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
    ngx_http_imagegram_fetch_unlist(fetch);
    fetch->users++;

    q = ngx_queue_head(&fetch->waiting);
    waiter = ngx_queue_data(q, ngx_http_imagegram_waiter_t, queue);

    rc = (rc == NGX_OK) ? fetch->render(waiter->request, reply, fetch->pool,
                                        &fetch->plain)
                        : NGX_HTTP_SERVICE_UNAVAILABLE;

    if (rc == NGX_OK) {
        ngx_http_imagegram_fetch_store(fetch, &fetch->plain);
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

    ngx_http_imagegram_fetch_store(fetch, &fetch->compressed);

    return NGX_OK;
}


static void
ngx_http_imagegram_fetch_store(ngx_http_imagegram_fetch_t *fetch,
    ngx_http_imagegram_answer_t *answer)
{
    if (fetch->generation) {
        ngx_http_imagegram_cache_put(fetch->conf->cache, &fetch->node.str,
                                     answer, fetch->generation);
    }
}
