
/*
 * What the files of the Redis client share, and nobody else sees.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_REDIS_INTERNAL_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_REDIS_INTERNAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include "ngx_http_imagegram_redis.h"


/* until a connection is tried again, ms; doubled each time it fails */

#define NGX_HTTP_IMAGEGRAM_REDIS_BACKOFF      20
#define NGX_HTTP_IMAGEGRAM_REDIS_BACKOFF_MAX  400

/* ms: a connection that lasted as long is made anew at once when it is lost */

#define NGX_HTTP_IMAGEGRAM_REDIS_STEADY       1000

/* as large a buffer is kept when it is empty */

#define NGX_HTTP_IMAGEGRAM_REDIS_BUFFER_KEEP  1048576


typedef struct ngx_http_imagegram_sentinel_s  ngx_http_imagegram_sentinel_t;


typedef enum {
    NGX_HTTP_IMAGEGRAM_REDIS_DOWN = 0,      /* the last attempt failed */
    NGX_HTTP_IMAGEGRAM_REDIS_FINDING,       /* a sentinel is asked */
    NGX_HTTP_IMAGEGRAM_REDIS_CONNECTING,
    NGX_HTTP_IMAGEGRAM_REDIS_HANDSHAKE,     /* AUTH, SELECT, PING, question */
    NGX_HTTP_IMAGEGRAM_REDIS_READY
} ngx_http_imagegram_redis_state_e;


/* what is asked at the end of the handshake; check gives why the answer will
 * not do, a literal, or NULL if it will */

typedef struct {
    ngx_str_t                          args[3];
    ngx_uint_t                         nargs;
    const char                      *(*check)(ngx_http_imagegram_redis_t *redis,
                                              redisReply *reply);
} ngx_http_imagegram_redis_question_t;


struct ngx_http_imagegram_redis_s {
    ngx_str_t                          address;     /* as configured */
    ngx_addr_t                        *addrs;       /* the master's, if there */
    ngx_uint_t                         naddrs;      /* are sentinels */
    ngx_int_t                          db;
    ngx_str_t                          username;
    ngx_str_t                          password;
    ngx_msec_t                         connect_timeout;
    ngx_msec_t                         timeout;
    ngx_http_imagegram_listener_t     *listener;    /* or NULL, as the next */
    ngx_http_imagegram_redis_question_t  *question;

    ngx_http_imagegram_redis_t        *sentinels;   /* or NULL; */
    ngx_http_imagegram_sentinel_t     *sentinel;    /* with a connection to */
    ngx_queue_t                        follower;    /* one of those */
    ngx_addr_t                         master;
    ngx_sockaddr_t                     sockaddr;    /* of the master */
    u_char                             text[NGX_SOCKADDR_STRLEN];

    ngx_log_t                          log;
    ngx_log_t                          silent;      /* for attempts that fail
                                                     * like the one before */
    ngx_http_imagegram_redis_state_e   state;
    ngx_connection_t                  *connection;  /* NULL when down */
    redisReader                       *reader;      /* of the connection, */
    ngx_pool_t                        *replies;     /* what it reads */
    ngx_uint_t                         current;     /* of addrs */
    ngx_uint_t                         rotate;      /* also when it was ready */
    ngx_uint_t                         failures;    /* in a row */
    ngx_msec_t                         begun;       /* to connect */
    ngx_msec_t                         since;       /* ready */
    ngx_uint_t                         losses;      /* in a row, of those that
                                                     * did not last */
    ngx_msec_t                         backoff;
    ngx_uint_t                         handshake;   /* replies to come */
    const char                        *refused;     /* why the connection is
                                                     * to end, or NULL */

    ngx_queue_t                        waiting;     /* commands */
    ngx_queue_t                        sent;

    ngx_buf_t                          out;         /* formatted, unsent */
    uint64_t                           formatted;   /* bytes since the */
    uint64_t                           written;     /* connection was made */

    ngx_event_t                        flush;       /* posted */
    ngx_event_t                        expire;      /* timer, first of sent */
    ngx_event_t                        reconnect;   /* timer */
};


struct ngx_http_imagegram_command_s {
    ngx_queue_t                        queue;
    ngx_http_imagegram_redis_pt        handler;     /* NULL: forgotten */
    void                              *data;
    ngx_http_imagegram_script_t       *script;
    uint64_t                           start;       /* in formatted bytes */
    ngx_msec_t                         deadline;
    ngx_uint_t                         eval;        /* source was sent */
    ngx_uint_t                         unknown;     /* may be carried out */
    int                                argc;
    const char                       **argv;
    size_t                            *lens;
};


/* Makes a command, in no queue yet, whose time runs; its arguments are
 * copied. */
ngx_http_imagegram_command_t *ngx_http_imagegram_redis_command(
    ngx_http_imagegram_redis_t *redis, ngx_http_imagegram_script_t *script,
    ngx_str_t *args, ngx_uint_t nargs);

/* Formats a command and puts it into the queue of those sent; on NGX_ERROR it
 * remains the caller's. */
ngx_int_t ngx_http_imagegram_redis_format(ngx_http_imagegram_redis_t *redis,
    ngx_http_imagegram_command_t *command);

/*
 * Makes and frees the reader of a connection, with the pool its replies lie
 * in, which is to be reset after each.  NGX_ERROR: no memory; what was made is
 * freed by the other one.
 */
ngx_int_t ngx_http_imagegram_redis_reader_create(
    ngx_http_imagegram_redis_t *redis);
void ngx_http_imagegram_redis_reader_free(ngx_http_imagegram_redis_t *redis);

/*
 * Gives a reply to the first command sent.  NGX_ERROR: there was none,
 * NGX_DECLINED: the connection is of no use, for the reason in refused.
 */
ngx_int_t ngx_http_imagegram_redis_reply(ngx_http_imagegram_redis_t *redis,
    redisReply *reply);

/* Calls the handler and frees the command. */
void ngx_http_imagegram_redis_finish(ngx_http_imagegram_command_t *command,
    ngx_int_t rc, redisReply *reply);

/* Finishes those that will not be answered. */
void ngx_http_imagegram_redis_fail(ngx_queue_t *failed);

/* Writes what is formatted. */
void ngx_http_imagegram_redis_flush(ngx_http_imagegram_redis_t *redis);
void ngx_http_imagegram_redis_flush_handler(ngx_event_t *ev);

/* The timer of the first commands sent and waiting. */
void ngx_http_imagegram_redis_expire_handler(ngx_event_t *ev);

/* Ends the connection and sees to the next; err and reason are logged, unless
 * reason is NULL. */
void ngx_http_imagegram_redis_lost(ngx_http_imagegram_redis_t *redis,
    ngx_err_t err, const char *reason);

/* A sentinel says where the master is: connects, unless it is there or was
 * there in vain a moment ago.  master is copied. */
void ngx_http_imagegram_redis_master(ngx_http_imagegram_redis_t *redis,
    ngx_addr_t *master);


#endif /* _NGX_HTTP_IMAGEGRAM_REDIS_INTERNAL_H_INCLUDED_ */
