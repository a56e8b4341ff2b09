
/*
 * Redis Sentinel, see the header.  The object is made with the configuration
 * and lives as long; what changes in it is each worker's own.
 */

#include "ngx_http_imagegram_sentinel.h"


/* ms: between two questions; for connecting to a sentinel, and for its answer,
 * a few hundred by the specification */
#define NGX_HTTP_IMAGEGRAM_SENTINEL_POLL     250
#define NGX_HTTP_IMAGEGRAM_SENTINEL_TIMEOUT  300


struct ngx_http_imagegram_sentinel_s {
    ngx_http_imagegram_redis_t           *connection;   /* to one of them */
    ngx_http_imagegram_redis_question_t   where;
    ngx_http_imagegram_redis_question_t   role;
    ngx_http_imagegram_listener_t         listener;
    ngx_queue_t                           followers;
    ngx_addr_t                            master;       /* last heard of */
    ngx_sockaddr_t                        sockaddr;     /* its, */
    u_char                                text[NGX_SOCKADDR_STRLEN];
    ngx_event_t                           poll;         /* timer */
    ngx_uint_t                            asked;        /* no answer yet */
};


static void ngx_http_imagegram_sentinel_ready(void *data);
static void ngx_http_imagegram_sentinel_lost(void *data);
static void ngx_http_imagegram_sentinel_poll_handler(ngx_event_t *ev);
static void ngx_http_imagegram_sentinel_answered(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_imagegram_sentinel_tell(
    ngx_http_imagegram_sentinel_t *sentinel);
static const char *ngx_http_imagegram_sentinel_where(
    ngx_http_imagegram_redis_t *redis, redisReply *reply);
static const char *ngx_http_imagegram_sentinel_parse(redisReply *reply,
    ngx_sockaddr_t *sockaddr, socklen_t *socklen);
static const char *ngx_http_imagegram_sentinel_role(
    ngx_http_imagegram_redis_t *redis, redisReply *reply);


ngx_int_t
ngx_http_imagegram_sentinel_create(ngx_pool_t *pool,
    ngx_http_imagegram_redis_t *redis, ngx_str_t *name)
{
    ngx_http_imagegram_redis_t     *connection;
    ngx_http_imagegram_sentinel_t  *sentinel;

    sentinel = ngx_pcalloc(pool, sizeof(ngx_http_imagegram_sentinel_t));
    if (sentinel == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&sentinel->where.args[0], "SENTINEL");
    ngx_str_set(&sentinel->where.args[1], "get-master-addr-by-name");
    sentinel->where.args[2] = *name;
    sentinel->where.nargs = 3;
    sentinel->where.check = ngx_http_imagegram_sentinel_where;

    ngx_str_set(&sentinel->role.args[0], "ROLE");
    sentinel->role.nargs = 1;
    sentinel->role.check = ngx_http_imagegram_sentinel_role;

    sentinel->listener.ready = ngx_http_imagegram_sentinel_ready;
    sentinel->listener.lost = ngx_http_imagegram_sentinel_lost;
    sentinel->listener.data = sentinel;

    ngx_queue_init(&sentinel->followers);

    sentinel->master.sockaddr = &sentinel->sockaddr.sockaddr;
    sentinel->master.name.data = sentinel->text;

    connection = redis->sentinels;

    connection->connect_timeout = NGX_HTTP_IMAGEGRAM_SENTINEL_TIMEOUT;
    connection->timeout = NGX_HTTP_IMAGEGRAM_SENTINEL_TIMEOUT;
    connection->rotate = 1;
    connection->question = &sentinel->where;
    connection->listener = &sentinel->listener;

    sentinel->connection = connection;

    redis->sentinel = sentinel;
    redis->question = &sentinel->role;

    return NGX_OK;
}


void
ngx_http_imagegram_sentinel_follow(ngx_http_imagegram_redis_t *redis,
    ngx_cycle_t *cycle)
{
    ngx_uint_t                      first;
    ngx_http_imagegram_sentinel_t  *sentinel;

    sentinel = redis->sentinel;

    first = ngx_queue_empty(&sentinel->followers);

    ngx_queue_insert_tail(&sentinel->followers, &redis->follower);

    if (!first) {
        return;
    }

    sentinel->poll.data = sentinel;
    sentinel->poll.log = cycle->log;
    sentinel->poll.handler = ngx_http_imagegram_sentinel_poll_handler;
    sentinel->poll.cancelable = 1;

    ngx_http_imagegram_redis_open(sentinel->connection, cycle);
}


void
ngx_http_imagegram_sentinel_leave(ngx_http_imagegram_redis_t *redis)
{
    ngx_http_imagegram_sentinel_t  *sentinel;

    sentinel = redis->sentinel;

    ngx_queue_remove(&redis->follower);

    if (!ngx_queue_empty(&sentinel->followers)) {
        return;
    }

    if (sentinel->poll.timer_set) {
        ngx_del_timer(&sentinel->poll);
    }

    ngx_http_imagegram_redis_close(sentinel->connection);
}


ngx_int_t
ngx_http_imagegram_sentinel_ask(ngx_http_imagegram_sentinel_t *sentinel)
{
    ngx_http_imagegram_redis_t  *connection;

    connection = sentinel->connection;

    if (connection->state != NGX_HTTP_IMAGEGRAM_REDIS_READY) {

        /* the next one is asked as soon as there is a connection */

        return connection->failures < connection->naddrs ? NGX_OK
                                                         : NGX_DECLINED;
    }

    if (!sentinel->asked) {
        sentinel->asked = ngx_http_imagegram_redis_send(connection, NULL,
                                          sentinel->where.args,
                                          sentinel->where.nargs,
                                          ngx_http_imagegram_sentinel_answered,
                                          sentinel)
                          != NULL;
    }

    return NGX_OK;
}


/* It was asked with the handshake. */

static void
ngx_http_imagegram_sentinel_ready(void *data)
{
    ngx_http_imagegram_sentinel_t *sentinel = data;

    ngx_add_timer(&sentinel->poll, NGX_HTTP_IMAGEGRAM_SENTINEL_POLL);

    ngx_http_imagegram_sentinel_tell(sentinel);
}


static void
ngx_http_imagegram_sentinel_lost(void *data)
{
    ngx_http_imagegram_sentinel_t *sentinel = data;

    if (sentinel->poll.timer_set) {
        ngx_del_timer(&sentinel->poll);
    }
}


static void
ngx_http_imagegram_sentinel_poll_handler(ngx_event_t *ev)
{
    ngx_http_imagegram_sentinel_t *sentinel = ev->data;

    (void) ngx_http_imagegram_sentinel_ask(sentinel);

    ngx_add_timer(ev, NGX_HTTP_IMAGEGRAM_SENTINEL_POLL);
}


static void
ngx_http_imagegram_sentinel_answered(void *data, ngx_int_t rc,
    redisReply *reply)
{
    ngx_http_imagegram_sentinel_t *sentinel = data;

    ngx_http_imagegram_redis_t  *connection;

    connection = sentinel->connection;

    sentinel->asked = 0;

    if (reply == NULL) {
        return;
    }

    connection->refused = rc == NGX_OK
                          ? ngx_http_imagegram_sentinel_where(connection, reply)
                          : "it does not say where the master is";

    if (connection->refused == NULL) {
        ngx_http_imagegram_sentinel_tell(sentinel);
    }
}


static void
ngx_http_imagegram_sentinel_tell(ngx_http_imagegram_sentinel_t *sentinel)
{
    ngx_queue_t  *q;

    for (q = ngx_queue_head(&sentinel->followers);
         q != ngx_queue_sentinel(&sentinel->followers);
         q = ngx_queue_next(q))
    {
        ngx_http_imagegram_redis_master(ngx_queue_data(q,
                                          ngx_http_imagegram_redis_t, follower),
                                        &sentinel->master);
    }
}


static const char *
ngx_http_imagegram_sentinel_where(ngx_http_imagegram_redis_t *redis,
    redisReply *reply)
{
    socklen_t                       socklen;
    const char                     *fault;
    ngx_addr_t                     *master;
    ngx_sockaddr_t                  sockaddr;
    ngx_http_imagegram_sentinel_t  *sentinel;

    sentinel = redis->listener->data;

    fault = ngx_http_imagegram_sentinel_parse(reply, &sockaddr, &socklen);
    if (fault) {
        return fault;
    }

    master = &sentinel->master;

    if (master->socklen
        && ngx_cmp_sockaddr(&sockaddr.sockaddr, socklen, master->sockaddr,
                            master->socklen, 1)
           == NGX_OK)
    {
        return NULL;
    }

    sentinel->sockaddr = sockaddr;

    master->socklen = socklen;
    master->name.len = ngx_sock_ntop(master->sockaddr, socklen, sentinel->text,
                                     NGX_SOCKADDR_STRLEN, 1);

    ngx_log_error(NGX_LOG_NOTICE, &redis->log, 0,
                  "imagegram: redis %V at %V says that the master is %V",
                  &redis->address, &redis->addrs[redis->current].name,
                  &master->name);

    return NULL;
}


/* Names are not resolved, which would take a resolver of nginx's: a sentinel
 * has the address, and gives it but for "announce-hostnames yes". */

static const char *
ngx_http_imagegram_sentinel_parse(redisReply *reply, ngx_sockaddr_t *sockaddr,
    socklen_t *socklen)
{
    u_char      *p;
    ngx_int_t    n;
    redisReply  *host, *port;

    if (reply->type == REDIS_REPLY_NIL) {
        return "it knows no master of that name";
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        return "its reply made no sense";
    }

    host = reply->element[0];
    port = reply->element[1];

    n = ngx_atoi((u_char *) port->str, port->len);

    if (n < 1 || n > 65535) {
        return "its reply made no sense";
    }

    ngx_memzero(sockaddr, sizeof(ngx_sockaddr_t));

    p = (u_char *) host->str;

    sockaddr->sockaddr_in.sin_addr.s_addr = ngx_inet_addr(p, host->len);

    if (sockaddr->sockaddr_in.sin_addr.s_addr != INADDR_NONE) {
        sockaddr->sockaddr.sa_family = AF_INET;
        *socklen = sizeof(struct sockaddr_in);

#if (NGX_HAVE_INET6)
    } else if (ngx_inet6_addr(p, host->len,
                              sockaddr->sockaddr_in6.sin6_addr.s6_addr)
               == NGX_OK)
    {
        sockaddr->sockaddr.sa_family = AF_INET6;
        *socklen = sizeof(struct sockaddr_in6);
#endif

    } else {
        return "it gives a name, not an address, of the master: "
               "it has \"announce-hostnames yes\"";
    }

    ngx_inet_set_port(&sockaddr->sockaddr, (in_port_t) n);

    return NULL;
}


/* The sentinel may be behind: another one is asked then. */

static const char *
ngx_http_imagegram_sentinel_role(ngx_http_imagegram_redis_t *redis,
    redisReply *reply)
{
    ngx_http_imagegram_redis_t  *connection;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements
        && reply->element[0]->type == REDIS_REPLY_STRING
        && ngx_strcmp(reply->element[0]->str, "master") == 0)
    {
        return NULL;
    }

    connection = redis->sentinel->connection;

    if (connection->state == NGX_HTTP_IMAGEGRAM_REDIS_READY) {
        ngx_http_imagegram_redis_lost(connection, 0, NULL);
    }

    return "it is no master";
}


/* Before version 7 a script's error is inside of another one. */

ngx_uint_t
ngx_http_imagegram_sentinel_demoted(const char *error)
{
    return ngx_strncmp(error, "READONLY ", 9) == 0
           || ngx_strncmp(error, "MASTERDOWN ", 11) == 0
           || ngx_strstr(error, "-READONLY ") != NULL;
}
