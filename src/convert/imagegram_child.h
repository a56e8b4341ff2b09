
/*
 * One job, in a process of its own.
 */

#ifndef _IMAGEGRAM_CHILD_H_INCLUDED_
#define _IMAGEGRAM_CHILD_H_INCLUDED_


#include <sys/types.h>

#include "imagegram_protocol.h"


/* how a child ends: its answer is on the way, or it could not give any */

#define IMAGEGRAM_CHILD_ANSWERED    0
#define IMAGEGRAM_CHILD_FAILED      1
#define IMAGEGRAM_CHILD_NO_SANDBOX  2


/*
 * Does the job, answers, exits: never returns.  Called right behind the fork,
 * with the process id of the parent.
 */
void imagegram_child_run(const imagegram_job_t *job, const int *fds,
    pid_t parent) __attribute__((noreturn));

/* Sends a result that has no text; does not wait. */
int imagegram_child_answer(int fd, imagegram_reason_e reason);


#endif /* _IMAGEGRAM_CHILD_H_INCLUDED_ */
