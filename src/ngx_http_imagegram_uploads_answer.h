
/*
 * What a transfer says to its request, at its end.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_UPLOADS_ANSWER_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_UPLOADS_ANSWER_H_INCLUDED_


#include "ngx_http_imagegram_transfer.h"


/*
 * Ends the transfer, an ngx_http_imagegram_transfer_t, and its request, if
 * there still is one, with what status and the upload's record say.  Called
 * in the event loop, also by way of ngx_http_imagegram_transfer_thread().
 */
void ngx_http_imagegram_uploads_answer(void *data);


#endif /* _NGX_HTTP_IMAGEGRAM_UPLOADS_ANSWER_H_INCLUDED_ */
