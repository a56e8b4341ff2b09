
/*
 * steps socket program argument ...
 *
 * Becomes the program, with another process that traces it and all that it
 * starts (ptrace), and stops each of them whenever it is about to do what
 * others can see: a system call that writes, sends, makes, renames, removes or
 * syncs something, starts a process or ends it.  A test decides at the other
 * end of the unix socket when that goes on, or kills somebody meanwhile: who is
 * killed there has not done it.
 *
 * At first everything passes.  The test says
 *
 *   ask        from now on be asked; "ok" is the answer
 *   go TID     that thread goes on
 *   pass       all go on, and nobody asks any more
 *
 * and hears
 *
 *   step TID NAME DETAIL    a system call, and the file that it is about
 *
 * Whoever is traced is killed where the tracer ends (PTRACE_O_EXITKILL).
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>


#define STEPS_OPTIONS  (PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD             \
                        | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK            \
                        | PTRACE_O_TRACECLONE)

/* threads that may wait at a time, bytes of a path, of a line */
#define STEPS_HELD     256
#define STEPS_PATH     512
#define STEPS_LINE     256


/* what a system call is about */

typedef enum {
    STEPS_FD = 0,       /* the file of its first argument */
    STEPS_PATH_1,       /* the path that is its first, second or fourth one */
    STEPS_PATH_2,
    STEPS_PATH_4,
    STEPS_OPEN,         /* the second one, if the third one says O_CREAT */
    STEPS_CLONE,        /* a process, if the first one is not for a thread */
    STEPS_CLONE_3,
    STEPS_PROCESS
} steps_kind_e;


typedef struct {
    long          nr;
    const char   *name;
    steps_kind_e  kind;
} steps_call_t;


static int steps_connect(const char *path);
static void steps_trace(pid_t pid, int control, int ready);
static void steps_nothing(int signo);
static void steps_stopped(pid_t tid, int status);
static int steps_asked(pid_t tid);
static const steps_call_t *steps_find(long nr);
static int steps_detail(pid_t tid, const steps_call_t *call,
    const unsigned long long *args, char *detail);
static void steps_fd(pid_t tid, int fd, char *path);
static void steps_string(pid_t tid, unsigned long long address, char *string);
static void steps_commands(void);
static void steps_command(const char *line);
static void steps_go(pid_t tid);
static void steps_say(const char *text);


static int     steps_control;
static int     steps_asking;
static pid_t   steps_held[STEPS_HELD];
static size_t  steps_nheld;


static const steps_call_t  steps_calls[] = {
    { SYS_write,           "write",           STEPS_FD },
    { SYS_pwrite64,        "pwrite",          STEPS_FD },
    { SYS_writev,          "writev",          STEPS_FD },
    { SYS_pwritev,         "pwritev",         STEPS_FD },
    { SYS_pwritev2,        "pwritev2",        STEPS_FD },
    { SYS_sendto,          "send",            STEPS_FD },
    { SYS_sendmsg,         "sendmsg",         STEPS_FD },
    { SYS_sendmmsg,        "sendmmsg",        STEPS_FD },
    { SYS_sendfile,        "sendfile",        STEPS_FD },
    { SYS_ftruncate,       "ftruncate",       STEPS_FD },
    { SYS_fallocate,       "fallocate",       STEPS_FD },
    { SYS_fsync,           "fsync",           STEPS_FD },
    { SYS_fdatasync,       "fdatasync",       STEPS_FD },
    { SYS_fchmod,          "fchmod",          STEPS_FD },
    { SYS_fchown,          "fchown",          STEPS_FD },
    { SYS_openat,          "openat",          STEPS_OPEN },
    { SYS_mkdirat,         "mkdirat",         STEPS_PATH_2 },
    { SYS_unlinkat,        "unlinkat",        STEPS_PATH_2 },
    { SYS_linkat,          "linkat",          STEPS_PATH_4 },
    { SYS_renameat2,       "renameat2",       STEPS_PATH_4 },
    { SYS_fchmodat,        "fchmodat",        STEPS_PATH_2 },
    { SYS_fchownat,        "fchownat",        STEPS_PATH_2 },
    { SYS_utimensat,       "utimensat",       STEPS_PATH_2 },
    { SYS_truncate,        "truncate",        STEPS_PATH_1 },
#ifdef SYS_renameat
    { SYS_renameat,        "renameat",        STEPS_PATH_4 },
#endif
#ifdef SYS_rename
    { SYS_rename,          "rename",          STEPS_PATH_2 },
    { SYS_link,            "link",            STEPS_PATH_2 },
    { SYS_unlink,          "unlink",          STEPS_PATH_1 },
    { SYS_mkdir,           "mkdir",           STEPS_PATH_1 },
    { SYS_rmdir,           "rmdir",           STEPS_PATH_1 },
    { SYS_chmod,           "chmod",           STEPS_PATH_1 },
    { SYS_chown,           "chown",           STEPS_PATH_1 },
    { SYS_fork,            "fork",            STEPS_PROCESS },
    { SYS_vfork,           "vfork",           STEPS_PROCESS },
#endif
    { SYS_copy_file_range, "copy_file_range", STEPS_PROCESS },
    { SYS_clone,           "clone",           STEPS_CLONE },
    { SYS_clone3,          "clone3",          STEPS_CLONE_3 },
    { SYS_execve,          "execve",          STEPS_PATH_1 },
    { SYS_kill,            "kill",            STEPS_PROCESS },
    { SYS_exit_group,      "exit",            STEPS_PROCESS }
};


