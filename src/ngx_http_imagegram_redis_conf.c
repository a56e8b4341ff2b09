
/*
 * The Redis client: its configuration.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_sha1.h>

#include "ngx_http_imagegram_redis_internal.h"
#include "ngx_http_imagegram_sentinel.h"


#define NGX_HTTP_IMAGEGRAM_REDIS_PORT           6379
#define NGX_HTTP_IMAGEGRAM_REDIS_SENTINEL_PORT  26379


static char *ngx_http_imagegram_redis_parse_sentinel(ngx_conf_t *cf,
    ngx_http_imagegram_redis_t *redis, ngx_str_t *name);
static ngx_uint_t ngx_http_imagegram_redis_is_address(ngx_str_t *value);
static ngx_http_imagegram_redis_t *ngx_http_imagegram_redis_create(
    ngx_pool_t *pool, ngx_str_t *address);
static ngx_int_t ngx_http_imagegram_redis_resolve(ngx_conf_t *cf,
    ngx_http_imagegram_redis_t *redis, ngx_str_t *address,
    in_port_t default_port);
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
    ngx_http_imagegram_redis_t  *redis;

    static ngx_str_t  address = ngx_string("127.0.0.1:6379");

    redis = ngx_http_imagegram_redis_create(cf->pool, &address);

    if (redis == NULL
        || ngx_http_imagegram_redis_resolve(cf, redis, &address,
                                            NGX_HTTP_IMAGEGRAM_REDIS_PORT)
           != NGX_OK)
    {
        return NULL;
    }

    return redis;
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
    char                        *rv;
    size_t                       prefix;
    ngx_str_t                   *value, name;
    ngx_uint_t                   i;
    ngx_http_imagegram_redis_t  *made;

    value = cf->args->elts;

    made = ngx_http_imagegram_redis_create(cf->pool, &value[1]);
    if (made == NULL) {
        return NGX_CONF_ERROR;
    }

    *redis = made;

    prefix = sizeof("sentinel:") - 1;

    if (ngx_strncmp(value[1].data, "sentinel:", prefix) == 0) {
        name.data = value[1].data + prefix;
        name.len = value[1].len - prefix;

        rv = ngx_http_imagegram_redis_parse_sentinel(cf, made, &name);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

    } else if (ngx_http_imagegram_redis_resolve(cf, made, &value[1],
                                                NGX_HTTP_IMAGEGRAM_REDIS_PORT)
               != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (made->sentinels && ngx_http_imagegram_redis_is_address(&value[i])) {
            continue;
        }

        rv = ngx_http_imagegram_redis_parameter(cf, made, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (made->username.len && made->password.len == 0) {
        return "has a username without a password";
    }

    if (made->sentinels && made->sentinels->username.len
        && made->sentinels->password.len == 0)
    {
        return "has a sentinel_username without a sentinel_password";
    }

    return NGX_CONF_OK;
}


/* The sentinels' addresses are among the other arguments. */

