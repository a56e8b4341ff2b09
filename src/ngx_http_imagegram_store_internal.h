
/*
 * What the files of the store share, and nobody else sees.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_STORE_INTERNAL_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_STORE_INTERNAL_H_INCLUDED_


#include "ngx_http_imagegram_store.h"


/* IDs that are asked for at a time */
#define NGX_HTTP_IMAGEGRAM_STORE_IDS   64

/* two keys each, and what else a script takes */
#define NGX_HTTP_IMAGEGRAM_STORE_ARGS  (2 * NGX_HTTP_IMAGEGRAM_STORE_IDS + 16)


/* the arguments of a command while they are put together */

typedef struct {
    ngx_http_imagegram_loc_conf_t  *conf;
    ngx_pool_t                     *pool;
    ngx_str_t                       args[NGX_HTTP_IMAGEGRAM_STORE_ARGS];
    ngx_uint_t                      n;
    ngx_uint_t                      failed;     /* no memory */
} ngx_http_imagegram_store_args_t;


/* Starts with the command's name, or the number of a script's keys. */
void ngx_http_imagegram_store_begin(ngx_http_imagegram_store_args_t *a,
    ngx_http_imagegram_loc_conf_t *conf, ngx_pool_t *pool, const char *first);

/* Adds PREFIX:{0}:name, and the ID if that is not NULL. */
void ngx_http_imagegram_store_key(ngx_http_imagegram_store_args_t *a,
    const char *name, const u_char *id);

/* Adds data, which is not copied. */
void ngx_http_imagegram_store_arg(ngx_http_imagegram_store_args_t *a,
    u_char *data, size_t len);

/* Adds a number; fmt is ngx_sprintf()'s, with %uL in it or not. */
void ngx_http_imagegram_store_number(ngx_http_imagegram_store_args_t *a,
    const char *fmt, uint64_t n);

/*
 * Sends the command for a request, and holds that; script may be NULL.  One
 * that changes nothing ends where the client leaves.  Gives NGX_DONE or a
 * status.
 */
ngx_int_t ngx_http_imagegram_store_call(ngx_http_request_t *r,
    ngx_http_imagegram_script_t *script, ngx_http_imagegram_store_args_t *a,
    ngx_uint_t change, ngx_http_imagegram_store_pt handler);

/* The outcome of a change, as in ngx_http_imagegram_redis.h, before anybody
 * else is told. */
void ngx_http_imagegram_store_changed(ngx_http_imagegram_cache_t *cache,
    ngx_int_t rc);

/* Parts of ngx_http_imagegram_store_init(). */
void ngx_http_imagegram_store_change_init(void);
void ngx_http_imagegram_store_idempotency_init(void);
void ngx_http_imagegram_store_sweep_init(void);


#endif /* _NGX_HTTP_IMAGEGRAM_STORE_INTERNAL_H_INCLUDED_ */
