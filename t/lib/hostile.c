
/*
 * Preloaded into the converter by a test: where an image took its decoder over.
 * jpeg_read_header(), which the child calls in its sandbox, does what HOSTILE
 * names.  A child that is refused it crashes; one that is not goes on, and its
 * image is converted.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>


static int hostile_open(void);
static int hostile_create(void);
static int hostile_connect(void);
static int hostile_fork(void);
static int hostile_exec(void);
static int hostile_kill(void);
static int hostile_unlink(void);
static int hostile_memory(void);
static int hostile_spin(void);
static int hostile_exit(void);


/* each gives 0 where it was let do so */

static const struct {
    const char  *name;
    int        (*attempt)(void);
} hostile_attempts[] = {
    { "open", hostile_open },
    { "create", hostile_create },
    { "connect", hostile_connect },
    { "fork", hostile_fork },
    { "exec", hostile_exec },
    { "kill", hostile_kill },
    { "unlink", hostile_unlink },
    { "memory", hostile_memory },
    { "spin", hostile_spin },
    { "exit", hostile_exit }
};


int jpeg_read_header(void *cinfo, int require_image);


int
jpeg_read_header(void *cinfo, int require_image)
{
    size_t       i;
    const char  *name;
    int        (*real)(void *, int);

    name = getenv("HOSTILE");

    for (i = 0; i < sizeof(hostile_attempts) / sizeof(hostile_attempts[0]);
         i++)
    {
        if (strcmp(hostile_attempts[i].name, name) == 0
            && hostile_attempts[i].attempt() != 0)
        {
            abort();
        }
    }

    *(void **) &real = dlsym(RTLD_NEXT, "jpeg_read_header");

    return real(cinfo, require_image);
}


static int
hostile_open(void)
{
    return open("/etc/passwd", O_RDONLY) == -1;
}


static int
hostile_create(void)
{
    return open(getenv("HOSTILE_FILE"), O_WRONLY|O_CREAT|O_TRUNC, 0644) == -1;
}


static int
hostile_connect(void)
{
    int                 fd;
    struct sockaddr_un  address = { .sun_family = AF_UNIX };

    strncpy(address.sun_path, getenv("HOSTILE_REDIS"),
            sizeof(address.sun_path) - 1);

    fd = socket(AF_UNIX, SOCK_STREAM, 0);

    return fd == -1
           || connect(fd, (struct sockaddr *) &address, sizeof(address)) != 0;
}


static int
hostile_fork(void)
{
    pid_t  pid;

    pid = fork();

    if (pid == 0) {
        _exit(0);
    }

    return pid == -1;
}


static int
hostile_exec(void)
{
    return execl("/bin/true", "true", (char *) NULL);
}


static int
hostile_kill(void)
{
    return kill(getppid(), 0);
}


static int
hostile_unlink(void)
{
    return unlink(getenv("HOSTILE_FILE"));
}


static int
hostile_memory(void)
{
    size_t  n;
    char   *p;

    for (n = 0; n < 512; n++) {
        p = malloc(1 << 20);
        if (p == NULL) {
            return -1;
        }

        memset(p, 1, 1 << 20);
    }

    return 0;
}


static int
hostile_spin(void)
{
    volatile int  forever = 1;

    while (forever) {
        /* until it is killed */
    }

    return 0;
}


/* as a library does that gives up */

static int
hostile_exit(void)
{
    exit(0);
}
