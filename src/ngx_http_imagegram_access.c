
/*
 * Identity and origins.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_access.h"
#include "ngx_http_imagegram_header.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_tus.h"
#include "parse/imagegram_text.h"


static ngx_int_t ngx_http_imagegram_access_preflight(ngx_http_request_t *r);
static ngx_int_t ngx_http_imagegram_access_user(ngx_http_request_t *r);
static ngx_str_t *ngx_http_imagegram_access_origin(ngx_http_request_t *r);


ngx_int_t
ngx_http_imagegram_access_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_imagegram_access_preflight;

    return NGX_OK;
}


/*
 * A browser sends a preflight without credentials, so it is answered before
 * the access phase, where auth_basic and the like would refuse it.
 */

static ngx_int_t
ngx_http_imagegram_access_preflight(ngx_http_request_t *r)
{
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    if (!conf->enable || r->method != NGX_HTTP_OPTIONS || r != r->main
        || ngx_http_imagegram_access_origin(r) == NULL
        || ngx_http_imagegram_get_header(r, "Access-Control-Request-Method")
           == NULL)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_imagegram_add_header(r, "Access-Control-Allow-Methods",
                                      "GET, HEAD, POST, PATCH, DELETE")
        != NGX_OK
        || ngx_http_imagegram_add_header(r, "Access-Control-Allow-Headers",
                                         "Authorization, Content-Type, "
                                         "Idempotency-Key, "
                                     NGX_HTTP_IMAGEGRAM_TUS_REQUEST_HEADERS)
           != NGX_OK
        || ngx_http_imagegram_add_header(r, "Access-Control-Max-Age", "86400")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_NO_CONTENT;
}


ngx_int_t
ngx_http_imagegram_access_write(ngx_http_request_t *r)
{
    ngx_str_t  *site;

    site = ngx_http_imagegram_get_header(r, "Sec-Fetch-Site");

    if (site && site->len == sizeof("cross-site") - 1
        && ngx_strncmp(site->data, "cross-site", site->len) == 0
        && ngx_http_imagegram_access_origin(r) == NULL)
    {
        return ngx_http_imagegram_problem(r, NGX_HTTP_FORBIDDEN,
                                "requests from this site are not allowed");
    }

    return ngx_http_imagegram_access_user(r);
}


static ngx_int_t
ngx_http_imagegram_access_user(ngx_http_request_t *r)
{
    size_t                          len;
    ngx_http_imagegram_ctx_t       *ctx;
    ngx_http_imagegram_loc_conf_t  *conf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    if (conf->user == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, conf->user, &ctx->user) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->user.len == 0) {
        return ngx_http_imagegram_problem(r, NGX_HTTP_UNAUTHORIZED,
                                          "this needs an identity");
    }

    /* an identity is compared byte by byte: it may not need normalizing,
     * which is done in place, on a copy since variables are cached */

    ctx->user.data = ngx_pstrdup(r->pool, &ctx->user);
    if (ctx->user.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = ctx->user.len;

    if (imagegram_text_normalize(ctx->user.data, &len, conf->max_author)
        != IMAGEGRAM_OK
        || len != ctx->user.len)
    {
        return ngx_http_imagegram_problem(r, NGX_HTTP_FORBIDDEN,
                                     "this identity cannot be an author");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_access_headers(ngx_http_request_t *r)
{
    u_char                         *value;
    ngx_str_t                      *origin;
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    if (conf->allow_origin == NULL) {
        return NGX_OK;
    }

    if (ngx_http_imagegram_add_header(r, "Vary", "Origin") != NGX_OK) {
        return NGX_ERROR;
    }

    origin = ngx_http_imagegram_access_origin(r);

    if (origin == NULL) {
        return NGX_OK;
    }

    value = ngx_pnalloc(r->pool, origin->len + 1);
    if (value == NULL) {
        return NGX_ERROR;
    }

    ngx_cpystrn(value, origin->data, origin->len + 1);

    if (ngx_http_imagegram_add_header(r, "Access-Control-Allow-Origin",
                                      (char *) value)
        != NGX_OK
        || ngx_http_imagegram_add_header(r, "Access-Control-Allow-Credentials",
                                         "true")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_imagegram_add_header(r, "Access-Control-Expose-Headers",
                                         "Location, Link, Retry-After, "
                                    NGX_HTTP_IMAGEGRAM_TUS_RESPONSE_HEADERS);
}


/* The origin the request comes from, if it is an allowed one. */

static ngx_str_t *
ngx_http_imagegram_access_origin(ngx_http_request_t *r)
{
    ngx_str_t                      *origin, *allowed;
    ngx_uint_t                      i;
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    if (conf->allow_origin == NULL) {
        return NULL;
    }

    origin = ngx_http_imagegram_get_header(r, "Origin");

    if (origin == NULL) {
        return NULL;
    }

    allowed = conf->allow_origin->elts;

    for (i = 0; i < conf->allow_origin->nelts; i++) {
        if (origin->len == allowed[i].len
            && ngx_strncmp(origin->data, allowed[i].data, origin->len) == 0)
        {
            return &allowed[i];
        }
    }

    return NULL;
}
