
/*
 * Which storages there are to be swept, and how.  Two paths, or one path given
 * twice, may be one storage: it is told by the folder itself.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_owner.h"
#include "ngx_http_imagegram_sweep.h"


static ngx_http_imagegram_sweep_t *ngx_http_imagegram_sweep_find(
    ngx_conf_t *cf, ngx_http_imagegram_storage_t *storage);
static ngx_int_t ngx_http_imagegram_sweep_owner(
    ngx_http_imagegram_sweep_t *sweep, ngx_http_imagegram_loc_conf_t *conf);


char *
ngx_http_imagegram_sweep_add(ngx_conf_t *cf,
    ngx_http_imagegram_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_imagegram_sweep_t  *sweep;

    sweep = ngx_http_imagegram_sweep_find(cf, conf->storage);

    if (sweep == NULL
        || ngx_http_imagegram_sweep_owner(sweep, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    sweep->upload_expires = ngx_max(sweep->upload_expires,
                                    conf->upload_expires);

    if (conf->sweep == NGX_CONF_UNSET_MSEC) {
        return NGX_CONF_OK;
    }

    if (sweep->interval != NGX_CONF_UNSET_MSEC
        && sweep->interval != conf->sweep)
    {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"imagegram_sweep\" in location \"%V\" differs "
                           "from that of another location with "
                           "imagegram_storage \"%V\"",
                           &clcf->name, &sweep->storage->path);
        return NGX_CONF_ERROR;
    }

    sweep->interval = conf->sweep;

    return NGX_CONF_OK;
}


static ngx_http_imagegram_sweep_t *
ngx_http_imagegram_sweep_find(ngx_conf_t *cf,
    ngx_http_imagegram_storage_t *storage)
{
    ngx_uint_t                        i;
    ngx_http_imagegram_sweep_t       *sweep, **sweeps;
    ngx_http_imagegram_main_conf_t   *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_imagegram_module);

    sweeps = mcf->sweeps.elts;

    for (i = 0; i < mcf->sweeps.nelts; i++) {

        if (ngx_http_imagegram_storage_same(sweeps[i]->storage, storage)) {
            return sweeps[i];
        }
    }

    sweep = ngx_pcalloc(cf->pool, sizeof(ngx_http_imagegram_sweep_t));
    sweeps = ngx_array_push(&mcf->sweeps);

    if (sweep == NULL || sweeps == NULL
        || ngx_array_init(&sweep->owners, cf->pool, 2,
                          sizeof(ngx_http_imagegram_loc_conf_t *))
           != NGX_OK)
    {
        return NULL;
    }

    *sweeps = sweep;

    sweep->storage = storage;
    sweep->interval = NGX_CONF_UNSET_MSEC;

    return sweep;
}


static ngx_int_t
ngx_http_imagegram_sweep_owner(ngx_http_imagegram_sweep_t *sweep,
    ngx_http_imagegram_loc_conf_t *conf)
{
    ngx_uint_t                       i;
    ngx_http_imagegram_loc_conf_t  **owners;

    owners = sweep->owners.elts;

    for (i = 0; i < sweep->owners.nelts; i++) {

        if (ngx_http_imagegram_owner_equal(&owners[i]->owner, &conf->owner)) {
            return NGX_OK;
        }
    }

    owners = ngx_array_push(&sweep->owners);
    if (owners == NULL) {
        return NGX_ERROR;
    }

    *owners = conf;

    return NGX_OK;
}
