
/*
 * The sweeper: from time to time it removes what uploads and posts left behind
 * that were never finished, see docs/operations.md.
 *
 * One worker of an nginx sweeps, in steps of some milliseconds by a thread,
 * with a pause after each.  Other nginx processes may share the storage: a lock
 * lets one of them sweep at a time.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_SWEEP_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_SWEEP_H_INCLUDED_


#include "ngx_http_imagegram.h"


typedef struct ngx_http_imagegram_sweep_run_s      ngx_http_imagegram_run_t;
typedef struct ngx_http_imagegram_registration_s
    ngx_http_imagegram_registration_t;


/* One for each storage, however many locations use it; lives in the cycle. */

typedef struct {
    ngx_http_imagegram_storage_t       *storage;
    ngx_array_t                         owners;     /* of pointers to confs of
                                                     * locations: all distinct
                                                     * pairs of Redis and
                                                     * prefix */
    ngx_msec_t                          interval;   /* 0: off; unset: default */
    time_t                              upload_expires;

    /* of the worker that sweeps */

    ngx_event_t                         timer;
    ngx_uint_t                          trouble;    /* logged last, 0: none */
    ngx_uint_t                          suspect;    /* with which owner */
    ngx_http_imagegram_run_t           *run;        /* NULL: not now */
    ngx_http_imagegram_registration_t  *registration;
                                                    /* NULL: done, or it was
                                                     * before */
} ngx_http_imagegram_sweep_t;


/*
 * At configuration time: notes a location's storage, to whom its files belong,
 * and how it is swept.
 */
char *ngx_http_imagegram_sweep_add(ngx_conf_t *cf,
    ngx_http_imagegram_loc_conf_t *conf);

/* At the worker's start, once Redis can be sent commands; at its end, when no
 * command is under way any more. */
void ngx_http_imagegram_sweep_init_process(ngx_cycle_t *cycle);
void ngx_http_imagegram_sweep_exit_process(ngx_cycle_t *cycle);

/*
 * Tells Redis of a storage that is new, as soon as Redis answers; where there
 * are several, all of them.  sweep->registration is set meanwhile.
 */
void ngx_http_imagegram_sweep_register(ngx_http_imagegram_sweep_t *sweep);

/* Says, once, that a sweep has to wait for that. */
void ngx_http_imagegram_sweep_unregistered(ngx_http_imagegram_sweep_t *sweep);


#endif /* _NGX_HTTP_IMAGEGRAM_SWEEP_H_INCLUDED_ */
