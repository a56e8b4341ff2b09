
/*
 * From a complete upload to a post, once, whoever asks for it: the request
 * with the last byte, any other one that finds the upload complete, or nobody
 * (ngx_http_imagegram_recovery.h).  Whoever claims it does the work; the
 * others wait for the outcome, in whichever process they are.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_FINISH_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_FINISH_H_INCLUDED_


#include "ngx_http_imagegram_transfer.h"


/*
 * Finishes the complete upload that t has open; finished is called once, in
 * the event loop, also from within where no thread can be had.  For a transfer
 * without a request it does not wait for another one's work: the upload is
 * RECEIVING still then.
 */
void ngx_http_imagegram_finish(ngx_http_imagegram_transfer_t *t,
    ngx_http_imagegram_transfer_pt finished);


#endif /* _NGX_HTTP_IMAGEGRAM_FINISH_H_INCLUDED_ */
