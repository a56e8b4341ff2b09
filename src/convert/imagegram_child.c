
/*
 * The converter child: sandbox, body, image, disk, answer, end.
 *
 * It owns copies of the job's fds and nothing else, and frees nothing: it ends
 * with its job.  What it answers is in imagegram_child_result, so that an
 * answer needs no memory when there is none left.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "imagegram_child.h"
#include "imagegram_form.h"
#include "imagegram_image.h"
#include "imagegram_sandbox.h"


/* fds as the sandbox numbers them */
#define imagegram_child_fd(which)  (IMAGEGRAM_SANDBOX_FD + (which))

/* beyond what the file of an image may need, a JPEG's headers */
#define IMAGEGRAM_CHILD_FILE_MIN   1048576

/* bytes on their way to the disk at a time */
#define IMAGEGRAM_CHILD_SYNC_STEP  262144

/* and this part of the job's time may go into waiting for each of them */
#define IMAGEGRAM_CHILD_SYNC_SHARE 4


static void imagegram_child_follow(pid_t parent);
static int imagegram_child_confine(const imagegram_job_t *job);
static void imagegram_child_exited(void);
static imagegram_reason_e imagegram_child_job(const imagegram_job_t *job);
static imagegram_reason_e imagegram_child_form(const imagegram_job_t *job);
static imagegram_reason_e imagegram_child_original(
    const imagegram_job_t *job, int fd);
static imagegram_reason_e imagegram_child_sync(const imagegram_job_t *job,
    int fd, uint64_t *size);
static int imagegram_child_write_out(const imagegram_job_t *job, int fd,
    off_t size);
static uint64_t imagegram_child_now(void);
static int imagegram_child_blames_image(imagegram_reason_e reason);
static void imagegram_child_end(imagegram_reason_e reason)
    __attribute__((noreturn));
static int imagegram_child_send(int fd, struct iovec *iov, size_t n);


static imagegram_result_t  imagegram_child_result;
static imagegram_form_t   *imagegram_child_texts;   /* NULL: none */


void
imagegram_child_run(const imagegram_job_t *job, const int *fds, pid_t parent)
{
    imagegram_reason_e  rc;

    imagegram_child_follow(parent);

    if (imagegram_sandbox_fds(fds, imagegram_job_fds(job)) == -1) {
        _exit(IMAGEGRAM_CHILD_FAILED);
    }

    /* files that a child before this one left unfinished start anew */

    rc = IMAGEGRAM_OK;

    if (lseek(imagegram_child_fd(IMAGEGRAM_FD_BODY), 0, SEEK_SET) == -1
        || ftruncate(imagegram_child_fd(IMAGEGRAM_FD_JPEG), 0) == -1
        || lseek(imagegram_child_fd(IMAGEGRAM_FD_JPEG), 0, SEEK_SET) == -1)
    {
        rc = IMAGEGRAM_INTERNAL;
    }

    if (job->kind != IMAGEGRAM_BODY_IMAGE
        && (ftruncate(imagegram_child_fd(IMAGEGRAM_FD_ORIGINAL), 0) == -1
            || lseek(imagegram_child_fd(IMAGEGRAM_FD_ORIGINAL), 0, SEEK_SET)
               == -1))
    {
        rc = IMAGEGRAM_INTERNAL;
    }

    if (imagegram_child_confine(job) == -1) {
        (void) imagegram_child_answer(imagegram_child_fd(IMAGEGRAM_FD_RESULT),
                                      IMAGEGRAM_INTERNAL);
        _exit(IMAGEGRAM_CHILD_NO_SANDBOX);
    }

    if (rc == IMAGEGRAM_OK) {
        rc = imagegram_child_job(job);
    }

    imagegram_child_end(rc);
}


/* Dies with the parent, also if that died before the kernel was told. */

static void
imagegram_child_follow(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1
        || getppid() != parent)
    {
        _exit(IMAGEGRAM_CHILD_FAILED);
    }

    (void) prctl(PR_SET_NAME, "imagegram-child", 0, 0, 0);
}


