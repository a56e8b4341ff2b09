
/*
 * The feed's pages in shared memory: finding and storing them.  An entry is one
 * allocation of the zone's slab pool.
 */

#include "ngx_http_imagegram_cache_internal.h"

/* of the library only the header is used */
#define XXH_INLINE_ALL
#include <xxhash.h>


typedef struct {
    ngx_rbtree_node_t   node;       /* key: the hash */
    ngx_queue_t         queue;
    uint64_t            generation;
    uint32_t            key_len;
    uint32_t            link_len;
    uint32_t            body_len;
    u_char              gzip;
    u_char              varies;
    u_char              etag[NGX_HTTP_IMAGEGRAM_ETAG_LEN + 1];
    u_char              data[1];    /* key, link and its NUL, body */
} ngx_http_imagegram_entry_t;


static ngx_http_imagegram_entry_t *ngx_http_imagegram_cache_find(
    ngx_http_imagegram_shared_t *sh, ngx_rbtree_key_t hash);
static ngx_uint_t ngx_http_imagegram_cache_current(
    ngx_http_imagegram_shared_t *sh, ngx_http_imagegram_entry_t *entry,
    ngx_str_t *key, ngx_uint_t gzip);
static ngx_int_t ngx_http_imagegram_cache_copy(
    ngx_http_imagegram_entry_t *entry, ngx_pool_t *pool,
    ngx_http_imagegram_answer_t *answer);
static ngx_http_imagegram_entry_t *ngx_http_imagegram_cache_alloc(
    ngx_http_imagegram_shared_t *sh, ngx_slab_pool_t *pool, size_t size);
static void ngx_http_imagegram_cache_fill(ngx_http_imagegram_entry_t *entry,
    ngx_str_t *key, ngx_http_imagegram_answer_t *answer);
static void ngx_http_imagegram_cache_remove(ngx_http_imagegram_shared_t *sh,
    ngx_slab_pool_t *pool, ngx_http_imagegram_entry_t *entry);


ngx_int_t
ngx_http_imagegram_cache_get(ngx_http_imagegram_cache_t *cache, ngx_str_t *key,
    ngx_uint_t gzip, ngx_pool_t *pool, ngx_http_imagegram_answer_t *answer,
    uint64_t *generation)
{
    ngx_int_t                     rc;
    ngx_rbtree_key_t              hash;
    ngx_http_imagegram_entry_t   *entry;
    ngx_http_imagegram_shared_t  *sh;

    rc = NGX_DECLINED;
    hash = XXH3_64bits_withSeed(key->data, key->len, gzip);
    *generation = 0;

    sh = ngx_http_imagegram_cache_lock(cache);

    if (sh->trusted && (ngx_msec_int_t) (sh->lease - ngx_current_msec) > 0) {
        *generation = sh->generation;

        entry = ngx_http_imagegram_cache_find(sh, hash);

        if (entry && ngx_http_imagegram_cache_current(sh, entry, key, gzip)) {
            ngx_queue_remove(&entry->queue);
            ngx_queue_insert_head(&sh->queue, &entry->queue);

            rc = ngx_http_imagegram_cache_copy(entry, pool, answer);
        }
    }

    ngx_http_imagegram_cache_unlock(cache);

    return rc;
}


void
ngx_http_imagegram_cache_put(ngx_http_imagegram_cache_t *cache, ngx_str_t *key,
    ngx_http_imagegram_answer_t *answer, uint64_t generation)
{
    size_t                        size;
    ngx_slab_pool_t              *pool;
    ngx_rbtree_key_t              hash;
    ngx_http_imagegram_entry_t   *entry;
    ngx_http_imagegram_shared_t  *sh;

    pool = (ngx_slab_pool_t *) cache->zone->shm.addr;
    hash = XXH3_64bits_withSeed(key->data, key->len, answer->gzip);
    size = offsetof(ngx_http_imagegram_entry_t, data)
           + key->len + answer->link.len + 1 + answer->body.len;

    /* one page is not to drive all the others out */

    if (size > cache->zone->shm.size / 4) {
        return;
    }

    sh = ngx_http_imagegram_cache_lock(cache);

    if (generation == sh->generation) {
        entry = ngx_http_imagegram_cache_find(sh, hash);

        if (entry) {
            ngx_http_imagegram_cache_remove(sh, pool, entry);
        }

        entry = ngx_http_imagegram_cache_alloc(sh, pool, size);

        if (entry) {
            entry->node.key = hash;
            entry->generation = generation;

            ngx_http_imagegram_cache_fill(entry, key, answer);

            ngx_rbtree_insert(&sh->tree, &entry->node);
            ngx_queue_insert_head(&sh->queue, &entry->queue);
        }
    }

    ngx_http_imagegram_cache_unlock(cache);
}


