
/*
 * author and body: where they come from, and the rules for them.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_FIELDS_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_FIELDS_H_INCLUDED_


#include "ngx_http_imagegram.h"


/* Whether the request's body says it is application/json. */
ngx_uint_t ngx_http_imagegram_fields_is_json(ngx_http_request_t *r);

/* How many bytes a JSON body with both fields at their longest, each
 * character escaped, may take, with room for what is ignored. */
size_t ngx_http_imagegram_fields_size(ngx_http_imagegram_loc_conf_t *conf);

/*
 * Parses a JSON body into author and body, in the request's pool.  Gives
 * NGX_OK or the status to end the request with.
 */
ngx_int_t ngx_http_imagegram_fields_parse(ngx_http_request_t *r,
    ngx_str_t *json, ngx_str_t *author, ngx_str_t *body);

/*
 * Where there is an identity it is the author: replaces an empty author (one
 * that the body did not give) by user, refuses a different one.  r may be
 * NULL, as for ngx_http_imagegram_problem().
 */
ngx_int_t ngx_http_imagegram_fields_author(ngx_http_request_t *r,
    ngx_str_t *user, ngx_str_t *author);


#endif /* _NGX_HTTP_IMAGEGRAM_FIELDS_H_INCLUDED_ */