int
main(int argc, char **argv)
{
    int    ready[2];
    char   byte;
    pid_t  pid;

    if (argc < 3) {
        fprintf(stderr, "usage: steps socket program argument ...\n");
        return 1;
    }

    /* Yama lets nobody trace but parents, unless asked */

    (void) prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);

    pid = getpid();

    if (pipe2(ready, O_CLOEXEC) == -1) {
        perror("pipe2");
        return 1;
    }

    /* the tracer is nobody's child, so that no master waits for it */

    if (fork() == 0) {

        if (fork() == 0) {
            steps_trace(pid, steps_connect(argv[1]), ready[1]);
        }

        _exit(0);
    }

    (void) wait(NULL);
    close(ready[1]);

    if (read(ready[0], &byte, 1) != 1) {
        fprintf(stderr, "steps: %s is not traced\n", argv[2]);
        return 1;
    }

    (void) execvp(argv[2], argv + 2);

    perror(argv[2]);
    return 127;
}


static int
steps_connect(const char *path)
{
    int                 fd;
    struct sockaddr_un  address;

    memset(&address, 0, sizeof(struct sockaddr_un));

    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1
        || connect(fd, (struct sockaddr *) &address,
                   sizeof(struct sockaddr_un))
           == -1)
    {
        perror(path);
        _exit(1);
    }

    return fd;
}


