
/*
 * From a request to its handler: the table of the API.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_access.h"
#include "ngx_http_imagegram_comments.h"
#include "ngx_http_imagegram_creation.h"
#include "ngx_http_imagegram_feed.h"
#include "ngx_http_imagegram_posts.h"
#include "ngx_http_imagegram_problem.h"
#include "ngx_http_imagegram_response.h"
#include "ngx_http_imagegram_router.h"


typedef struct {
    imagegram_resource_e    resource;
    ngx_http_handler_pt     get;        /* also HEAD */
    ngx_http_handler_pt     post;       /* NULL: not allowed */
    ngx_http_handler_pt     remove;     /* DELETE */
    const char             *allow;
} ngx_http_imagegram_resource_t;


static void ngx_http_imagegram_route(ngx_http_request_t *r,
    ngx_http_imagegram_ctx_t *ctx);
static ngx_int_t ngx_http_imagegram_dispatch(ngx_http_request_t *r,
    ngx_http_imagegram_resource_t *resource);
static ngx_int_t ngx_http_imagegram_options(ngx_http_request_t *r,
    ngx_http_imagegram_resource_t *resource);


static ngx_http_imagegram_resource_t  ngx_http_imagegram_resources[] = {

    { IMAGEGRAM_ROUTE_POSTS,
      ngx_http_imagegram_get_feed,
      ngx_http_imagegram_create_post,
      NULL,
      "GET, HEAD, POST, OPTIONS" },

    { IMAGEGRAM_ROUTE_POST,
      ngx_http_imagegram_get_post,
      NULL,
      ngx_http_imagegram_delete_post,
      "GET, HEAD, DELETE, OPTIONS" },

    { IMAGEGRAM_ROUTE_COMMENTS,
      ngx_http_imagegram_get_comments,
      ngx_http_imagegram_create_comment,
      NULL,
      "GET, HEAD, POST, OPTIONS" },

    { IMAGEGRAM_ROUTE_COMMENT,
      ngx_http_imagegram_get_comment,
      NULL,
      ngx_http_imagegram_delete_comment,
      "GET, HEAD, DELETE, OPTIONS" },

    { IMAGEGRAM_ROUTE_NONE, NULL, NULL, NULL, NULL }
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
    ngx_http_handler_pt  handler;

    switch (r->method) {

    case NGX_HTTP_GET:
    case NGX_HTTP_HEAD:
        handler = resource->get;
        break;

    case NGX_HTTP_POST:
        handler = resource->post;
        break;

    case NGX_HTTP_DELETE:
        handler = resource->remove;
        break;

    default:
        handler = NULL;
    }

    if (handler == NULL) {
        return ngx_http_imagegram_options(r, resource);
    }

    if (handler != resource->get) {
        rc = ngx_http_imagegram_access_write(r);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (handler != resource->post) {
        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return handler(r);
}


static ngx_int_t
ngx_http_imagegram_options(ngx_http_request_t *r,
    ngx_http_imagegram_resource_t *resource)
{
    if (ngx_http_imagegram_add_header(r, "Allow", resource->allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method != NGX_HTTP_OPTIONS) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_imagegram_send_empty(r, NGX_HTTP_NO_CONTENT);
}
