
/*
 * The sandbox of a converter child: rlimits and a seccomp filter.
 *
 * The filter lets through what a child needs to read, write, compute and
 * answer.  System calls that libraries try when something is amiss (a
 * configuration file, a temporary file) fail with EPERM, so that they go on;
 * everything else kills the process, which shows as a crash.
 *
 * The parent has libseccomp make the filter's program, once; a child only hands
 * that to the kernel, which takes no memory that could be missing.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "imagegram_sandbox.h"


/* fds that become /dev/null: all standard ones; a sanitizer needs stderr */

#ifdef __SANITIZE_ADDRESS__
#define IMAGEGRAM_SANDBOX_NULLS   STDERR_FILENO
#else
#define IMAGEGRAM_SANDBOX_NULLS   IMAGEGRAM_SANDBOX_FD
#endif

/* added to the inherited niceness: the event loop goes first */
#define IMAGEGRAM_SANDBOX_NICE    10


static int imagegram_sandbox_allow(scmp_filter_ctx filter);
static int imagegram_sandbox_allow_some(scmp_filter_ctx filter);
static int imagegram_sandbox_refuse(scmp_filter_ctx filter);
static int imagegram_sandbox_program(scmp_filter_ctx filter);
static int imagegram_sandbox_limits(const imagegram_sandbox_t *limits);
static int imagegram_sandbox_limit(int resource, uint64_t soft,
    uint64_t hard);
static int imagegram_sandbox_mapped(uint64_t *bytes);


/* never freed */
static struct sock_fprog  imagegram_sandbox_filter;


static const int  imagegram_sandbox_allowed[] = {

    /* the job's files and its answer */

    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(lseek),
    SCMP_SYS(_llseek),
    SCMP_SYS(fstat),
    SCMP_SYS(fstat64),
    SCMP_SYS(fsync),
    SCMP_SYS(sync_file_range),
    SCMP_SYS(sync_file_range2),
    SCMP_SYS(sendmsg),
    SCMP_SYS(close),

    /* memory; mmap() and mprotect() are below */

    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),

    /* the C library, and a sanitizer where it is built with one */

    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(times),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group)
};


static const int  imagegram_sandbox_refused[] = {
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(statx),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(ioctl),
    SCMP_SYS(fcntl),
    SCMP_SYS(getrlimit),
    SCMP_SYS(prlimit64),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield)
};


int
imagegram_sandbox_init(void)
{
    int              rc;
    scmp_filter_ctx  filter;

    filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

    if (filter == NULL) {
        return -1;
    }

    rc = (imagegram_sandbox_allow(filter) == -1
          || imagegram_sandbox_allow_some(filter) == -1
          || imagegram_sandbox_refuse(filter) == -1
          || imagegram_sandbox_program(filter) == -1) ? -1 : 0;

    seccomp_release(filter);

    return rc;
}


static int
imagegram_sandbox_allow(scmp_filter_ctx filter)
{
    size_t  i, n;

    n = sizeof(imagegram_sandbox_allowed) / sizeof(int);

    for (i = 0; i < n; i++) {

        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW,
                             imagegram_sandbox_allowed[i], 0)
            != 0)
        {
            return -1;
        }
    }

    return 0;
}


/*
 * Memory yes, code no; and the fstat() of newer C libraries, which is told
 * from their stat() by its flag: the filter cannot see the path.
 */

static int
imagegram_sandbox_allow_some(scmp_filter_ctx filter)
{
    size_t  i;

    const int  maps[] = {
        SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)
    };

    for (i = 0; i < sizeof(maps) / sizeof(int); i++) {

        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, maps[i], 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0))
            != 0)
        {
            return -1;
        }
    }

    if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
                         SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH, 0))
        != 0
        || seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
                            SCMP_SYS(newfstatat), 1,
                            SCMP_A3(SCMP_CMP_NE, AT_EMPTY_PATH, 0))
           != 0)
    {
        return -1;
    }

    return 0;
}


static int
imagegram_sandbox_refuse(scmp_filter_ctx filter)
{
    size_t  i, n;

    n = sizeof(imagegram_sandbox_refused) / sizeof(int);

    for (i = 0; i < n; i++) {

        if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
                             imagegram_sandbox_refused[i], 0)
            != 0)
        {
            return -1;
        }
    }

    return 0;
}


/* libseccomp writes it to a file only */

