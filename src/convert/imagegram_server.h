
/*
 * The parent of the converter's children: starts one a job, ends those that
 * outrun their time, collects them, and answers for those that could not.
 */

#ifndef _IMAGEGRAM_SERVER_H_INCLUDED_
#define _IMAGEGRAM_SERVER_H_INCLUDED_


#include <stdint.h>
#include <sys/types.h>

#include "imagegram_protocol.h"


/* with so many children no job is taken until one of them ends */
#define IMAGEGRAM_SERVER_CHILDREN  128


typedef struct {
    pid_t                     pid;
    int                       result;       /* the job's socket */
    uint64_t                  deadline;     /* ms; 0: killed */
} imagegram_server_child_t;


typedef struct {
    int                       signals;      /* signalfd of SIGCHLD */
    unsigned                  n;
    imagegram_server_child_t  children[IMAGEGRAM_SERVER_CHILDREN];
} imagegram_server_t;


/*
 * Prepares the libraries, the sandbox and the signals.  Gives 0; or -1, with
 * a line on stderr.
 */
int imagegram_server_init(imagegram_server_t *s);

/* Whether a job's numbers are within their bounds. */
int imagegram_server_valid(const imagegram_job_t *job);

/* Starts a child for a valid job, or answers LOST; fds are the server's now. */
void imagegram_server_start(imagegram_server_t *s, const imagegram_job_t *job,
    const int *fds);

/*
 * Waits for a job on the control socket, unless that is -1, for the end of a
 * child, or for a deadline.  Gives 0, or -1 once the socket is closed.
 */
int imagegram_server_turn(imagegram_server_t *s, int control);


#endif /* _IMAGEGRAM_SERVER_H_INCLUDED_ */