/* No two entries have one hash: the later one takes the place. */

static ngx_http_imagegram_entry_t *
ngx_http_imagegram_cache_find(ngx_http_imagegram_shared_t *sh,
    ngx_rbtree_key_t hash)
{
    ngx_rbtree_node_t  *node;

    node = sh->tree.root;

    while (node != sh->tree.sentinel) {

        if (hash == node->key) {
            return (ngx_http_imagegram_entry_t *) node;
        }

        node = (hash < node->key) ? node->left : node->right;
    }

    return NULL;
}


static ngx_uint_t
ngx_http_imagegram_cache_current(ngx_http_imagegram_shared_t *sh,
    ngx_http_imagegram_entry_t *entry, ngx_str_t *key, ngx_uint_t gzip)
{
    return entry->generation == sh->generation
           && entry->gzip == gzip
           && entry->key_len == key->len
           && ngx_memcmp(entry->data, key->data, key->len) == 0;
}


static ngx_int_t
ngx_http_imagegram_cache_copy(ngx_http_imagegram_entry_t *entry,
    ngx_pool_t *pool, ngx_http_imagegram_answer_t *answer)
{
    u_char  *p;
    size_t   size;

    size = entry->link_len + 1 + entry->body_len;

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, entry->data + entry->key_len, size);
    ngx_memcpy(answer->etag, entry->etag, sizeof(entry->etag));

    answer->link.data = p;
    answer->link.len = entry->link_len;
    answer->body.data = p + entry->link_len + 1;
    answer->body.len = entry->body_len;
    answer->gzip = entry->gzip;
    answer->varies = entry->varies;

    return NGX_OK;
}


/* Pages that were not used for longest make room, if there is so much. */

static ngx_http_imagegram_entry_t *
ngx_http_imagegram_cache_alloc(ngx_http_imagegram_shared_t *sh,
    ngx_slab_pool_t *pool, size_t size)
{
    ngx_queue_t                 *q;
    ngx_http_imagegram_entry_t  *entry;

    for ( ;; ) {
        entry = ngx_slab_alloc_locked(pool, size);

        if (entry || ngx_queue_empty(&sh->queue)) {
            return entry;
        }

        q = ngx_queue_last(&sh->queue);

        ngx_http_imagegram_cache_remove(sh, pool,
                      ngx_queue_data(q, ngx_http_imagegram_entry_t, queue));
    }
}


static void
ngx_http_imagegram_cache_fill(ngx_http_imagegram_entry_t *entry,
    ngx_str_t *key, ngx_http_imagegram_answer_t *answer)
{
    u_char  *p;

    entry->key_len = key->len;
    entry->link_len = answer->link.len;
    entry->body_len = answer->body.len;
    entry->gzip = answer->gzip;
    entry->varies = answer->varies;

    ngx_memcpy(entry->etag, answer->etag, sizeof(entry->etag));

    p = ngx_cpymem(entry->data, key->data, key->len);

    if (answer->link.len) {
        p = ngx_cpymem(p, answer->link.data, answer->link.len);
    }

    *p++ = '\0';

    ngx_memcpy(p, answer->body.data, answer->body.len);
}


static void
ngx_http_imagegram_cache_remove(ngx_http_imagegram_shared_t *sh,
    ngx_slab_pool_t *pool, ngx_http_imagegram_entry_t *entry)
{
    ngx_queue_remove(&entry->queue);
    ngx_rbtree_delete(&sh->tree, &entry->node);
    ngx_slab_free_locked(pool, entry);
}
