
/*
 * What the user that the workers run as may do, found out at configuration
 * time, when nginx may still be root.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_USER_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_USER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_uid_t   uid;
    ngx_gid_t   gid;
    char       *name;       /* static memory, or the configuration's */
} ngx_http_imagegram_user_t;


/* Gives 0, or a value from 1 to 255 that says what failed; sets errno then. */
typedef int (*ngx_http_imagegram_user_check_pt)(void *data);


/* The user of "user", of nginx's build, or who runs nginx if that is not
 * root. */
ngx_int_t ngx_http_imagegram_user(ngx_conf_t *cf,
    ngx_http_imagegram_user_t *user);

/*
 * Once the whole configuration was read: whether workers will be that user,
 * which "user" changes where it stands behind "http".  NGX_ERROR: they will
 * not, which is logged.
 */
ngx_int_t ngx_http_imagegram_user_check_order(ngx_cycle_t *cycle,
    ngx_http_imagegram_user_t *user);

/*
 * Runs check as that user: in a child where nginx runs as root.  Gives what
 * check gave, and its errno in *err; NGX_ERROR: the check could not be run,
 * which is logged.
 */
ngx_int_t ngx_http_imagegram_user_check(ngx_conf_t *cf,
    ngx_http_imagegram_user_t *user, ngx_http_imagegram_user_check_pt check,
    void *data, ngx_err_t *err);


#endif /* _NGX_HTTP_IMAGEGRAM_USER_H_INCLUDED_ */
