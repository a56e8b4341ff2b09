
/*
 * Whether pages of the cache may be served: the generation, and the trust in
 * the subscription.
 */

#include "ngx_http_imagegram_cache_internal.h"


/* ms: how long a lease lasts, and after how long without a sign of life of the
 * subscriber another worker takes over */
#define NGX_HTTP_IMAGEGRAM_CACHE_LEASE     75
#define NGX_HTTP_IMAGEGRAM_CACHE_TAKEOVER  500


static void ngx_http_imagegram_cache_lose(ngx_http_imagegram_shared_t *sh);


void
ngx_http_imagegram_cache_advance(ngx_http_imagegram_cache_t *cache)
{
    ngx_http_imagegram_shared_t  *sh;

    sh = ngx_http_imagegram_cache_lock(cache);

    sh->generation++;

    ngx_http_imagegram_cache_unlock(cache);
}


void
ngx_http_imagegram_cache_distrust(ngx_http_imagegram_cache_t *cache)
{
    ngx_http_imagegram_shared_t  *sh;

    sh = ngx_http_imagegram_cache_lock(cache);

    ngx_http_imagegram_cache_lose(sh);

    ngx_http_imagegram_cache_unlock(cache);
}


static void
ngx_http_imagegram_cache_lose(ngx_http_imagegram_shared_t *sh)
{
    sh->generation++;
    sh->losses++;
    sh->trusted = 0;
}


ngx_uint_t
ngx_http_imagegram_cache_claim(ngx_http_imagegram_cache_t *cache)
{
    ngx_uint_t                    ours;
    ngx_http_imagegram_shared_t  *sh;

    sh = ngx_http_imagegram_cache_lock(cache);

    if (sh->subscriber == 0
        || (ngx_msec_int_t) (ngx_current_msec - sh->seen)
           > NGX_HTTP_IMAGEGRAM_CACHE_TAKEOVER)
    {
        sh->subscriber = ngx_pid;

        ngx_http_imagegram_cache_lose(sh);
    }

    ours = (sh->subscriber == ngx_pid);

    if (ours) {
        sh->seen = ngx_current_msec;
    }

    ngx_http_imagegram_cache_unlock(cache);

    return ours;
}


void
ngx_http_imagegram_cache_disclaim(ngx_http_imagegram_cache_t *cache)
{
    ngx_http_imagegram_shared_t  *sh;

    sh = ngx_http_imagegram_cache_lock(cache);

    if (sh->subscriber == ngx_pid) {
        sh->subscriber = 0;

        ngx_http_imagegram_cache_lose(sh);
    }

    ngx_http_imagegram_cache_unlock(cache);
}


ngx_uint_t
ngx_http_imagegram_cache_distrusted(ngx_http_imagegram_cache_t *cache,
    ngx_uint_t *losses)
{
    ngx_uint_t                    distrusted;
    ngx_http_imagegram_shared_t  *sh;

    sh = ngx_http_imagegram_cache_lock(cache);

    *losses = sh->losses;
    distrusted = !sh->trusted;

    ngx_http_imagegram_cache_unlock(cache);

    return distrusted;
}


void
ngx_http_imagegram_cache_trust(ngx_http_imagegram_cache_t *cache,
    ngx_uint_t losses)
{
    ngx_http_imagegram_shared_t  *sh;

    sh = ngx_http_imagegram_cache_lock(cache);

    if (sh->subscriber == ngx_pid && sh->losses == losses) {
        sh->generation++;
        sh->trusted = 1;
    }

    ngx_http_imagegram_cache_unlock(cache);
}


void
ngx_http_imagegram_cache_renew(ngx_http_imagegram_cache_t *cache,
    ngx_msec_t sent)
{
    ngx_msec_t                    lease;
    ngx_http_imagegram_shared_t  *sh;

    lease = sent + NGX_HTTP_IMAGEGRAM_CACHE_LEASE;

    sh = ngx_http_imagegram_cache_lock(cache);

    if (sh->subscriber == ngx_pid
        && (ngx_msec_int_t) (lease - sh->lease) > 0)
    {
        sh->lease = lease;
    }

    ngx_http_imagegram_cache_unlock(cache);
}
