
/*
 * What the module's files share: the configuration of a location, which lives
 * as long as the cycle, and the context of a request, which lives in its
 * pool.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "parse/imagegram_reason.h"
#include "parse/imagegram_route.h"
#include "ngx_http_imagegram_cache.h"
#include "ngx_http_imagegram_redis.h"
#include "ngx_http_imagegram_storage.h"
#include "ngx_http_imagegram_converters.h"
#include "ngx_http_imagegram_user.h"


#define NGX_HTTP_GONE               410
#define NGX_HTTP_UNPROCESSABLE      422     /* RFC 9110 */
#define NGX_HTTP_CHECKSUM_MISMATCH  460     /* tus 1.0.0 */


typedef struct {
    ngx_uint_t                        used;    /* locations with the API */
    ngx_uint_t                        open;    /* of them, without
                                                * imagegram_user */
    ngx_array_t                       redis;   /* of pointers, those used */
    ngx_array_t                       locations;    /* of pointers to their
                                                     * configurations */
    ngx_array_t                       sweeps;  /* of pointers, one for each
                                                * storage */
    ngx_array_t                       caches;  /* of pointers, one for each
                                                * owner that has one */

    ngx_http_imagegram_user_t         user;    /* who storages and converters
                                                * were checked for */

    /* what applies where no directive does; NULL: not needed */

    ngx_http_imagegram_redis_t       *default_redis;
    ngx_http_imagegram_converters_t  *default_converters;
    ngx_http_imagegram_storage_t     *default_storage;
} ngx_http_imagegram_main_conf_t;


typedef struct {
    ngx_flag_t                        enable;
    ngx_str_t                         name;      /* of the location */

    ngx_http_imagegram_redis_t       *redis;
    ngx_str_t                         key_prefix;
    ngx_str_t                         owner;     /* of its posts */

    ngx_http_imagegram_cache_t       *cache;     /* NULL: off */
    ngx_flag_t                        cache_gzip;
    ngx_http_imagegram_cache_t       *changes;   /* whoever uses it; NULL:
                                                  * nobody does */

    ngx_http_imagegram_storage_t     *storage;
    ngx_msec_t                        sweep;           /* interval; 0: off */
    time_t                            upload_expires;
    ngx_str_t                         image_base;
    ngx_str_t                         image_base_json;   /* escaped */

    ngx_http_complex_value_t         *user;          /* NULL: open */
    ngx_array_t                      *allow_origin;  /* of ngx_str_t */

    off_t                             max_image_size;
    off_t                             max_image_pixels;
    ngx_uint_t                        image_width;
    ngx_uint_t                        image_height;
    ngx_uint_t                        image_fit;     /* imagegram_fit_e */
    ngx_int_t                         image_quality;

    ngx_http_imagegram_converters_t  *converters;

    ngx_int_t                         max_author;    /* characters */
    ngx_int_t                         max_body;
} ngx_http_imagegram_loc_conf_t;


typedef struct {
    ngx_str_t                         base;      /* of the request's path, up
                                                  * to the API's own part */
    imagegram_route_t                 route;

    ngx_str_t                         user;      /* who is asking; empty where
                                                  * the API is open */

    ngx_http_imagegram_command_t     *command;   /* waited for, or NULL */
    struct ngx_http_imagegram_images_s
                                     *images;    /* being loaded */

    /* of the problem document, see ngx_http_imagegram_problem.h */

    const char                       *detail;
    unsigned                          fields[IMAGEGRAM_FIELD_MAX];
    unsigned                          json;      /* the body was JSON */
    ngx_str_t                         problem;   /* rendered, to be sent */
} ngx_http_imagegram_ctx_t;


/* Gives the request's context, made where there is none; NULL: no memory. */
ngx_http_imagegram_ctx_t *ngx_http_imagegram_get_ctx(ngx_http_request_t *r);


extern ngx_module_t  ngx_http_imagegram_module;


#endif /* _NGX_HTTP_IMAGEGRAM_H_INCLUDED_ */
