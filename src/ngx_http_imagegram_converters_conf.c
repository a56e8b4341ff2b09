
/*
 * The directive imagegram_converters: reads it, checks that the program can
 * be run, and lists what a worker has to start.
 *
 * The list is the process's; each entry leaves it when its cycle's pool is
 * destroyed, so that a configuration that failed leaves nothing behind.
 */


#include "ngx_http_imagegram_converters.h"
#include "ngx_http_imagegram_user.h"


/* where "make install" puts it */
#ifndef NGX_HTTP_IMAGEGRAM_CONVERTER
#define NGX_HTTP_IMAGEGRAM_CONVERTER  "/usr/lib/nginx/imagegram-convert"
#endif

#define NGX_HTTP_IMAGEGRAM_CONVERTERS_MAX    1024
#define NGX_HTTP_IMAGEGRAM_CONVERT_TIME_MAX  3600000

/* what a check of the program says beside NGX_OK */
#define NGX_HTTP_IMAGEGRAM_NOT_FOUND   1
#define NGX_HTTP_IMAGEGRAM_NOT_FILE    2
#define NGX_HTTP_IMAGEGRAM_NOT_RUN     3


static void ngx_http_imagegram_converters_set_defaults(
    ngx_http_imagegram_converters_t *converters);
static char *ngx_http_imagegram_converters_parameter(ngx_conf_t *cf,
    ngx_http_imagegram_converters_t *converters, ngx_str_t *value);
static ngx_http_imagegram_converters_t *ngx_http_imagegram_converters_add(
    ngx_conf_t *cf, ngx_http_imagegram_converters_t *settings);
static ngx_int_t ngx_http_imagegram_converters_test(ngx_conf_t *cf,
    ngx_str_t *path);
static int ngx_http_imagegram_converters_check(void *data);
static void ngx_http_imagegram_converters_cleanup(void *data);


static ngx_queue_t  ngx_http_imagegram_converters_list = {
    &ngx_http_imagegram_converters_list,
    &ngx_http_imagegram_converters_list
};


ngx_queue_t *
ngx_http_imagegram_converters_all(void)
{
    return &ngx_http_imagegram_converters_list;
}


char *
ngx_http_imagegram_converters_parse(ngx_conf_t *cf,
    ngx_http_imagegram_converters_t **converters)
{
    char                             *rv;
    ngx_int_t                         n;
    ngx_str_t                        *value;
    ngx_uint_t                        i;
    ngx_http_imagegram_converters_t   settings;

    ngx_http_imagegram_converters_set_defaults(&settings);

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n < 1 || n > NGX_HTTP_IMAGEGRAM_CONVERTERS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "imagegram_converters: invalid number \"%V\", "
                           "it must be 1 to %d", &value[1],
                           NGX_HTTP_IMAGEGRAM_CONVERTERS_MAX);
        return NGX_CONF_ERROR;
    }

    settings.n = n;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_imagegram_converters_parameter(cf, &settings, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    *converters = ngx_http_imagegram_converters_add(cf, &settings);

    return *converters ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_http_imagegram_converters_t *
ngx_http_imagegram_converters_default(ngx_conf_t *cf)
{
    ngx_http_imagegram_converters_t  settings;

    ngx_http_imagegram_converters_set_defaults(&settings);

    return ngx_http_imagegram_converters_add(cf, &settings);
}


static void
ngx_http_imagegram_converters_set_defaults(
    ngx_http_imagegram_converters_t *converters)
{
    ngx_memzero(converters, sizeof(ngx_http_imagegram_converters_t));

    converters->n = 1;
    converters->queue = 64;
    converters->timeout = 20000;
    converters->memory = 1024 * 1024 * 1024;

    ngx_str_set(&converters->path, NGX_HTTP_IMAGEGRAM_CONVERTER);
}


static char *
ngx_http_imagegram_converters_parameter(ngx_conf_t *cf,
    ngx_http_imagegram_converters_t *converters, ngx_str_t *value)
{
    off_t       memory;
    u_char     *p;
    ngx_int_t   n;
    ngx_str_t   s;

    p = ngx_strlchr(value->data, value->data + value->len, '=');

    if (p == NULL) {
        goto unknown;
    }

    p++;

    s.data = p;
    s.len = value->data + value->len - p;

    if (ngx_strncmp(value->data, "queue=", 6) == 0) {

        n = ngx_atoi(s.data, s.len);
        if (n == NGX_ERROR) {
            goto invalid;
        }

        converters->queue = n;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "timeout=", 8) == 0) {

        n = ngx_parse_time(&s, 0);
        if (n < 1 || n > NGX_HTTP_IMAGEGRAM_CONVERT_TIME_MAX) {
            goto invalid;
        }

        converters->timeout = n;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "memory=", 7) == 0) {

        memory = ngx_parse_offset(&s);
        if (memory < 1) {
            goto invalid;
        }

        converters->memory = memory;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "path=", 5) == 0) {

        if (s.len == 0) {
            goto invalid;
        }

        converters->path = s;
        return NGX_CONF_OK;
    }

