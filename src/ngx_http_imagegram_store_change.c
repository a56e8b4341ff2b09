
/*
 * The store: what is changed.  The commands of a request are detached from it
 * by a cleanup of its pool; those that go together with files belong to a job.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_store_internal.h"
#include "ngx_http_imagegram_lua.h"


/* one of a job, in its pool */

typedef struct {
    ngx_http_imagegram_cache_t   *cache;        /* that it concerns */
    ngx_http_imagegram_redis_pt   handler;
    void                         *data;
} ngx_http_imagegram_store_change_t;


static void ngx_http_imagegram_store_post_keys(
    ngx_http_imagegram_store_args_t *a, u_char *id);
static ngx_int_t ngx_http_imagegram_store_change_send(
    ngx_http_imagegram_script_t *script, ngx_http_imagegram_store_args_t *a,
    ngx_http_imagegram_redis_pt handler, void *data);
static void ngx_http_imagegram_store_change_reply(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_imagegram_store_json(ngx_http_imagegram_store_args_t *a,
    const char *before, ngx_str_t *text, const char *between, ngx_str_t *more,
    const char *after);


static ngx_http_imagegram_script_t  ngx_http_imagegram_create_post = {
    ngx_string(NGX_HTTP_IMAGEGRAM_LUA_CARD
               NGX_HTTP_IMAGEGRAM_LUA_IDEMPOTENCY
               NGX_HTTP_IMAGEGRAM_LUA_CREATE_POST), { 0 }
};

static ngx_http_imagegram_script_t  ngx_http_imagegram_delete_post = {
    ngx_string(NGX_HTTP_IMAGEGRAM_LUA_DELETE_POST), { 0 }
};

static ngx_http_imagegram_script_t  ngx_http_imagegram_create_comment = {
    ngx_string(NGX_HTTP_IMAGEGRAM_LUA_CARD
               NGX_HTTP_IMAGEGRAM_LUA_IDEMPOTENCY
               NGX_HTTP_IMAGEGRAM_LUA_CREATE_COMMENT), { 0 }
};

static ngx_http_imagegram_script_t  ngx_http_imagegram_delete_comment = {
    ngx_string(NGX_HTTP_IMAGEGRAM_LUA_CARD
               NGX_HTTP_IMAGEGRAM_LUA_DELETE_COMMENT), { 0 }
};


void
ngx_http_imagegram_store_change_init(void)
{
    ngx_http_imagegram_redis_script(&ngx_http_imagegram_create_post);
    ngx_http_imagegram_redis_script(&ngx_http_imagegram_delete_post);
    ngx_http_imagegram_redis_script(&ngx_http_imagegram_create_comment);
    ngx_http_imagegram_redis_script(&ngx_http_imagegram_delete_comment);
}


ngx_int_t
ngx_http_imagegram_store_create_comment(ngx_http_request_t *r, u_char *id,
    ngx_str_t *author, ngx_str_t *body,
    ngx_http_imagegram_idempotency_t *idem,
    ngx_http_imagegram_store_pt handler)
{
    ngx_str_t                         cid, pid;
    ngx_http_imagegram_ctx_t         *ctx;
    ngx_http_imagegram_loc_conf_t    *conf;
    ngx_http_imagegram_store_args_t   a;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    cid.len = IMAGEGRAM_ID_LEN;
    cid.data = id;
    pid.len = IMAGEGRAM_ID_LEN;
    pid.data = (u_char *) ctx->route.post;

    ngx_http_imagegram_store_begin(&a, conf, r->pool, idem->given ? "6" : "5");
    ngx_http_imagegram_store_post_keys(&a, pid.data);

    if (idem->given) {
        ngx_http_imagegram_store_key(&a, (char *) idem->record, NULL);
    }

    ngx_http_imagegram_store_arg(&a, pid.data, pid.len);
    ngx_http_imagegram_store_arg(&a, cid.data, cid.len);
    ngx_http_imagegram_store_json(&a, "{\"CommentID\":\"", &cid,
                                  "\",\"PostID\":\"", &pid,
                                  "\",\"Timestamp\":");
    ngx_http_imagegram_store_json(&a, ",\"Author\":\"", author,
                                  "\",\"Body\":\"", body, "\"}");

    if (idem->given) {
        ngx_http_imagegram_store_arg(&a, idem->hash, sizeof(idem->hash));
    }

    return ngx_http_imagegram_store_call(r, &ngx_http_imagegram_create_comment,
                                         &a, 1, handler);
}


ngx_int_t
ngx_http_imagegram_store_delete_comment(ngx_http_request_t *r,
    ngx_http_imagegram_store_pt handler)
{
    u_char                           *post;
    ngx_http_imagegram_ctx_t         *ctx;
    ngx_http_imagegram_loc_conf_t    *conf;
    ngx_http_imagegram_store_args_t   a;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    post = (u_char *) ctx->route.post;

    ngx_http_imagegram_store_begin(&a, conf, r->pool, "5");
    ngx_http_imagegram_store_post_keys(&a, post);
    ngx_http_imagegram_store_arg(&a, post, IMAGEGRAM_ID_LEN);
    ngx_http_imagegram_store_arg(&a, (u_char *) ctx->route.comment,
                                 IMAGEGRAM_ID_LEN);
    ngx_http_imagegram_store_arg(&a, ctx->user.data, ctx->user.len);

    return ngx_http_imagegram_store_call(r, &ngx_http_imagegram_delete_comment,
                                         &a, 1, handler);
}


ngx_int_t
ngx_http_imagegram_store_create_post(ngx_http_imagegram_loc_conf_t *conf,
    ngx_pool_t *pool, ngx_http_imagegram_store_new_t *post,
    ngx_http_imagegram_redis_pt handler, void *data)
{
    ngx_str_t                          id;
    ngx_http_imagegram_store_args_t    a;
    ngx_http_imagegram_idempotency_t  *idem;

    idem = post->idem;

    id.len = IMAGEGRAM_ID_LEN;
    id.data = post->id;

    ngx_http_imagegram_store_begin(&a, conf, pool, idem->given ? "6" : "5");
    ngx_http_imagegram_store_key(&a, "feed", NULL);
    ngx_http_imagegram_store_key(&a, "seq", NULL);
    ngx_http_imagegram_store_key(&a, "cards", NULL);
    ngx_http_imagegram_store_key(&a, "post:", id.data);
    ngx_http_imagegram_store_key(&a, "buried:", id.data);

    if (idem->given) {
        ngx_http_imagegram_store_key(&a, (char *) idem->record, NULL);
    }

    ngx_http_imagegram_store_arg(&a, id.data, id.len);
    ngx_http_imagegram_store_arg(&a, post->author->data, post->author->len);
    ngx_http_imagegram_store_arg(&a, post->format->data, post->format->len);
    ngx_http_imagegram_store_json(&a, "{\"PostID\":\"", &id,
                                  "\",\"Timestamp\":", NULL, "");
    ngx_http_imagegram_store_json(&a, ",\"Author\":\"", post->author, "\"",
                                  NULL, "");
    ngx_http_imagegram_store_json(&a, "\"Body\":\"", post->body, "\"", NULL,
                                  "");
    ngx_http_imagegram_store_number(&a, "%uL", post->again);

    if (idem->given) {
        ngx_http_imagegram_store_arg(&a, idem->hash, sizeof(idem->hash));
    }

    return ngx_http_imagegram_store_change_send(&ngx_http_imagegram_create_post,
                                                &a, handler, data);
}


ngx_int_t
ngx_http_imagegram_store_delete_post(ngx_http_imagegram_loc_conf_t *conf,
    ngx_pool_t *pool, u_char *id, ngx_str_t *user,
    ngx_http_imagegram_redis_pt handler, void *data)
{
    ngx_http_imagegram_store_args_t  a;

    ngx_http_imagegram_store_begin(&a, conf, pool, "6");
    ngx_http_imagegram_store_post_keys(&a, id);
    ngx_http_imagegram_store_key(&a, "buried:", id);
    ngx_http_imagegram_store_arg(&a, id, IMAGEGRAM_ID_LEN);
    ngx_http_imagegram_store_arg(&a, user->data, user->len);

    return ngx_http_imagegram_store_change_send(&ngx_http_imagegram_delete_post,
                                                &a, handler, data);
}


/* What changes with a post that has comments. */

static void
ngx_http_imagegram_store_post_keys(ngx_http_imagegram_store_args_t *a,
    u_char *id)
{
    ngx_http_imagegram_store_key(a, "feed", NULL);
    ngx_http_imagegram_store_key(a, "cards", NULL);
    ngx_http_imagegram_store_key(a, "post:", id);
    ngx_http_imagegram_store_key(a, "comments:", id);
    ngx_http_imagegram_store_key(a, "texts:", id);
}


static ngx_int_t
ngx_http_imagegram_store_change_send(ngx_http_imagegram_script_t *script,
    ngx_http_imagegram_store_args_t *a, ngx_http_imagegram_redis_pt handler,
    void *data)
{
    ngx_http_imagegram_store_change_t  *change;

    change = ngx_palloc(a->pool, sizeof(ngx_http_imagegram_store_change_t));
    if (change == NULL || a->failed) {
        return NGX_ERROR;
    }

    change->cache = a->conf->changes;
    change->handler = handler;
    change->data = data;

    return ngx_http_imagegram_redis_send(a->conf->redis, script, a->args, a->n,
                                       ngx_http_imagegram_store_change_reply,
                                       change)
           ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_imagegram_store_change_reply(void *data, ngx_int_t rc,
    redisReply *reply)
{
    ngx_http_imagegram_store_change_t *change = data;

    ngx_http_imagegram_store_changed(change->cache, rc);

    change->handler(change->data, rc, reply);
}


/* An argument that is a piece of JSON, with one or two strings escaped. */

static void
ngx_http_imagegram_store_json(ngx_http_imagegram_store_args_t *a,
    const char *before, ngx_str_t *text, const char *between, ngx_str_t *more,
    const char *after)
{
    u_char  *p, *last;
    size_t   size;

    size = ngx_strlen(before) + text->len
           + ngx_escape_json(NULL, text->data, text->len)
           + ngx_strlen(between) + ngx_strlen(after);

    if (more) {
        size += more->len + ngx_escape_json(NULL, more->data, more->len);
    }

    p = ngx_pnalloc(a->pool, size);
    if (p == NULL) {
        a->failed = 1;
        return;
    }

    last = ngx_cpymem(p, before, ngx_strlen(before));
    last = (u_char *) ngx_escape_json(last, text->data, text->len);
    last = ngx_cpymem(last, between, ngx_strlen(between));

    if (more) {
        last = (u_char *) ngx_escape_json(last, more->data, more->len);
    }

    last = ngx_cpymem(last, after, ngx_strlen(after));

    ngx_http_imagegram_store_arg(a, p, last - p);
}
