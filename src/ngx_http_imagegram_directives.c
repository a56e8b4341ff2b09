
/*
 * The directives that need more than one of nginx's own setters.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_cache_conf.h"
#include "ngx_http_imagegram_conf.h"
#include "ngx_http_imagegram_router.h"


/* what a body takes in base64, and more, is to be counted in an off_t */
#define NGX_HTTP_IMAGEGRAM_SIZE_MAX  (NGX_MAX_OFF_T_VALUE / 2)


static ngx_uint_t ngx_http_imagegram_conf_is_origin(ngx_str_t *value);
static ngx_uint_t ngx_http_imagegram_conf_ends(ngx_str_t *value,
    const char *scheme, const char *port);


char *
ngx_http_imagegram_conf_enable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_imagegram_loc_conf_t *ilcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (ilcf->enable != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->exact_match || clcf->named
#if (NGX_PCRE)
        || clcf->regex
#endif
       )
    {
        return "needs a prefix location: \"location / {...}\", "
               "\"location /api/v1/ {...}\"";
    }

    if (clcf->handler) {
        return "stands beside another handler of the same location";
    }

    ilcf->enable = 1;
    clcf->handler = ngx_http_imagegram_handler;

    return NGX_CONF_OK;
}


char *
ngx_http_imagegram_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_imagegram_loc_conf_t *ilcf = conf;

    if (ilcf->redis) {
        return "is duplicate";
    }

    return ngx_http_imagegram_redis_parse(cf, &ilcf->redis);
}


