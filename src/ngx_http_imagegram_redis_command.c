
/*
 * The Redis client: commands and their replies.
 *
 * A command is one allocation, with a copy of its arguments, so that it can
 * be sent again (as EVAL, when Redis does not know the script) whatever
 * became of who sent it.  It is in exactly one queue: waiting, until the
 * connection is ready; sent, until its reply or the end of the connection.
 * It is freed right after its handler was called.
 *
 * A command's time runs from when it was given, also while it waits.  All have
 * the same timeout, so the first of a queue is the first to expire: one timer
 * is enough.  For one that was sent it expires the connection, not the
 * command, since a late reply could not be told from the next one's.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include "ngx_http_imagegram_redis_internal.h"
#include "ngx_http_imagegram_sentinel.h"


#define NGX_HTTP_IMAGEGRAM_REDIS_BUFFER  65536


static void ngx_http_imagegram_redis_watch(ngx_http_imagegram_redis_t *redis);
static ngx_int_t ngx_http_imagegram_redis_reserve(ngx_buf_t *out, size_t size);
static ngx_uint_t ngx_http_imagegram_redis_message(
    ngx_http_imagegram_redis_t *redis, redisReply *reply);
static ngx_msec_t ngx_http_imagegram_redis_left(ngx_queue_t *queue);


ngx_http_imagegram_command_t *
ngx_http_imagegram_redis_send(ngx_http_imagegram_redis_t *redis,
    ngx_http_imagegram_script_t *script, ngx_str_t *args, ngx_uint_t nargs,
    ngx_http_imagegram_redis_pt handler, void *data)
{
    ngx_http_imagegram_command_t  *command;

    if (!ngx_http_imagegram_redis_available(redis)) {
        return NULL;
    }

    command = ngx_http_imagegram_redis_command(redis, script, args, nargs);
    if (command == NULL) {
        return NULL;
    }

    command->handler = handler;
    command->data = data;

    if (redis->state != NGX_HTTP_IMAGEGRAM_REDIS_READY) {
        ngx_queue_insert_tail(&redis->waiting, &command->queue);
        ngx_http_imagegram_redis_watch(redis);
        return command;
    }

    if (ngx_http_imagegram_redis_format(redis, command) != NGX_OK) {
        ngx_free(command);
        return NULL;
    }

    return command;
}


ngx_uint_t
ngx_http_imagegram_redis_sent(ngx_http_imagegram_redis_t *redis,
    ngx_http_imagegram_command_t *command)
{
    return redis->state == NGX_HTTP_IMAGEGRAM_REDIS_READY
           && command->start < redis->written;
}


void
ngx_http_imagegram_redis_forget(ngx_http_imagegram_command_t *command)
{
    command->handler = NULL;
}


ngx_http_imagegram_command_t *
ngx_http_imagegram_redis_command(ngx_http_imagegram_redis_t *redis,
    ngx_http_imagegram_script_t *script, ngx_str_t *args, ngx_uint_t nargs)
{
    size_t                         size;
    u_char                        *p;
    ngx_uint_t                     i, argc;
    ngx_http_imagegram_command_t  *command;

    argc = nargs + (script ? 2 : 0);

    size = sizeof(ngx_http_imagegram_command_t)
           + argc * (sizeof(char *) + sizeof(size_t));

    for (i = 0; i < nargs; i++) {
        size += args[i].len;
    }

    command = ngx_alloc(size, ngx_cycle->log);
    if (command == NULL) {
        return NULL;
    }

    ngx_memzero(command, sizeof(ngx_http_imagegram_command_t));

    command->script = script;
    command->deadline = ngx_current_msec + redis->timeout;
    command->argv = (const char **) (command + 1);
    command->lens = (size_t *) (command->argv + argc);

    p = (u_char *) (command->lens + argc);

    if (script) {
        command->argv[0] = "EVALSHA";
        command->lens[0] = sizeof("EVALSHA") - 1;
        command->argv[1] = (const char *) script->sha1;
        command->lens[1] = sizeof(script->sha1);
        command->argc = 2;
    }

    for (i = 0; i < nargs; i++) {
        command->argv[command->argc] = (const char *) p;
        command->lens[command->argc] = args[i].len;
        command->argc++;

        if (args[i].len) {
            p = ngx_cpymem(p, args[i].data, args[i].len);
        }
    }

    return command;
}


ngx_int_t
ngx_http_imagegram_redis_format(ngx_http_imagegram_redis_t *redis,
    ngx_http_imagegram_command_t *command)
{
    int    len;
    char  *text;

    len = redisFormatCommandArgv(&text, command->argc, command->argv,
                                 command->lens);
    if (len < 0) {
        return NGX_ERROR;
    }

    if (ngx_http_imagegram_redis_reserve(&redis->out, len) != NGX_OK) {
        redisFreeCommand(text);
        return NGX_ERROR;
    }

    redis->out.last = ngx_cpymem(redis->out.last, text, len);

    redisFreeCommand(text);

    command->start = redis->formatted;
    redis->formatted += len;

    ngx_queue_insert_tail(&redis->sent, &command->queue);
    ngx_http_imagegram_redis_watch(redis);

    /* what one turn of the event loop asks for goes out in one write */

    ngx_post_event(&redis->flush, &ngx_posted_events);

    return NGX_OK;
}


