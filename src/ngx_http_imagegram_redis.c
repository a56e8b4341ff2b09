
/*
 * The Redis client: a worker's connection, from finding the master, if there
 * are sentinels, through connecting, AUTH and SELECT to its loss, and on to the
 * next one.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <ngx_http.h>

#include "ngx_http_imagegram_redis_internal.h"
#include "ngx_http_imagegram_sentinel.h"


#define NGX_HTTP_IMAGEGRAM_REDIS_READ  65536


static void ngx_http_imagegram_redis_begin(ngx_http_imagegram_redis_t *redis);
static void ngx_http_imagegram_redis_connect(
    ngx_http_imagegram_redis_t *redis);
static void ngx_http_imagegram_redis_reconnect_handler(ngx_event_t *ev);
static void ngx_http_imagegram_redis_write_handler(ngx_event_t *wev);
static ngx_int_t ngx_http_imagegram_redis_test_connect(ngx_connection_t *c);
static void ngx_http_imagegram_redis_connected(
    ngx_http_imagegram_redis_t *redis);
static ngx_int_t ngx_http_imagegram_redis_handshake(
    ngx_http_imagegram_redis_t *redis);
static void ngx_http_imagegram_redis_handshake_handler(void *data,
    ngx_int_t rc, redisReply *reply);
static void ngx_http_imagegram_redis_ready(ngx_http_imagegram_redis_t *redis);
static void ngx_http_imagegram_redis_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_http_imagegram_redis_replies(
    ngx_http_imagegram_redis_t *redis);
static ngx_uint_t ngx_http_imagegram_redis_lasted(
    ngx_http_imagegram_redis_t *redis);
static void ngx_http_imagegram_redis_log_loss(
    ngx_http_imagegram_redis_t *redis, ngx_err_t err, const char *reason);
static void ngx_http_imagegram_redis_disconnect(
    ngx_http_imagegram_redis_t *redis, ngx_queue_t *failed);


void
ngx_http_imagegram_redis_open(ngx_http_imagegram_redis_t *redis,
    ngx_cycle_t *cycle)
{
    redis->log = *cycle->log;
    redis->silent = *cycle->log;
    redis->silent.log_level = NGX_LOG_EMERG;
    redis->silent.next = NULL;

    ngx_queue_init(&redis->waiting);
    ngx_queue_init(&redis->sent);

    redis->flush.data = redis;
    redis->flush.log = &redis->log;
    redis->flush.handler = ngx_http_imagegram_redis_flush_handler;

    redis->expire.data = redis;
    redis->expire.log = &redis->log;
    redis->expire.handler = ngx_http_imagegram_redis_expire_handler;

    redis->reconnect.data = redis;
    redis->reconnect.log = &redis->log;
    redis->reconnect.handler = ngx_http_imagegram_redis_reconnect_handler;
    redis->reconnect.cancelable = 1;

    if (redis->sentinel) {
        ngx_http_imagegram_sentinel_follow(redis, cycle);
    }

    ngx_http_imagegram_redis_begin(redis);
}


void
ngx_http_imagegram_redis_close(ngx_http_imagegram_redis_t *redis)
{
    ngx_queue_t  failed;

    if (redis->sentinel) {
        ngx_http_imagegram_sentinel_leave(redis);
    }

    ngx_http_imagegram_redis_disconnect(redis, &failed);
    ngx_http_imagegram_redis_fail(&failed);

    if (redis->out.start) {
        ngx_free(redis->out.start);
        redis->out.start = NULL;
    }
}


ngx_uint_t
ngx_http_imagegram_redis_available(ngx_http_imagegram_redis_t *redis)
{
    return redis->state != NGX_HTTP_IMAGEGRAM_REDIS_DOWN;
}


/* The answer of a sentinel goes on to connect; it has the time of that. */

