
/*
 * Jobs.  A job and its request know each other; a cleanup of the request's
 * pool tells the job that the request is gone, the job's end clears what the
 * cleanup refers to.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_job.h"
#include "ngx_http_imagegram_task.h"


#define NGX_HTTP_IMAGEGRAM_JOB_POOL  4096


static void ngx_http_imagegram_job_left(void *data);


ngx_http_imagegram_job_t *
ngx_http_imagegram_job_create(ngx_http_request_t *r, size_t size)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_imagegram_job_t  *job;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_imagegram_job_t *));
    if (cln == NULL) {
        return NULL;
    }

    job = ngx_http_imagegram_job_create_alone(
                 ngx_http_get_module_loc_conf(r, ngx_http_imagegram_module),
                 size);
    if (job == NULL) {
        return NULL;
    }

    job->request = r;
    job->link = cln->data;

    *job->link = job;
    cln->handler = ngx_http_imagegram_job_left;

    return job;
}


ngx_http_imagegram_job_t *
ngx_http_imagegram_job_create_alone(ngx_http_imagegram_loc_conf_t *conf,
    size_t size)
{
    ngx_pool_t                *pool;
    ngx_http_imagegram_job_t  *job;

    pool = ngx_create_pool(NGX_HTTP_IMAGEGRAM_JOB_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    job = ngx_pcalloc(pool, size);
    if (job == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    job->task = ngx_thread_task_alloc(pool, 0);
    if (job->task == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    job->pool = pool;
    job->conf = conf;

    return job;
}


ngx_int_t
ngx_http_imagegram_job_thread(ngx_http_imagegram_job_t *job,
    void (*work)(void *data, ngx_log_t *log), void (*done)(void *data))
{
    return ngx_http_imagegram_task_post(job->task, work, done, job);
}


void
ngx_http_imagegram_job_destroy(ngx_http_imagegram_job_t *job)
{
    if (job->request) {
        *job->link = NULL;
    }

    ngx_destroy_pool(job->pool);
}


static void
ngx_http_imagegram_job_left(void *data)
{
    ngx_http_imagegram_job_t  **link = data;

    ngx_http_imagegram_job_t  *job;

    job = *link;

    if (job == NULL) {
        return;
    }

    job->request = NULL;

    if (job->left) {
        job->left(job);
    }
}
