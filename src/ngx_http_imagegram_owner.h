
/*
 * Who owns a post: a Redis, a db there, and the prefix of the keys.  Several
 * may share a storage, and an upload becomes a post of the one that it was
 * sent to, whoever finishes it.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_OWNER_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_OWNER_H_INCLUDED_


#include "ngx_http_imagegram.h"


/* At configuration time, once redis and key_prefix are known: sets owner, as
 * "127.0.0.1:6379 0 imagegram". */
ngx_int_t ngx_http_imagegram_owner_init(ngx_conf_t *cf,
    ngx_http_imagegram_loc_conf_t *conf);

/* Whether two owners are one. */
ngx_uint_t ngx_http_imagegram_owner_equal(ngx_str_t *a, ngx_str_t *b);

/*
 * Whether the location's posts are those of owner, which was written down
 * earlier.  Redis may have moved since: then it is enough that only one of the
 * storage's owners has that prefix.  Also for threads.
 */
ngx_uint_t ngx_http_imagegram_owner_is(ngx_http_imagegram_loc_conf_t *conf,
    ngx_str_t *owner);


#endif /* _NGX_HTTP_IMAGEGRAM_OWNER_H_INCLUDED_ */
