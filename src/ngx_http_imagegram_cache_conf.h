
/*
 * The cache's directive, and which posts belong to which zone: those of one
 * Redis, db and prefix to one.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_CACHE_CONF_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_CACHE_CONF_H_INCLUDED_


#include "ngx_http_imagegram.h"


/* Parses "imagegram_cache zone=name:size [gzip=on|off]", or "off": *cache is
 * NULL then. */
char *ngx_http_imagegram_cache_parse(ngx_conf_t *cf,
    ngx_http_imagegram_cache_t **cache, ngx_flag_t *gzip);

/* Once the location's owner is known. */
char *ngx_http_imagegram_cache_bind(ngx_conf_t *cf,
    ngx_http_imagegram_loc_conf_t *conf);

/* Once all locations are known: each is told which cache its changes concern,
 * whether it has one itself or not. */
void ngx_http_imagegram_cache_watch(ngx_http_imagegram_main_conf_t *mcf);


#endif /* _NGX_HTTP_IMAGEGRAM_CACHE_CONF_H_INCLUDED_ */
