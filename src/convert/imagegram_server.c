
/*
 * The parent.  It reads no byte of an upload.
 *
 * Of each job's fds it keeps the result socket until the child is reaped: so
 * it can answer for a child that did not, and the worker learns of the parent's
 * own death by the end of the file.
 *
 * It tells an image that takes its child down (CRASH) from one that nobody has
 * converted (LOST), since only the first may be held against the image.  A
 * child that somebody else killed, be it the kernel for lack of memory in the
 * whole machine, is the second: what a child may map is bounded by a limit of
 * its own, and it sees for itself that it has reached that.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "imagegram_child.h"
#include "imagegram_image.h"
#include "imagegram_sandbox.h"
#include "imagegram_server.h"


static int imagegram_server_signals(imagegram_server_t *s);
static int imagegram_server_timeout(imagegram_server_t *s);
static void imagegram_server_expire(imagegram_server_t *s);
static void imagegram_server_reap(imagegram_server_t *s);
static void imagegram_server_reaped(imagegram_server_child_t *child,
    int status);
static imagegram_reason_e imagegram_server_verdict(int status);
static int imagegram_server_receive(imagegram_server_t *s, int control);
static size_t imagegram_server_received(struct msghdr *msg, int *fds);
static void imagegram_server_close(const int *fds, size_t n);
static uint64_t imagegram_server_now(void);


int
imagegram_server_init(imagegram_server_t *s)
{
    memset(s, 0, sizeof(imagegram_server_t));

    if (imagegram_server_signals(s) == -1) {
        fprintf(stderr, "imagegram-convert: cannot handle signals: %s\n",
                strerror(errno));
        return -1;
    }

    if (imagegram_sandbox_init() == -1) {
        fprintf(stderr, "imagegram-convert: cannot prepare the sandbox\n");
        return -1;
    }

    if (imagegram_image_init() == -1) {
        fprintf(stderr, "imagegram-convert: cannot initialize the image "
                "libraries\n");
        return -1;
    }

    return 0;
}


/*
 * The worker's signal mask and what it ignores have come along with exec().
 * A terminal's Ctrl-C and hang-up reach the whole process group, while workers
 * still finish what is running: only the control socket's end counts, or
 * SIGTERM.
 */

static int
imagegram_server_signals(imagegram_server_t *s)
{
    int       i;
    sigset_t  set;

    const int  ignored[] = { SIGPIPE, SIGINT, SIGQUIT, SIGHUP };

    for (i = 1; i < NSIG; i++) {

        /* fails for SIGKILL, SIGSTOP and those that the C library keeps */

        (void) signal(i, SIG_DFL);
    }

    for (i = 0; i < (int) (sizeof(ignored) / sizeof(int)); i++) {
        (void) signal(ignored[i], SIG_IGN);
    }

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);

    if (sigprocmask(SIG_SETMASK, &set, NULL) == -1) {
        return -1;
    }

    s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);

    return (s->signals == -1) ? -1 : 0;
}


int
imagegram_server_turn(imagegram_server_t *s, int control)
{
    struct pollfd            fds[2];
    struct signalfd_siginfo  info;

    fds[0].fd = s->signals;
    fds[0].events = POLLIN;

    fds[1].fd = control;
    fds[1].events = (s->n < IMAGEGRAM_SERVER_CHILDREN) ? POLLIN : 0;
    fds[1].revents = 0;

    if (poll(fds, 2, imagegram_server_timeout(s)) == -1) {
        return (errno == EINTR) ? 0 : -1;
    }

    imagegram_server_expire(s);

    if (fds[0].revents & POLLIN) {

        while (read(s->signals, &info, sizeof(info)) > 0) {
            /* several SIGCHLD may be one */
        }

        imagegram_server_reap(s);
    }

    /* nobody is left to wait for the jobs that may still be in the socket */

    if (fds[1].revents & (POLLHUP | POLLERR | POLLNVAL)) {
        return -1;
    }

    return (fds[1].revents & POLLIN) ? imagegram_server_receive(s, control)
                                     : 0;
}


/* The time to the next deadline, in ms, for poll(). */

static int
imagegram_server_timeout(imagegram_server_t *s)
{
    unsigned  i;
    uint64_t  now, left, next;

    now = imagegram_server_now();
    next = UINT64_MAX;

    for (i = 0; i < s->n; i++) {

        if (s->children[i].deadline == 0) {
            continue;
        }

        left = (s->children[i].deadline > now)
               ? s->children[i].deadline - now : 0;
        next = (left < next) ? left : next;
    }

    if (next == UINT64_MAX) {
        return -1;
    }

    return (next < 3600000) ? (int) next : 3600000;
}


/*
 * Answers at once and does not wait for the child's end: one that hangs in a
 * broken disk may outlive its SIGKILL.  Where the child had answered in time,
 * this is the second message on its socket, which nobody reads.
 */

static void
imagegram_server_expire(imagegram_server_t *s)
{
    unsigned                   i;
    uint64_t                   now;
    imagegram_server_child_t  *child;

    now = imagegram_server_now();

    for (i = 0; i < s->n; i++) {
        child = &s->children[i];

        if (child->deadline == 0 || child->deadline > now) {
            continue;
        }

        child->deadline = 0;

        (void) kill(child->pid, SIGKILL);
        (void) imagegram_child_answer(child->result, IMAGEGRAM_TIME);
    }
}


static void
imagegram_server_reap(imagegram_server_t *s)
{
    int       status;
    pid_t     pid;
    unsigned  i;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {

        for (i = 0; i < s->n; i++) {

            if (s->children[i].pid == pid) {
                imagegram_server_reaped(&s->children[i], status);
                s->children[i] = s->children[--s->n];
                break;
            }
        }
    }
}