static void
ngx_http_imagegram_redis_begin(ngx_http_imagegram_redis_t *redis)
{
    redis->begun = ngx_current_msec;

    if (redis->sentinel == NULL) {
        ngx_http_imagegram_redis_connect(redis);
        return;
    }

    redis->state = NGX_HTTP_IMAGEGRAM_REDIS_FINDING;

    ngx_add_timer(&redis->reconnect, redis->connect_timeout);

    if (ngx_http_imagegram_sentinel_ask(redis->sentinel) != NGX_OK) {
        ngx_http_imagegram_redis_lost(redis, 0,
                                   "no sentinel says where the master is");
    }
}


void
ngx_http_imagegram_redis_master(ngx_http_imagegram_redis_t *redis,
    ngx_addr_t *master)
{
    ngx_uint_t  same;

    same = redis->naddrs
           && ngx_cmp_sockaddr(redis->master.sockaddr, redis->master.socklen,
                               master->sockaddr, master->socklen, 1)
              == NGX_OK;

    if (same && redis->state != NGX_HTTP_IMAGEGRAM_REDIS_FINDING) {
        return;
    }

    if (redis->connection) {
        ngx_http_imagegram_redis_lost(redis, 0, "another one is the master");
    }

    if (!same) {
        ngx_memcpy(&redis->sockaddr, master->sockaddr, master->socklen);
        ngx_memcpy(redis->text, master->name.data, master->name.len);

        redis->master.sockaddr = &redis->sockaddr.sockaddr;
        redis->master.socklen = master->socklen;
        redis->master.name.data = redis->text;
        redis->master.name.len = master->name.len;

        redis->addrs = &redis->master;
        redis->naddrs = 1;

        redis->backoff = NGX_HTTP_IMAGEGRAM_REDIS_BACKOFF;
        redis->losses = 0;
    }

    if (redis->reconnect.timer_set) {
        ngx_del_timer(&redis->reconnect);
    }

    ngx_http_imagegram_redis_connect(redis);
}


static void
ngx_http_imagegram_redis_connect(ngx_http_imagegram_redis_t *redis)
{
    ngx_int_t               rc;
    ngx_addr_t             *addr;
    ngx_connection_t       *c;
    ngx_peer_connection_t   peer;

    addr = &redis->addrs[redis->current];

    ngx_memzero(&peer, sizeof(ngx_peer_connection_t));

    peer.sockaddr = addr->sockaddr;
    peer.socklen = addr->socklen;
    peer.name = &addr->name;
    peer.get = ngx_event_get_peer;
    peer.log = redis->failures ? &redis->silent : &redis->log;
    peer.log_error = NGX_ERROR_ERR;
    peer.type = SOCK_STREAM;

    rc = ngx_event_connect_peer(&peer);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        if (peer.connection) {
            ngx_close_connection(peer.connection);
        }

        ngx_http_imagegram_redis_lost(redis, 0, NULL);
        return;
    }

    c = peer.connection;

    c->data = redis;
    c->log = &redis->log;
    c->read->log = &redis->log;
    c->write->log = &redis->log;
    c->read->handler = ngx_http_imagegram_redis_read_handler;
    c->write->handler = ngx_http_imagegram_redis_write_handler;

    redis->connection = c;
    redis->state = NGX_HTTP_IMAGEGRAM_REDIS_CONNECTING;

    if (ngx_http_imagegram_redis_reader_create(redis) != NGX_OK) {
        ngx_http_imagegram_redis_lost(redis, 0, "no memory");
        return;
    }

    ngx_add_timer(c->write, redis->connect_timeout);

    if (rc == NGX_OK) {
        ngx_http_imagegram_redis_connected(redis);
    }
}


static void
ngx_http_imagegram_redis_reconnect_handler(ngx_event_t *ev)
{
    ngx_http_imagegram_redis_t *redis = ev->data;

    if (redis->state == NGX_HTTP_IMAGEGRAM_REDIS_FINDING) {
        ngx_http_imagegram_redis_lost(redis, 0,
                                   "no sentinel says where the master is");
        return;
    }

    ngx_http_imagegram_redis_begin(redis);
}


