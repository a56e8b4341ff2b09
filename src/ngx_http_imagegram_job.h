
/*
 * A job: work for a request that goes on when the client has left, in a pool
 * of its own.  It knows the request as long as there is one.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_JOB_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_JOB_H_INCLUDED_


#include "ngx_http_imagegram.h"


typedef struct ngx_http_imagegram_job_s  ngx_http_imagegram_job_t;


struct ngx_http_imagegram_job_s {
    ngx_pool_t                     *pool;       /* the job's, it is in there */
    ngx_http_request_t             *request;    /* NULL: there is none, or the
                                                 * client left */
    ngx_http_imagegram_job_t      **link;       /* in the request's pool */
    ngx_http_imagegram_loc_conf_t  *conf;
    ngx_thread_task_t              *task;       /* one at a time */
    void                          (*left)(ngx_http_imagegram_job_t *job);
                                                /* called when the client has
                                                 * left; may be NULL */
};


/*
 * Makes a job for r, as the first member of a zeroed struct of size bytes; NULL
 * where there is no memory.
 */
ngx_http_imagegram_job_t *ngx_http_imagegram_job_create(ngx_http_request_t *r,
    size_t size);

/* Likewise for no request. */
ngx_http_imagegram_job_t *ngx_http_imagegram_job_create_alone(
    ngx_http_imagegram_loc_conf_t *conf, size_t size);

/*
 * Runs work(job, log) in a thread, then done(job) in the event loop, as
 * ngx_http_imagegram_task_post() does.
 */
ngx_int_t ngx_http_imagegram_job_thread(ngx_http_imagegram_job_t *job,
    void (*work)(void *data, ngx_log_t *log), void (*done)(void *data));

/* Frees the job.  The request, if it is still there, goes on without. */
void ngx_http_imagegram_job_destroy(ngx_http_imagegram_job_t *job);


#endif /* _NGX_HTTP_IMAGEGRAM_JOB_H_INCLUDED_ */
