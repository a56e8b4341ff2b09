
/*
 * The Redis client: hiredis's reader and formatter over nginx's own
 * connections, timers and logs; the only user of hiredis.
 *
 * Each worker keeps one connection for each distinct imagegram_redis that is
 * used, from its start to its exit.  Commands are pipelined; replies come in
 * order.  While the connection is being made, commands wait; while Redis is
 * known to be down they are refused at once.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_REDIS_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <hiredis/hiredis.h>


typedef struct ngx_http_imagegram_redis_s    ngx_http_imagegram_redis_t;
typedef struct ngx_http_imagegram_command_s  ngx_http_imagegram_command_t;


typedef struct {
    ngx_str_t   source;         /* Lua, NUL-terminated */
    u_char      sha1[40];       /* of the source, in hexadecimal digits */
} ngx_http_imagegram_script_t;


/*
 * Called once for each command, from the event loop, never from inside
 * ngx_http_imagegram_redis_send().
 *
 * NGX_OK        reply is Redis's, valid during the call, and no error
 * NGX_DECLINED  the command was not carried out: it never left, or Redis
 *               refused it (reply is the error then, otherwise NULL)
 * NGX_ERROR     nobody knows whether it was or will be carried out
 */
typedef void (*ngx_http_imagegram_redis_pt)(void *data, ngx_int_t rc,
    redisReply *reply);


/*
 * Who listens to messages on a connection that has subscribed to a channel.
 * Called from the event loop; may send commands, but not close the connection.
 */

typedef struct {
    void  (*ready)(void *data);     /* connected, subscribed to nothing yet */
    void  (*message)(void *data, ngx_str_t *payload);   /* or NULL */
    void  (*lost)(void *data);      /* it was ready, and will be made anew */
    void   *data;
} ngx_http_imagegram_listener_t;


/* Parses "imagegram_redis address [db=] [username=] …", where the address may
 * be sentinel:NAME, with those of sentinels behind it. */
char *ngx_http_imagegram_redis_parse(ngx_conf_t *cf,
    ngx_http_imagegram_redis_t **redis);

/* What applies without the directive; NULL: no memory. */
ngx_http_imagegram_redis_t *ngx_http_imagegram_redis_default(ngx_conf_t *cf);

/*
 * Takes *redis into used, the array of those that workers connect to.  The
 * same settings twice are one connection: *redis is the first one then.
 */
ngx_int_t ngx_http_imagegram_redis_use(ngx_array_t *used,
    ngx_http_imagegram_redis_t **redis);

/* As configured, without blanks; with those of its sentinels. */
ngx_str_t *ngx_http_imagegram_redis_address(ngx_http_imagegram_redis_t *redis);
ngx_int_t ngx_http_imagegram_redis_db(ngx_http_imagegram_redis_t *redis);

/* At configuration time: fills in sha1. */
void ngx_http_imagegram_redis_script(ngx_http_imagegram_script_t *script);

/*
 * Gives another connection to the same Redis, in the pool, for a listener; it
 * is the caller's, to be opened and closed.  NULL: no memory.
 */
ngx_http_imagegram_redis_t *ngx_http_imagegram_redis_listen(ngx_pool_t *pool,
    ngx_http_imagegram_redis_t *redis,
    ngx_http_imagegram_listener_t *listener);

/* Connects, closes: at the worker's start and end, or in between. */
void ngx_http_imagegram_redis_open(ngx_http_imagegram_redis_t *redis,
    ngx_cycle_t *cycle);
void ngx_http_imagegram_redis_close(ngx_http_imagegram_redis_t *redis);

/* Whether a command would be taken now. */
ngx_uint_t ngx_http_imagegram_redis_available(
    ngx_http_imagegram_redis_t *redis);

/*
 * Sends a command, or calls a script: then args starts with the number of
 * keys.  args is copied.  Gives the command, which is the client's, or NULL if
 * it was not taken: the handler will not be called.
 */
ngx_http_imagegram_command_t *ngx_http_imagegram_redis_send(
    ngx_http_imagegram_redis_t *redis, ngx_http_imagegram_script_t *script,
    ngx_str_t *args, ngx_uint_t nargs, ngx_http_imagegram_redis_pt handler,
    void *data);

/* Whether a command whose handler was not called yet may have left, at least in
 * part; while it has not, Redis reads after whatever has happened by now. */
ngx_uint_t ngx_http_imagegram_redis_sent(ngx_http_imagegram_redis_t *redis,
    ngx_http_imagegram_command_t *command);

/* Makes the client forget who waits for the command: its handler will not be
 * called.  Not after it was. */
void ngx_http_imagegram_redis_forget(ngx_http_imagegram_command_t *command);


#endif /* _NGX_HTTP_IMAGEGRAM_REDIS_H_INCLUDED_ */
