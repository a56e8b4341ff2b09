
/*
 * What a child gives up before it looks at the first byte of a stranger's
 * upload: all fds but its job's, memory, time, other processes, and all system
 * calls but those that work on the fds and the memory it has.
 */

#ifndef _IMAGEGRAM_SANDBOX_H_INCLUDED_
#define _IMAGEGRAM_SANDBOX_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


/* the number of the first fd that a child keeps */
#define IMAGEGRAM_SANDBOX_FD    3


typedef struct {
    uint64_t  memory;       /* bytes to map beyond what is inherited */
    uint64_t  file_size;    /* bytes, of each file */
    uint64_t  cpu;          /* seconds */
} imagegram_sandbox_t;


/*
 * Prepares the filter that all children will load.  Called once, in the
 * parent, which keeps it until it exits.  Gives 0 or -1.
 */
int imagegram_sandbox_init(void);

/*
 * Moves n fds to IMAGEGRAM_SANDBOX_FD and the numbers behind it, in their
 * order, opens /dev/null as 0, 1 and 2, and closes everything else.  Gives 0
 * or -1.
 */
int imagegram_sandbox_fds(const int *fds, size_t n);

/* Enters the sandbox, for good.  Gives 0 or -1. */
int imagegram_sandbox_enter(const imagegram_sandbox_t *limits);

/* Closes every fd from first on. */
void imagegram_sandbox_close_from(int first);


#endif /* _IMAGEGRAM_SANDBOX_H_INCLUDED_ */
