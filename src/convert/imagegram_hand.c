
/*
 * Conversion by hand.  The JPEG is written to a temporary file beside its
 * place and renamed when it is complete; a signal that ends the program
 * removes it.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imagegram_hand.h"


static int imagegram_hand_input(const char *path);
static int imagegram_hand_output(const char *path);
static void imagegram_hand_signal(int signo);
static imagegram_reason_e imagegram_hand_run(imagegram_server_t *server,
    const imagegram_job_t *job, int in, int out);
static int imagegram_hand_failed(const char *path, const char *what);


/* "" where there is none; a signal handler reads it */
static char  imagegram_hand_temporary[PATH_MAX];


int
imagegram_hand_convert(imagegram_server_t *server, const char *in,
    const char *out, const imagegram_job_t *job)
{
    int                 in_fd, out_fd;
    imagegram_reason_e  reason;

    in_fd = imagegram_hand_input(in);

    if (in_fd == -1) {
        return IMAGEGRAM_HAND_FAILED;
    }

    out_fd = imagegram_hand_output(out);

    if (out_fd == -1) {
        return IMAGEGRAM_HAND_FAILED;
    }

    reason = imagegram_hand_run(server, job, in_fd, out_fd);

    if (reason == IMAGEGRAM_OK) {

        if (rename(imagegram_hand_temporary, out) == 0) {
            return IMAGEGRAM_HAND_OK;
        }

        (void) imagegram_hand_failed(out, "cannot be written");
        (void) unlink(imagegram_hand_temporary);

        return IMAGEGRAM_HAND_FAILED;
    }

    (void) unlink(imagegram_hand_temporary);

    fprintf(stderr, "imagegram-convert: %s: %s\n", in,
            imagegram_reason_text(reason));

    return (imagegram_reason_status(reason) < 500) ? IMAGEGRAM_HAND_REFUSED
                                                   : IMAGEGRAM_HAND_FAILED;
}


static int
imagegram_hand_input(const char *path)
{
    int          fd;
    struct stat  st;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd == -1 || fstat(fd, &st) == -1) {
        return imagegram_hand_failed(path, "cannot be opened");
    }

    if (!S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return imagegram_hand_failed(path, "is not a file");
    }

    return fd;
}


/* Opens the temporary file; gives its fd or -1. */

static int
imagegram_hand_output(const char *path)
{
    int          fd, n;
    mode_t       mask;
    struct stat  st;

    const size_t  size = sizeof(imagegram_hand_temporary);

    /* to rename a file over a device would destroy the device's entry */

    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return imagegram_hand_failed(path, "is not a file");
    }

    n = snprintf(imagegram_hand_temporary, size, "%s.XXXXXX", path);

    if (n < 0 || (size_t) n >= size) {
        errno = ENAMETOOLONG;
        return imagegram_hand_failed(path, "cannot be written");
    }

    (void) signal(SIGINT, imagegram_hand_signal);
    (void) signal(SIGTERM, imagegram_hand_signal);
    (void) signal(SIGHUP, imagegram_hand_signal);
    (void) signal(SIGQUIT, imagegram_hand_signal);

    fd = mkostemp(imagegram_hand_temporary, O_CLOEXEC);

    if (fd == -1) {
        return imagegram_hand_failed(path, "cannot be written");
    }

    mask = umask(0);
    (void) umask(mask);
    (void) fchmod(fd, 0666 & ~mask);

    return fd;
}


static void
imagegram_hand_signal(int signo)
{
    (void) unlink(imagegram_hand_temporary);
    _exit(128 + signo);
}


static imagegram_reason_e
imagegram_hand_run(imagegram_server_t *server, const imagegram_job_t *job,
    int in, int out)
{
    int                 results[2];
    int                 fds[IMAGEGRAM_FD_MAX];
    ssize_t             n;
    imagegram_result_t  result;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, results) == -1) {
        return IMAGEGRAM_INTERNAL;
    }

    fds[IMAGEGRAM_FD_BODY] = in;
    fds[IMAGEGRAM_FD_JPEG] = out;
    fds[IMAGEGRAM_FD_RESULT] = results[1];

    imagegram_server_start(server, job, fds);

    while (server->n) {

        if (imagegram_server_turn(server, -1) == -1) {
            return IMAGEGRAM_INTERNAL;
        }
    }

    n = recv(results[0], &result, sizeof(result), MSG_DONTWAIT);

    if (n != sizeof(result)) {
        return IMAGEGRAM_LOST;
    }

    return (result.reason < IMAGEGRAM_REASON_MAX) ? result.reason
                                                  : IMAGEGRAM_INTERNAL;
}


static int
imagegram_hand_failed(const char *path, const char *what)
{
    fprintf(stderr, "imagegram-convert: %s: %s: %s\n", path, what,
            strerror(errno));
    return -1;
}
