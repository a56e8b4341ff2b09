
/*
 * The subscription to what Redis publishes of changes, without which the cache
 * serves nothing.  One worker has it for all of a machine's; the others watch
 * whether that one is alive.
 *
 * Beats show that it works: a message on the same channel, published over the
 * connection that commands take.  When one comes back, everything that was
 * published before it has come, from the very Redis that changes go to.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_SUBSCRIPTION_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_SUBSCRIPTION_H_INCLUDED_


#include "ngx_http_imagegram.h"


/* At the worker's start and end. */
ngx_int_t ngx_http_imagegram_subscription_init_process(ngx_cycle_t *cycle);
void ngx_http_imagegram_subscription_exit_process(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_IMAGEGRAM_SUBSCRIPTION_H_INCLUDED_ */
