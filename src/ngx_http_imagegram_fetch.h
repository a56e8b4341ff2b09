
/*
 * Pages of the feed on their way from Redis, and to the cache: each is asked
 * for once, for all requests of this worker that can do with it.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_FETCH_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_FETCH_H_INCLUDED_


#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_page.h"


/* Makes an answer of Redis's reply, in the pool, which may outlive the request.
 * Gives NGX_OK or a status. */
typedef ngx_int_t (*ngx_http_imagegram_fetch_pt)(ngx_http_request_t *r,
    redisReply *reply, ngx_pool_t *pool, ngx_http_imagegram_answer_t *answer);


/* At the worker's start. */
void ngx_http_imagegram_fetch_init_process(void);

/*
 * Asks for the page with that key, which the cache did not have under that
 * generation, stores it, and answers with it, compressed or not; generation 0:
 * it is not stored.  Gives NGX_DONE, the request is held then, or a status.
 */
ngx_int_t ngx_http_imagegram_fetch(ngx_http_request_t *r,
    ngx_http_imagegram_page_t *page, ngx_str_t *key, ngx_uint_t gzip,
    uint64_t generation, ngx_http_imagegram_fetch_pt render);


#endif /* _NGX_HTTP_IMAGEGRAM_FETCH_H_INCLUDED_ */