/* A worker that is to exit waits for replies, not for the timer alone. */

static void
ngx_http_imagegram_redis_watch(ngx_http_imagegram_redis_t *redis)
{
    if (!redis->expire.timer_set) {
        ngx_add_timer(&redis->expire, redis->timeout);
    }

    redis->expire.cancelable = 0;
}


static ngx_int_t
ngx_http_imagegram_redis_reserve(ngx_buf_t *out, size_t size)
{
    size_t   used, need;
    u_char  *p;

    if (out->start && (size_t) (out->end - out->last) >= size) {
        return NGX_OK;
    }

    used = out->start ? out->last - out->pos : 0;
    need = ngx_max(2 * (used + size), NGX_HTTP_IMAGEGRAM_REDIS_BUFFER);

    p = ngx_alloc(need, ngx_cycle->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (out->start) {
        ngx_memcpy(p, out->pos, used);
        ngx_free(out->start);
    }

    out->start = p;
    out->pos = p;
    out->last = p + used;
    out->end = p + need;

    return NGX_OK;
}


void
ngx_http_imagegram_redis_flush_handler(ngx_event_t *ev)
{
    ngx_http_imagegram_redis_flush(ev->data);
}


void
ngx_http_imagegram_redis_flush(ngx_http_imagegram_redis_t *redis)
{
    ssize_t            n;
    ngx_buf_t         *out;
    ngx_connection_t  *c;

    c = redis->connection;
    out = &redis->out;

    if (c == NULL || out->start == NULL) {
        return;
    }

    while (out->pos < out->last) {
        n = c->send(c, out->pos, out->last - out->pos);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_http_imagegram_redis_lost(redis, ngx_socket_errno,
                                          "writing failed");
            return;
        }

        out->pos += n;
        redis->written += n;
    }

    if (out->pos == out->last) {
        out->pos = out->start;
        out->last = out->start;

        if (out->end - out->start > NGX_HTTP_IMAGEGRAM_REDIS_BUFFER_KEEP) {
            ngx_free(out->start);
            out->start = NULL;
        }
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_imagegram_redis_lost(redis, 0, "waiting to write failed");
    }
}


