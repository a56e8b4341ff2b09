
/*
 * Pages, see the header.  Owns nothing.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_fetch.h"
#include "ngx_http_imagegram_pages.h"
#include "ngx_http_imagegram_response.h"


static ngx_int_t ngx_http_imagegram_pages_key(ngx_http_request_t *r,
    ngx_http_imagegram_page_t *page, ngx_str_t *key);
static ngx_int_t ngx_http_imagegram_pages_lookup(ngx_http_request_t *r,
    ngx_str_t *key, ngx_uint_t gzip, ngx_http_imagegram_answer_t *answer,
    uint64_t *generation);


ngx_int_t
ngx_http_imagegram_pages_get(ngx_http_request_t *r,
    ngx_http_imagegram_page_t *page, ngx_http_imagegram_fetch_pt render)
{
    uint64_t                        generation;
    ngx_int_t                       rc;
    ngx_str_t                       key;
    ngx_uint_t                      gzip;
    ngx_http_imagegram_answer_t     answer;
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    if (ngx_http_imagegram_pages_key(r, page, &key) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (conf->cache == NULL) {
        return ngx_http_imagegram_fetch(r, page, &key, 0, 0, render);
    }

#if (NGX_HTTP_GZIP)
    gzip = conf->cache_gzip && ngx_http_gzip_ok(r) == NGX_OK;
#else
    gzip = 0;
#endif

    rc = ngx_http_imagegram_pages_lookup(r, &key, gzip, &answer, &generation);

    if (rc == NGX_OK) {
        return ngx_http_imagegram_send_answer(r, &answer);
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_imagegram_fetch(r, page, &key, gzip, generation, render);
}


/* Everything that an answer depends on, but how it is compressed. */

static ngx_int_t
ngx_http_imagegram_pages_key(ngx_http_request_t *r,
    ngx_http_imagegram_page_t *page, ngx_str_t *key)
{
    u_char                         *p;
    ngx_http_imagegram_ctx_t       *ctx;
    ngx_http_imagegram_loc_conf_t  *conf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    key->len = 2 + sizeof(uint64_t) + conf->image_base_json.len
               + ctx->base.len;

    p = ngx_pnalloc(r->pool, key->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->data = p;

    *p++ = (u_char) page->limit;
    *p++ = (u_char) (conf->cache_gzip != 0);
    p = ngx_cpymem(p, &page->max, sizeof(uint64_t));
    p = ngx_cpymem(p, conf->image_base_json.data, conf->image_base_json.len);
    ngx_memcpy(p, ctx->base.data, ctx->base.len);

    return NGX_OK;
}


/* As ngx_http_imagegram_cache_get().  What is there is compressed where it is
 * asked for so for the first time. */

static ngx_int_t
ngx_http_imagegram_pages_lookup(ngx_http_request_t *r, ngx_str_t *key,
    ngx_uint_t gzip, ngx_http_imagegram_answer_t *answer, uint64_t *generation)
{
    ngx_int_t                       rc;
    ngx_http_imagegram_answer_t     plain;
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    rc = ngx_http_imagegram_cache_get(conf->cache, key, gzip, r->pool, answer,
                                      generation);

    if (rc != NGX_DECLINED || !gzip || *generation == 0) {
        return rc;
    }

    rc = ngx_http_imagegram_cache_get(conf->cache, key, 0, r->pool, &plain,
                                      generation);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_http_imagegram_answer_compressible(&plain)) {
        *answer = plain;
        return NGX_OK;
    }

    if (ngx_http_imagegram_answer_gzip(r->pool, &plain, answer) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_imagegram_cache_put(conf->cache, key, answer, *generation);

    return NGX_OK;
}
