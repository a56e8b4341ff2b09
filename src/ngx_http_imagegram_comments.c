
/*
 * Comments.  Redis holds each as the JSON that is sent, so reading them is
 * joining them.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_comments.h"
#include "ngx_http_imagegram_fields.h"
#include "ngx_http_imagegram_header.h"
#include "ngx_http_imagegram_id.h"
#include "ngx_http_imagegram_idempotency.h"
#include "ngx_http_imagegram_intake.h"
#include "ngx_http_imagegram_page.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_request.h"
#include "ngx_http_imagegram_response.h"
#include "ngx_http_imagegram_store.h"


#define NGX_HTTP_IMAGEGRAM_COMMENTS_LIMIT  100


typedef struct {
    ngx_http_request_t  *request;
    ngx_str_t            body;
    u_char               id[IMAGEGRAM_ID_LEN];
    ngx_http_imagegram_idempotency_t
                         idem;
} ngx_http_imagegram_comment_t;


static void ngx_http_imagegram_comments_reply(ngx_http_request_t *r,
    redisReply *reply);
static ngx_int_t ngx_http_imagegram_comments_send(ngx_http_request_t *r,
    redisReply *reply);
static ngx_int_t ngx_http_imagegram_comments_link(ngx_http_request_t *r,
    ngx_uint_t limit, ngx_str_t *cursor, ngx_str_t *link);
static void ngx_http_imagegram_comment_reply(ngx_http_request_t *r,
    redisReply *reply);
static ngx_int_t ngx_http_imagegram_comment_send(ngx_http_request_t *r,
    redisReply *reply, ngx_uint_t status);
static void ngx_http_imagegram_comment_body(void *data, ngx_int_t rc);
static ngx_int_t ngx_http_imagegram_comment_create(
    ngx_http_imagegram_comment_t *comment);
static void ngx_http_imagegram_comment_created(ngx_http_request_t *r,
    redisReply *reply);
static ngx_int_t ngx_http_imagegram_comment_location(ngx_http_request_t *r,
    redisReply *reply);
static void ngx_http_imagegram_comment_deleted(ngx_http_request_t *r,
    redisReply *reply);
static ngx_int_t ngx_http_imagegram_comment_deleted_status(
    ngx_http_request_t *r, redisReply *reply);


ngx_int_t
ngx_http_imagegram_get_comments(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_imagegram_page_t  page;

    rc = ngx_http_imagegram_page_parse(r, IMAGEGRAM_CURSOR_COMMENTS,
                                       NGX_HTTP_IMAGEGRAM_COMMENTS_LIMIT,
                                       &page);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_imagegram_store_comments(r, page.limit, page.max,
                                            ngx_http_imagegram_comments_reply);
}


static void
ngx_http_imagegram_comments_reply(ngx_http_request_t *r, redisReply *reply)
{
    ngx_int_t  rc;

    if (reply == NULL) {
        rc = ngx_http_imagegram_store_failed(r);

    } else if (reply->type == REDIS_REPLY_NIL) {
        rc = NGX_HTTP_NOT_FOUND;

    } else if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else {
        rc = ngx_http_imagegram_comments_send(r, reply);
    }

    ngx_http_imagegram_request_done(r, rc);
}


static ngx_int_t
ngx_http_imagegram_comments_send(ngx_http_request_t *r, redisReply *reply)
{
    u_char                       *p, buf[IMAGEGRAM_CURSOR_LEN];
    size_t                        size;
    ngx_str_t                     cursor;
    ngx_uint_t                    i, n;
    ngx_http_imagegram_answer_t   answer;

    ngx_memzero(&answer, sizeof(ngx_http_imagegram_answer_t));

    n = reply->elements - 1;
    size = sizeof("{\"comments\":[],\"nextPage\":\"\"}") + sizeof(buf);

    for (i = 0; i < n; i++) {
        if (reply->element[i]->type != REDIS_REPLY_STRING) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        size += reply->element[i]->len + 1;
    }

    cursor.data = buf;

    p = ngx_pnalloc(r->pool, size);

    if (p == NULL
        || ngx_http_imagegram_page_next(reply->element[n],
                                        IMAGEGRAM_CURSOR_COMMENTS, &cursor)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    answer.body.data = p;

    p = ngx_cpymem(p, "{\"comments\":[", sizeof("{\"comments\":[") - 1);

    for (i = 0; i < n; i++) {
        if (i) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, reply->element[i]->str, reply->element[i]->len);
    }

    p = cursor.len ? ngx_sprintf(p, "],\"nextPage\":\"%V\"}", &cursor)
                   : ngx_cpymem(p, "]}", sizeof("]}") - 1);

    answer.body.len = p - answer.body.data;

    if (cursor.len
        && ngx_http_imagegram_comments_link(r, n, &cursor, &answer.link)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_imagegram_answer_tag(&answer);

    return ngx_http_imagegram_send_answer(r, &answer);
}


static ngx_int_t
ngx_http_imagegram_comments_link(ngx_http_request_t *r, ngx_uint_t limit,
    ngx_str_t *cursor, ngx_str_t *link)
{
    u_char                     buf[sizeof("posts//comments?limit=")
                                   + IMAGEGRAM_ID_LEN + NGX_INT_T_LEN];
    ngx_str_t                  path;
    ngx_http_imagegram_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    path.data = buf;
    path.len = ngx_sprintf(buf, "posts/%*s/comments?limit=%ui",
                           (size_t) IMAGEGRAM_ID_LEN, ctx->route.post, limit)
               - buf;

    return ngx_http_imagegram_page_link(r, r->pool, &path, cursor, link);
}


ngx_int_t
ngx_http_imagegram_get_comment(ngx_http_request_t *r)
{
    return ngx_http_imagegram_store_comment(r,
                                            ngx_http_imagegram_comment_reply);
}


static void
ngx_http_imagegram_comment_reply(ngx_http_request_t *r, redisReply *reply)
{
    ngx_http_imagegram_request_done(r, ngx_http_imagegram_comment_send(r,
                                                          reply, NGX_HTTP_OK));
}


static ngx_int_t
ngx_http_imagegram_comment_send(ngx_http_request_t *r, redisReply *reply,
    ngx_uint_t status)
{
    ngx_str_t  json;

    if (reply == NULL) {
        return ngx_http_imagegram_store_failed(r);
    }

    if (reply->type == REDIS_REPLY_NIL) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (reply->type != REDIS_REPLY_STRING) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    json.data = (u_char *) reply->str;
    json.len = reply->len;

    json.data = ngx_pstrdup(r->pool, &json);
    if (json.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_imagegram_send_json(r, status, &json);
}


ngx_int_t
ngx_http_imagegram_create_comment(ngx_http_request_t *r)
{
    size_t                          limit;
    ngx_int_t                       rc;
    ngx_http_imagegram_comment_t   *comment;
    ngx_http_imagegram_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module);

    if (!ngx_http_imagegram_fields_is_json(r)) {
        return ngx_http_imagegram_problem(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                          "a comment is application/json");
    }

    if (!ngx_http_imagegram_redis_available(conf->redis)) {
        return ngx_http_imagegram_store_failed(r);
    }

    limit = ngx_http_imagegram_fields_size(conf);

    if (r->headers_in.content_length_n > (off_t) limit) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    comment = ngx_pcalloc(r->pool, sizeof(ngx_http_imagegram_comment_t));
    if (comment == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    comment->request = r;

    rc = ngx_http_imagegram_idempotency_init(r, &comment->idem);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_imagegram_intake_memory(r, limit, &comment->body,
                                            ngx_http_imagegram_comment_body,
                                            comment);
}


static void
ngx_http_imagegram_comment_body(void *data, ngx_int_t rc)
{
    ngx_http_imagegram_comment_t *comment = data;

    if (rc == NGX_OK) {
        rc = ngx_http_imagegram_comment_create(comment);
    }

    /* NGX_DONE ends the intake's hold, where the store has one of its own */

    ngx_http_imagegram_request_done(comment->request, rc);
}


