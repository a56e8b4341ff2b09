
/*
 * The headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload), with
 * its extensions creation, creation-with-upload, termination, expiration and
 * checksum.
 *
 * Functions that read a header of the request give NGX_OK, or the status to
 * end the request with.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_TUS_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_TUS_H_INCLUDED_


#include "ngx_http_imagegram.h"
#include "parse/imagegram_tus.h"


/* the request headers that pages of other origins may send, and the response
 * headers they may read, to be joined to other ones */

#define NGX_HTTP_IMAGEGRAM_TUS_REQUEST_HEADERS                                \
    "Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, "          \
    "Upload-Checksum, X-HTTP-Method-Override, X-Requested-With, X-Request-ID"

#define NGX_HTTP_IMAGEGRAM_TUS_RESPONSE_HEADERS                               \
    "Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, "               \
    "Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, Upload-Metadata, " \
    "Upload-Expires, Content-Location"


/* The request's method, with X-HTTP-Method-Override of a POST. */
ngx_uint_t ngx_http_imagegram_tus_method(ngx_http_request_t *r);

/* Whether the client speaks this version: 412. */
ngx_int_t ngx_http_imagegram_tus_version(ngx_http_request_t *r);

/* Upload-Length of a creation: within what an image may have, 400, 413, 422. */
ngx_int_t ngx_http_imagegram_tus_length(ngx_http_request_t *r, off_t *length);

/*
 * Upload-Metadata: author and body, normalized, in the request's pool, checked
 * as those of any post; metadata is the header as it is.
 */
ngx_int_t ngx_http_imagegram_tus_metadata(ngx_http_request_t *r,
    ngx_str_t *metadata, ngx_str_t *author, ngx_str_t *body);

/* Upload-Offset. */
ngx_int_t ngx_http_imagegram_tus_offset(ngx_http_request_t *r, off_t *offset);

/* Upload-Checksum; given tells whether there is one. */
ngx_int_t ngx_http_imagegram_tus_checksum(ngx_http_request_t *r,
    u_char sha1[IMAGEGRAM_TUS_SHA1_LEN], ngx_uint_t *given);

/* Whether a body follows; it must have the type of a chunk then: 415. */
ngx_int_t ngx_http_imagegram_tus_body(ngx_http_request_t *r,
    ngx_uint_t *given);

/* Adds what OPTIONS tells about the server. */
ngx_int_t ngx_http_imagegram_tus_options(ngx_http_request_t *r);

/* Adds what every answer about uploads has; in the header filter. */
ngx_int_t ngx_http_imagegram_tus_headers(ngx_http_request_t *r);

/* Adds Upload-Offset and the like to an answer. */
ngx_int_t ngx_http_imagegram_tus_add_number(ngx_http_request_t *r,
    const char *name, off_t n);

/* Adds Upload-Expires. */
ngx_int_t ngx_http_imagegram_tus_add_expires(ngx_http_request_t *r,
    time_t expires);


#endif /* _NGX_HTTP_IMAGEGRAM_TUS_H_INCLUDED_ */
