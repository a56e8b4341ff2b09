
/*
 * The Redis client: the objects of a reply, as hiredis's reader makes them.
 *
 * hiredis's own are an allocation or two for each element; a page of the feed
 * has twenty.  These lie in a pool of the connection that is reset when the
 * reply was dealt with, so they are not freed one by one.  They are what
 * hiredis documents, redisReply, and valid for as long.
 */

#include "ngx_http_imagegram_redis_internal.h"


#define NGX_HTTP_IMAGEGRAM_REDIS_REPLY  32768

#if (HIREDIS_MAJOR < 1)
typedef int     ngx_http_imagegram_redis_elements_t;
#else
typedef size_t  ngx_http_imagegram_redis_elements_t;
#endif


static void *ngx_http_imagegram_redis_create_string(const redisReadTask *task,
    char *data, size_t len);
static void *ngx_http_imagegram_redis_create_array(const redisReadTask *task,
    ngx_http_imagegram_redis_elements_t n);
static void *ngx_http_imagegram_redis_create_integer(
    const redisReadTask *task, long long value);
static void *ngx_http_imagegram_redis_create_nil(const redisReadTask *task);
static redisReply *ngx_http_imagegram_redis_create(const redisReadTask *task);
static void ngx_http_imagegram_redis_free_nothing(void *reply);


static redisReplyObjectFunctions  ngx_http_imagegram_redis_objects = {
    .createString = ngx_http_imagegram_redis_create_string,
    .createArray = ngx_http_imagegram_redis_create_array,
    .createInteger = ngx_http_imagegram_redis_create_integer,
    .createNil = ngx_http_imagegram_redis_create_nil,
    .freeObject = ngx_http_imagegram_redis_free_nothing
};


ngx_int_t
ngx_http_imagegram_redis_reader_create(ngx_http_imagegram_redis_t *redis)
{
    redis->replies = ngx_create_pool(NGX_HTTP_IMAGEGRAM_REDIS_REPLY,
                                     &redis->log);
    if (redis->replies == NULL) {
        return NGX_ERROR;
    }

    redis->reader = redisReaderCreateWithFunctions(
                                          &ngx_http_imagegram_redis_objects);
    if (redis->reader == NULL) {
        return NGX_ERROR;
    }

    /* a page is larger than what the reader would keep by itself */

    redis->reader->maxbuf = NGX_HTTP_IMAGEGRAM_REDIS_BUFFER_KEEP;
    redis->reader->privdata = redis->replies;

    return NGX_OK;
}


void
ngx_http_imagegram_redis_reader_free(ngx_http_imagegram_redis_t *redis)
{
    if (redis->reader) {
        redisReaderFree(redis->reader);
        redis->reader = NULL;
    }

    if (redis->replies) {
        ngx_destroy_pool(redis->replies);
        redis->replies = NULL;
    }
}


static void *
ngx_http_imagegram_redis_create_string(const redisReadTask *task, char *data,
    size_t len)
{
    redisReply  *reply;

    reply = ngx_http_imagegram_redis_create(task);
    if (reply == NULL) {
        return NULL;
    }

    reply->str = ngx_pnalloc(task->privdata, len + 1);
    if (reply->str == NULL) {
        return NULL;
    }

    reply->len = len;

    ngx_memcpy(reply->str, data, len);
    reply->str[len] = '\0';

    return reply;
}


static void *
ngx_http_imagegram_redis_create_array(const redisReadTask *task,
    ngx_http_imagegram_redis_elements_t n)
{
    redisReply  *reply;

    reply = ngx_http_imagegram_redis_create(task);
    if (reply == NULL) {
        return NULL;
    }

    reply->element = ngx_pcalloc(task->privdata, n * sizeof(redisReply *));
    if (reply->element == NULL) {
        return NULL;
    }

    reply->elements = n;

    return reply;
}


static void *
ngx_http_imagegram_redis_create_integer(const redisReadTask *task,
    long long value)
{
    redisReply  *reply;

    reply = ngx_http_imagegram_redis_create(task);

    if (reply) {
        reply->integer = value;
    }

    return reply;
}


static void *
ngx_http_imagegram_redis_create_nil(const redisReadTask *task)
{
    redisReply  *reply;

    reply = ngx_http_imagegram_redis_create(task);

    if (reply) {
        /* the task's is that of what is missing */
        reply->type = REDIS_REPLY_NIL;
    }

    return reply;
}


/* Also puts it into the array that it is an element of. */

static redisReply *
ngx_http_imagegram_redis_create(const redisReadTask *task)
{
    redisReply  *reply, *parent;

    reply = ngx_pcalloc(task->privdata, sizeof(redisReply));
    if (reply == NULL) {
        return NULL;
    }

    reply->type = task->type;

    if (task->parent) {
        parent = task->parent->obj;
        parent->element[task->idx] = reply;
    }

    return reply;
}


static void
ngx_http_imagegram_redis_free_nothing(void *reply)
{
    (void) reply;
}
