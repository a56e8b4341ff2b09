
/*
 * From a request to its handler: the table of the API.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_access.h"
#include "ngx_http_imagegram_comments.h"
#include "ngx_http_imagegram_creation.h"
#include "ngx_http_imagegram_feed.h"
#include "ngx_http_imagegram_header.h"
#include "ngx_http_imagegram_posts.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_response.h"
#include "ngx_http_imagegram_router.h"
#include "ngx_http_imagegram_tus.h"
#include "ngx_http_imagegram_uploads.h"


/* handlers; NULL: not allowed */

typedef struct {
    imagegram_resource_e    resource;
    ngx_http_handler_pt     get;
    ngx_http_handler_pt     head;
    ngx_http_handler_pt     post;
    ngx_http_handler_pt     patch;
    ngx_http_handler_pt     remove;     /* DELETE */
    const char             *allow;
} ngx_http_imagegram_resource_t;


static void ngx_http_imagegram_route(ngx_http_request_t *r,
    ngx_http_imagegram_ctx_t *ctx);
static ngx_int_t ngx_http_imagegram_dispatch(ngx_http_request_t *r,
    ngx_http_imagegram_resource_t *resource);
static ngx_http_handler_pt ngx_http_imagegram_find_handler(
    ngx_http_imagegram_resource_t *resource, ngx_uint_t method);
static ngx_int_t ngx_http_imagegram_options(ngx_http_request_t *r,
    ngx_http_imagegram_resource_t *resource, ngx_uint_t method);


static ngx_http_imagegram_resource_t  ngx_http_imagegram_resources[] = {

    { IMAGEGRAM_ROUTE_POSTS,
      ngx_http_imagegram_get_feed,
      ngx_http_imagegram_get_feed,
      ngx_http_imagegram_create_post,
      NULL,
      NULL,
      "GET, HEAD, POST, OPTIONS" },

    { IMAGEGRAM_ROUTE_POST,
      ngx_http_imagegram_get_post,
      ngx_http_imagegram_get_post,
      NULL,
      NULL,
      ngx_http_imagegram_delete_post,
      "GET, HEAD, DELETE, OPTIONS" },

    { IMAGEGRAM_ROUTE_COMMENTS,
      ngx_http_imagegram_get_comments,
      ngx_http_imagegram_get_comments,
      ngx_http_imagegram_create_comment,
      NULL,
      NULL,
      "GET, HEAD, POST, OPTIONS" },

    { IMAGEGRAM_ROUTE_COMMENT,
      ngx_http_imagegram_get_comment,
      ngx_http_imagegram_get_comment,
      NULL,
      NULL,
      ngx_http_imagegram_delete_comment,
      "GET, HEAD, DELETE, OPTIONS" },

    { IMAGEGRAM_ROUTE_UPLOADS,
      NULL,
      NULL,
      ngx_http_imagegram_create_upload,
      NULL,
      NULL,
      "POST, OPTIONS" },

    { IMAGEGRAM_ROUTE_UPLOAD,
      NULL,
      ngx_http_imagegram_head_upload,
      NULL,
      ngx_http_imagegram_patch_upload,
      ngx_http_imagegram_delete_upload,
      "HEAD, PATCH, DELETE, OPTIONS" },

    { IMAGEGRAM_ROUTE_NONE, NULL, NULL, NULL, NULL, NULL, NULL }
};


ngx_int_t
ngx_http_imagegram_handler(ngx_http_request_t *r)
{
    ngx_http_imagegram_ctx_t       *ctx;
    ngx_http_imagegram_resource_t  *resource;

    ctx = ngx_http_imagegram_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_imagegram_route(r, ctx);

    for (resource = ngx_http_imagegram_resources;
         resource->resource != IMAGEGRAM_ROUTE_NONE
         && resource->resource != ctx->route.resource;
         resource++)
    {
        /* void */
    }

    if (resource->resource == IMAGEGRAM_ROUTE_NONE) {
        return NGX_HTTP_NOT_FOUND;
    }

    return ngx_http_imagegram_dispatch(r, resource);
}


static void
ngx_http_imagegram_route(ngx_http_request_t *r, ngx_http_imagegram_ctx_t *ctx)
{
    size_t                     len;
    ngx_http_core_loc_conf_t  *clcf;

    /*
     * Below "location /api/v1/" as below "location /api/v1", which gets
     * "/api/v1posts", too: that is beside the tree.
     */

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    len = ngx_min(clcf->name.len, r->uri.len);

    if (len == 0 || r->uri.data[len - 1] != '/') {
        len = (len < r->uri.len && r->uri.data[len] == '/') ? len + 1
                                                            : r->uri.len;
    }

    ctx->base.data = r->uri.data;
    ctx->base.len = len;

    imagegram_route_parse(&ctx->route, r->uri.data + len, r->uri.len - len);
}


static ngx_int_t
ngx_http_imagegram_dispatch(ngx_http_request_t *r,
    ngx_http_imagegram_resource_t *resource)
{
    ngx_int_t            rc;
    ngx_uint_t           method;
    ngx_http_handler_pt  handler;

    method = (resource->resource == IMAGEGRAM_ROUTE_UPLOADS
              || resource->resource == IMAGEGRAM_ROUTE_UPLOAD)
                 ? ngx_http_imagegram_tus_method(r) : r->method;

    handler = ngx_http_imagegram_find_handler(resource, method);

    if (handler == NULL) {
        return ngx_http_imagegram_options(r, resource, method);
    }

    /* reading is for everybody, except of uploads, which have an owner */

    if (handler != resource->get) {

        /* of "mirror": its body is the main request's, and read already */

        if (r != r->main) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "imagegram: a subrequest may only read");
            return NGX_HTTP_NOT_ALLOWED;
        }

        rc = ngx_http_imagegram_access_write(r);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (handler != resource->post && handler != resource->patch) {
        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return handler(r);
}


static ngx_http_handler_pt
ngx_http_imagegram_find_handler(ngx_http_imagegram_resource_t *resource,
    ngx_uint_t method)
{
    switch (method) {

    case NGX_HTTP_GET:
        return resource->get;

    case NGX_HTTP_HEAD:
        return resource->head;

    case NGX_HTTP_POST:
        return resource->post;

    case NGX_HTTP_PATCH:
        return resource->patch;

    case NGX_HTTP_DELETE:
        return resource->remove;

    default:
        return NULL;
    }
}


static ngx_int_t
ngx_http_imagegram_options(ngx_http_request_t *r,
    ngx_http_imagegram_resource_t *resource, ngx_uint_t method)
{
    if (ngx_http_imagegram_add_header(r, "Allow", resource->allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (method != NGX_HTTP_OPTIONS) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    if ((resource->resource == IMAGEGRAM_ROUTE_UPLOADS
         || resource->resource == IMAGEGRAM_ROUTE_UPLOAD)
        && ngx_http_imagegram_tus_options(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_imagegram_send_empty(r, NGX_HTTP_NO_CONTENT);
}
