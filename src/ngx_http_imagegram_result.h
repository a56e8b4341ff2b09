
/*
 * The check of what a converter says: it has read a stranger's image, so its
 * word is a stranger's, too.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_RESULT_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_RESULT_H_INCLUDED_


#include "ngx_http_imagegram_converters.h"


/*
 * Checks the message of size bytes at buffer against the conversion.  Gives
 * NGX_OK, result filled in, author and body pointing into buffer; or
 * NGX_ERROR, logged.
 */
ngx_int_t ngx_http_imagegram_result_parse(
    ngx_http_imagegram_conversion_t *conversion, u_char *buffer, size_t size,
    imagegram_result_t *result, ngx_str_t *author, ngx_str_t *body);


#endif /* _NGX_HTTP_IMAGEGRAM_RESULT_H_INCLUDED_ */
