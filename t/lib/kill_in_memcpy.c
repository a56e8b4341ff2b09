
/*
 * Preloaded into nginx by a test: once there is a file TRIGGER, a copy of
 * something that begins with TEXT kills the worker in the midst of it.
 */

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>


void *memcpy(void *to, const void *from, size_t n);


void *
memcpy(void *to, const void *from, size_t n)
{
    if (n >= sizeof(TEXT) && memcmp(from, TEXT, sizeof(TEXT) - 1) == 0
        && access(TRIGGER, F_OK) == 0)
    {
        unlink(TRIGGER);

        memmove(to, from, n / 2);
        kill(getpid(), SIGKILL);
    }

    return memmove(to, from, n);
}
