
/*
 * GET posts and GET posts/ID.
 *
 * A view is what is to be answered, in the request's pool.  Its cards point
 * into Redis's reply and are written to the answer at once; where the images
 * have to be read from disk first, they point to a copy.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_card.h"
#include "ngx_http_imagegram_feed.h"
#include "ngx_http_imagegram_images.h"
#include "ngx_http_imagegram_page.h"
#include "ngx_http_imagegram_pages.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_request.h"
#include "ngx_http_imagegram_response.h"
#include "ngx_http_imagegram_store.h"


#define NGX_HTTP_IMAGEGRAM_LIMIT_MAX     100
#define NGX_HTTP_IMAGEGRAM_LIMIT_BASE64  20


typedef struct {
    ngx_http_imagegram_card_t    *cards;
    ngx_uint_t                    n;
    ngx_uint_t                    limit;
    ngx_str_t                     cursor;       /* len 0: the last page */
    u_char                        cursor_buf[IMAGEGRAM_CURSOR_LEN];
    unsigned                      single:1;     /* GET posts/ID */
    unsigned                      base64:1;
} ngx_http_imagegram_view_t;


static ngx_int_t ngx_http_imagegram_view_base64(ngx_http_request_t *r,
    ngx_uint_t *base64);
static void ngx_http_imagegram_feed_reply(ngx_http_request_t *r,
    redisReply *reply);
static ngx_int_t ngx_http_imagegram_feed_render(ngx_http_request_t *r,
    redisReply *reply, ngx_pool_t *pool, ngx_http_imagegram_answer_t *answer);
static ngx_http_imagegram_view_t *ngx_http_imagegram_feed_view(
    ngx_http_request_t *r, redisReply *reply);
static void ngx_http_imagegram_post_reply(ngx_http_request_t *r,
    redisReply *reply);
static ngx_http_imagegram_view_t *ngx_http_imagegram_view_create(
    ngx_http_request_t *r, redisReply **cards, ngx_uint_t n);
static ngx_int_t ngx_http_imagegram_view_card(ngx_http_request_t *r,
    ngx_http_imagegram_view_t *view, redisReply *reply);
static void ngx_http_imagegram_view_answer(ngx_http_request_t *r,
    ngx_http_imagegram_view_t *view);
static void ngx_http_imagegram_view_loaded(ngx_http_request_t *r, void *data);
static ngx_int_t ngx_http_imagegram_view_send(ngx_http_request_t *r,
    ngx_http_imagegram_view_t *view);
static ngx_int_t ngx_http_imagegram_view_render(ngx_http_request_t *r,
    ngx_http_imagegram_view_t *view, ngx_pool_t *pool,
    ngx_http_imagegram_answer_t *answer);
static ngx_int_t ngx_http_imagegram_view_link(ngx_http_request_t *r,
    ngx_http_imagegram_view_t *view, ngx_pool_t *pool, ngx_str_t *link);


ngx_int_t
ngx_http_imagegram_get_feed(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_uint_t                 base64;
    ngx_http_imagegram_page_t  page;

    rc = ngx_http_imagegram_view_base64(r, &base64);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_imagegram_page_parse(r, IMAGEGRAM_CURSOR_FEED,
                                       base64 ? NGX_HTTP_IMAGEGRAM_LIMIT_BASE64
                                              : NGX_HTTP_IMAGEGRAM_LIMIT_MAX,
                                       &page);
    if (rc != NGX_OK) {
        return rc;
    }

    return base64 ? ngx_http_imagegram_store_feed(r, page.limit, page.max,
                                                ngx_http_imagegram_feed_reply)
                  : ngx_http_imagegram_pages_get(r, &page,
                                              ngx_http_imagegram_feed_render);
}


ngx_int_t
ngx_http_imagegram_get_post(ngx_http_request_t *r)
{
    ngx_int_t   rc;
    ngx_uint_t  base64;

    rc = ngx_http_imagegram_view_base64(r, &base64);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_imagegram_store_post(r, ngx_http_imagegram_post_reply);
}


