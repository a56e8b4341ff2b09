
/*
 * The cache's directive, and which posts belong to which zone.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_cache_conf.h"
#include "ngx_http_imagegram_owner.h"
#include "ngx_http_imagegram_store.h"


#define NGX_HTTP_IMAGEGRAM_CACHE_MIN  (8 * ngx_pagesize)


static char *ngx_http_imagegram_cache_parse_zone(ngx_conf_t *cf,
    ngx_str_t *value, ngx_http_imagegram_cache_t **cache);
static ngx_http_imagegram_cache_t *ngx_http_imagegram_cache_create(
    ngx_conf_t *cf, ngx_str_t *name, size_t size);
static ngx_http_imagegram_cache_t *ngx_http_imagegram_cache_of(
    ngx_http_imagegram_main_conf_t *mcf, ngx_str_t *owner);


char *
ngx_http_imagegram_cache_parse(ngx_conf_t *cf,
    ngx_http_imagegram_cache_t **cache, ngx_flag_t *gzip)
{
    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;
    *cache = NULL;
    *gzip = 1;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0 && *cache == NULL) {
            rv = ngx_http_imagegram_cache_parse_zone(cf, &value[i], cache);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

        } else if (ngx_strcmp(value[i].data, "gzip=on") == 0) {
            *gzip = 1;

        } else if (ngx_strcmp(value[i].data, "gzip=off") == 0) {
            *gzip = 0;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "imagegram_cache: invalid parameter \"%V\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return *cache ? NGX_CONF_OK : "needs \"zone=name:size\", or \"off\"";
}


static char *
ngx_http_imagegram_cache_parse_zone(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_imagegram_cache_t **cache)
{
    u_char     *p, *end;
    ssize_t     size;
    ngx_str_t   name, s;

    end = value->data + value->len;

    name.data = value->data + 5;
    p = ngx_strlchr(name.data, end, ':');

    if (p == NULL || p == name.data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "imagegram_cache: invalid zone \"%V\", it must be "
                           "\"zone=name:size\"", value);
        return NGX_CONF_ERROR;
    }

    name.len = p - name.data;

    s.data = p + 1;
    s.len = end - s.data;

    size = ngx_parse_size(&s);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "imagegram_cache: invalid size in \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) NGX_HTTP_IMAGEGRAM_CACHE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "imagegram_cache: zone \"%V\" is too small, it "
                           "needs %uzk", value,
                           (size_t) NGX_HTTP_IMAGEGRAM_CACHE_MIN / 1024);
        return NGX_CONF_ERROR;
    }

    *cache = ngx_http_imagegram_cache_create(cf, &name, size);

    return *cache ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* The same zone may be named in several places. */

static ngx_http_imagegram_cache_t *
ngx_http_imagegram_cache_create(ngx_conf_t *cf, ngx_str_t *name, size_t size)
{
    ngx_shm_zone_t              *zone;
    ngx_http_imagegram_cache_t  *cache;

    zone = ngx_shared_memory_add(cf, name, size, &ngx_http_imagegram_module);

    if (zone == NULL || zone->data) {
        return zone ? zone->data : NULL;
    }

    cache = ngx_pcalloc(cf->pool, sizeof(ngx_http_imagegram_cache_t));

    if (cache) {
        cache->zone = zone;
        ngx_http_imagegram_cache_zone(zone, cache);
    }

    return cache;
}


char *
ngx_http_imagegram_cache_bind(ngx_conf_t *cf,
    ngx_http_imagegram_loc_conf_t *conf)
{
    ngx_http_imagegram_cache_t       *cache, *other, **slot;
    ngx_http_imagegram_main_conf_t   *mcf;

    cache = conf->cache;

    if (cache == NULL) {
        return NGX_CONF_OK;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_imagegram_module);
    other = ngx_http_imagegram_cache_of(mcf, &conf->owner);

    if (other == cache) {
        return NGX_CONF_OK;
    }

    if (other || cache->owner.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "imagegram_cache: each Redis, db and prefix needs "
                           "a zone of its own, and one only: zone \"%V\" in "
                           "location \"%V\"", &cache->zone->shm.name,
                           &conf->name);
        return NGX_CONF_ERROR;
    }

    cache->owner = conf->owner;
    cache->redis = conf->redis;

    if (ngx_http_imagegram_store_channel(conf, cf->pool, &cache->channel)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    slot = ngx_array_push(&mcf->caches);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = cache;

    return NGX_CONF_OK;
}


void
ngx_http_imagegram_cache_watch(ngx_http_imagegram_main_conf_t *mcf)
{
    ngx_uint_t                       i;
    ngx_http_imagegram_loc_conf_t  **conf;

    conf = mcf->locations.elts;

    for (i = 0; i < mcf->locations.nelts; i++) {
        conf[i]->changes = ngx_http_imagegram_cache_of(mcf, &conf[i]->owner);
    }
}


static ngx_http_imagegram_cache_t *
ngx_http_imagegram_cache_of(ngx_http_imagegram_main_conf_t *mcf,
    ngx_str_t *owner)
{
    ngx_uint_t                    i;
    ngx_http_imagegram_cache_t  **cache;

    cache = mcf->caches.elts;

    for (i = 0; i < mcf->caches.nelts; i++) {

        if (ngx_http_imagegram_owner_equal(&cache[i]->owner, owner)) {
            return cache[i];
        }
    }

    return NULL;
}
