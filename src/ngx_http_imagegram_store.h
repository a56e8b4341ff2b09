
/*
 * What is kept in Redis: the keys, and the scripts that read and change it
 * (src/lua).  Everything of one post lies under one hash tag.
 *
 *   PREFIX:{0}:feed         sorted set  PostIDs; the score is the number of
 *                                       comments times 2^29 plus the post's
 *                                       sequence number, so it is unique;
 *                                       also the channel on which changes are
 *                                       published
 *   PREFIX:{0}:seq          counter     sequence numbers
 *   PREFIX:{0}:cards        hash        PostID, the post's JSON ready to send
 *   PREFIX:{0}:post:ID      hash        the post
 *   PREFIX:{0}:comments:ID  sorted set  CommentIDs in order
 *   PREFIX:{0}:texts:ID     hash        CommentID, the comment's JSON
 *   PREFIX:{0}:buried:ID    string      a PostID that was given up: for a day
 *                                       nobody can make a post of it
 *   PREFIX:{0}:idem:SHA1    hash        an idempotency key, see
 *                                       src/lua/idempotency.lua
 *   PREFIX:{0}:storages     hash        id of a storage whose posts these are,
 *                                       when it was swept last (Unix seconds)
 */

#ifndef _NGX_HTTP_IMAGEGRAM_STORE_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_STORE_H_INCLUDED_


#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_idempotency.h"


/* what a post is made of; everything must live only during the call */

typedef struct {
    u_char                            *id;
    ngx_str_t                         *author;
    ngx_str_t                         *body;
    ngx_str_t                         *format;
    ngx_uint_t                         again;   /* it may have been made
                                                 * before, and is the same
                                                 * then */
    ngx_http_imagegram_idempotency_t  *idem;
} ngx_http_imagegram_store_new_t;


/*
 * Called once with Redis's reply, which is valid during the call, or with
 * NULL where it did not answer or refused: then the request is to end with
 * what ngx_http_imagegram_store_failed() gives.
 */
typedef void (*ngx_http_imagegram_store_pt)(ngx_http_request_t *r,
    redisReply *reply);


/* At configuration time: prepares the scripts. */
void ngx_http_imagegram_store_init(void);

/*
 * Each of these sends one command for a request and gives NGX_DONE: the
 * request is held then, and the handler ends it with
 * ngx_http_imagegram_request_done(); or a status to end it with at once.
 * While it reads, a client that leaves ends the request.
 *
 * max is the score to start below, 0: at the top.  IDs are of
 * IMAGEGRAM_ID_LEN bytes.
 */
ngx_int_t ngx_http_imagegram_store_feed(ngx_http_request_t *r, ngx_uint_t limit,
    uint64_t max, ngx_http_imagegram_store_pt handler);
ngx_int_t ngx_http_imagegram_store_post(ngx_http_request_t *r,
    ngx_http_imagegram_store_pt handler);
ngx_int_t ngx_http_imagegram_store_comments(ngx_http_request_t *r,
    ngx_uint_t limit, uint64_t max, ngx_http_imagegram_store_pt handler);
ngx_int_t ngx_http_imagegram_store_comment(ngx_http_request_t *r,
    ngx_http_imagegram_store_pt handler);
ngx_int_t ngx_http_imagegram_store_create_comment(ngx_http_request_t *r,
    u_char *id, ngx_str_t *author, ngx_str_t *body,
    ngx_http_imagegram_idempotency_t *idem,
    ngx_http_imagegram_store_pt handler);
ngx_int_t ngx_http_imagegram_store_delete_comment(ngx_http_request_t *r,
    ngx_http_imagegram_store_pt handler);

/* A page of the feed, for whoever it is: gives the command, or NULL: it was not
 * taken.  The reply is that of ngx_http_imagegram_store_feed(). */
ngx_http_imagegram_command_t *ngx_http_imagegram_store_page(
    ngx_http_imagegram_loc_conf_t *conf, ngx_pool_t *pool, ngx_uint_t limit,
    uint64_t max, ngx_http_imagegram_redis_pt handler, void *data);

/*
 * The channel on which Redis publishes each change of a location's posts, in
 * the pool.
 */
ngx_int_t ngx_http_imagegram_store_channel(ngx_http_imagegram_loc_conf_t *conf,
    ngx_pool_t *pool, ngx_str_t *channel);

/* 503, with what a client and an admin need to know. */
ngx_int_t ngx_http_imagegram_store_failed(ngx_http_request_t *r);

/*
 * Changes that go together with files, which is why they outlive a request:
 * the arguments are copied, rc is as in ngx_http_imagegram_redis.h, and
 * NGX_ERROR means that nothing was sent and the handler will not be called.
 * The pool must live until the handler was.
 */
ngx_int_t ngx_http_imagegram_store_create_post(
    ngx_http_imagegram_loc_conf_t *conf, ngx_pool_t *pool,
    ngx_http_imagegram_store_new_t *post, ngx_http_imagegram_redis_pt handler,
    void *data);
ngx_int_t ngx_http_imagegram_store_delete_post(
    ngx_http_imagegram_loc_conf_t *conf, ngx_pool_t *pool, u_char *id,
    ngx_str_t *user, ngx_http_imagegram_redis_pt handler, void *data);

/*
 * Reserves an idempotency key for the attempt with that token (an ID), for so
 * many ms; also renews that.  Gives the command, or NULL: it was not taken.
 */
ngx_http_imagegram_command_t *ngx_http_imagegram_store_reserve(
    ngx_http_imagegram_loc_conf_t *conf, ngx_pool_t *pool, u_char *record,
    u_char *token, ngx_msec_t lease, ngx_http_imagegram_redis_pt handler,
    void *data);

/* Gives it back, if that attempt has it. */
ngx_http_imagegram_command_t *ngx_http_imagegram_store_release(
    ngx_http_imagegram_loc_conf_t *conf, ngx_pool_t *pool, u_char *record,
    u_char *token, ngx_http_imagegram_redis_pt handler, void *data);

/*
 * For the sweeper; id is a storage's, rc as above, NGX_ERROR likewise.
 *
 * register: Redis is to know the storage; files tells whether that holds files
 * of posts.  The reply is an integer: 1; 0 where it does, and Redis, which did
 * not know it, has no posts: then it will not.
 *
 * sweep: a sweep begins at now, the last one, which the storage knows of, was
 * at last.  The reply is an integer: 1; 0 where Redis does not know the
 * storage; -1 where it does not know of that last sweep, so its data are older.
 *
 * orphans: which of n IDs have no post.  The reply is an array of integers
 * that count from 0; nil where Redis does not know of the sweep of now (any
 * more).  With bury set, they are buried.
 */
ngx_int_t ngx_http_imagegram_store_register(
    ngx_http_imagegram_loc_conf_t *conf, u_char *id, ngx_uint_t files,
    ngx_http_imagegram_redis_pt handler, void *data);
ngx_int_t ngx_http_imagegram_store_sweep(ngx_http_imagegram_loc_conf_t *conf,
    u_char *id, time_t last, time_t now, ngx_http_imagegram_redis_pt handler,
    void *data);
ngx_int_t ngx_http_imagegram_store_orphans(
    ngx_http_imagegram_loc_conf_t *conf, u_char *id, time_t now,
    u_char (*ids)[IMAGEGRAM_ID_LEN], ngx_uint_t n, ngx_uint_t bury,
    ngx_http_imagegram_redis_pt handler, void *data);


#endif /* _NGX_HTTP_IMAGEGRAM_STORE_H_INCLUDED_ */