static int
imagegram_child_confine(const imagegram_job_t *job)
{
    uint64_t             jpeg;
    imagegram_sandbox_t  limits;

    /* three bytes a pixel are more than any quality needs */

    jpeg = (uint64_t) job->width * job->height * 3 + IMAGEGRAM_CHILD_FILE_MIN;

    limits.memory = job->memory;
    limits.file_size = (job->max_image_size > jpeg) ? job->max_image_size
                                                    : jpeg;

    /* one thread: the deadline comes first, but from another process */

    limits.cpu = (uint64_t) job->timeout / 1000 + 2;

    if (atexit(imagegram_child_exited) != 0) {
        return -1;
    }

    return imagegram_sandbox_enter(&limits);
}


/*
 * The child ends by _exit() only.  Whoever calls exit() is a library that gave
 * up, most likely for want of memory.
 */

static void
imagegram_child_exited(void)
{
    imagegram_child_end(IMAGEGRAM_MEMORY);
}


static imagegram_reason_e
imagegram_child_job(const imagegram_job_t *job)
{
    int                  source;
    imagegram_format_e   format;
    imagegram_reason_e   rc;
    imagegram_result_t  *result;

    result = &imagegram_child_result;

    source = imagegram_child_fd(IMAGEGRAM_FD_BODY);

    if (job->kind != IMAGEGRAM_BODY_IMAGE) {
        source = imagegram_child_fd(IMAGEGRAM_FD_ORIGINAL);
        rc = imagegram_child_form(job);

        if (rc != IMAGEGRAM_OK) {
            return rc;
        }
    }

    rc = imagegram_child_original(job, source);

    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    format = IMAGEGRAM_FORMAT_NONE;

    rc = imagegram_image_convert(source,
                                 imagegram_child_fd(IMAGEGRAM_FD_JPEG), job,
                                 &format);
    result->format = format;

    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    rc = imagegram_child_sync(job, imagegram_child_fd(IMAGEGRAM_FD_JPEG),
                              &result->jpeg_size);

    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    return imagegram_child_sync(job, source, &result->original_size);
}


