
/*
 * Conversion by hand: one file to one JPEG, on the command line, by the same
 * child in the same sandbox.
 */

#ifndef _IMAGEGRAM_HAND_H_INCLUDED_
#define _IMAGEGRAM_HAND_H_INCLUDED_


#include "imagegram_protocol.h"
#include "imagegram_server.h"


#define IMAGEGRAM_HAND_OK       0
#define IMAGEGRAM_HAND_FAILED   1
#define IMAGEGRAM_HAND_REFUSED  2


/*
 * Converts the file in to the file out, which is replaced as a whole or left
 * as it is.  Gives one of the above; says why on stderr.  The server has
 * been initialized and has no child.
 */
int imagegram_hand_convert(imagegram_server_t *server, const char *in,
    const char *out, const imagegram_job_t *job);


#endif /* _IMAGEGRAM_HAND_H_INCLUDED_ */
