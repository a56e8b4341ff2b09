
/*
 * ngx_http_imagegram_module: nginx as the whole backend of a photo-sharing
 * service.  Here are the table of directives and the process hooks; what the
 * module does is in src/, and starts in ngx_http_imagegram_router.c.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_access.h"
#include "ngx_http_imagegram_cache_conf.h"
#include "ngx_http_imagegram_conf.h"
#include "ngx_http_imagegram_fetch.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_recovery.h"
#include "ngx_http_imagegram_store.h"
#include "ngx_http_imagegram_subscription.h"
#include "ngx_http_imagegram_sweep.h"
#include "ngx_http_imagegram_task.h"


static ngx_int_t ngx_http_imagegram_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_imagegram_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_imagegram_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_imagegram_init_process(ngx_cycle_t *cycle);
static void ngx_http_imagegram_exit_process(ngx_cycle_t *cycle);


static ngx_conf_post_t  ngx_http_imagegram_quality_post = {
    ngx_http_imagegram_conf_quality
};

static ngx_conf_post_t  ngx_http_imagegram_author_post = {
    ngx_http_imagegram_conf_author
};

static ngx_conf_post_t  ngx_http_imagegram_body_post = {
    ngx_http_imagegram_conf_body
};

static ngx_conf_post_t  ngx_http_imagegram_prefix_post = {
    ngx_http_imagegram_conf_prefix
};

static ngx_conf_post_t  ngx_http_imagegram_positive_post = {
    ngx_http_imagegram_conf_positive
};

static ngx_conf_post_t  ngx_http_imagegram_expires_post = {
    ngx_http_imagegram_conf_expires
};


#define NGX_HTTP_IMAGEGRAM_ANY_CONF                                           \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)


static ngx_command_t  ngx_http_imagegram_commands[] = {

    { ngx_string("imagegram"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_imagegram_conf_enable,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("imagegram_redis"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_imagegram_conf_redis,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("imagegram_key_prefix"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_imagegram_loc_conf_t, key_prefix),
      &ngx_http_imagegram_prefix_post },

    { ngx_string("imagegram_cache"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_imagegram_conf_cache,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("imagegram_storage"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_imagegram_conf_storage,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("imagegram_sweep"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_imagegram_conf_sweep,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("imagegram_upload_expires"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_imagegram_loc_conf_t, upload_expires),
      &ngx_http_imagegram_expires_post },

    { ngx_string("imagegram_image_base"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_imagegram_loc_conf_t, image_base),
      NULL },

    { ngx_string("imagegram_user"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_imagegram_conf_user,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("imagegram_allow_origin"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_imagegram_conf_origin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("imagegram_max_image_size"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_off_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_imagegram_loc_conf_t, max_image_size),
      &ngx_http_imagegram_positive_post },

    { ngx_string("imagegram_max_image_pixels"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_off_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_imagegram_loc_conf_t, max_image_pixels),
      &ngx_http_imagegram_positive_post },

    { ngx_string("imagegram_image_size"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_imagegram_conf_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("imagegram_image_fit"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_imagegram_conf_fit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("imagegram_image_quality"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_imagegram_loc_conf_t, image_quality),
      &ngx_http_imagegram_quality_post },

    { ngx_string("imagegram_converters"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_imagegram_conf_converters,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("imagegram_max_author"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_imagegram_loc_conf_t, max_author),
      &ngx_http_imagegram_author_post },

    { ngx_string("imagegram_max_body"),
      NGX_HTTP_IMAGEGRAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_imagegram_loc_conf_t, max_body),
      &ngx_http_imagegram_body_post },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_imagegram_module_ctx = {
    ngx_http_imagegram_preconfiguration,   /* preconfiguration */
    ngx_http_imagegram_postconfiguration,  /* postconfiguration */

    ngx_http_imagegram_conf_create_main,   /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_imagegram_conf_create,        /* create location configuration */
    ngx_http_imagegram_conf_merge          /* merge location configuration */
};


ngx_module_t  ngx_http_imagegram_module = {
    NGX_MODULE_V1,
    &ngx_http_imagegram_module_ctx,        /* module context */
    ngx_http_imagegram_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_imagegram_init_module,        /* init module */
    ngx_http_imagegram_init_process,       /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_imagegram_exit_process,       /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_http_imagegram_ctx_t *
ngx_http_imagegram_get_ctx(ngx_http_request_t *r)
{
    ngx_http_imagegram_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_imagegram_ctx_t));

        if (ctx) {
            ngx_http_set_ctx(r, ctx, ngx_http_imagegram_module);
        }
    }

    return ctx;
}


static ngx_int_t
ngx_http_imagegram_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_imagegram_store_init();

    return NGX_OK;
}


static ngx_int_t
ngx_http_imagegram_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_imagegram_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_imagegram_module);

    if (mcf->used == 0) {
        return NGX_OK;
    }

    ngx_http_imagegram_cache_watch(mcf);

    if (ngx_http_imagegram_user(cf, &mcf->user) != NGX_OK
        || ngx_http_imagegram_task_init(cf) != NGX_OK
        || ngx_http_imagegram_access_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_imagegram_problem_init(cf);
}


static ngx_int_t
ngx_http_imagegram_init_module(ngx_cycle_t *cycle)
{
    ngx_log_t                       *log;
    ngx_http_imagegram_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_imagegram_module);

    if (mcf && mcf->used
        && ngx_http_imagegram_user_check_order(cycle, &mcf->user) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (mcf && mcf->open && !ngx_test_config) {

        /*
         * By default error_log leaves out warnings.  At a start they go to
         * the log that nginx began with, and to stderr, as those of the
         * configuration did.
         */

        log = cycle->log;

        if (log->log_level < NGX_LOG_WARN) {
            log = cycle->old_cycle->log;
        }

        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "imagegram is open where imagegram_user is not set: "
                      "anyone may write as anybody and delete anything");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_imagegram_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_http_imagegram_redis_t      **redis;
    ngx_http_imagegram_main_conf_t   *mcf;

    /* the cache manager and the cache loader come here, too */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_imagegram_module);

    if (mcf == NULL || mcf->used == 0) {
        return NGX_OK;
    }

    redis = mcf->redis.elts;

    for (i = 0; i < mcf->redis.nelts; i++) {
        ngx_http_imagegram_redis_open(redis[i], cycle);
    }

    if (ngx_http_imagegram_converters_init_process(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_imagegram_fetch_init_process();

    if (ngx_http_imagegram_subscription_init_process(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_imagegram_sweep_init_process(cycle);

    return ngx_http_imagegram_recovery_init_process(cycle);
}


static void
ngx_http_imagegram_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_http_imagegram_redis_t      **redis;
    ngx_http_imagegram_main_conf_t   *mcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_imagegram_module);

    if (mcf == NULL || mcf->used == 0) {
        return;
    }

    ngx_http_imagegram_task_exit_process();
    ngx_http_imagegram_converters_exit_process(cycle);
    ngx_http_imagegram_subscription_exit_process(cycle);

    redis = mcf->redis.elts;

    for (i = 0; i < mcf->redis.nelts; i++) {
        ngx_http_imagegram_redis_close(redis[i]);
    }

    ngx_http_imagegram_sweep_exit_process(cycle);
}