static void
ngx_http_imagegram_redis_write_handler(ngx_event_t *wev)
{
    ngx_connection_t            *c;
    ngx_http_imagegram_redis_t  *redis;

    c = wev->data;
    redis = c->data;

    if (redis->state != NGX_HTTP_IMAGEGRAM_REDIS_CONNECTING) {
        ngx_http_imagegram_redis_flush(redis);
        return;
    }

    if (wev->timedout) {
        ngx_http_imagegram_redis_lost(redis, 0, "connecting timed out");
        return;
    }

    if (ngx_http_imagegram_redis_test_connect(c) != NGX_OK) {
        ngx_http_imagegram_redis_lost(redis, ngx_socket_errno,
                                      "connecting failed");
        return;
    }

    ngx_http_imagegram_redis_connected(redis);
}


static ngx_int_t
ngx_http_imagegram_redis_test_connect(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    ngx_set_socket_errno(err);

    return err ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_imagegram_redis_connected(ngx_http_imagegram_redis_t *redis)
{
    ngx_connection_t  *c;

    c = redis->connection;

    ngx_del_timer(c->write);

    if (redis->addrs[redis->current].sockaddr->sa_family != AF_UNIX
        && ngx_tcp_nodelay(c) != NGX_OK)
    {
        ngx_http_imagegram_redis_lost(redis, 0, "setting TCP_NODELAY failed");
        return;
    }

    redis->formatted = 0;
    redis->written = 0;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK
        || ngx_http_imagegram_redis_handshake(redis) != NGX_OK)
    {
        ngx_http_imagegram_redis_lost(redis, 0, "the handshake failed");
        return;
    }
}


/*
 * Other commands wait for the replies: behind a SELECT that fails they would
 * be carried out in the wrong database, the PING tells whether Redis wants a
 * password or is still loading, and the question, where there is one, whether
 * it is the one that is wanted.
 */

static ngx_int_t
ngx_http_imagegram_redis_handshake(ngx_http_imagegram_redis_t *redis)
{
    u_char                         db[NGX_INT_T_LEN];
    ngx_str_t                      args[3], *last;
    ngx_uint_t                     n;
    ngx_http_imagegram_command_t  *command;

    redis->state = NGX_HTTP_IMAGEGRAM_REDIS_HANDSHAKE;
    redis->handshake = 0;
    redis->refused = NULL;

    for (n = 0; n < 4; n++) {
        last = args;

        if (n == 0 && redis->password.len) {
            ngx_str_set(last, "AUTH");
            last++;

            if (redis->username.len) {
                *last++ = redis->username;
            }

            *last++ = redis->password;

        } else if (n == 1 && redis->db != 0) {
            ngx_str_set(last, "SELECT");
            last++;

            last->data = db;
            last->len = ngx_sprintf(db, "%i", redis->db) - db;
            last++;

        } else if (n == 2) {
            ngx_str_set(last, "PING");
            last++;

        } else if (n == 3 && redis->question) {
            for ( /* void */ ; last < args + redis->question->nargs; last++) {
                *last = redis->question->args[last - args];
            }

        } else {
            continue;
        }

        command = ngx_http_imagegram_redis_command(redis, NULL, args,
                                                   last - args);
        if (command == NULL) {
            return NGX_ERROR;
        }

        command->handler = ngx_http_imagegram_redis_handshake_handler;
        command->data = redis;

        if (ngx_http_imagegram_redis_format(redis, command) != NGX_OK) {
            ngx_free(command);
            return NGX_ERROR;
        }

        redis->handshake++;
    }

    return NGX_OK;
}


