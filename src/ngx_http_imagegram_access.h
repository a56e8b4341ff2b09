
/*
 * Who may do what: the identity (imagegram_user), and what browsers on other
 * sites may do (imagegram_allow_origin).
 */

#ifndef _NGX_HTTP_IMAGEGRAM_ACCESS_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_ACCESS_H_INCLUDED_


#include "ngx_http_imagegram.h"


/* Adds the phase handler that answers preflight requests; at configuration
 * time. */
ngx_int_t ngx_http_imagegram_access_init(ngx_conf_t *cf);

/*
 * To be asked before anything is changed.  Sets ctx->user.  Gives NGX_OK, or
 * the status to end the request with.
 */
ngx_int_t ngx_http_imagegram_access_write(ngx_http_request_t *r);

/* Adds the CORS headers an answer needs (Fetch standard); in the header
 * filter. */
ngx_int_t ngx_http_imagegram_access_headers(ngx_http_request_t *r);


#endif /* _NGX_HTTP_IMAGEGRAM_ACCESS_H_INCLUDED_ */