static ngx_int_t
ngx_http_imagegram_comment_create(ngx_http_imagegram_comment_t *comment)
{
    ngx_int_t            rc;
    ngx_str_t            author, body;
    ngx_http_request_t  *r;

    r = comment->request;

    rc = ngx_http_imagegram_fields_parse(r, &comment->body, &author, &body);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_imagegram_id_create(comment->id);

    (void) ngx_http_imagegram_idempotency_hash(&comment->idem, &author, &body,
                                               NGX_INVALID_FILE);

    return ngx_http_imagegram_store_create_comment(r, comment->id, &author,
                                      &body, &comment->idem,
                                      ngx_http_imagegram_comment_created);
}


static void
ngx_http_imagegram_comment_created(ngx_http_request_t *r, redisReply *reply)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    /* the answer of before, to the same idempotency key */

    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 1) {
        reply = reply->element[0];
    }

    if (reply && reply->type == REDIS_REPLY_STRING) {
        rc = ngx_http_imagegram_comment_location(r, reply);

    } else if (reply && reply->type == REDIS_REPLY_INTEGER) {
        rc = reply->integer ? ngx_http_imagegram_idempotency_running(r)
                            : ngx_http_imagegram_idempotency_other(r);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_imagegram_comment_send(r, reply, NGX_HTTP_CREATED);
    }

    ngx_http_imagegram_request_done(r, rc);
}


