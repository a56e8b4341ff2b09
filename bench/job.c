
/*
 * job converter out
 *
 * Plays an nginx worker: starts the converter as one does, and has it convert
 * the photo whose path it reads from stdin, line by line, to out.  Says for
 * each how many milliseconds there were between the job and its result, or "-"
 * where it was refused.
 *
 * What is measured is what a photo takes in the server: the fork, the sandbox,
 * the conversion, and that both files are safe on the disk.
 */

#define _GNU_SOURCE

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../src/convert/imagegram_protocol.h"


static int job_start(const char *converter);
static long long job_run(int control, const char *in, const char *out);
static int job_send(int control, const int *fds);
static long long job_us(void);


int
main(int argc, char **argv)
{
    int        control;
    char       path[4096];
    long long  us;

    if (argc != 3) {
        fprintf(stderr, "usage: job converter out\n");
        return 1;
    }

    control = job_start(argv[1]);

    while (control != -1 && fgets(path, sizeof(path), stdin) != NULL) {
        path[strcspn(path, "\n")] = '\0';

        us = job_run(control, path, argv[2]);

        if (us == -1) {
            puts("-");

        } else {
            printf("%.3f\n", (double) us / 1000);
        }

        fflush(stdout);
    }

    return control == -1;
}


/* Gives the socket over which jobs go; the converter ends when it is closed. */

static int
job_start(const char *converter)
{
    int    control[2];
    pid_t  pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0, control) == -1) {
        return -1;
    }

    pid = fork();

    if (pid == 0) {

        /* dup2() to itself would leave it to be closed */

        if (control[1] == IMAGEGRAM_CONTROL_FD) {
            (void) fcntl(control[1], F_SETFD, 0);

        } else {
            (void) dup2(control[1], IMAGEGRAM_CONTROL_FD);
        }

        execl(converter, converter, "-w", (char *) NULL);
        _exit(127);
    }

    (void) close(control[1]);

    return (pid == -1) ? -1 : control[0];
}


static long long
job_run(int control, const char *in, const char *out)
{
    int        fds[IMAGEGRAM_FD_ORIGINAL], results[2];
    long long  begin, us;
    ssize_t    n;

    static unsigned char  answer[IMAGEGRAM_RESULT_SIZE_MAX];

    const imagegram_result_t  *result = (const void *) answer;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0, results) == -1) {
        return -1;
    }

    fds[IMAGEGRAM_FD_BODY] = open(in, O_RDONLY|O_CLOEXEC);
    fds[IMAGEGRAM_FD_JPEG] = open(out, O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC,
                                  0644);
    fds[IMAGEGRAM_FD_RESULT] = results[1];

    begin = job_us();
    n = job_send(control, fds);

    (void) close(results[1]);

    if (n != -1) {
        n = recv(results[0], answer, sizeof(answer), 0);
    }

    us = job_us() - begin;

    (void) close(fds[IMAGEGRAM_FD_BODY]);
    (void) close(fds[IMAGEGRAM_FD_JPEG]);
    (void) close(results[0]);

    return (n >= (ssize_t) sizeof(*result) && result->reason == IMAGEGRAM_OK)
           ? us : -1;
}


static int
job_send(int control, const int *fds)
{
    struct iovec     iov;
    struct msghdr    msg;
    struct cmsghdr  *cmsg;
    imagegram_job_t  job;

    const size_t  size = sizeof(int) * IMAGEGRAM_FD_ORIGINAL;

    union {
        struct cmsghdr  align;
        char            space[CMSG_SPACE(sizeof(int) * IMAGEGRAM_FD_MAX)];
    } fd;

    memset(&job, 0, sizeof(job));
    job.version = IMAGEGRAM_PROTOCOL;
    job.kind = IMAGEGRAM_BODY_IMAGE;
    job.memory = 1ULL << 30;
    job.max_image_size = 100ULL << 20;
    job.max_image_pixels = 400ULL << 20;
    job.timeout = 300000;
    job.width = 600;
    job.height = 600;
    job.fit = IMAGEGRAM_FIT_COVER;
    job.quality = 82;

    memset(&msg, 0, sizeof(msg));
    memset(&fd, 0, sizeof(fd));
    iov.iov_base = &job;
    iov.iov_len = sizeof(job);
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = &fd;
    msg.msg_controllen = CMSG_SPACE(size);

    cmsg = CMSG_FIRSTHDR(&msg);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(cmsg), fds, size);

    return (sendmsg(control, &msg, MSG_NOSIGNAL) == -1) ? -1 : 0;
}


static long long
job_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}
