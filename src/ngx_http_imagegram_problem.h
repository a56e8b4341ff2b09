
/*
 * Problem documents, RFC 9457: every answer from 400 on inside a location of
 * the API, whoever made it.
 *
 * A handler says what is wrong here and ends the request with the status it
 * gets back, like any nginx handler.  That takes the way of nginx's own
 * errors (error_page, lingering close, discarding the body); a filter then
 * puts the document in the place of nginx's HTML page.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_PROBLEM_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_PROBLEM_H_INCLUDED_


#include "ngx_http_imagegram.h"


/* Adds the filters; at configuration time. */
ngx_int_t ngx_http_imagegram_problem_init(ngx_conf_t *cf);

/*
 * Sets the document's detail, a static string; gives status.  r is NULL in a
 * job whose client has left: then there is nobody to tell.
 */
ngx_int_t ngx_http_imagegram_problem(ngx_http_request_t *r, ngx_int_t status,
    const char *detail);

/*
 * Likewise from reasons: that of the whole and one for each field
 * (IMAGEGRAM_FIELD_MAX of them, OK: not at fault).
 */
ngx_int_t ngx_http_imagegram_problem_reason(ngx_http_request_t *r,
    unsigned reason, const unsigned *fields);


#endif /* _NGX_HTTP_IMAGEGRAM_PROBLEM_H_INCLUDED_ */
