
/*
 * The feed's pages, rendered, in shared memory.
 *
 * A page is valid for one generation.  Whoever changes something advances the
 * generation before the client is told, so that the next page has it, whichever
 * worker answers; changes through other servers advance it when Redis publishes
 * them.  Therefore nothing is served but while it is known that what Redis
 * publishes arrives: that is a lease, which the subscription renews.
 *
 * A zone belongs to one owner of posts.  All of its state is shared, and
 * survives a reload; a worker that is killed while it changes it leaves a mark,
 * and whoever comes next empties the zone.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_CACHE_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_imagegram_answer.h"
#include "ngx_http_imagegram_redis.h"


/* of a configuration, and as long as its cycle */

typedef struct {
    ngx_shm_zone_t              *zone;
    ngx_str_t                    owner;     /* of the posts; len 0: not known
                                             * yet */
    ngx_http_imagegram_redis_t  *redis;     /* where they are */
    ngx_str_t                    channel;   /* where changes are published */
} ngx_http_imagegram_cache_t;


/* Sets zone->init, so that nginx makes the zone ready at a start or a reload;
 * zone->data is the cache. */
void ngx_http_imagegram_cache_zone(ngx_shm_zone_t *zone,
    ngx_http_imagegram_cache_t *cache);

/*
 * Looks for a page, compressed or not.  NGX_OK: *answer is a copy in the pool.
 * NGX_DECLINED: there is none; *generation is what a page asked for from now
 * on may be stored under, 0 while nothing is cached.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_imagegram_cache_get(ngx_http_imagegram_cache_t *cache,
    ngx_str_t *key, ngx_uint_t gzip, ngx_pool_t *pool,
    ngx_http_imagegram_answer_t *answer, uint64_t *generation);

/* Stores a page, unless something has changed since that generation, or there
 * is no room. */
void ngx_http_imagegram_cache_put(ngx_http_imagegram_cache_t *cache,
    ngx_str_t *key, ngx_http_imagegram_answer_t *answer, uint64_t generation);

/* Something has changed. */
void ngx_http_imagegram_cache_advance(ngx_http_imagegram_cache_t *cache);

/* Something may have changed or not, or will: nothing is served until the
 * subscription is confirmed anew. */
void ngx_http_imagegram_cache_distrust(ngx_http_imagegram_cache_t *cache);


/* For the subscription; times are ngx_current_msec, which all processes of a
 * machine share. */

/*
 * Makes this process the subscriber, if there is none, or none that has called
 * this for half a second.  Gives whether it is.
 */
ngx_uint_t ngx_http_imagegram_cache_claim(ngx_http_imagegram_cache_t *cache);

/* It is not (any longer); nothing is served until another one is. */
void ngx_http_imagegram_cache_disclaim(ngx_http_imagegram_cache_t *cache);

/* Gives whether trust is lost, and a number that changes when it is. */
ngx_uint_t ngx_http_imagegram_cache_distrusted(
    ngx_http_imagegram_cache_t *cache, ngx_uint_t *losses);

/* The subscription, asked for when that number was losses, is confirmed. */
void ngx_http_imagegram_cache_trust(ngx_http_imagegram_cache_t *cache,
    ngx_uint_t losses);

/* All that was published before the time sent has come. */
void ngx_http_imagegram_cache_renew(ngx_http_imagegram_cache_t *cache,
    ngx_msec_t sent);


#endif /* _NGX_HTTP_IMAGEGRAM_CACHE_H_INCLUDED_ */
