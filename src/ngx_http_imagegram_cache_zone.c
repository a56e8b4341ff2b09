
/*
 * The cache's zone: made at a start, kept over reloads, and emptied where a
 * worker was killed while it changed it.
 */

#include "ngx_http_imagegram_cache_internal.h"
#include "ngx_http_imagegram_owner.h"


static ngx_int_t ngx_http_imagegram_cache_init(ngx_shm_zone_t *zone,
    void *data);
static ngx_http_imagegram_shared_t *ngx_http_imagegram_cache_make(
    ngx_slab_pool_t *pool);


void
ngx_http_imagegram_cache_zone(ngx_shm_zone_t *zone,
    ngx_http_imagegram_cache_t *cache)
{
    zone->init = ngx_http_imagegram_cache_init;
    zone->data = cache;
}


/* Old workers go on using the zone for a while after a reload. */

static ngx_int_t
ngx_http_imagegram_cache_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t             *pool;
    ngx_http_imagegram_cache_t  *cache, *before;

    cache = zone->data;
    before = data;
    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (before == NULL) {
        return (zone->shm.exists || ngx_http_imagegram_cache_make(pool))
               ? NGX_OK : NGX_ERROR;
    }

    if (!ngx_http_imagegram_owner_equal(&before->owner, &cache->owner)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "imagegram_cache: zone \"%V\" holds the posts of "
                      "another Redis, db or prefix: it needs a new name",
                      &zone->shm.name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Numbers start at random, so that none means what it meant before the zone was
 * emptied.
 */

static ngx_http_imagegram_shared_t *
ngx_http_imagegram_cache_make(ngx_slab_pool_t *pool)
{
    ngx_http_imagegram_shared_t  *sh;

    /* a page that finds no room is not worth a message */

    pool->log_nomem = 0;

    sh = ngx_slab_calloc_locked(pool, sizeof(ngx_http_imagegram_shared_t));
    if (sh == NULL) {
        return NULL;
    }

    ngx_rbtree_init(&sh->tree, &sh->sentinel, ngx_rbtree_insert_value);
    ngx_queue_init(&sh->queue);

    sh->generation = ((uint64_t) ngx_random() << 31) + ngx_random() + 1;
    sh->losses = ngx_random();

    ngx_memory_barrier();
    pool->data = sh;

    return sh;
}


ngx_http_imagegram_shared_t *
ngx_http_imagegram_cache_lock(ngx_http_imagegram_cache_t *cache)
{
    ngx_slab_pool_t              *pool;
    ngx_http_imagegram_shared_t  *sh;

    pool = (ngx_slab_pool_t *) cache->zone->shm.addr;

    ngx_shmtx_lock(&pool->mutex);

    sh = pool->data;

    /* NULL: who was emptying it was killed, too */

    if (sh == NULL || sh->dirty) {
        pool->data = NULL;
        ngx_memory_barrier();

        ngx_slab_init(pool);

        /* in a zone of its smallest size there is room for this one */

        sh = ngx_http_imagegram_cache_make(pool);
    }

    sh->dirty = 1;
    ngx_memory_barrier();

    return sh;
}


void
ngx_http_imagegram_cache_unlock(ngx_http_imagegram_cache_t *cache)
{
    ngx_slab_pool_t              *pool;
    ngx_http_imagegram_shared_t  *sh;

    pool = (ngx_slab_pool_t *) cache->zone->shm.addr;
    sh = pool->data;

    ngx_memory_barrier();
    sh->dirty = 0;

    ngx_shmtx_unlock(&pool->mutex);
}
