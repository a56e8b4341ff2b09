
/*
 * What the sweeper asks Redis.  A sweep sends many commands in its long life,
 * so each has a pool of its own for its arguments, until they are copied.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_lua.h"
#include "ngx_http_imagegram_store_internal.h"


#define NGX_HTTP_IMAGEGRAM_STORE_SWEEP_POOL  16384


static ngx_int_t ngx_http_imagegram_store_sweep_send(
    ngx_http_imagegram_store_args_t *a, ngx_http_imagegram_script_t *script,
    ngx_http_imagegram_redis_pt handler, void *data);
static ngx_int_t ngx_http_imagegram_store_sweep_begin(
    ngx_http_imagegram_store_args_t *a, ngx_http_imagegram_loc_conf_t *conf,
    const char *first);


static ngx_http_imagegram_script_t  ngx_http_imagegram_register = {
    ngx_string(NGX_HTTP_IMAGEGRAM_LUA_REGISTER), { 0 }
};

static ngx_http_imagegram_script_t  ngx_http_imagegram_sweep = {
    ngx_string(NGX_HTTP_IMAGEGRAM_LUA_SWEEP), { 0 }
};

static ngx_http_imagegram_script_t  ngx_http_imagegram_orphans = {
    ngx_string(NGX_HTTP_IMAGEGRAM_LUA_ORPHANS), { 0 }
};


void
ngx_http_imagegram_store_sweep_init(void)
{
    ngx_http_imagegram_redis_script(&ngx_http_imagegram_register);
    ngx_http_imagegram_redis_script(&ngx_http_imagegram_sweep);
    ngx_http_imagegram_redis_script(&ngx_http_imagegram_orphans);
}


ngx_int_t
ngx_http_imagegram_store_register(ngx_http_imagegram_loc_conf_t *conf,
    u_char *id, ngx_uint_t files, ngx_http_imagegram_redis_pt handler,
    void *data)
{
    ngx_http_imagegram_store_args_t  a;

    if (ngx_http_imagegram_store_sweep_begin(&a, conf, "2") != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_imagegram_store_key(&a, "storages", NULL);
    ngx_http_imagegram_store_key(&a, "feed", NULL);
    ngx_http_imagegram_store_arg(&a, id, IMAGEGRAM_ID_LEN);
    ngx_http_imagegram_store_arg(&a, (u_char *) (files ? "1" : "0"), 1);

    return ngx_http_imagegram_store_sweep_send(&a,
                                               &ngx_http_imagegram_register,
                                               handler, data);
}


ngx_int_t
ngx_http_imagegram_store_sweep(ngx_http_imagegram_loc_conf_t *conf, u_char *id,
    time_t last, time_t now, ngx_http_imagegram_redis_pt handler, void *data)
{
    u_char                           times[2][NGX_TIME_T_LEN];
    ngx_http_imagegram_store_args_t  a;

    if (ngx_http_imagegram_store_sweep_begin(&a, conf, "1") != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_imagegram_store_key(&a, "storages", NULL);
    ngx_http_imagegram_store_arg(&a, id, IMAGEGRAM_ID_LEN);
    ngx_http_imagegram_store_arg(&a, times[0],
                                 ngx_sprintf(times[0], "%T", last) - times[0]);
    ngx_http_imagegram_store_arg(&a, times[1],
                                 ngx_sprintf(times[1], "%T", now) - times[1]);

    return ngx_http_imagegram_store_sweep_send(&a, &ngx_http_imagegram_sweep,
                                               handler, data);
}


ngx_int_t
ngx_http_imagegram_store_orphans(ngx_http_imagegram_loc_conf_t *conf,
    u_char *id, time_t now, u_char (*ids)[IMAGEGRAM_ID_LEN], ngx_uint_t n,
    ngx_uint_t bury, ngx_http_imagegram_redis_pt handler, void *data)
{
    u_char                           nkeys[NGX_INT_T_LEN + 1];
    u_char                           time[NGX_TIME_T_LEN];
    ngx_uint_t                       i;
    ngx_http_imagegram_store_args_t  a;

    (void) ngx_sprintf(nkeys, "%ui%Z", 2 * n + 1);

    if (ngx_http_imagegram_store_sweep_begin(&a, conf, (char *) nkeys)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_imagegram_store_key(&a, "storages", NULL);

    for (i = 0; i < n; i++) {
        ngx_http_imagegram_store_key(&a, "post:", ids[i]);
        ngx_http_imagegram_store_key(&a, "buried:", ids[i]);
    }

    ngx_http_imagegram_store_arg(&a, id, IMAGEGRAM_ID_LEN);
    ngx_http_imagegram_store_arg(&a, time,
                                 ngx_sprintf(time, "%T", now) - time);
    ngx_http_imagegram_store_arg(&a, (u_char *) (bury ? "1" : "0"), 1);

    return ngx_http_imagegram_store_sweep_send(&a, &ngx_http_imagegram_orphans,
                                               handler, data);
}


static ngx_int_t
ngx_http_imagegram_store_sweep_begin(ngx_http_imagegram_store_args_t *a,
    ngx_http_imagegram_loc_conf_t *conf, const char *first)
{
    ngx_pool_t  *pool;

    pool = ngx_create_pool(NGX_HTTP_IMAGEGRAM_STORE_SWEEP_POOL,
                           ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    ngx_http_imagegram_store_begin(a, conf, pool, first);

    return NGX_OK;
}


static ngx_int_t
ngx_http_imagegram_store_sweep_send(ngx_http_imagegram_store_args_t *a,
    ngx_http_imagegram_script_t *script, ngx_http_imagegram_redis_pt handler,
    void *data)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    if (a->failed
        || ngx_http_imagegram_redis_send(a->conf->redis, script, a->args, a->n,
                                         handler, data)
           == NULL)
    {
        rc = NGX_ERROR;
    }

    ngx_destroy_pool(a->pool);

    return rc;
}
