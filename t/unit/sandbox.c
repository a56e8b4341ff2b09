
/*
 * What a child in the sandbox may do and what not: each case is tried in a
 * child of its own, which enters the sandbox, tries, and exits with 0 if it
 * was refused or allowed as it should be.  Prints TAP.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../src/convert/imagegram_sandbox.h"


/* a sanitizer's report goes to stderr */

#ifdef __SANITIZE_ADDRESS__
#define NULLS      STDERR_FILENO
#else
#define NULLS      IMAGEGRAM_SANDBOX_FD
#endif

#define MEMORY     (32 << 20)
#define FILE_SIZE  65536

/* what the child was given, as the sandbox numbers it */
#define FILE_FD    IMAGEGRAM_SANDBOX_FD
#define SOCKET_FD  (IMAGEGRAM_SANDBOX_FD + 1)


typedef struct {
    const char  *what;
    int          signo;     /* that kills; 0: exits with 0 */
    int        (*attempt)(void);
} case_t;


static int run(const case_t *c);
static void child(const case_t *c);

static int try_nothing(void);
static int try_files(void);
static int try_answer(void);
static int try_memory(void);
static int try_too_much_memory(void);
static int try_large_file(void);
static int try_inherited_fds(void);
static int try_standard_fds(void);
static int try_cpu(void);
static int try_open(void);
static int try_openat(void);
static int try_stat(void);
static int try_unlink(void);
static int try_dup(void);
static int try_writev(void);
static int try_socket(void);
static int try_connect(void);
static int try_fork(void);
static int try_vfork(void);
static int try_exec(void);
static int try_kill(void);
static int try_ptrace(void);
static int try_process_vm(void);
static int try_code(void);
static int try_executable(void);
static int try_limit_raised(void);
static int try_setuid(void);
static int try_io_uring(void);
static int try_memfd(void);


static const case_t  cases[] = {
    { "enters",                           0,       try_nothing },
    { "works on its files",               0,       try_files },
    { "answers on its socket",            0,       try_answer },
    { "maps memory",                      0,       try_memory },
    { "maps no more than it may",         0,       try_too_much_memory },
    { "writes no more than it may",       0,       try_large_file },
    { "has no other fd",                  0,       try_inherited_fds },
    { "has /dev/null as standard fds",    0,       try_standard_fds },
    { "runs out of CPU time",             SIGXCPU, try_cpu },
    { "is refused open()",                0,       try_open },
    { "is refused openat()",              0,       try_openat },
    { "is refused stat()",                0,       try_stat },
    { "is refused unlink()",              0,       try_unlink },
    { "is killed by dup()",               SIGSYS,  try_dup },
    { "is killed by writev()",            SIGSYS,  try_writev },
    { "is killed by socket()",            SIGSYS,  try_socket },
    { "is killed by connect()",           SIGSYS,  try_connect },
    { "is killed by fork()",              SIGSYS,  try_fork },
    { "is killed by vfork()",             SIGSYS,  try_vfork },
    { "is killed by execve()",            SIGSYS,  try_exec },
    { "is killed by kill()",              SIGSYS,  try_kill },
    { "is killed by ptrace()",            SIGSYS,  try_ptrace },
    { "is killed by process_vm_readv()",  SIGSYS,  try_process_vm },
    { "is killed by mmap() of code",      SIGSYS,  try_code },
    { "is killed by mprotect() to code",  SIGSYS,  try_executable },
    { "cannot raise a limit",             0,       try_limit_raised },
    { "is killed by setuid()",            SIGSYS,  try_setuid },
    { "is killed by io_uring_setup()",    SIGSYS,  try_io_uring },
    { "is killed by memfd_create()",      SIGSYS,  try_memfd }
};


int
main(void)
{
    size_t  i, n;
    int     failures;

    if (imagegram_sandbox_init() == -1) {
        printf("Bail out! no filter\n");
        return 1;
    }

    n = sizeof(cases) / sizeof(cases[0]);
    failures = 0;

    printf("1..%zu\n", n);

    for (i = 0; i < n; i++) {

        if (run(&cases[i])) {
            printf("ok %zu - %s\n", i + 1, cases[i].what);

        } else {
            printf("not ok %zu - %s\n", i + 1, cases[i].what);
            failures++;
        }
    }

    return failures ? 1 : 0;
}


static int
run(const case_t *c)
{
    int    status;
    pid_t  pid;

    fflush(stdout);

    pid = fork();

    if (pid == -1) {
        return 0;
    }

    if (pid == 0) {
        child(c);
    }

    if (waitpid(pid, &status, 0) != pid) {
        return 0;
    }

    if (c->signo) {
        return WIFSIGNALED(status) && WTERMSIG(status) == c->signo;
    }

    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}


