
/*
 * What the parent of the converter's children answers for a job that brought
 * no answer of its own.  The child is played here: it ends as the job says.
 * Prints TAP.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../src/convert/imagegram_child.h"
#include "../../src/convert/imagegram_image.h"
#include "../../src/convert/imagegram_sandbox.h"
#include "../../src/convert/imagegram_server.h"


#define NO_ANSWER  -1

/* what the worker does */

#define SENDS      0
#define SENDS_FOR_ANOTHER_VERSION  1
#define SENDS_HALF_A_JOB           2
#define SENDS_TOO_FEW_FDS          3
#define SENDS_NO_FDS               4

/* what the child does: a signal that kills it, or one of these */

#define EXITS      1000    /* with what is added */
#define HANGS      2000
#define NO_FORK    3000


typedef struct {
    const char  *what;
    int          worker;
    unsigned     child;
    int          reason;
} case_t;


pid_t __real_fork(void);
pid_t __wrap_fork(void);

static int run(const case_t *c);
static int send_job(int control, const imagegram_job_t *job, const case_t *c,
    int result);
static int answer(int fd);


static const case_t  cases[] = {
    { "a segmentation fault",       SENDS, SIGSEGV,   IMAGEGRAM_CRASH },
    { "an assertion that fails",    SENDS, SIGABRT,   IMAGEGRAM_CRASH },
    { "a system call not allowed",  SENDS, SIGSYS,    IMAGEGRAM_CRASH },
    { "an exit nobody knows",       SENDS, EXITS + 9, IMAGEGRAM_CRASH },
    { "killed by somebody else",    SENDS, SIGKILL,   IMAGEGRAM_LOST },
    { "a child that cannot answer", SENDS,
      EXITS + IMAGEGRAM_CHILD_FAILED, IMAGEGRAM_LOST },
    { "no sandbox",                 SENDS,
      EXITS + IMAGEGRAM_CHILD_NO_SANDBOX, IMAGEGRAM_LOST },
    { "fork() that fails",          SENDS, NO_FORK,   IMAGEGRAM_LOST },
    { "too much CPU time",          SENDS, SIGXCPU,   IMAGEGRAM_TIME },
    { "a child that hangs",         SENDS, HANGS,     IMAGEGRAM_TIME },
    { "a child that has answered",  SENDS,
      EXITS + IMAGEGRAM_CHILD_ANSWERED, NO_ANSWER },

    { "another version",            SENDS_FOR_ANOTHER_VERSION, 0,
      IMAGEGRAM_LOST },
    { "a job of another length",    SENDS_HALF_A_JOB, 0, IMAGEGRAM_LOST },
    { "a file missing",             SENDS_TOO_FEW_FDS, 0, IMAGEGRAM_LOST },
    { "nowhere to answer",          SENDS_NO_FDS, 0, NO_ANSWER }
};

static imagegram_server_t  server;
static int                 forks_fail;


int
main(void)
{
    int     failures, reason;
    size_t  i, n;

    if (imagegram_server_init(&server) == -1) {
        printf("Bail out! no server\n");
        return 1;
    }

    /* what the server says of children that die here on purpose */

    if (freopen("/dev/null", "w", stderr) == NULL) {
        printf("Bail out! no /dev/null\n");
        return 1;
    }

    n = sizeof(cases) / sizeof(cases[0]);
    failures = 0;

    printf("1..%zu\n", n);

    for (i = 0; i < n; i++) {
        reason = run(&cases[i]);

        if (reason == cases[i].reason) {
            printf("ok %zu - %s\n", i + 1, cases[i].what);

        } else {
            printf("not ok %zu - %s\n# reason %d, not %d\n", i + 1,
                   cases[i].what, reason, cases[i].reason);
            failures++;
        }

        fflush(stdout);
    }

    return failures ? 1 : 0;
}


/* Gives the reason that is answered, or NO_ANSWER. */

