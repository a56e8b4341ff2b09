
/*
 * The configuration: its life from creation through merging, where what is
 * not given gets its default.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_cache_conf.h"
#include "ngx_http_imagegram_conf.h"
#include "ngx_http_imagegram_admission.h"
#include "ngx_http_imagegram_owner.h"
#include "ngx_http_imagegram_router.h"
#include "ngx_http_imagegram_sweep.h"


static void ngx_http_imagegram_conf_inherit(
    ngx_http_imagegram_loc_conf_t *prev, ngx_http_imagegram_loc_conf_t *conf);
static char *ngx_http_imagegram_conf_defaults(ngx_conf_t *cf,
    ngx_http_imagegram_loc_conf_t *conf);
static ngx_int_t ngx_http_imagegram_conf_default_storage(ngx_conf_t *cf,
    ngx_http_imagegram_main_conf_t *mcf);
static char *ngx_http_imagegram_conf_image_base(ngx_conf_t *cf,
    ngx_http_imagegram_loc_conf_t *conf);
static void ngx_http_imagegram_conf_check_body_size(ngx_conf_t *cf,
    ngx_http_imagegram_loc_conf_t *conf);


void *
ngx_http_imagegram_conf_create_main(ngx_conf_t *cf)
{
    ngx_http_imagegram_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_imagegram_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&mcf->redis, cf->pool, 2,
                       sizeof(ngx_http_imagegram_redis_t *))
        != NGX_OK
        || ngx_array_init(&mcf->locations, cf->pool, 2,
                          sizeof(ngx_http_imagegram_loc_conf_t *))
           != NGX_OK
        || ngx_array_init(&mcf->sweeps, cf->pool, 2,
                          sizeof(ngx_http_imagegram_sweep_t *))
           != NGX_OK
        || ngx_array_init(&mcf->caches, cf->pool, 2,
                          sizeof(ngx_http_imagegram_cache_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return mcf;
}


void *
ngx_http_imagegram_conf_create(ngx_conf_t *cf)
{
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_imagegram_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->redis = NULL;
     *     conf->key_prefix = { 0, NULL };
     *     conf->storage = NULL;
     *     conf->image_base = { 0, NULL };
     *     conf->image_width = 0;
     *     conf->image_height = 0;
     *     conf->converters = NULL;
     */

    conf->enable = NGX_CONF_UNSET;
    conf->cache = NGX_CONF_UNSET_PTR;
    conf->cache_gzip = NGX_CONF_UNSET;
    conf->sweep = NGX_CONF_UNSET_MSEC;
    conf->user = NGX_CONF_UNSET_PTR;
    conf->allow_origin = NGX_CONF_UNSET_PTR;
    conf->max_image_size = NGX_CONF_UNSET;
    conf->max_image_pixels = NGX_CONF_UNSET;
    conf->image_fit = NGX_CONF_UNSET_UINT;
    conf->image_quality = NGX_CONF_UNSET;
    conf->max_author = NGX_CONF_UNSET;
    conf->max_body = NGX_CONF_UNSET;
    conf->upload_expires = NGX_CONF_UNSET;

    return conf;
}