static void
ngx_http_imagegram_redis_handshake_handler(void *data, ngx_int_t rc,
    redisReply *reply)
{
    ngx_http_imagegram_redis_t  *redis = data;

    if (rc != NGX_OK) {
        /* the reader of the reply closes a connection that is not ready */
        return;
    }

    if (--redis->handshake) {
        return;
    }

    if (redis->question) {
        redis->refused = redis->question->check(redis, reply);
    }

    if (redis->refused == NULL) {
        ngx_http_imagegram_redis_ready(redis);
    }
}


static void
ngx_http_imagegram_redis_ready(ngx_http_imagegram_redis_t *redis)
{
    ngx_queue_t                   *q;
    ngx_http_imagegram_command_t  *command;

    if (redis->failures) {
        ngx_log_error(NGX_LOG_NOTICE, &redis->log, 0,
                      "imagegram: redis %V is back", &redis->address);
    }

    redis->state = NGX_HTTP_IMAGEGRAM_REDIS_READY;
    redis->failures = 0;
    redis->since = ngx_current_msec;

    while (!ngx_queue_empty(&redis->waiting)) {
        q = ngx_queue_head(&redis->waiting);
        ngx_queue_remove(q);

        command = ngx_queue_data(q, ngx_http_imagegram_command_t, queue);

        if (command->handler == NULL) {
            ngx_free(command);
            continue;
        }

        if (ngx_http_imagegram_redis_format(redis, command) != NGX_OK) {
            ngx_http_imagegram_redis_finish(command, NGX_DECLINED, NULL);
        }
    }

    if (redis->listener) {
        redis->listener->ready(redis->listener->data);
    }
}


static void
ngx_http_imagegram_redis_read_handler(ngx_event_t *rev)
{
    ssize_t                      n;
    ngx_int_t                    rc;
    ngx_connection_t            *c;
    ngx_http_imagegram_redis_t  *redis;

    static u_char  buf[NGX_HTTP_IMAGEGRAM_REDIS_READ];

    c = rev->data;
    redis = c->data;

    if (c->close) {
        /* worker_shutdown_timeout */
        ngx_http_imagegram_redis_lost(redis, 0, NULL);
        return;
    }

    if (redis->state == NGX_HTTP_IMAGEGRAM_REDIS_CONNECTING) {
        return;
    }

    do {
        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == 0 || n == NGX_ERROR) {
            ngx_http_imagegram_redis_lost(redis, 0, "it closed the connection");
            return;
        }

        rc = NGX_ERROR;

        if (redisReaderFeed(redis->reader, (char *) buf, n) == REDIS_OK) {
            rc = ngx_http_imagegram_redis_replies(redis);
        }

        if (rc != NGX_OK) {
            ngx_http_imagegram_redis_lost(redis, 0, rc == NGX_DECLINED
                                               ? redis->refused
                                               : "its reply made no sense");
            return;
        }

    } while (rev->ready);

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_imagegram_redis_lost(redis, 0, "waiting to read failed");
    }
}


