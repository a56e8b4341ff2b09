
/*
 * PostIDs and CommentIDs: random UUIDs, RFC 4122 version 4.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_ID_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_ID_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* Writes a new one, IMAGEGRAM_ID_LEN bytes in lower case, no NUL. */
void ngx_http_imagegram_id_create(u_char *id);


#endif /* _NGX_HTTP_IMAGEGRAM_ID_H_INCLUDED_ */