/* The CommentID is where the script put it: at the start of the JSON. */

static ngx_int_t
ngx_http_imagegram_comment_location(ngx_http_request_t *r, redisReply *reply)
{
    size_t                     start;
    u_char                    *location;
    ngx_http_imagegram_ctx_t  *ctx;

    start = sizeof("{\"CommentID\":\"") - 1;

    if (reply->len < start + IMAGEGRAM_ID_LEN
        || !imagegram_route_is_id((u_char *) reply->str + start))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    location = ngx_http_imagegram_path(r, sizeof("posts//comments/")
                                          + 2 * IMAGEGRAM_ID_LEN,
                                       "posts/%*s/comments/%*s",
                                       (size_t) IMAGEGRAM_ID_LEN,
                                       ctx->route.post,
                                       (size_t) IMAGEGRAM_ID_LEN,
                                       reply->str + start);

    if (location == NULL
        || ngx_http_imagegram_add_header(r, "Location", (char *) location)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_delete_comment(ngx_http_request_t *r)
{
    return ngx_http_imagegram_store_delete_comment(r,
                                           ngx_http_imagegram_comment_deleted);
}


static void
ngx_http_imagegram_comment_deleted(ngx_http_request_t *r, redisReply *reply)
{
    u_char                     buf[sizeof("\"Deleted comment  for post \"")
                                   + 2 * IMAGEGRAM_ID_LEN];
    ngx_int_t                  rc;
    ngx_str_t                  json;
    ngx_http_imagegram_ctx_t  *ctx;

    rc = ngx_http_imagegram_comment_deleted_status(r, reply);

    if (rc == NGX_OK) {
        ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

        json.data = buf;
        json.len = ngx_sprintf(buf, "\"Deleted comment %*s for post %*s\"",
                               (size_t) IMAGEGRAM_ID_LEN, ctx->route.comment,
                               (size_t) IMAGEGRAM_ID_LEN, ctx->route.post)
                   - buf;
        json.data = ngx_pstrdup(r->pool, &json);

        rc = json.data ? ngx_http_imagegram_send_json(r, NGX_HTTP_OK, &json)
                       : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_imagegram_request_done(r, rc);
}


static ngx_int_t
ngx_http_imagegram_comment_deleted_status(ngx_http_request_t *r,
    redisReply *reply)
{
    if (reply == NULL) {
        return ngx_http_imagegram_store_failed(r);
    }

    if (reply->type != REDIS_REPLY_INTEGER) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (reply->integer == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (reply->integer < 0) {
        return ngx_http_imagegram_problem(r, NGX_HTTP_FORBIDDEN,
            "only its author and the author of the post may delete a comment");
    }

    return NGX_OK;
}
