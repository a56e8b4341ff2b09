
/*
 * What the files of the cache share, and nobody else sees.  All of it lies in
 * the zone, and is used under the mutex of the zone's slab pool.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_CACHE_INTERNAL_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_CACHE_INTERNAL_H_INCLUDED_


#include "ngx_http_imagegram_cache.h"


typedef struct {
    volatile ngx_uint_t  dirty;         /* somebody is changing it, or was
                                         * killed meanwhile */
    ngx_rbtree_t         tree;          /* of entries, by their key's hash */
    ngx_rbtree_node_t    sentinel;
    ngx_queue_t          queue;         /* of entries, the last used first */
    uint64_t             generation;

    ngx_uint_t           trusted;       /* the subscription was confirmed */
    ngx_uint_t           losses;        /* of trust, so far */
    ngx_msec_t           lease;         /* its end */
    ngx_pid_t            subscriber;    /* 0: nobody */
    ngx_msec_t           seen;          /* when it was, last */
} ngx_http_imagegram_shared_t;


/* Locks the zone; where somebody was killed inside, it is empty then. */
ngx_http_imagegram_shared_t *ngx_http_imagegram_cache_lock(
    ngx_http_imagegram_cache_t *cache);
void ngx_http_imagegram_cache_unlock(ngx_http_imagegram_cache_t *cache);


#endif /* _NGX_HTTP_IMAGEGRAM_CACHE_INTERNAL_H_INCLUDED_ */
