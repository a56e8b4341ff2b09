
/*
 * Preloaded by a test: a disk that fails.
 *
 * The file CONTROL says how, for what lies below the folder STORAGE: an errno
 * that whatever changes something fails with, or 0; then how many milliseconds
 * each of these takes.  Two ints.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>


#define real(name)  ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))


typedef struct {
    int  error;
    int  delay;
} control_t;


static const control_t  *control;


static void __attribute__((constructor))
map_control(void)
{
    int    fd;
    void  *p;

    fd = real(open)(CONTROL, O_RDONLY | O_CLOEXEC);
    p = mmap(NULL, sizeof(control_t), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);

    if (p != MAP_FAILED) {
        control = p;
    }
}


static long long
now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}


/* the sandbox of a converter does not let it sleep */

static int
fails(void)
{
    long long  end;

    if (control == NULL) {
        return 0;
    }

    end = now() + control->delay;

    while (now() < end) {
        /* a slow disk */
    }

    if (control->error) {
        errno = control->error;
        return 1;
    }

    return 0;
}


/* a disk that is full, or a quota, lets files go */

static int
fails_to_remove(void)
{
    return control && control->error != ENOSPC && control->error != EDQUOT
           && fails();
}


static int
is_there(const char *path)
{
    return strncmp(path, STORAGE "/", sizeof(STORAGE)) == 0;
}


/* what a converter in its sandbox has is the storage's */

static int
lies_there(int fd)
{
    char         link[64], path[4096];
    ssize_t      n;
    struct stat  st;

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        return 0;
    }

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

    n = readlink(link, path, sizeof(path) - 1);
    if (n == -1) {
        return 1;
    }

    path[n] = '\0';

    return is_there(path);
}


int
open(const char *path, int flags, ...)
{
    int      mode;
    va_list  args;

    va_start(args, flags);
    mode = va_arg(args, int);
    va_end(args);

    if ((flags & (O_CREAT | O_WRONLY | O_RDWR)) && is_there(path) && fails()) {
        return -1;
    }

    return real(open)(path, flags, mode);
}


int open64(const char *path, int flags, ...) __attribute__((alias("open")));


ssize_t
write(int fd, const void *buf, size_t n)
{
    return (lies_there(fd) && fails()) ? -1 : real(write)(fd, buf, n);
}


ssize_t
pwrite64(int fd, const void *buf, size_t n, off_t offset)
{
    return (lies_there(fd) && fails()) ? -1
                                       : real(pwrite64)(fd, buf, n, offset);
}


ssize_t
pwritev64(int fd, const struct iovec *iov, int n, off_t offset)
{
    return (lies_there(fd) && fails()) ? -1
                                       : real(pwritev64)(fd, iov, n, offset);
}


int
fsync(int fd)
{
    return (lies_there(fd) && fails()) ? -1 : real(fsync)(fd);
}


int
link(const char *from, const char *to)
{
    return (is_there(to) && fails()) ? -1 : real(link)(from, to);
}


int
rename(const char *from, const char *to)
{
    return (is_there(to) && fails()) ? -1 : real(rename)(from, to);
}


int
mkdir(const char *path, mode_t mode)
{
    return (is_there(path) && fails()) ? -1 : real(mkdir)(path, mode);
}


int
unlink(const char *path)
{
    return (is_there(path) && fails_to_remove()) ? -1 : real(unlink)(path);
}


int
unlinkat(int dir, const char *path, int flags)
{
    return (dir != AT_FDCWD && fails_to_remove())
           ? -1 : real(unlinkat)(dir, path, flags);
}


int
openat64(int dir, const char *path, int flags, ...)
{
    int      mode;
    va_list  args;

    va_start(args, flags);
    mode = va_arg(args, int);
    va_end(args);

    if ((flags & O_CREAT) && is_there(path) && fails()) {
        return -1;
    }

    return real(openat64)(dir, path, flags, mode);
}


int
fdatasync(int fd)
{
    return (lies_there(fd) && fails()) ? -1 : real(fdatasync)(fd);
}


int
ftruncate64(int fd, off_t size)
{
    return (lies_there(fd) && fails()) ? -1 : real(ftruncate64)(fd, size);
}