static ngx_int_t
ngx_http_imagegram_redis_replies(ngx_http_imagegram_redis_t *redis)
{
    void       *reply;
    ngx_int_t   rc;

    for ( ;; ) {

        if (redisReaderGetReply(redis->reader, &reply) != REDIS_OK) {
            return NGX_ERROR;
        }

        if (reply == NULL) {
            return NGX_OK;
        }

        rc = ngx_http_imagegram_redis_reply(redis, reply);

        ngx_reset_pool(redis->replies);

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


/*
 * The connection is lost, or was not made (reason is NULL where there is
 * nothing more to log).  One that had been ready is made anew at once, unless
 * the one before it was lost as soon; after that it is tried from time to time,
 * and commands are refused meanwhile.  One that worker_shutdown_timeout closed
 * was the last: another one's handshake would keep the worker from leaving.
 */

void
ngx_http_imagegram_redis_lost(ngx_http_imagegram_redis_t *redis,
    ngx_err_t err, const char *reason)
{
    ngx_msec_t   pause, spent;
    ngx_uint_t   ready, again, last;
    ngx_queue_t  failed;

    ready = redis->state == NGX_HTTP_IMAGEGRAM_REDIS_READY;
    again = ready && ngx_http_imagegram_redis_lasted(redis);
    last = redis->connection && redis->connection->close;

    if (reason && (ready || redis->failures == 0)) {
        ngx_http_imagegram_redis_log_loss(redis, err, reason);
    }

    ngx_http_imagegram_redis_disconnect(redis, &failed);

    if (ready && redis->listener) {
        redis->listener->lost(redis->listener->data);
    }

    if (redis->naddrs && (redis->rotate || !again)) {
        redis->current = (redis->current + 1) % redis->naddrs;
    }

    if (last) {
        /* void */

    } else if (again) {
        ngx_http_imagegram_redis_begin(redis);

    } else {
        if (!ready) {
            redis->failures++;
        }

        /* with jitter, so that workers do not come all at once; an attempt that
         * took as long was pause enough */

        pause = redis->backoff + (ngx_uint_t) ngx_random() % redis->backoff;
        spent = ngx_current_msec - redis->begun;

        ngx_add_timer(&redis->reconnect, pause > spent ? pause - spent : 1);

        redis->backoff = ngx_min(2 * redis->backoff,
                                 NGX_HTTP_IMAGEGRAM_REDIS_BACKOFF_MAX);
    }

    ngx_http_imagegram_redis_fail(&failed);
}


/* Whether the connection was ready for some time, or is the first that was
 * not. */

static ngx_uint_t
ngx_http_imagegram_redis_lasted(ngx_http_imagegram_redis_t *redis)
{
    if (ngx_current_msec - redis->since >= NGX_HTTP_IMAGEGRAM_REDIS_STEADY) {
        redis->losses = 0;
        redis->backoff = NGX_HTTP_IMAGEGRAM_REDIS_BACKOFF;
    }

    return redis->losses++ == 0;
}


static void
ngx_http_imagegram_redis_log_loss(ngx_http_imagegram_redis_t *redis,
    ngx_err_t err, const char *reason)
{
    if (redis->question && redis->connection) {
        ngx_log_error(NGX_LOG_ERR, &redis->log, err,
                      "imagegram: redis %V at %V is lost: %s",
                      &redis->address, &redis->addrs[redis->current].name,
                      reason);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, &redis->log, err,
                  "imagegram: redis %V is lost: %s", &redis->address, reason);
}


/* Gives the commands that were not answered. */

static void
ngx_http_imagegram_redis_disconnect(ngx_http_imagegram_redis_t *redis,
    ngx_queue_t *failed)
{
    ngx_queue_t                   *q;
    ngx_http_imagegram_command_t  *command;

    ngx_queue_init(failed);

    while (!ngx_queue_empty(&redis->sent)) {
        q = ngx_queue_head(&redis->sent);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(failed, q);

        command = ngx_queue_data(q, ngx_http_imagegram_command_t, queue);
        command->unknown = redis->written > command->start;
    }

    while (!ngx_queue_empty(&redis->waiting)) {
        q = ngx_queue_head(&redis->waiting);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(failed, q);
    }

    if (redis->connection) {
        ngx_close_connection(redis->connection);
        redis->connection = NULL;
    }

    ngx_http_imagegram_redis_reader_free(redis);

    if (redis->expire.timer_set) {
        ngx_del_timer(&redis->expire);
    }

    if (redis->reconnect.timer_set) {
        ngx_del_timer(&redis->reconnect);
    }

    if (redis->flush.posted) {
        ngx_delete_posted_event(&redis->flush);
    }

    redis->out.pos = redis->out.start;
    redis->out.last = redis->out.start;

    redis->state = NGX_HTTP_IMAGEGRAM_REDIS_DOWN;
}