char *
ngx_http_imagegram_conf_storage(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_imagegram_loc_conf_t *ilcf = conf;

    ngx_str_t  *value;

    if (ilcf->storage) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ilcf->storage = ngx_pcalloc(cf->pool,
                                sizeof(ngx_http_imagegram_storage_t));
    if (ilcf->storage == NULL) {
        return NGX_CONF_ERROR;
    }

    ilcf->storage->path = value[1];

    if (ngx_http_imagegram_storage_init(cf, ilcf->storage) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_imagegram_conf_sweep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_imagegram_loc_conf_t *ilcf = conf;

    ngx_str_t  *value;

    if (ilcf->sweep != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ilcf->sweep = 0;
        return NGX_CONF_OK;
    }

    ilcf->sweep = ngx_parse_time(&value[1], 0);

    if (ilcf->sweep == (ngx_msec_t) NGX_ERROR || ilcf->sweep == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"imagegram_sweep\", it "
                           "must be a time like \"1h\", or \"off\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_imagegram_conf_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_imagegram_loc_conf_t *ilcf = conf;

    if (ilcf->cache != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    return ngx_http_imagegram_cache_parse(cf, &ilcf->cache, &ilcf->cache_gzip);
}


char *
ngx_http_imagegram_conf_converters(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_imagegram_loc_conf_t *ilcf = conf;

    if (ilcf->converters) {
        return "is duplicate";
    }

    return ngx_http_imagegram_converters_parse(cf, &ilcf->converters);
}


char *
ngx_http_imagegram_conf_user(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_imagegram_loc_conf_t *ilcf = conf;

    ngx_str_t                         *value;
    ngx_http_compile_complex_value_t   ccv;

    if (ilcf->user != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ilcf->user = NULL;
        return NGX_CONF_OK;
    }

    ilcf->user = ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (ilcf->user == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = ilcf->user;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ilcf->user->lengths == NULL) {
        return "has no variable in its value: everybody would be the same "
               "author";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_imagegram_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_imagegram_loc_conf_t *ilcf = conf;

    ngx_str_t   *value, *origin;
    ngx_uint_t   i;

    if (ilcf->allow_origin != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        ilcf->allow_origin = NULL;
        return NGX_CONF_OK;
    }

    ilcf->allow_origin = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                          sizeof(ngx_str_t));
    if (ilcf->allow_origin == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (!ngx_http_imagegram_conf_is_origin(&value[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" in \"imagegram_allow_origin\" is not "
                               "an origin like \"https://example.com\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        origin = ngx_array_push(ilcf->allow_origin);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        *origin = value[i];
    }

    return NGX_CONF_OK;
}


/*
 * As browsers send them (RFC 6454): scheme, host and, unless it is the
 * scheme's own, port, in lower case.  Another one would never match.
 */

static ngx_uint_t
ngx_http_imagegram_conf_is_origin(ngx_str_t *value)
{
    u_char  *p, *host, *last;

    last = value->data + value->len;
    host = ngx_strlcasestrn(value->data, last, (u_char *) "://", 3 - 1);

    if (host == NULL || host == value->data || host + 3 == last) {
        return 0;
    }

    for (p = value->data; p < last; p++) {

        if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')
            || (p >= host && p < host + 3)
            || ngx_strchr("-.+_:[]", *p) != NULL)
        {
            continue;
        }

        return 0;
    }

    return !ngx_http_imagegram_conf_ends(value, "http://", ":80")
           && !ngx_http_imagegram_conf_ends(value, "https://", ":443");
}


static ngx_uint_t
ngx_http_imagegram_conf_ends(ngx_str_t *value, const char *scheme,
    const char *port)
{
    size_t  n;

    n = ngx_strlen(port);

    return value->len > n
           && ngx_strncmp(value->data, scheme, ngx_strlen(scheme)) == 0
           && ngx_strncmp(value->data + value->len - n, port, n) == 0;
}


char *
ngx_http_imagegram_conf_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_imagegram_loc_conf_t *ilcf = conf;

    u_char     *x;
    ngx_int_t   width, height;
    ngx_str_t  *value;

    if (ilcf->image_width) {
        return "is duplicate";
    }

    value = cf->args->elts;

    x = ngx_strlchr(value[1].data, value[1].data + value[1].len, 'x');

    if (x) {
        width = ngx_atoi(value[1].data, x - value[1].data);
        height = ngx_atoi(x + 1, value[1].data + value[1].len - (x + 1));

        if (width >= 1 && width <= 4096 && height >= 1 && height <= 4096) {
            ilcf->image_width = width;
            ilcf->image_height = height;

            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"imagegram_image_size\", it "
                       "must be like \"600x600\", each from 1 to 4096",
                       &value[1]);

    return NGX_CONF_ERROR;
}


char *
ngx_http_imagegram_conf_fit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_imagegram_loc_conf_t *ilcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   fit;

    static const char  *fits[] = { "cover", "contain", "stretch" };

    if (ilcf->image_fit != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (fit = IMAGEGRAM_FIT_COVER; fit <= IMAGEGRAM_FIT_STRETCH; fit++) {

        if (ngx_strcmp(value[1].data, fits[fit]) == 0) {
            ilcf->image_fit = fit;
            return NGX_CONF_OK;
        }
    }

    return "must be cover, contain or stretch";
}


char *
ngx_http_imagegram_conf_positive(ngx_conf_t *cf, void *post, void *data)
{
    off_t *np = data;

    if (*np <= 0) {
        return "must be greater than zero";
    }

    if (*np > NGX_HTTP_IMAGEGRAM_SIZE_MAX) {
        return "is too large";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_imagegram_conf_expires(ngx_conf_t *cf, void *post, void *data)
{
    time_t *np = data;

    return *np > 0 ? NGX_CONF_OK : "must be greater than zero";
}


char *
ngx_http_imagegram_conf_quality(ngx_conf_t *cf, void *post, void *data)
{
    ngx_int_t *np = data;

    return *np >= 1 && *np <= 100 ? NGX_CONF_OK : "must be from 1 to 100";
}


char *
ngx_http_imagegram_conf_author(ngx_conf_t *cf, void *post, void *data)
{
    ngx_int_t *np = data;

    return *np >= 1 && *np <= IMAGEGRAM_AUTHOR_MAX
           ? NGX_CONF_OK
           : "must be from 1 to " ngx_value(IMAGEGRAM_AUTHOR_MAX);
}


char *
ngx_http_imagegram_conf_body(ngx_conf_t *cf, void *post, void *data)
{
    ngx_int_t *np = data;

    return *np >= 1 && *np <= IMAGEGRAM_BODY_MAX
           ? NGX_CONF_OK
           : "must be from 1 to " ngx_value(IMAGEGRAM_BODY_MAX);
}


/* Braces would move the hash tag, which keeps a post's keys in one slot. */

char *
ngx_http_imagegram_conf_prefix(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t *prefix = data;

    if (prefix->len == 0
        || ngx_strlchr(prefix->data, prefix->data + prefix->len, '{')
        || ngx_strlchr(prefix->data, prefix->data + prefix->len, '}'))
    {
        return "must be some text without braces";
    }

    return NGX_CONF_OK;
}