static char *
ngx_http_imagegram_redis_parse_sentinel(ngx_conf_t *cf,
    ngx_http_imagegram_redis_t *redis, ngx_str_t *name)
{
    u_char      *p, c;
    size_t       size;
    ngx_str_t   *value, label;
    ngx_uint_t   i;

    for (i = 0; i < name->len; i++) {
        c = ngx_tolower(name->data[i]);

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9')
            && c != '.' && c != '-' && c != '_')
        {
            break;
        }
    }

    if (name->len == 0 || i < name->len) {
        return "needs the name of a master behind \"sentinel:\", of letters, "
               "digits, \".\", \"-\" and \"_\"";
    }

    size = sizeof("sentinel of ") - 1 + name->len;

    label.data = ngx_pnalloc(cf->pool, size);
    if (label.data == NULL) {
        return NGX_CONF_ERROR;
    }

    label.len = ngx_sprintf(label.data, "sentinel of %V", name) - label.data;

    redis->sentinels = ngx_http_imagegram_redis_create(cf->pool, &label);
    if (redis->sentinels == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    size = 0;

    for (i = 1; i < cf->args->nelts; i++) {
        size += value[i].len + 1;
    }

    p = ngx_pnalloc(cf->pool, size);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    redis->address.data = p;
    p = ngx_cpymem(p, value[1].data, value[1].len);

    for (i = 2; i < cf->args->nelts; i++) {

        if (!ngx_http_imagegram_redis_is_address(&value[i])) {
            continue;
        }

        if (ngx_http_imagegram_redis_resolve(cf, redis->sentinels, &value[i],
                                        NGX_HTTP_IMAGEGRAM_REDIS_SENTINEL_PORT)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        p = ngx_sprintf(p, ",%V", &value[i]);
    }

    redis->address.len = p - redis->address.data;

    if (redis->sentinels->naddrs == 0) {
        return "needs the addresses of sentinels behind \"sentinel:name\"";
    }

    return ngx_http_imagegram_sentinel_create(cf->pool, redis, name) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_uint_t
ngx_http_imagegram_redis_is_address(ngx_str_t *value)
{
    return ngx_strlchr(value->data, value->data + value->len, '=') == NULL;
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

    if (redis->sentinel == NULL) {
        own->addrs = redis->addrs;
        own->naddrs = redis->naddrs;
    }

    own->db = redis->db;
    own->username = redis->username;
    own->password = redis->password;
    own->connect_timeout = redis->connect_timeout;
    own->timeout = redis->timeout;
    own->backoff = NGX_HTTP_IMAGEGRAM_REDIS_BACKOFF;
    own->listener = listener;
    own->sentinels = redis->sentinels;
    own->sentinel = redis->sentinel;
    own->question = redis->question;

    return own;
}


static ngx_http_imagegram_redis_t *
ngx_http_imagegram_redis_create(ngx_pool_t *pool, ngx_str_t *address)
{
    ngx_http_imagegram_redis_t  *redis;

    redis = ngx_pcalloc(pool, sizeof(ngx_http_imagegram_redis_t));
    if (redis == NULL) {
        return NULL;
    }

    redis->address = *address;
    redis->connect_timeout = 1000;
    redis->timeout = 3000;
    redis->backoff = NGX_HTTP_IMAGEGRAM_REDIS_BACKOFF;

    return redis;
}


/* Adds the addresses of a name, which is resolved here, where it may block. */

static ngx_int_t
ngx_http_imagegram_redis_resolve(ngx_conf_t *cf,
    ngx_http_imagegram_redis_t *redis, ngx_str_t *address,
    in_port_t default_port)
{
    ngx_url_t    u;
    ngx_addr_t  *addrs;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *address;
    u.default_port = default_port;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "imagegram_redis: %s in address \"%V\"",
                           u.err ? u.err : "error", address);
        return NGX_ERROR;
    }

    addrs = ngx_palloc(cf->pool,
                       (redis->naddrs + u.naddrs) * sizeof(ngx_addr_t));
    if (addrs == NULL) {
        return NGX_ERROR;
    }

    if (redis->naddrs) {
        ngx_memcpy(addrs, redis->addrs, redis->naddrs * sizeof(ngx_addr_t));
    }

    ngx_memcpy(addrs + redis->naddrs, u.addrs, u.naddrs * sizeof(ngx_addr_t));

    redis->addrs = addrs;
    redis->naddrs += u.naddrs;

    return NGX_OK;
}


static char *
ngx_http_imagegram_redis_parameter(ngx_conf_t *cf,
    ngx_http_imagegram_redis_t *redis, ngx_str_t *value)
{
    ngx_str_t    s;
    ngx_uint_t   i;
    ngx_msec_t  *timeout;

    enum {
        DB = 0,
        USERNAME,
        PASSWORD,
        CONNECT_TIMEOUT,
        TIMEOUT,
        SENTINEL_USERNAME,
        SENTINEL_PASSWORD
    };

    static ngx_str_t  names[] = {
        ngx_string("db="),
        ngx_string("username="),
        ngx_string("password="),
        ngx_string("connect_timeout="),
        ngx_string("timeout="),
        ngx_string("sentinel_username="),
        ngx_string("sentinel_password="),
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

    case DB:
        redis->db = ngx_atoi(s.data, s.len);

        if (redis->db == NGX_ERROR) {
            break;
        }

        return NGX_CONF_OK;

    case USERNAME:
        redis->username = s;
        return NGX_CONF_OK;

    case PASSWORD:
        redis->password = s;
        return NGX_CONF_OK;

    case CONNECT_TIMEOUT:
    case TIMEOUT:
        timeout = i == TIMEOUT ? &redis->timeout : &redis->connect_timeout;
        *timeout = ngx_parse_time(&s, 0);

        if (*timeout == (ngx_msec_t) NGX_ERROR || *timeout == 0) {
            break;
        }

        return NGX_CONF_OK;

    case SENTINEL_USERNAME:
    case SENTINEL_PASSWORD:

        if (redis->sentinels == NULL) {
            return "has a parameter for sentinels, but none: it needs "
                   "\"sentinel:name\" and their addresses";
        }

        if (i == SENTINEL_USERNAME) {
            redis->sentinels->username = s;

        } else {
            redis->sentinels->password = s;
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
                                                     &b->password)
               && (a->sentinels == NULL
                   || ngx_http_imagegram_redis_equal(a->sentinels,
                                                     b->sentinels)));
}


static ngx_uint_t
ngx_http_imagegram_redis_equal_str(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_strncmp(a->data, b->data, a->len) == 0;
}
