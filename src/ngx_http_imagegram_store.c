
/*
 * The store: what is read, and how commands are put together.  The commands of
 * a request are detached from it by a cleanup of its pool.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_request.h"
#include "ngx_http_imagegram_store_internal.h"
#include "ngx_http_imagegram_lua.h"


typedef struct {
    ngx_http_request_t             *request;
    ngx_http_imagegram_cache_t     *cache;      /* that a change concerns */
    ngx_http_imagegram_store_pt     handler;
} ngx_http_imagegram_store_wait_t;


static void ngx_http_imagegram_store_feed_args(
    ngx_http_imagegram_store_args_t *a, ngx_http_imagegram_loc_conf_t *conf,
    ngx_pool_t *pool, ngx_uint_t limit, uint64_t max);
static void ngx_http_imagegram_store_reply(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_imagegram_store_cleanup(void *data);


static ngx_http_imagegram_script_t  ngx_http_imagegram_feed = {
    ngx_string(NGX_HTTP_IMAGEGRAM_LUA_FEED), { 0 }
};

static ngx_http_imagegram_script_t  ngx_http_imagegram_comments = {
    ngx_string(NGX_HTTP_IMAGEGRAM_LUA_COMMENTS), { 0 }
};


void
ngx_http_imagegram_store_init(void)
{
    ngx_http_imagegram_redis_script(&ngx_http_imagegram_feed);
    ngx_http_imagegram_redis_script(&ngx_http_imagegram_comments);

    ngx_http_imagegram_store_change_init();
    ngx_http_imagegram_store_idempotency_init();
    ngx_http_imagegram_store_sweep_init();
}


ngx_int_t
ngx_http_imagegram_store_feed(ngx_http_request_t *r, ngx_uint_t limit,
    uint64_t max, ngx_http_imagegram_store_pt handler)
{
    ngx_http_imagegram_loc_conf_t    *conf;
    ngx_http_imagegram_store_args_t   a;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    ngx_http_imagegram_store_feed_args(&a, conf, r->pool, limit, max);

    return ngx_http_imagegram_store_call(r, &ngx_http_imagegram_feed, &a, 0,
                                         handler);
}


ngx_http_imagegram_command_t *
ngx_http_imagegram_store_page(ngx_http_imagegram_loc_conf_t *conf,
    ngx_pool_t *pool, ngx_uint_t limit, uint64_t max,
    ngx_http_imagegram_redis_pt handler, void *data)
{
    ngx_http_imagegram_store_args_t  a;

    ngx_http_imagegram_store_feed_args(&a, conf, pool, limit, max);

    return a.failed ? NULL
                    : ngx_http_imagegram_redis_send(conf->redis,
                                                    &ngx_http_imagegram_feed,
                                                    a.args, a.n, handler,
                                                    data);
}


static void
ngx_http_imagegram_store_feed_args(ngx_http_imagegram_store_args_t *a,
    ngx_http_imagegram_loc_conf_t *conf, ngx_pool_t *pool, ngx_uint_t limit,
    uint64_t max)
{
    ngx_http_imagegram_store_begin(a, conf, pool, "2");
    ngx_http_imagegram_store_key(a, "feed", NULL);
    ngx_http_imagegram_store_key(a, "cards", NULL);
    ngx_http_imagegram_store_number(a, max ? "(%uL" : "+inf", max);
    ngx_http_imagegram_store_number(a, "%uL", limit);
}


ngx_int_t
ngx_http_imagegram_store_post(ngx_http_request_t *r,
    ngx_http_imagegram_store_pt handler)
{
    ngx_http_imagegram_ctx_t         *ctx;
    ngx_http_imagegram_loc_conf_t    *conf;
    ngx_http_imagegram_store_args_t   a;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    ngx_http_imagegram_store_begin(&a, conf, r->pool, "HGET");
    ngx_http_imagegram_store_key(&a, "cards", NULL);
    ngx_http_imagegram_store_arg(&a, (u_char *) ctx->route.post,
                                 IMAGEGRAM_ID_LEN);

    return ngx_http_imagegram_store_call(r, NULL, &a, 0, handler);
}


ngx_int_t
ngx_http_imagegram_store_comments(ngx_http_request_t *r, ngx_uint_t limit,
    uint64_t max, ngx_http_imagegram_store_pt handler)
{
    ngx_http_imagegram_ctx_t         *ctx;
    ngx_http_imagegram_loc_conf_t    *conf;
    ngx_http_imagegram_store_args_t   a;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    ngx_http_imagegram_store_begin(&a, conf, r->pool, "3");
    ngx_http_imagegram_store_key(&a, "post:", ctx->route.post);
    ngx_http_imagegram_store_key(&a, "comments:", ctx->route.post);
    ngx_http_imagegram_store_key(&a, "texts:", ctx->route.post);
    ngx_http_imagegram_store_number(&a, max ? "(%uL" : "+inf", max);
    ngx_http_imagegram_store_number(&a, "%uL", limit);

    return ngx_http_imagegram_store_call(r, &ngx_http_imagegram_comments, &a,
                                         0, handler);
}


ngx_int_t
ngx_http_imagegram_store_comment(ngx_http_request_t *r,
    ngx_http_imagegram_store_pt handler)
{
    ngx_http_imagegram_ctx_t         *ctx;
    ngx_http_imagegram_loc_conf_t    *conf;
    ngx_http_imagegram_store_args_t   a;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    ngx_http_imagegram_store_begin(&a, conf, r->pool, "HGET");
    ngx_http_imagegram_store_key(&a, "texts:", ctx->route.post);
    ngx_http_imagegram_store_arg(&a, (u_char *) ctx->route.comment,
                                 IMAGEGRAM_ID_LEN);

    return ngx_http_imagegram_store_call(r, NULL, &a, 0, handler);
}


ngx_int_t
ngx_http_imagegram_store_channel(ngx_http_imagegram_loc_conf_t *conf,
    ngx_pool_t *pool, ngx_str_t *channel)
{
    ngx_http_imagegram_store_args_t  a;

    /* the first key of each script that changes something */

    ngx_http_imagegram_store_begin(&a, conf, pool, "");
    ngx_http_imagegram_store_key(&a, "feed", NULL);

    if (a.failed) {
        return NGX_ERROR;
    }

    *channel = a.args[1];

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_store_failed(ngx_http_request_t *r)
{
    return ngx_http_imagegram_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "the data store did not answer");
}


void
ngx_http_imagegram_store_begin(ngx_http_imagegram_store_args_t *a,
    ngx_http_imagegram_loc_conf_t *conf, ngx_pool_t *pool, const char *first)
{
    a->conf = conf;
    a->pool = pool;
    a->n = 0;
    a->failed = 0;

    ngx_http_imagegram_store_arg(a, (u_char *) first, ngx_strlen(first));
}


void
ngx_http_imagegram_store_key(ngx_http_imagegram_store_args_t *a,
    const char *name, const u_char *id)
{
    u_char     *p, *key;
    ngx_str_t  *prefix;

    prefix = &a->conf->key_prefix;

    key = ngx_pnalloc(a->pool, prefix->len + sizeof(":{0}:") - 1
                               + ngx_strlen(name) + IMAGEGRAM_ID_LEN);
    if (key == NULL) {
        a->failed = 1;
        return;
    }

    p = ngx_cpymem(key, prefix->data, prefix->len);
    p = ngx_cpymem(p, ":{0}:", sizeof(":{0}:") - 1);
    p = ngx_cpymem(p, name, ngx_strlen(name));

    if (id) {
        p = ngx_cpymem(p, id, IMAGEGRAM_ID_LEN);
    }

    ngx_http_imagegram_store_arg(a, key, p - key);
}


void
ngx_http_imagegram_store_arg(ngx_http_imagegram_store_args_t *a, u_char *data,
    size_t len)
{
    a->args[a->n].data = data;
    a->args[a->n].len = len;
    a->n++;
}


void
ngx_http_imagegram_store_number(ngx_http_imagegram_store_args_t *a,
    const char *fmt, uint64_t n)
{
    u_char  *p;

    p = ngx_pnalloc(a->pool, NGX_INT64_LEN + 1);
    if (p == NULL) {
        a->failed = 1;
        return;
    }

    ngx_http_imagegram_store_arg(a, p, ngx_sprintf(p, fmt, n) - p);
}


ngx_int_t
ngx_http_imagegram_store_call(ngx_http_request_t *r,
    ngx_http_imagegram_script_t *script, ngx_http_imagegram_store_args_t *a,
    ngx_uint_t change, ngx_http_imagegram_store_pt handler)
{
    ngx_pool_cleanup_t               *cln;
    ngx_http_imagegram_ctx_t         *ctx;
    ngx_http_imagegram_store_wait_t  *wait;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    cln = ngx_pool_cleanup_add(r->pool,
                               sizeof(ngx_http_imagegram_store_wait_t));
    if (cln == NULL || a->failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wait = cln->data;
    wait->request = r;
    wait->cache = change ? a->conf->changes : NULL;
    wait->handler = handler;

    ctx->command = ngx_http_imagegram_redis_send(a->conf->redis, script,
                                                 a->args, a->n,
                                                 ngx_http_imagegram_store_reply,
                                                 wait);
    if (ctx->command == NULL) {
        return ngx_http_imagegram_store_failed(r);
    }

    cln->handler = ngx_http_imagegram_store_cleanup;

    ngx_http_imagegram_request_hold(r, !change);

    return NGX_DONE;
}


static void
ngx_http_imagegram_store_reply(void *data, ngx_int_t rc, redisReply *reply)
{
    ngx_http_imagegram_store_wait_t *wait = data;

    ngx_http_request_t        *r;
    ngx_http_imagegram_ctx_t  *ctx;

    r = wait->request;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);
    ctx->command = NULL;

    ngx_http_imagegram_store_changed(wait->cache, rc);

    wait->handler(r, rc == NGX_OK ? reply : NULL);
}


static void
ngx_http_imagegram_store_cleanup(void *data)
{
    ngx_http_imagegram_store_wait_t *wait = data;

    ngx_http_imagegram_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(wait->request, ngx_http_imagegram_module);

    if (ctx->command) {
        ngx_http_imagegram_redis_forget(ctx->command);
        ctx->command = NULL;

        ngx_http_imagegram_store_changed(wait->cache, NGX_ERROR);
    }
}


/* Redis may have refused a script in the midst of it: that is a change, too. */

void
ngx_http_imagegram_store_changed(ngx_http_imagegram_cache_t *cache,
    ngx_int_t rc)
{
    if (cache == NULL) {
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_http_imagegram_cache_distrust(cache);

    } else {
        ngx_http_imagegram_cache_advance(cache);
    }
}