char *
ngx_http_imagegram_conf_merge(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_imagegram_loc_conf_t *prev = parent;
    ngx_http_imagegram_loc_conf_t *conf = child;

    char                             *rv;
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_imagegram_loc_conf_t   **location;
    ngx_http_imagegram_main_conf_t   *mcf;

    ngx_conf_merge_str_value(conf->key_prefix, prev->key_prefix, "imagegram");
    ngx_conf_merge_str_value(conf->image_base, prev->image_base, "/images/");
    ngx_conf_merge_sec_value(conf->upload_expires, prev->upload_expires,
                             24 * 60 * 60);
    ngx_conf_merge_ptr_value(conf->cache, prev->cache, NULL);
    ngx_conf_merge_value(conf->cache_gzip, prev->cache_gzip, 1);
    ngx_conf_merge_ptr_value(conf->user, prev->user, NULL);
    ngx_conf_merge_ptr_value(conf->allow_origin, prev->allow_origin, NULL);
    ngx_conf_merge_off_value(conf->max_image_size, prev->max_image_size,
                             100 * 1024 * 1024);
    ngx_conf_merge_off_value(conf->max_image_pixels, prev->max_image_pixels,
                             250 * 1024 * 1024);
    ngx_conf_merge_uint_value(conf->image_fit, prev->image_fit,
                              IMAGEGRAM_FIT_COVER);
    ngx_conf_merge_value(conf->image_quality, prev->image_quality, 82);
    ngx_conf_merge_value(conf->max_author, prev->max_author, 64);
    ngx_conf_merge_value(conf->max_body, prev->max_body, 2200);

    if (conf->image_width == 0) {
        conf->image_width = prev->image_width ? prev->image_width : 600;
        conf->image_height = prev->image_height ? prev->image_height : 600;
    }

    ngx_http_imagegram_conf_inherit(prev, conf);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and "limit_except" make locations of their own, below this one */

    if (conf->enable == NGX_CONF_UNSET) {
        conf->enable = clcf->noname && prev->enable == 1
                       && (clcf->handler == NULL
                           || clcf->handler == ngx_http_imagegram_handler);
    }

    if (!conf->enable) {
        return NGX_CONF_OK;
    }

    if (clcf->handler && clcf->handler != ngx_http_imagegram_handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"imagegram\" stands beside another handler of "
                           "location \"%V\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    clcf->handler = ngx_http_imagegram_handler;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_imagegram_module);

    mcf->used++;

    location = ngx_array_push(&mcf->locations);
    if (location == NULL) {
        return NGX_CONF_ERROR;
    }

    *location = conf;
    conf->name = clcf->name;

    if (conf->user == NULL) {
        mcf->open++;
    }

    ngx_http_imagegram_conf_check_body_size(cf, conf);

    rv = ngx_http_imagegram_conf_defaults(cf, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_http_imagegram_owner_init(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_imagegram_cache_bind(cf, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_http_imagegram_sweep_add(cf, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_imagegram_conf_image_base(cf, conf);
}


/* What is shared by all locations that inherit it. */

static void
ngx_http_imagegram_conf_inherit(ngx_http_imagegram_loc_conf_t *prev,
    ngx_http_imagegram_loc_conf_t *conf)
{
    if (conf->redis == NULL) {
        conf->redis = prev->redis;
    }

    if (conf->storage == NULL) {
        conf->storage = prev->storage;
    }

    if (conf->converters == NULL) {
        conf->converters = prev->converters;
    }

    /* the default is the storage's, see ngx_http_imagegram_sweep_add() */

    if (conf->sweep == NGX_CONF_UNSET_MSEC) {
        conf->sweep = prev->sweep;
    }
}


/* What applies where no directive does, made once and only if needed. */

static char *
ngx_http_imagegram_conf_defaults(ngx_conf_t *cf,
    ngx_http_imagegram_loc_conf_t *conf)
{
    ngx_http_imagegram_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_imagegram_module);

    if (conf->redis == NULL) {

        if (mcf->default_redis == NULL) {
            mcf->default_redis = ngx_http_imagegram_redis_default(cf);

            if (mcf->default_redis == NULL) {
                return NGX_CONF_ERROR;
            }
        }

        conf->redis = mcf->default_redis;
    }

    if (conf->storage == NULL) {

        if (mcf->default_storage == NULL
            && ngx_http_imagegram_conf_default_storage(cf, mcf) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        conf->storage = mcf->default_storage;
    }

    if (conf->converters == NULL) {

        if (mcf->default_converters == NULL) {
            mcf->default_converters =
                                   ngx_http_imagegram_converters_default(cf);

            if (mcf->default_converters == NULL) {
                return NGX_CONF_ERROR;
            }
        }

        conf->converters = mcf->default_converters;
    }

    /* a worker connects to these, and starts these */

    if (ngx_http_imagegram_redis_use(&mcf->redis, &conf->redis) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    conf->converters->used = 1;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_imagegram_conf_default_storage(ngx_conf_t *cf,
    ngx_http_imagegram_main_conf_t *mcf)
{
    ngx_http_imagegram_storage_t  *storage;

    storage = ngx_pcalloc(cf->pool, sizeof(ngx_http_imagegram_storage_t));
    if (storage == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&storage->path, "imagegram");

    mcf->default_storage = storage;

    return ngx_http_imagegram_storage_init(cf, storage);
}


/* The prefix of URLs inside JSON: escaped, and ending with a slash. */

static char *
ngx_http_imagegram_conf_image_base(ngx_conf_t *cf,
    ngx_http_imagegram_loc_conf_t *conf)
{
    u_char     *p;
    ngx_str_t  *base;

    base = &conf->image_base;

    p = ngx_pnalloc(cf->pool, base->len + 1
                              + ngx_escape_json(NULL, base->data, base->len));
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->image_base_json.data = p;

    p = (u_char *) ngx_escape_json(p, base->data, base->len);

    if (base->len == 0 || base->data[base->len - 1] != '/') {
        *p++ = '/';
    }

    conf->image_base_json.len = p - conf->image_base_json.data;

    return NGX_CONF_OK;
}


static void
ngx_http_imagegram_conf_check_body_size(ngx_conf_t *cf,
    ngx_http_imagegram_loc_conf_t *conf)
{
    off_t                      need;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname) {
        /* "if" or "limit_except": said of the location already */
        return;
    }

    need = ngx_http_imagegram_admission_size(conf, IMAGEGRAM_BODY_JSON);

    if (clcf->client_max_body_size != 0 && clcf->client_max_body_size < need) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "client_max_body_size is %O in location \"%V\", "
                           "but an image of imagegram_max_image_size takes up "
                           "to %O as JSON", clcf->client_max_body_size,
                           &clcf->name, need);
    }
}
