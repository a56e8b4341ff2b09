
/*
 * A worker's converters: one imagegram-convert process for each distinct
 * imagegram_converters, started with the worker and again when it dies, at
 * most n conversions at a time, the others in a queue.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_CONVERTERS_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_CONVERTERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "convert/imagegram_protocol.h"


typedef struct ngx_http_imagegram_converters_s
    ngx_http_imagegram_converters_t;

typedef struct ngx_http_imagegram_conversion_s
    ngx_http_imagegram_conversion_t;


/*
 * Called once, in the event loop.  result is checked: lengths, normalized
 * text within the job's limits, known numbers; author and body point into
 * memory that is valid during the call.
 */
typedef void (*ngx_http_imagegram_conversion_pt)(void *data,
    imagegram_result_t *result, ngx_str_t *author, ngx_str_t *body);


struct ngx_http_imagegram_conversion_s {
    imagegram_job_t                   job;      /* version, memory, timeout
                                                 * are set from the
                                                 * converters' settings */
    ngx_fd_t                          fds[IMAGEGRAM_FD_MAX];
                                                /* all but RESULT, the
                                                 * caller's, open until the
                                                 * handler is called; -1:
                                                 * none */
    ngx_http_imagegram_conversion_pt  handler;
    void                             *data;
    ngx_log_t                        *log;

    /* the rest is the converters' own */

    ngx_queue_t                       queue;
    ngx_connection_t                 *connection;   /* result socket */
    ngx_http_imagegram_converters_t  *converters;
    ngx_uint_t                        tries;
};


/*
 * Lives as long as its cycle; what is below the settings is the process's,
 * from init_process to exit_process.
 */
struct ngx_http_imagegram_converters_s {
    ngx_uint_t                        n;
    ngx_uint_t                        queue;
    ngx_msec_t                        timeout;
    uint64_t                          memory;
    ngx_str_t                         path;     /* NUL-terminated */

    ngx_cycle_t                      *cycle;
    ngx_queue_t                       link;     /* in the list of all */
    ngx_uint_t                        used;     /* by a location */

    ngx_connection_t                 *control;  /* NULL: no parent */
    ngx_pid_t                         pid;      /* of the parent */
    ngx_msec_t                        started;
    ngx_uint_t                        deaths;   /* in a row, without any
                                                 * answer in between */
    ngx_event_t                       restart;

    ngx_queue_t                       waiting;  /* of conversions */
    ngx_queue_t                       active;
    ngx_uint_t                        nwaiting;
    ngx_uint_t                        nactive;
    ngx_event_t                       dispatch;

    u_char                           *buffer;   /* for one result */
};


/* Parses "imagegram_converters n [queue=] [timeout=] [memory=] [path=]". */
char *ngx_http_imagegram_converters_parse(ngx_conf_t *cf,
    ngx_http_imagegram_converters_t **converters);

/* What applies without the directive; NULL: logged. */
ngx_http_imagegram_converters_t *ngx_http_imagegram_converters_default(
    ngx_conf_t *cf);

/* Of all that the configuration made, in any cycle. */
ngx_queue_t *ngx_http_imagegram_converters_all(void);

/* At the worker's start and end, for all that are used. */
ngx_int_t ngx_http_imagegram_converters_init_process(ngx_cycle_t *cycle);
void ngx_http_imagegram_converters_exit_process(ngx_cycle_t *cycle);

/* Whether as many wait as the queue is long: the next upload gets 503. */
ngx_uint_t ngx_http_imagegram_converters_busy(
    ngx_http_imagegram_converters_t *converters);

/*
 * Queues a conversion; it is the caller's memory (not the request's: it goes
 * on when the client leaves), valid until the handler is called, which
 * happens always, within a bounded time, and never from inside this call.
 */
void ngx_http_imagegram_convert(ngx_http_imagegram_converters_t *converters,
    ngx_http_imagegram_conversion_t *conversion);


#endif /* _NGX_HTTP_IMAGEGRAM_CONVERTERS_H_INCLUDED_ */