static int
run(const case_t *c)
{
    int              control[2], result[2], reason;
    imagegram_job_t  job;

    memset(&job, 0, sizeof(job));

    job.version = IMAGEGRAM_PROTOCOL + (c->worker == SENDS_FOR_ANOTHER_VERSION);
    job.kind = IMAGEGRAM_BODY_JSON;
    job.timeout = (c->child == HANGS) ? 100 : 60000;
    job.width = c->child + 1;
    job.height = 1;
    job.quality = 1;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control) == -1
        || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, result) == -1
        || send_job(control[0], &job, c, result[1]) == -1)
    {
        perror("socket");
        exit(1);
    }

    close(result[1]);

    forks_fail = (c->child == NO_FORK);

    do {
        if (imagegram_server_turn(&server, control[1]) == -1) {
            printf("# the server ends\n");
            break;
        }
    } while (server.n);

    reason = answer(result[0]);

    close(control[0]);
    close(control[1]);
    close(result[0]);

    return reason;
}


/* Any file will do for those that are not the result socket. */

static int
send_job(int control, const imagegram_job_t *job, const case_t *c, int result)
{
    int              i, n, fds[IMAGEGRAM_FD_MAX];
    struct iovec     iov;
    struct msghdr    msg;
    struct cmsghdr  *cmsg;

    union {
        struct cmsghdr  align;
        char            space[CMSG_SPACE(sizeof(fds))];
    } buf;

    n = (c->worker == SENDS_TOO_FEW_FDS) ? IMAGEGRAM_FD_RESULT + 1
                                         : IMAGEGRAM_FD_MAX;

    for (i = 0; i < n; i++) {
        fds[i] = (i == IMAGEGRAM_FD_RESULT) ? result : STDERR_FILENO;
    }

    memset(&msg, 0, sizeof(msg));
    memset(&buf, 0, sizeof(buf));

    iov.iov_base = (void *) job;
    iov.iov_len = (c->worker == SENDS_HALF_A_JOB) ? sizeof(*job) / 2
                                                  : sizeof(*job);
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;

    if (c->worker != SENDS_NO_FDS) {
        msg.msg_control = buf.space;
        msg.msg_controllen = CMSG_SPACE(n * sizeof(int));

        cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));

        memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
    }

    return (sendmsg(control, &msg, 0) == -1) ? -1 : 0;
}


/* By then nobody has the other end open, unless somebody forgot it. */

static int
answer(int fd)
{
    ssize_t             n;
    imagegram_result_t  result;

    n = recv(fd, &result, sizeof(result), MSG_DONTWAIT);

    if (n == 0) {
        return NO_ANSWER;
    }

    if (n != sizeof(result) || recv(fd, &result, 1, MSG_DONTWAIT) != 0) {
        printf("# the result socket is not at its end\n");
        return IMAGEGRAM_REASON_MAX;
    }

    return result.reason;
}


pid_t
__wrap_fork(void)
{
    if (forks_fail) {
        errno = EAGAIN;
        return -1;
    }

    return __real_fork();
}


/* What stands for the rest of the program. */

void
imagegram_child_run(const imagegram_job_t *job, const int *fds, pid_t parent)
{
    unsigned             how;
    const struct rlimit  none = { 0, 0 };

    (void) fds;
    (void) parent;

    how = job->width - 1;

    (void) setrlimit(RLIMIT_CORE, &none);

    if (how >= EXITS && how < HANGS) {
        _exit(how - EXITS);
    }

    if (how < EXITS) {
        (void) signal(how, SIG_DFL);
        (void) raise(how);
    }

    for ( ;; ) {
        pause();
    }
}


int
imagegram_child_answer(int fd, imagegram_reason_e reason)
{
    imagegram_result_t  result;

    memset(&result, 0, sizeof(result));

    result.version = IMAGEGRAM_PROTOCOL;
    result.reason = reason;

    return (send(fd, &result, sizeof(result), MSG_NOSIGNAL) == -1) ? -1 : 0;
}


int
imagegram_sandbox_init(void)
{
    return 0;
}


int
imagegram_image_init(void)
{
    return 0;
}
