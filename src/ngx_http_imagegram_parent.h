
/*
 * The imagegram-convert process of one ngx_http_imagegram_converters_t, as
 * the worker sees it: its start, its control socket, its death.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_PARENT_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_PARENT_H_INCLUDED_


#include "ngx_http_imagegram_converters.h"


/* Starts it, and again whenever it dies. */
void ngx_http_imagegram_parent_start(
    ngx_http_imagegram_converters_t *converters);

/* Lets it end; it is not started again. */
void ngx_http_imagegram_parent_stop(
    ngx_http_imagegram_converters_t *converters);

/* For one that does not answer; its death is noticed as any other. */
void ngx_http_imagegram_parent_kill(
    ngx_http_imagegram_converters_t *converters);

/*
 * Sends a job with result as its result socket, which remains the caller's.
 * NGX_AGAIN: not now; ..._started() is called when it may be tried again.
 */
ngx_int_t ngx_http_imagegram_parent_send(
    ngx_http_imagegram_converters_t *converters,
    ngx_http_imagegram_conversion_t *conversion, ngx_socket_t result);


/* What it calls, in the event loop: it takes jobs, or takes them again. */
void ngx_http_imagegram_converters_started(
    ngx_http_imagegram_converters_t *converters);

/* It died, and deaths has been increased. */
void ngx_http_imagegram_converters_died(
    ngx_http_imagegram_converters_t *converters);


#endif /* _NGX_HTTP_IMAGEGRAM_PARENT_H_INCLUDED_ */
