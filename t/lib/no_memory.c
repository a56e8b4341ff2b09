
/*
 * Preloaded by a test: an allocation fails.
 *
 * The file CONTROL, of three ints, says in which process (0: in those that are
 * forked by one that began with this library), and which allocation it is; then
 * it counts those that have failed.
 */

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>


typedef struct {
    int  pid;
    int  left;      /* 1: the next one fails; 0: none does */
    int  failed;
} control_t;


void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t size);
int posix_memalign(void **p, size_t alignment, size_t size);


static control_t  *control;
static pid_t       began;


static void __attribute__((constructor))
map_control(void)
{
    int    fd;
    void  *p;

    began = getpid();

    fd = open(CONTROL, O_RDWR | O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(control_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
             0);
    close(fd);

    if (p != MAP_FAILED) {
        control = p;
    }
}


static int
fails(void)
{
    if (control == NULL || control->left == 0
        || (control->pid ? control->pid != getpid() : began == getpid()))
    {
        return 0;
    }

    if (__atomic_sub_fetch(&control->left, 1, __ATOMIC_SEQ_CST) != 0) {
        return 0;
    }

    __atomic_add_fetch(&control->failed, 1, __ATOMIC_SEQ_CST);
    errno = ENOMEM;

    return 1;
}


void *
malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}


void *
calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}


void *
realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}


int
posix_memalign(void **p, size_t alignment, size_t size)
{
    if (fails()) {
        return ENOMEM;
    }

    *p = __libc_memalign(alignment, size);

    return *p ? 0 : ENOMEM;
}
