
/*
 * Redis Sentinel: where the master is, and whether it is one, as in Redis's
 * "Sentinel client spec".  A step in front of the Redis client's connecting.
 *
 * Each worker keeps a connection to one of the sentinels, over which it asks
 * again four times a second: a master that is one no more is left then, also
 * where it does not close its connections itself, since it hangs or is cut off
 * from the sentinels.  A sentinel that does not answer, or has no good answer,
 * is left for the next one.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_SENTINEL_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_SENTINEL_H_INCLUDED_


#include "ngx_http_imagegram_redis_internal.h"


/*
 * At configuration time: has redis follow the master of that name, whom the
 * sentinels of redis->sentinels know.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_imagegram_sentinel_create(ngx_pool_t *pool,
    ngx_http_imagegram_redis_t *redis, ngx_str_t *name);

/*
 * From the first to the second, redis is told each time where the master is,
 * by ngx_http_imagegram_redis_master().  The connection to a sentinel is open
 * for as long as there is anybody to tell.
 */
void ngx_http_imagegram_sentinel_follow(ngx_http_imagegram_redis_t *redis,
    ngx_cycle_t *cycle);
void ngx_http_imagegram_sentinel_leave(ngx_http_imagegram_redis_t *redis);

/* Asks; the answer is told later, to all who follow.  NGX_DECLINED: none of
 * the sentinels has had one lately. */
ngx_int_t ngx_http_imagegram_sentinel_ask(
    ngx_http_imagegram_sentinel_t *sentinel);

/* Whether an error, NUL-terminated, is one that only replicas answer. */
ngx_uint_t ngx_http_imagegram_sentinel_demoted(const char *error);


#endif /* _NGX_HTTP_IMAGEGRAM_SENTINEL_H_INCLUDED_ */
