
/*
 * What the files of the sweeper share, and nobody else sees.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_SWEEP_INTERNAL_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_SWEEP_INTERNAL_H_INCLUDED_


#include "ngx_http_imagegram_storage_walk.h"
#include "ngx_http_imagegram_sweep.h"


/* A sweep under way. */

struct ngx_http_imagegram_sweep_run_s {
    ngx_pool_t                  *pool;
    ngx_thread_task_t           *task;
    ngx_fd_t                     lock;
    u_char                       id[IMAGEGRAM_ID_LEN];      /* the storage's */
    time_t                       last;      /* a sweep that Redis must know */
    time_t                       now;       /* by which it is to know this */
    ngx_uint_t                   introduced;
    ngx_uint_t                   owner;     /* the one being asked */
    ngx_uint_t                   bury;
    ngx_err_t                    err;       /* of a thread */
    ngx_http_imagegram_walk_t    walk;
};


/*
 * Begins the sweep in each Redis that holds posts of the storage.  If all of
 * them know it, ngx_http_imagegram_sweep_introduced() is called, otherwise the
 * sweep is finished.
 */
void ngx_http_imagegram_sweep_introduce(ngx_http_imagegram_sweep_t *sweep);
void ngx_http_imagegram_sweep_introduced(ngx_http_imagegram_sweep_t *sweep);

/*
 * Asks each of them about what was found; those files that no post owns are
 * left there, their IDs buried, when ngx_http_imagegram_sweep_asked() is
 * called.  Without an answer the sweep is finished.
 */
void ngx_http_imagegram_sweep_ask(ngx_http_imagegram_sweep_t *sweep);
void ngx_http_imagegram_sweep_asked(ngx_http_imagegram_sweep_t *sweep);

/* Ends the sweep; says what was done, if anything was. */
void ngx_http_imagegram_sweep_finish(ngx_http_imagegram_sweep_t *sweep);


#endif /* _NGX_HTTP_IMAGEGRAM_SWEEP_INTERNAL_H_INCLUDED_ */