static void
child(const case_t *c)
{
    int                  fds[2], pair[2];
    FILE                *file;
    imagegram_sandbox_t  limits;

    file = tmpfile();

    if (file == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1) {
        _exit(2);
    }

    /* high numbers, of which the sandbox makes low ones, and one to close */

    fds[0] = fcntl(fileno(file), F_DUPFD, 50);
    fds[1] = fcntl(pair[0], F_DUPFD, SOCKET_FD + 1);
    (void) fcntl(pair[1], F_DUPFD, 70);

    limits.memory = MEMORY;
    limits.file_size = FILE_SIZE;
    limits.cpu = 1;

    if (imagegram_sandbox_fds(fds, 2) == -1
        || imagegram_sandbox_enter(&limits) == -1)
    {
        _exit(3);
    }

    _exit(c->attempt() ? 0 : 1);
}


static int
try_nothing(void)
{
    return 1;
}


static int
try_files(void)
{
    char         s[4];
    struct stat  st;

    return write(FILE_FD, "abcd", 4) == 4
           && fstat(FILE_FD, &st) == 0 && st.st_size == 4
           && lseek(FILE_FD, 0, SEEK_SET) == 0
           && read(FILE_FD, s, 4) == 4
           && pread(FILE_FD, s, 2, 2) == 2
           && memcmp(s, "cdcd", 4) == 0
           && fsync(FILE_FD) == 0;
}


/* The other end is closed, as every other fd: that is for sendmsg() to say. */

static int
try_answer(void)
{
    struct iovec   iov;
    struct msghdr  msg;

    memset(&msg, 0, sizeof(msg));

    iov.iov_base = "x";
    iov.iov_len = 1;
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;

    return sendmsg(SOCKET_FD, &msg, MSG_NOSIGNAL) == -1 && errno == EPIPE;
}


static int
try_memory(void)
{
    void  *p;

    p = malloc(MEMORY / 2);

    if (p == NULL) {
        return 0;
    }

    memset(p, 1, MEMORY / 2);
    p = realloc(p, MEMORY / 4);
    free(p);

    return p != NULL;
}


static int
try_too_much_memory(void)
{
    return mmap(NULL, MEMORY + 4096, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
           == MAP_FAILED
           && errno == ENOMEM;
}


static int
try_large_file(void)
{
    static char  s[FILE_SIZE];

    return write(FILE_FD, s, FILE_SIZE) == FILE_SIZE
           && write(FILE_FD, s, 1) == -1 && errno == EFBIG;
}


static int
try_inherited_fds(void)
{
    int  fd;

    for (fd = SOCKET_FD + 1; fd < 1024; fd++) {

        if (close(fd) == 0) {
            return 0;
        }
    }

    return 1;
}


static int
try_standard_fds(void)
{
    int          fd;
    char         c;
    struct stat  st;

    for (fd = 0; fd < NULLS; fd++) {

        if (fstat(fd, &st) == -1 || !S_ISCHR(st.st_mode)
            || read(fd, &c, 1) != 0 || write(fd, "x", 1) != 1)
        {
            return 0;
        }
    }

    return 1;
}


static int
try_cpu(void)
{
    time_t  start;

    start = time(NULL);

    while (time(NULL) - start < 20) {
        /* until the kernel ends it */
    }

    return 0;
}


static int
try_open(void)
{
    return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY) == -1
           && errno == EPERM && fopen("/etc/passwd", "r") == NULL
           && errno == EPERM;
}


static int
try_openat(void)
{
    return openat(FILE_FD, "x", O_RDWR | O_CREAT, 0600) == -1
           && errno == EPERM;
}


static int
try_stat(void)
{
    struct stat  st;

    return stat("/etc/passwd", &st) == -1 && errno == EPERM
           && access("/etc/passwd", R_OK) == -1 && errno == EPERM;
}


static int
try_unlink(void)
{
    return unlink("/nonexistent") == -1 && errno == EPERM;
}


static int
try_dup(void)
{
    return dup(FILE_FD) != -2;
}


static int
try_writev(void)
{
    struct iovec  iov = { "x", 1 };

    return writev(FILE_FD, &iov, 1) != -2;
}


static int
try_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) != -2;
}


static int
try_connect(void)
{
    struct sockaddr  sa;

    memset(&sa, 0, sizeof(sa));

    return connect(SOCKET_FD, &sa, sizeof(sa)) != -2;
}


static int
try_fork(void)
{
    return fork() != -2;
}


static int
try_vfork(void)
{
    return system("true") != -2;
}


static int
try_exec(void)
{
    return execl("/bin/true", "true", (char *) NULL) != -2;
}


static int
try_kill(void)
{
    return kill(1, 0) != -2;
}


static int
try_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) != -2;
}


static int
try_process_vm(void)
{
    return syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0) != -2;
}


static int
try_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != NULL;
}


static int
try_executable(void)
{
    void  *p;

    p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
             -1, 0);

    return mprotect(p, 4096, PROT_READ | PROT_EXEC) != -2;
}


static int
try_limit_raised(void)
{
    struct rlimit  rl = { RLIM_INFINITY, RLIM_INFINITY };

    return setrlimit(RLIMIT_AS, &rl) == -1 && errno == EPERM
           && try_too_much_memory();
}


static int
try_setuid(void)
{
    return setuid(0) != -2;
}


static int
try_io_uring(void)
{
    return syscall(SYS_io_uring_setup, 1, NULL) != -2;
}


static int
try_memfd(void)
{
    return syscall(SYS_memfd_create, "x", 0) != -2;
}
