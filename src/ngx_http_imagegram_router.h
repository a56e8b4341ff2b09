
/*
 * From a request to its handler.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_ROUTER_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_ROUTER_H_INCLUDED_


#include "ngx_http_imagegram.h"


/* The content handler of a location with the API. */
ngx_int_t ngx_http_imagegram_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_IMAGEGRAM_ROUTER_H_INCLUDED_ */
