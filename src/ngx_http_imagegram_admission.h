
/*
 * Whether a post's body is let in, decided by its headers and by how busy
 * this worker is, before a byte of it is read.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_ADMISSION_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_ADMISSION_H_INCLUDED_


#include "ngx_http_imagegram.h"


/*
 * Gives NGX_OK and sets kind and boundary of the job, or gives the status to
 * end the request with.
 */
ngx_int_t ngx_http_imagegram_admit(ngx_http_request_t *r,
    imagegram_job_t *job);

/*
 * The most bytes the body of an acceptable post may have: JSON carries the
 * image in base64, which may have its slashes escaped.
 */
off_t ngx_http_imagegram_admission_size(ngx_http_imagegram_loc_conf_t *conf,
    imagegram_body_e kind);


#endif /* _NGX_HTTP_IMAGEGRAM_ADMISSION_H_INCLUDED_ */
