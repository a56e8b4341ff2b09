
/*
 * The configuration of a location, from its creation to what its directives
 * and the levels above say.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_CONF_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_CONF_H_INCLUDED_


#include "ngx_http_imagegram.h"


void *ngx_http_imagegram_conf_create_main(ngx_conf_t *cf);
void *ngx_http_imagegram_conf_create(ngx_conf_t *cf);
char *ngx_http_imagegram_conf_merge(ngx_conf_t *cf, void *parent, void *child);

/* Setters of directives, as in ngx_command_t. */

char *ngx_http_imagegram_conf_enable(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_imagegram_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_imagegram_conf_storage(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_imagegram_conf_sweep(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_imagegram_conf_cache(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_imagegram_conf_converters(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_imagegram_conf_user(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_imagegram_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_imagegram_conf_size(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_imagegram_conf_fit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Checks of values, as in ngx_conf_post_t. */

char *ngx_http_imagegram_conf_positive(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_imagegram_conf_expires(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_imagegram_conf_quality(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_imagegram_conf_author(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_imagegram_conf_body(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_imagegram_conf_prefix(ngx_conf_t *cf, void *post, void *data);


#endif /* _NGX_HTTP_IMAGEGRAM_CONF_H_INCLUDED_ */