ngx_int_t
ngx_http_imagegram_redis_reply(ngx_http_imagegram_redis_t *redis,
    redisReply *reply)
{
    ngx_int_t                      rc;
    ngx_queue_t                   *q;
    ngx_http_imagegram_command_t  *command;

    if (redis->listener && ngx_http_imagegram_redis_message(redis, reply)) {
        return NGX_OK;
    }

    if (ngx_queue_empty(&redis->sent)) {
        return NGX_ERROR;
    }

    q = ngx_queue_head(&redis->sent);
    ngx_queue_remove(q);

    redis->expire.cancelable = ngx_queue_empty(&redis->sent)
                               && ngx_queue_empty(&redis->waiting);

    command = ngx_queue_data(q, ngx_http_imagegram_command_t, queue);

    rc = NGX_OK;

    if (reply->type == REDIS_REPLY_ERROR) {

        if (command->script && !command->eval
            && ngx_strncmp(reply->str, "NOSCRIPT", 8) == 0)
        {
            command->eval = 1;
            command->deadline = ngx_current_msec + redis->timeout;
            command->argv[0] = "EVAL";
            command->lens[0] = sizeof("EVAL") - 1;
            command->argv[1] = (const char *) command->script->source.data;
            command->lens[1] = command->script->source.len;

            if (ngx_http_imagegram_redis_format(redis, command) != NGX_OK) {
                ngx_http_imagegram_redis_finish(command, NGX_DECLINED, NULL);
            }

            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_ERR, redis->failures ? &redis->silent
                                                   : &redis->log, 0,
                      "imagegram: redis %V answered \"%s\"",
                      &redis->address, reply->str);

        rc = NGX_DECLINED;

        if (redis->state != NGX_HTTP_IMAGEGRAM_REDIS_READY) {
            redis->refused = "it refused the handshake";

        } else if (redis->sentinel
                   && ngx_http_imagegram_sentinel_demoted(reply->str))
        {
            redis->refused = "it is a replica now";
        }
    }

    ngx_http_imagegram_redis_finish(command, rc, reply);

    return redis->refused ? NGX_DECLINED : NGX_OK;
}


/* Gives whether it answers no command, but was published. */

static ngx_uint_t
ngx_http_imagegram_redis_message(ngx_http_imagegram_redis_t *redis,
    redisReply *reply)
{
    ngx_str_t    payload;
    redisReply  *kind, *text;

    if (redis->listener->message == NULL
        || reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
    {
        return 0;
    }

    kind = reply->element[0];
    text = reply->element[2];

    if (kind->type != REDIS_REPLY_STRING || text->type != REDIS_REPLY_STRING
        || ngx_strcmp(kind->str, "message") != 0)
    {
        return 0;
    }

    payload.data = (u_char *) text->str;
    payload.len = text->len;

    redis->listener->message(redis->listener->data, &payload);

    return 1;
}


void
ngx_http_imagegram_redis_finish(ngx_http_imagegram_command_t *command,
    ngx_int_t rc, redisReply *reply)
{
    if (command->handler) {
        command->handler(command->data, rc, reply);
    }

    ngx_free(command);
}


void
ngx_http_imagegram_redis_fail(ngx_queue_t *failed)
{
    ngx_queue_t                   *q;
    ngx_http_imagegram_command_t  *command;

    while (!ngx_queue_empty(failed)) {
        q = ngx_queue_head(failed);
        ngx_queue_remove(q);

        command = ngx_queue_data(q, ngx_http_imagegram_command_t, queue);

        ngx_http_imagegram_redis_finish(command, command->unknown
                                                 ? NGX_ERROR : NGX_DECLINED,
                                        NULL);
    }
}


void
ngx_http_imagegram_redis_expire_handler(ngx_event_t *ev)
{
    ngx_msec_t                   sent, waiting;
    ngx_queue_t                 *q, failed;
    ngx_http_imagegram_redis_t  *redis;

    redis = ev->data;

    sent = ngx_http_imagegram_redis_left(&redis->sent);

    if (sent == 0) {
        ngx_http_imagegram_redis_lost(redis, 0, "it did not answer in time");
        return;
    }

    ngx_queue_init(&failed);

    for ( ;; ) {
        waiting = ngx_http_imagegram_redis_left(&redis->waiting);

        if (waiting != 0) {
            break;
        }

        q = ngx_queue_head(&redis->waiting);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&failed, q);
    }

    if (ngx_min(sent, waiting) != NGX_TIMER_INFINITE) {
        ngx_add_timer(ev, ngx_min(sent, waiting));
    }

    ngx_http_imagegram_redis_fail(&failed);
}


/* Gives ms until the queue's first expires, 0 when it has. */

static ngx_msec_t
ngx_http_imagegram_redis_left(ngx_queue_t *queue)
{
    ngx_queue_t                   *q;
    ngx_msec_int_t                 left;
    ngx_http_imagegram_command_t  *command;

    if (ngx_queue_empty(queue)) {
        return NGX_TIMER_INFINITE;
    }

    q = ngx_queue_head(queue);
    command = ngx_queue_data(q, ngx_http_imagegram_command_t, queue);

    left = (ngx_msec_int_t) (command->deadline - ngx_current_msec);

    return (ngx_msec_t) ngx_max(left, 0);
}