unknown:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "imagegram_converters: unknown parameter \"%V\"",
                       value);
    return NGX_CONF_ERROR;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "imagegram_converters: invalid value in \"%V\"", value);
    return NGX_CONF_ERROR;
}


/* The same settings twice are one parent. */

static ngx_http_imagegram_converters_t *
ngx_http_imagegram_converters_add(ngx_conf_t *cf,
    ngx_http_imagegram_converters_t *settings)
{
    ngx_queue_t                      *q;
    ngx_pool_cleanup_t               *cln;
    ngx_http_imagegram_converters_t  *c;

    if (ngx_conf_full_name(cf->cycle, &settings->path, 0) != NGX_OK) {
        return NULL;
    }

    for (q = ngx_queue_head(&ngx_http_imagegram_converters_list);
         q != ngx_queue_sentinel(&ngx_http_imagegram_converters_list);
         q = ngx_queue_next(q))
    {
        c = ngx_queue_data(q, ngx_http_imagegram_converters_t, link);

        if (c->cycle == cf->cycle
            && c->n == settings->n
            && c->queue == settings->queue
            && c->timeout == settings->timeout
            && c->memory == settings->memory
            && c->path.len == settings->path.len
            && ngx_strncmp(c->path.data, settings->path.data, c->path.len)
               == 0)
        {
            return c;
        }
    }

    if (ngx_http_imagegram_converters_test(cf, &settings->path) != NGX_OK) {
        return NULL;
    }

    c = ngx_palloc(cf->cycle->pool, sizeof(ngx_http_imagegram_converters_t));
    if (c == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->cycle->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    *c = *settings;
    c->cycle = cf->cycle;

    ngx_queue_insert_tail(&ngx_http_imagegram_converters_list, &c->link);

    cln->handler = ngx_http_imagegram_converters_cleanup;
    cln->data = c;

    return c;
}


static ngx_int_t
ngx_http_imagegram_converters_test(ngx_conf_t *cf, ngx_str_t *path)
{
    ngx_int_t                  rc;
    ngx_err_t                  err;
    ngx_http_imagegram_user_t  user;

    if (ngx_http_imagegram_user(cf, &user) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_imagegram_user_check(cf, &user,
                                       ngx_http_imagegram_converters_check,
                                       path->data, &err);
    switch (rc) {

    case NGX_OK:
        return NGX_OK;

    case NGX_HTTP_IMAGEGRAM_NOT_FOUND:
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "imagegram_converters: \"%V\" cannot be found by "
                           "user \"%s\", see path=", path, user.name);
        break;

    case NGX_HTTP_IMAGEGRAM_NOT_FILE:
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "imagegram_converters: \"%V\" is not a file, "
                           "see path=", path);
        break;

    case NGX_HTTP_IMAGEGRAM_NOT_RUN:
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "imagegram_converters: \"%V\" is not executable "
                           "by user \"%s\", see path=", path, user.name);
        break;
    }

    return NGX_ERROR;
}


static int
ngx_http_imagegram_converters_check(void *data)
{
    char *path = data;

    ngx_file_info_t  fi;

    if (ngx_file_info(path, &fi) == NGX_FILE_ERROR) {
        return NGX_HTTP_IMAGEGRAM_NOT_FOUND;
    }

    if (!ngx_is_file(&fi)) {
        return NGX_HTTP_IMAGEGRAM_NOT_FILE;
    }

    if (access(path, X_OK) == -1) {
        return NGX_HTTP_IMAGEGRAM_NOT_RUN;
    }

    return 0;
}


static void
ngx_http_imagegram_converters_cleanup(void *data)
{
    ngx_http_imagegram_converters_t *converters = data;

    ngx_queue_remove(&converters->link);
}
