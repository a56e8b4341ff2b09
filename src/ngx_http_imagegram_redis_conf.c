
/*
 * The Redis client: its configuration.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_sha1.h>

#include "ngx_http_imagegram_redis_internal.h"


static ngx_http_imagegram_redis_t *ngx_http_imagegram_redis_create(
    ngx_conf_t *cf, ngx_str_t *address);
static char *ngx_http_imagegram_redis_parameter(ngx_conf_t *cf,
    ngx_http_imagegram_redis_t *redis, ngx_str_t *value);
static ngx_uint_t ngx_http_imagegram_redis_equal(
    ngx_http_imagegram_redis_t *a, ngx_http_imagegram_redis_t *b);
static ngx_uint_t ngx_http_imagegram_redis_equal_str(ngx_str_t *a,
    ngx_str_t *b);


void
ngx_http_imagegram_redis_script(ngx_http_imagegram_script_t *script)
{
    u_char      digest[20];
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, script->source.data, script->source.len);
    ngx_sha1_final(digest, &sha1);

    ngx_hex_dump(script->sha1, digest, sizeof(digest));
}


ngx_http_imagegram_redis_t *
ngx_http_imagegram_redis_default(ngx_conf_t *cf)
{
    ngx_str_t  address = ngx_string("127.0.0.1:6379");

    return ngx_http_imagegram_redis_create(cf, &address);
}


ngx_str_t *
ngx_http_imagegram_redis_address(ngx_http_imagegram_redis_t *redis)
{
    return &redis->address;
}


ngx_int_t
ngx_http_imagegram_redis_db(ngx_http_imagegram_redis_t *redis)
{
    return redis->db;
}


char *
ngx_http_imagegram_redis_parse(ngx_conf_t *cf,
    ngx_http_imagegram_redis_t **redis)
{
    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    *redis = ngx_http_imagegram_redis_create(cf, &value[1]);
    if (*redis == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_imagegram_redis_parameter(cf, *redis, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if ((*redis)->username.len && (*redis)->password.len == 0) {
        return "has a username without a password";
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_imagegram_redis_use(ngx_array_t *used,
    ngx_http_imagegram_redis_t **redis)
{
    ngx_uint_t                    i;
    ngx_http_imagegram_redis_t  **known;

    known = used->elts;

    for (i = 0; i < used->nelts; i++) {

        if (ngx_http_imagegram_redis_equal(known[i], *redis)) {
            *redis = known[i];
            return NGX_OK;
        }
    }

    known = ngx_array_push(used);
    if (known == NULL) {
        return NGX_ERROR;
    }

    *known = *redis;

    return NGX_OK;
}


ngx_http_imagegram_redis_t *
ngx_http_imagegram_redis_listen(ngx_pool_t *pool,
    ngx_http_imagegram_redis_t *redis, ngx_http_imagegram_listener_t *listener)
{
    ngx_http_imagegram_redis_t  *own;

    own = ngx_pcalloc(pool, sizeof(ngx_http_imagegram_redis_t));
    if (own == NULL) {
        return NULL;
    }

    own->address = redis->address;
    own->addrs = redis->addrs;
    own->naddrs = redis->naddrs;
    own->db = redis->db;
    own->username = redis->username;
    own->password = redis->password;
    own->connect_timeout = redis->connect_timeout;
    own->timeout = redis->timeout;
    own->backoff = NGX_HTTP_IMAGEGRAM_REDIS_BACKOFF;
    own->listener = listener;

    return own;
}


static ngx_http_imagegram_redis_t *
ngx_http_imagegram_redis_create(ngx_conf_t *cf, ngx_str_t *address)
{
    ngx_url_t                    u;
    ngx_http_imagegram_redis_t  *redis;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *address;
    u.default_port = 6379;

    /* names are resolved here, where it may block */

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "imagegram_redis: %s in address \"%V\"",
                           u.err ? u.err : "error", address);
        return NULL;
    }

    if (u.naddrs == 0 || u.uri.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "imagegram_redis: invalid address \"%V\"", address);
        return NULL;
    }

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_http_imagegram_redis_t));
    if (redis == NULL) {
        return NULL;
    }

    redis->address = *address;
    redis->addrs = u.addrs;
    redis->naddrs = u.naddrs;
    redis->connect_timeout = 1000;
    redis->timeout = 3000;
    redis->backoff = NGX_HTTP_IMAGEGRAM_REDIS_BACKOFF;

    return redis;
}


static char *
ngx_http_imagegram_redis_parameter(ngx_conf_t *cf,
    ngx_http_imagegram_redis_t *redis, ngx_str_t *value)
{
    ngx_str_t    s;
    ngx_uint_t   i;
    ngx_msec_t  *timeout;

    static ngx_str_t  names[] = {
        ngx_string("db="),
        ngx_string("username="),
        ngx_string("password="),
        ngx_string("connect_timeout="),
        ngx_string("timeout="),
        ngx_null_string
    };

    for (i = 0; names[i].len; i++) {
        if (value->len > names[i].len
            && ngx_strncmp(value->data, names[i].data, names[i].len) == 0)
        {
            break;
        }
    }

    s.data = value->data + names[i].len;
    s.len = value->len - names[i].len;

    switch (i) {

    case 0:
        redis->db = ngx_atoi(s.data, s.len);

        if (redis->db == NGX_ERROR) {
            break;
        }

        return NGX_CONF_OK;

    case 1:
        redis->username = s;
        return NGX_CONF_OK;

    case 2:
        redis->password = s;
        return NGX_CONF_OK;

    case 3:
    case 4:
        timeout = i == 3 ? &redis->connect_timeout : &redis->timeout;
        *timeout = ngx_parse_time(&s, 0);

        if (*timeout == (ngx_msec_t) NGX_ERROR || *timeout == 0) {
            break;
        }

        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "imagegram_redis: invalid parameter \"%V\"", value);

    return NGX_CONF_ERROR;
}


static ngx_uint_t
ngx_http_imagegram_redis_equal(ngx_http_imagegram_redis_t *a,
    ngx_http_imagegram_redis_t *b)
{
    return a == b
           || (a->db == b->db
               && a->connect_timeout == b->connect_timeout
               && a->timeout == b->timeout
               && ngx_http_imagegram_redis_equal_str(&a->address, &b->address)
               && ngx_http_imagegram_redis_equal_str(&a->username,
                                                     &b->username)
               && ngx_http_imagegram_redis_equal_str(&a->password,
                                                     &b->password));
}


static ngx_uint_t
ngx_http_imagegram_redis_equal_str(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_strncmp(a->data, b->data, a->len) == 0;
}