static int
imagegram_sandbox_program(scmp_filter_ctx filter)
{
    int    fd, rc;
    off_t  size;
    void  *program;

    fd = memfd_create("imagegram-sandbox", MFD_CLOEXEC);

    if (fd == -1) {
        return -1;
    }

    rc = -1;

    if (seccomp_export_bpf(filter, fd) == 0) {
        size = lseek(fd, 0, SEEK_END);
        program = (size > 0) ? malloc((size_t) size) : NULL;

        if (program != NULL && pread(fd, program, (size_t) size, 0) == size) {
            imagegram_sandbox_filter.filter = program;
            imagegram_sandbox_filter.len = (unsigned short)
                                  ((size_t) size / sizeof(struct sock_filter));
            rc = 0;

        } else {
            free(program);
        }
    }

    (void) close(fd);

    return rc;
}


int
imagegram_sandbox_fds(const int *fds, size_t n)
{
    int     fd, target, first;
    size_t  i;

    /*
     * The first free number above all targets and all of the job's: none of
     * the copies made there is in the way of another one.
     */

    first = IMAGEGRAM_SANDBOX_FD + n;

    for (i = 0; i < n; i++) {
        first = (fds[i] >= first) ? fds[i] + 1 : first;
    }

    for (i = 0; i < n; i++) {

        if (dup2(fds[i], first + i) == -1) {
            return -1;
        }
    }

    fd = open("/dev/null", O_RDWR);

    if (fd == -1) {
        return -1;
    }

    for (target = 0; target < IMAGEGRAM_SANDBOX_NULLS; target++) {

        if (dup2(fd, target) == -1) {
            return -1;
        }
    }

    for (i = 0; i < n; i++) {

        if (dup2(first + i, IMAGEGRAM_SANDBOX_FD + i) == -1) {
            return -1;
        }
    }

    imagegram_sandbox_close_from(IMAGEGRAM_SANDBOX_FD + n);

    return 0;
}


int
imagegram_sandbox_enter(const imagegram_sandbox_t *limits)
{
    int  priority;

    errno = 0;
    priority = getpriority(PRIO_PROCESS, 0);

    if (errno == 0) {
        (void) setpriority(PRIO_PROCESS, 0,
                           priority + IMAGEGRAM_SANDBOX_NICE);
    }

    if (imagegram_sandbox_limits(limits) == -1) {
        return -1;
    }

    /* nobody attaches to it, and it leaves no core with an upload in it */

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1
        || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
    {
        return -1;
    }

    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
                 &imagegram_sandbox_filter, 0, 0);
}


static int
imagegram_sandbox_limits(const imagegram_sandbox_t *limits)
{
    uint64_t  mapped;

    if (imagegram_sandbox_mapped(&mapped) == -1) {
        return -1;
    }

    /* a write() beyond the limit shall fail instead of killing */

    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR) {
        return -1;
    }

    /*
     * SIGXCPU, which the parent can tell, then a plain SIGKILL.  The fds that
     * are there stay; there will be no other ones.
     */

    if (imagegram_sandbox_limit(RLIMIT_AS, mapped + limits->memory,
                                mapped + limits->memory)
        || imagegram_sandbox_limit(RLIMIT_CPU, limits->cpu, limits->cpu + 1)
        || imagegram_sandbox_limit(RLIMIT_FSIZE, limits->file_size,
                                   limits->file_size)
        || imagegram_sandbox_limit(RLIMIT_NOFILE, 0, 0)
        || imagegram_sandbox_limit(RLIMIT_NPROC, 0, 0)
        || imagegram_sandbox_limit(RLIMIT_CORE, 0, 0))
    {
        return -1;
    }

    return 0;
}


/* Lowers a limit; one that is lower already stays. */

static int
imagegram_sandbox_limit(int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit  rl;

    if (getrlimit(resource, &rl) == -1) {
        return -1;
    }

    rl.rlim_max = (hard < rl.rlim_max) ? hard : rl.rlim_max;
    rl.rlim_cur = (soft < rl.rlim_cur) ? soft : rl.rlim_cur;

    return setrlimit(resource, &rl);
}


/* What the process has mapped. */

static int
imagegram_sandbox_mapped(uint64_t *bytes)
{
    int                 fd;
    char                buf[64], *end;
    ssize_t             n;
    unsigned long long  pages;

    fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

    if (fd == -1) {
        return -1;
    }

    n = read(fd, buf, sizeof(buf) - 1);
    close(fd);

    if (n <= 0) {
        return -1;
    }

    buf[n] = '\0';

    pages = strtoull(buf, &end, 10);

    if (end == buf) {
        return -1;
    }

    *bytes = pages * sysconf(_SC_PAGESIZE);

    return 0;
}


void
imagegram_sandbox_close_from(int first)
{
    long  fd, max;

    if (close_range(first, ~0U, 0) == 0) {
        return;
    }

    max = sysconf(_SC_OPEN_MAX);

    for (fd = first; fd < max; fd++) {
        close(fd);
    }
}
