
/*
 * Recovery: uploads that are complete and of which no post was made, since a
 * worker died, nginx was stopped or Redis was away, are found and finished,
 * without anybody asking for it.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_RECOVERY_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_RECOVERY_H_INCLUDED_


#include "ngx_http_imagegram.h"


/* At the worker's start: looks at once.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_imagegram_recovery_init_process(ngx_cycle_t *cycle);

/* There is, or may be, something to be finished in that storage. */
void ngx_http_imagegram_recovery_wanted(ngx_http_imagegram_storage_t *storage);


#endif /* _NGX_HTTP_IMAGEGRAM_RECOVERY_H_INCLUDED_ */