static void
steps_trace(pid_t pid, int control, int ready)
{
    int               status;
    pid_t             tid;
    sigset_t          blocked, open;
    struct pollfd     poll;
    struct sigaction  action;

    steps_control = control;

    /* those of a terminal, or of a test that ends, are for the others */

    (void) setsid();

    memset(&action, 0, sizeof(struct sigaction));
    action.sa_handler = steps_nothing;
    (void) sigaction(SIGCHLD, &action, NULL);
    (void) signal(SIGPIPE, SIG_IGN);

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    (void) sigprocmask(SIG_BLOCK, &blocked, &open);

    if (ptrace(PTRACE_SEIZE, pid, NULL, STEPS_OPTIONS) == -1
        || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == -1)
    {
        perror("ptrace");
        _exit(1);
    }

    if (write(ready, "", 1) != 1) {
        _exit(1);
    }

    close(ready);

    poll.fd = control;
    poll.events = POLLIN;

    for ( ;; ) {

        while ((tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {

            if (WIFSTOPPED(status)) {
                steps_stopped(tid, status);
            }
        }

        if (tid == -1 && errno == ECHILD) {
            _exit(0);
        }

        if (ppoll(&poll, 1, NULL, &open) > 0) {
            steps_commands();
        }
    }
}


static void
steps_nothing(int signo)
{
    (void) signo;
}


static void
steps_stopped(pid_t tid, int status)
{
    int  signo, event;

    signo = WSTOPSIG(status);
    event = status >> 16;

    if (signo == (SIGTRAP | 0x80)) {

        if (!steps_asking || !steps_asked(tid)) {
            (void) ptrace(PTRACE_SYSCALL, tid, NULL, 0L);
        }

        return;
    }

    if (event == PTRACE_EVENT_STOP
        && (signo == SIGSTOP || signo == SIGTSTP || signo == SIGTTIN
            || signo == SIGTTOU))
    {
        (void) ptrace(PTRACE_LISTEN, tid, NULL, 0L);
        return;
    }

    (void) ptrace(PTRACE_SYSCALL, tid, NULL, event ? 0L : (long) signo);
}


/* Whether the test is asked: then the thread waits. */

static int
steps_asked(pid_t tid)
{
    char                            detail[2 * STEPS_PATH];
    char                            line[STEPS_LINE + sizeof(detail)];
    const steps_call_t             *call;
    struct __ptrace_syscall_info    info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <= 0
        || info.op != PTRACE_SYSCALL_INFO_ENTRY)
    {
        return 0;
    }

    call = steps_find((long) info.entry.nr);

    if (call == NULL || steps_nheld == STEPS_HELD
        || !steps_detail(tid, call, (unsigned long long *) info.entry.args,
                         detail))
    {
        return 0;
    }

    steps_held[steps_nheld++] = tid;

    snprintf(line, sizeof(line), "step %d %s %s\n", (int) tid, call->name,
             detail);
    steps_say(line);

    return 1;
}


static const steps_call_t *
steps_find(long nr)
{
    size_t  i;

    for (i = 0; i < sizeof(steps_calls) / sizeof(steps_calls[0]); i++) {

        if (steps_calls[i].nr == nr) {
            return &steps_calls[i];
        }
    }

    return NULL;
}


/* Gives 0 where nobody would see anything of it. */

static int
steps_detail(pid_t tid, const steps_call_t *call,
    const unsigned long long *args, char *detail)
{
    long  flags;

    detail[0] = '\0';

    switch (call->kind) {

    case STEPS_FD:
        steps_fd(tid, (int) args[0], detail);
        return 1;

    case STEPS_PATH_1:
        steps_string(tid, args[0], detail);
        return 1;

    case STEPS_PATH_2:
        steps_string(tid, args[1], detail);
        return 1;

    case STEPS_PATH_4:
        steps_string(tid, args[3], detail);
        return 1;

    case STEPS_OPEN:
        steps_string(tid, args[1], detail);
        return (args[2] & O_CREAT) != 0;

    case STEPS_CLONE:
        return (args[0] & CLONE_THREAD) == 0;

    case STEPS_CLONE_3:

        /* flags come first in the structure */

        flags = ptrace(PTRACE_PEEKDATA, tid, args[0], NULL);
        return (flags & CLONE_THREAD) == 0;

    default:
        return 1;
    }
}


/* What an fd is; "fd N" where we may not look. */

static void
steps_fd(pid_t tid, int fd, char *path)
{
    char     link[64];
    ssize_t  n;

    snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int) tid, fd);

    n = readlink(link, path, STEPS_PATH - 1);

    if (n == -1) {
        snprintf(path, STEPS_PATH, "fd %d", fd);

    } else {
        path[n] = '\0';
    }
}


static void
steps_string(pid_t tid, unsigned long long address, char *string)
{
    long    word;
    size_t  i, n;

    for (n = 0; n < STEPS_PATH - sizeof(long); n += sizeof(long)) {

        errno = 0;
        word = ptrace(PTRACE_PEEKDATA, tid, address + n, NULL);

        if (errno) {
            break;
        }

        memcpy(string + n, &word, sizeof(long));

        for (i = 0; i < sizeof(long); i++) {

            if (string[n + i] == '\0') {
                return;
            }
        }
    }

    string[n] = '\0';
}


/* Without a test nobody is stopped any more. */

static void
steps_commands(void)
{
    char           *end, *start;
    ssize_t         n;
    static char     buffer[8192];
    static size_t   length;

    n = read(steps_control, buffer + length, sizeof(buffer) - length - 1);

    if (n <= 0) {
        _exit(0);
    }

    length += n;
    buffer[length] = '\0';
    start = buffer;

    while ((end = strchr(start, '\n')) != NULL) {
        *end = '\0';
        steps_command(start);
        start = end + 1;
    }

    length = strlen(start);
    memmove(buffer, start, length);
}


static void
steps_command(const char *line)
{
    if (strcmp(line, "ask") == 0) {
        steps_asking = 1;
        steps_say("ok\n");

    } else if (strcmp(line, "pass") == 0) {
        steps_asking = 0;

        while (steps_nheld) {
            steps_go(steps_held[0]);
        }

    } else if (strncmp(line, "go ", 3) == 0) {
        steps_go(atoi(line + 3));
    }
}


/* One that was killed meanwhile does not go on, which is fine. */

static void
steps_go(pid_t tid)
{
    size_t  i;

    for (i = 0; i < steps_nheld; i++) {

        if (steps_held[i] == tid) {
            steps_held[i] = steps_held[--steps_nheld];
            (void) ptrace(PTRACE_SYSCALL, tid, NULL, 0L);
            return;
        }
    }
}


static void
steps_say(const char *text)
{
    if (write(steps_control, text, strlen(text)) == -1) {
        _exit(1);
    }
}
