
/*
 * POST posts: from a body on the wire to a post in the feed.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_CREATION_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_CREATION_H_INCLUDED_


#include "ngx_http_imagegram.h"


ngx_int_t ngx_http_imagegram_create_post(ngx_http_request_t *r);


#endif /* _NGX_HTTP_IMAGEGRAM_CREATION_H_INCLUDED_ */
