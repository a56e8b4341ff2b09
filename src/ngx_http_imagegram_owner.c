
/*
 * Owners, see the header.
 */

#include "ngx_http_imagegram_owner.h"


static ngx_uint_t ngx_http_imagegram_owner_alone(
    ngx_http_imagegram_loc_conf_t *conf);


ngx_int_t
ngx_http_imagegram_owner_init(ngx_conf_t *cf,
    ngx_http_imagegram_loc_conf_t *conf)
{
    u_char     *p;
    size_t      size;
    ngx_str_t  *address;

    address = ngx_http_imagegram_redis_address(conf->redis);
    size = address->len + 2 + NGX_INT_T_LEN + conf->key_prefix.len;

    p = ngx_pnalloc(cf->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    conf->owner.data = p;
    conf->owner.len = ngx_sprintf(p, "%V %i %V", address,
                                  ngx_http_imagegram_redis_db(conf->redis),
                                  &conf->key_prefix)
                      - p;

    return NGX_OK;
}


ngx_uint_t
ngx_http_imagegram_owner_is(ngx_http_imagegram_loc_conf_t *conf,
    ngx_str_t *owner)
{
    ngx_str_t   prefix;
    ngx_uint_t  i;

    if (ngx_http_imagegram_owner_equal(&conf->owner, owner)) {
        return 1;
    }

    prefix = *owner;

    for (i = 0; i < 2 && prefix.len; prefix.data++, prefix.len--) {
        i += (*prefix.data == ' ');
    }

    return ngx_http_imagegram_owner_equal(&conf->key_prefix, &prefix)
           && ngx_http_imagegram_owner_alone(conf);
}


ngx_uint_t
ngx_http_imagegram_owner_equal(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}


/* Whether no other owner of the storage has the location's prefix. */

static ngx_uint_t
ngx_http_imagegram_owner_alone(ngx_http_imagegram_loc_conf_t *conf)
{
    ngx_uint_t                       i;
    ngx_http_imagegram_loc_conf_t  **other;
    ngx_http_imagegram_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                              ngx_http_imagegram_module);
    other = mcf->locations.elts;

    for (i = 0; i < mcf->locations.nelts; i++) {

        if (ngx_http_imagegram_storage_same(other[i]->storage, conf->storage)
            && ngx_http_imagegram_owner_equal(&other[i]->key_prefix,
                                              &conf->key_prefix)
            && !ngx_http_imagegram_owner_equal(&other[i]->owner, &conf->owner))
        {
            return 0;
        }
    }

    return 1;
}