static imagegram_reason_e
imagegram_child_form(const imagegram_job_t *job)
{
    size_t              i;
    imagegram_form_t   *form;
    imagegram_reason_e  rc;

    form = malloc(sizeof(imagegram_form_t));

    if (form == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    rc = imagegram_form_read(form, job,
                             imagegram_child_fd(IMAGEGRAM_FD_BODY),
                             imagegram_child_fd(IMAGEGRAM_FD_ORIGINAL));

    for (i = 0; i < IMAGEGRAM_FIELD_MAX; i++) {
        imagegram_child_result.fields[i] = form->fields[i];
    }

    imagegram_child_texts = form;

    return rc;
}


/* Starts at the image's first byte; its size is that of a file here. */

static imagegram_reason_e
imagegram_child_original(const imagegram_job_t *job, int fd)
{
    off_t  size;

    size = lseek(fd, 0, SEEK_END);

    if (size == -1 || lseek(fd, 0, SEEK_SET) == -1) {
        return IMAGEGRAM_INTERNAL;
    }

    return ((uint64_t) size > job->max_image_size) ? IMAGEGRAM_IMAGE_SIZE
                                                   : IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_child_sync(const imagegram_job_t *job, int fd, uint64_t *size)
{
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        return IMAGEGRAM_INTERNAL;
    }

    *size = st.st_size;

    /* a file that is on no disk, or on a read-only one, has nothing to sync */

    if ((imagegram_child_write_out(job, fd, st.st_size) == -1
         || fsync(fd) == -1)
        && errno != EINVAL && errno != EROFS)
    {
        return imagegram_original_disk_reason(errno);
    }

    return IMAGEGRAM_OK;
}


/*
 * Step by step, each waited for.  fsync() would hand the disk all of a large
 * file at once, and the next small sync of anybody else, like Redis's for a
 * comment, would wait behind that.
 *
 * What cannot be done this way, or would take too long because each step
 * waits, is left to fsync().  An error is not: fsync() would not tell it again.
 */

static int
imagegram_child_write_out(const imagegram_job_t *job, int fd, off_t size)
{
    off_t     at;
    uint64_t  end;

    end = imagegram_child_now() + job->timeout / IMAGEGRAM_CHILD_SYNC_SHARE;

    for (at = 0; at < size; at += IMAGEGRAM_CHILD_SYNC_STEP) {

        if (imagegram_child_now() > end) {
            break;
        }

        if (sync_file_range(fd, at, IMAGEGRAM_CHILD_SYNC_STEP,
                            SYNC_FILE_RANGE_WAIT_BEFORE
                            |SYNC_FILE_RANGE_WRITE
                            |SYNC_FILE_RANGE_WAIT_AFTER)
            == -1)
        {
            return (errno == ENOSYS || errno == ESPIPE || errno == EINVAL)
                   ? 0 : -1;
        }
    }

    return 0;
}


/* ms */

static uint64_t
imagegram_child_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static int
imagegram_child_blames_image(imagegram_reason_e reason)
{
    switch (reason) {

    case IMAGEGRAM_FORMAT:
    case IMAGEGRAM_DIMENSIONS:
    case IMAGEGRAM_COMPLEXITY:
    case IMAGEGRAM_DECODE:
    case IMAGEGRAM_TIME:
    case IMAGEGRAM_MEMORY:
        return 1;

    default:
        return 0;
    }
}


static void
imagegram_child_end(imagegram_reason_e reason)
{
    size_t                  n;
    struct iovec            iov[3];
    imagegram_result_t     *result;
    imagegram_form_text_t  *texts;

    result = &imagegram_child_result;

    result->version = IMAGEGRAM_PROTOCOL;
    result->reason = reason;

    if (imagegram_child_blames_image(reason)) {
        result->fields[IMAGEGRAM_FIELD_IMAGE] = reason;
    }

    n = 0;
    iov[n].iov_base = result;
    iov[n++].iov_len = sizeof(imagegram_result_t);

    if (reason == IMAGEGRAM_OK && imagegram_child_texts) {
        texts = imagegram_child_texts->texts;

        result->author_len = texts[IMAGEGRAM_FIELD_AUTHOR].len;
        iov[n].iov_base = texts[IMAGEGRAM_FIELD_AUTHOR].data;
        iov[n++].iov_len = result->author_len;

        result->body_len = texts[IMAGEGRAM_FIELD_BODY].len;
        iov[n].iov_base = texts[IMAGEGRAM_FIELD_BODY].data;
        iov[n++].iov_len = result->body_len;
    }

    if (imagegram_child_send(imagegram_child_fd(IMAGEGRAM_FD_RESULT), iov, n)
        == -1)
    {
        _exit(IMAGEGRAM_CHILD_FAILED);
    }

    _exit(IMAGEGRAM_CHILD_ANSWERED);
}


int
imagegram_child_answer(int fd, imagegram_reason_e reason)
{
    struct iovec        iov;
    imagegram_result_t  result;

    memset(&result, 0, sizeof(imagegram_result_t));

    result.version = IMAGEGRAM_PROTOCOL;
    result.reason = reason;

    if (imagegram_child_blames_image(reason)) {
        result.fields[IMAGEGRAM_FIELD_IMAGE] = reason;
    }

    iov.iov_base = &result;
    iov.iov_len = sizeof(imagegram_result_t);

    return imagegram_child_send(fd, &iov, 1);
}


/* The socket's buffer is empty and larger than a result: no need to wait. */

static int
imagegram_child_send(int fd, struct iovec *iov, size_t n)
{
    ssize_t        rc;
    struct msghdr  msg;

    memset(&msg, 0, sizeof(struct msghdr));

    msg.msg_iov = iov;
    msg.msg_iovlen = n;

    do {
        rc = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (rc == -1 && errno == EINTR);

    return (rc == -1) ? -1 : 0;
}