static ngx_int_t
ngx_http_imagegram_view_base64(ngx_http_request_t *r, ngx_uint_t *base64)
{
    ngx_str_t  value;

    *base64 = 0;

    if (ngx_http_arg(r, (u_char *) "images", 6, &value) != NGX_OK) {
        return NGX_OK;
    }

    if (value.len != 6 || ngx_strncmp(value.data, "base64", 6) != 0) {
        return ngx_http_imagegram_problem(r, NGX_HTTP_BAD_REQUEST,
                                          "images can only be base64");
    }

    *base64 = 1;

    return NGX_OK;
}


static void
ngx_http_imagegram_feed_reply(ngx_http_request_t *r, redisReply *reply)
{
    ngx_http_imagegram_view_t  *view;

    if (reply == NULL) {
        ngx_http_imagegram_request_done(r, ngx_http_imagegram_store_failed(r));
        return;
    }

    view = ngx_http_imagegram_feed_view(r, reply);

    if (view == NULL) {
        ngx_http_imagegram_request_done(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_http_imagegram_view_answer(r, view);
}


static ngx_int_t
ngx_http_imagegram_feed_render(ngx_http_request_t *r, redisReply *reply,
    ngx_pool_t *pool, ngx_http_imagegram_answer_t *answer)
{
    ngx_http_imagegram_view_t  *view;

    view = ngx_http_imagegram_feed_view(r, reply);

    return view ? ngx_http_imagegram_view_render(r, view, pool, answer)
                : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* NULL: it makes no sense, or there is no memory */

static ngx_http_imagegram_view_t *
ngx_http_imagegram_feed_view(ngx_http_request_t *r, redisReply *reply)
{
    ngx_uint_t                  n;
    ngx_http_imagegram_view_t  *view;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        return NULL;
    }

    n = reply->elements - 1;

    view = ngx_http_imagegram_view_create(r, reply->element, n);

    if (view == NULL
        || ngx_http_imagegram_page_next(reply->element[n],
                                        IMAGEGRAM_CURSOR_FEED, &view->cursor)
           != NGX_OK)
    {
        return NULL;
    }

    view->limit = n;

    return view;
}


static void
ngx_http_imagegram_post_reply(ngx_http_request_t *r, redisReply *reply)
{
    ngx_http_imagegram_view_t  *view;

    if (reply == NULL) {
        ngx_http_imagegram_request_done(r, ngx_http_imagegram_store_failed(r));
        return;
    }

    if (reply->type == REDIS_REPLY_NIL) {
        ngx_http_imagegram_request_done(r, NGX_HTTP_NOT_FOUND);
        return;
    }

    view = ngx_http_imagegram_view_create(r, &reply, 1);

    if (view == NULL || view->n != 1) {
        ngx_http_imagegram_request_done(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    view->single = 1;

    ngx_http_imagegram_view_answer(r, view);
}


static ngx_http_imagegram_view_t *
ngx_http_imagegram_view_create(ngx_http_request_t *r, redisReply **cards,
    ngx_uint_t n)
{
    ngx_uint_t                  i, base64;
    ngx_http_imagegram_view_t  *view;

    view = ngx_pcalloc(r->pool, sizeof(ngx_http_imagegram_view_t)
                                + n * sizeof(ngx_http_imagegram_card_t));
    if (view == NULL) {
        return NULL;
    }

    (void) ngx_http_imagegram_view_base64(r, &base64);

    view->base64 = base64;
    view->cards = (ngx_http_imagegram_card_t *) (view + 1);
    view->cursor.data = view->cursor_buf;

    for (i = 0; i < n; i++) {
        if (ngx_http_imagegram_view_card(r, view, cards[i]) != NGX_OK) {
            return NULL;
        }
    }

    return view;
}


static ngx_int_t
ngx_http_imagegram_view_card(ngx_http_request_t *r,
    ngx_http_imagegram_view_t *view, redisReply *reply)
{
    ngx_str_t  text;

    if (reply->type != REDIS_REPLY_STRING) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "imagegram: a post of the feed has no card");
        return NGX_OK;
    }

    text.data = (u_char *) reply->str;
    text.len = reply->len;

    if (view->base64) {
        text.data = ngx_pstrdup(r->pool, &text);
        if (text.data == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_imagegram_card_parse(&view->cards[view->n], text.data,
                                      text.len)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "imagegram: a post has an invalid card");
        return NGX_OK;
    }

    view->n++;

    return NGX_OK;
}


static void
ngx_http_imagegram_view_answer(ngx_http_request_t *r,
    ngx_http_imagegram_view_t *view)
{
    ngx_int_t  rc;

    if (view->base64) {
        rc = ngx_http_imagegram_images_load(r, view->cards, view->n,
                                         ngx_http_imagegram_view_loaded, view);
        if (rc == NGX_DONE) {
            return;
        }

    } else {
        rc = ngx_http_imagegram_view_send(r, view);
    }

    ngx_http_imagegram_request_done(r, rc);
}


static void
ngx_http_imagegram_view_loaded(ngx_http_request_t *r, void *data)
{
    ngx_http_imagegram_request_done(r, ngx_http_imagegram_view_send(r, data));
}


static ngx_int_t
ngx_http_imagegram_view_send(ngx_http_request_t *r,
    ngx_http_imagegram_view_t *view)
{
    ngx_int_t                    rc;
    ngx_http_imagegram_answer_t  answer;

    rc = ngx_http_imagegram_view_render(r, view, r->pool, &answer);

    return rc == NGX_OK ? ngx_http_imagegram_send_answer(r, &answer) : rc;
}


static ngx_int_t
ngx_http_imagegram_view_render(ngx_http_request_t *r,
    ngx_http_imagegram_view_t *view, ngx_pool_t *pool,
    ngx_http_imagegram_answer_t *answer)
{
    u_char                         *p;
    size_t                          size;
    ngx_str_t                      *base;
    ngx_uint_t                      i;
    ngx_http_imagegram_loc_conf_t  *conf;

    ngx_memzero(answer, sizeof(ngx_http_imagegram_answer_t));

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);
    base = &conf->image_base_json;

    answer->varies = conf->cache && conf->cache_gzip
                     && !view->single && !view->base64;

    size = sizeof("{\"posts\":[],\"nextPage\":\"\"}") + view->cursor.len;

    for (i = 0; i < view->n; i++) {
        size += ngx_http_imagegram_card_size(&view->cards[i], base) + 1;
    }

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    answer->body.data = p;

    if (view->single) {
        p = ngx_http_imagegram_card_write(view->cards, base, p);

    } else {
        p = ngx_cpymem(p, "{\"posts\":[", sizeof("{\"posts\":[") - 1);

        for (i = 0; i < view->n; i++) {
            if (i) {
                *p++ = ',';
            }

            p = ngx_http_imagegram_card_write(&view->cards[i], base, p);
        }

        p = view->cursor.len ? ngx_sprintf(p, "],\"nextPage\":\"%V\"}",
                                           &view->cursor)
                             : ngx_cpymem(p, "]}", sizeof("]}") - 1);
    }

    answer->body.len = p - answer->body.data;

    if (view->cursor.len
        && ngx_http_imagegram_view_link(r, view, pool, &answer->link)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_imagegram_answer_tag(answer);

    return NGX_OK;
}


static ngx_int_t
ngx_http_imagegram_view_link(ngx_http_request_t *r,
    ngx_http_imagegram_view_t *view, ngx_pool_t *pool, ngx_str_t *link)
{
    u_char     buf[sizeof("posts?limit=&images=base64") + NGX_INT_T_LEN];
    ngx_str_t  path;

    path.data = buf;
    path.len = ngx_sprintf(buf, "posts?limit=%ui%s", view->limit,
                           view->base64 ? "&images=base64" : "")
               - buf;

    return ngx_http_imagegram_page_link(r, pool, &path, &view->cursor, link);
}
