
/*
 * Keys and scripts: reserving an idempotency key, and giving it back.  It is
 * completed by the scripts that create something.
 */

#include "ngx_http_imagegram_store_internal.h"
#include "ngx_http_imagegram_lua.h"


static ngx_http_imagegram_script_t  ngx_http_imagegram_reserve = {
    ngx_string(NGX_HTTP_IMAGEGRAM_LUA_RESERVE), { 0 }
};

static ngx_http_imagegram_script_t  ngx_http_imagegram_release = {
    ngx_string(NGX_HTTP_IMAGEGRAM_LUA_RELEASE), { 0 }
};


void
ngx_http_imagegram_store_idempotency_init(void)
{
    ngx_http_imagegram_redis_script(&ngx_http_imagegram_reserve);
    ngx_http_imagegram_redis_script(&ngx_http_imagegram_release);
}


ngx_http_imagegram_command_t *
ngx_http_imagegram_store_reserve(ngx_http_imagegram_loc_conf_t *conf,
    ngx_pool_t *pool, u_char *record, u_char *token, ngx_msec_t lease,
    ngx_http_imagegram_redis_pt handler, void *data)
{
    u_char                           buf[NGX_INT_T_LEN];
    ngx_http_imagegram_store_args_t  a;

    ngx_http_imagegram_store_begin(&a, conf, pool, "1");
    ngx_http_imagegram_store_key(&a, (char *) record, NULL);
    ngx_http_imagegram_store_arg(&a, token, IMAGEGRAM_ID_LEN);
    ngx_http_imagegram_store_arg(&a, buf, ngx_sprintf(buf, "%M", lease) - buf);

    if (a.failed) {
        return NULL;
    }

    return ngx_http_imagegram_redis_send(conf->redis,
                                         &ngx_http_imagegram_reserve, a.args,
                                         a.n, handler, data);
}


ngx_http_imagegram_command_t *
ngx_http_imagegram_store_release(ngx_http_imagegram_loc_conf_t *conf,
    ngx_pool_t *pool, u_char *record, u_char *token,
    ngx_http_imagegram_redis_pt handler, void *data)
{
    ngx_http_imagegram_store_args_t  a;

    ngx_http_imagegram_store_begin(&a, conf, pool, "1");
    ngx_http_imagegram_store_key(&a, (char *) record, NULL);
    ngx_http_imagegram_store_arg(&a, token, IMAGEGRAM_ID_LEN);

    if (a.failed) {
        return NULL;
    }

    return ngx_http_imagegram_redis_send(conf->redis,
                                         &ngx_http_imagegram_release, a.args,
                                         a.n, handler, data);
}