static void
imagegram_server_reaped(imagegram_server_child_t *child, int status)
{
    int                 signo;
    imagegram_reason_e  reason;

    /* where the deadline killed it the answer was TIME */

    reason = child->deadline ? imagegram_server_verdict(status)
                             : IMAGEGRAM_OK;

    if (WIFSIGNALED(status) && reason != IMAGEGRAM_OK
        && reason != IMAGEGRAM_TIME)
    {
        signo = WTERMSIG(status);

        fprintf(stderr, "imagegram-convert: child %d exited on signal %d "
                "(%s)\n", (int) child->pid, signo, strsignal(signo));
    }

    if (WIFEXITED(status) && WEXITSTATUS(status) != IMAGEGRAM_CHILD_ANSWERED) {
        fprintf(stderr, "imagegram-convert: child %d %s\n", (int) child->pid,
                (WEXITSTATUS(status) == IMAGEGRAM_CHILD_NO_SANDBOX)
                ? "could not enter its sandbox (seccomp, /proc)"
                : "could not answer");
    }

    /* behind an answer of the child's own nobody reads it */

    if (reason != IMAGEGRAM_OK) {
        (void) imagegram_child_answer(child->result, reason);
    }

    close(child->result);
}


/* What to say for a child that ended so; OK: it has answered. */

static imagegram_reason_e
imagegram_server_verdict(int status)
{
    if (WIFSIGNALED(status)) {

        switch (WTERMSIG(status)) {

        case SIGXCPU:
            return IMAGEGRAM_TIME;

        case SIGKILL:
            return IMAGEGRAM_LOST;

        default:
            return IMAGEGRAM_CRASH;
        }
    }

    switch (WEXITSTATUS(status)) {

    case IMAGEGRAM_CHILD_ANSWERED:
        return IMAGEGRAM_OK;

    case IMAGEGRAM_CHILD_FAILED:
    case IMAGEGRAM_CHILD_NO_SANDBOX:
        return IMAGEGRAM_LOST;

    default:
        return IMAGEGRAM_CRASH;
    }
}


static int
imagegram_server_receive(imagegram_server_t *s, int control)
{
    int              fds[IMAGEGRAM_FD_MAX];
    size_t           nfds;
    ssize_t          n;
    struct iovec     iov;
    struct msghdr    msg;
    imagegram_job_t  job;

    union {
        struct cmsghdr  header;
        char            space[CMSG_SPACE(sizeof(fds))];
    } cmsg;

    memset(&msg, 0, sizeof(struct msghdr));

    iov.iov_base = &job;
    iov.iov_len = sizeof(imagegram_job_t);

    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = &cmsg;
    msg.msg_controllen = sizeof(cmsg);

    n = recvmsg(control, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n == -1) {
        return (errno == EINTR || errno == EAGAIN) ? 0 : -1;
    }

    nfds = imagegram_server_received(&msg, fds);

    if (n != sizeof(imagegram_job_t)
        || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        || !imagegram_server_valid(&job)
        || nfds != imagegram_job_fds(&job))
    {
        /* as from a worker of another version: it is to know that it waits in
         * vain, and not to blame the image */

        if (nfds > IMAGEGRAM_FD_RESULT) {
            (void) imagegram_child_answer(fds[IMAGEGRAM_FD_RESULT],
                                          IMAGEGRAM_LOST);
        }

        imagegram_server_close(fds, nfds);
        return (n == 0) ? -1 : 0;
    }

    imagegram_server_start(s, &job, fds);

    return 0;
}


static size_t
imagegram_server_received(struct msghdr *msg, int *fds)
{
    size_t           n;
    struct cmsghdr  *c;

    for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {

        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(fds, CMSG_DATA(c), n * sizeof(int));

            return n;
        }
    }

    return 0;
}


int
imagegram_server_valid(const imagegram_job_t *job)
{
    return job->version == IMAGEGRAM_PROTOCOL
           && job->kind <= IMAGEGRAM_BODY_IMAGE
           && job->boundary_len <= IMAGEGRAM_BOUNDARY_MAX
           && (job->boundary_len || job->kind != IMAGEGRAM_BODY_MULTIPART)
           && job->max_author <= IMAGEGRAM_AUTHOR_MAX
           && job->max_body <= IMAGEGRAM_BODY_MAX
           && job->width && job->height
           && job->fit <= IMAGEGRAM_FIT_STRETCH
           && job->quality >= 1 && job->quality <= 100;
}


void
imagegram_server_start(imagegram_server_t *s, const imagegram_job_t *job,
    const int *fds)
{
    pid_t                      pid, parent;
    size_t                     i;
    imagegram_server_child_t  *child;

    parent = getpid();
    pid = fork();

    if (pid == 0) {
        imagegram_child_run(job, fds, parent);
    }

    if (pid == -1) {
        fprintf(stderr, "imagegram-convert: fork() failed: %s\n",
                strerror(errno));

        (void) imagegram_child_answer(fds[IMAGEGRAM_FD_RESULT],
                                      IMAGEGRAM_LOST);
        imagegram_server_close(fds, imagegram_job_fds(job));
        return;
    }

    for (i = 0; i < imagegram_job_fds(job); i++) {

        if (i != IMAGEGRAM_FD_RESULT) {
            close(fds[i]);
        }
    }

    child = &s->children[s->n++];

    child->pid = pid;
    child->result = fds[IMAGEGRAM_FD_RESULT];
    child->deadline = imagegram_server_now() + job->timeout;
}


static void
imagegram_server_close(const int *fds, size_t n)
{
    while (n) {
        close(fds[--n]);
    }
}


static uint64_t
imagegram_server_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
