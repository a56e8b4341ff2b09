
/*
 * Hashes of files.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_HASH_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_HASH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_sha1.h>


/*
 * Adds the file's bytes from one offset up to another to sha1.  Blocks.
 * NGX_ERROR: they cannot be read, or are not all there; ngx_errno is set.
 */
ngx_int_t ngx_http_imagegram_hash_file(ngx_sha1_t *sha1, ngx_fd_t fd,
    off_t from, off_t end);


#endif /* _NGX_HTTP_IMAGEGRAM_HASH_H_INCLUDED_ */
