
/*
 * Stands in for imagegram-convert in a test: takes jobs, converts nothing, and
 * answers them as a file beside it says, whose name is its own and ".says".
 * "right" is an answer that is fine; others differ from it in one point.
 *
 * Where it is to be silent a job's files stay open, as if a child had them.
 */

#define _GNU_SOURCE

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/convert/imagegram_protocol.h"


#define WRONG_JPEG_SIZE      100
#define WRONG_ORIGINAL_SIZE  8


/* an answer on its way; the texts follow the result at once */

typedef struct {
    imagegram_result_t  result;
    char                texts[IMAGEGRAM_RESULT_SIZE_MAX];
    size_t              size;       /* of all of it */
} wrong_answer_t;


static ssize_t wrong_take(imagegram_job_t *job, int *fds);
static void wrong_read(char *says, size_t size);
static void wrong_prepare(wrong_answer_t *a, imagegram_job_t *job, int *fds);
static void wrong_spoil(wrong_answer_t *a, const char *says,
    imagegram_job_t *job, int *fds);
static void wrong_set_texts(wrong_answer_t *a, const char *author,
    const char *body);
static void wrong_set_size(int fd, uint64_t *size, uint64_t n);
static void wrong_write(int fd, const char *bytes, size_t n);
static void wrong_write_at(int fd, off_t offset, const char *text);


int
main(void)
{
    int              fds[IMAGEGRAM_FD_MAX];
    char             says[64];
    size_t           i;
    wrong_answer_t   a;
    imagegram_job_t  job;

    while (wrong_take(&job, fds) > 0) {

        wrong_read(says, sizeof(says));

        if (strcmp(says, "silent") == 0) {
            continue;
        }

        if (strcmp(says, "speaks") == 0) {
            wrong_write(IMAGEGRAM_CONTROL_FD, "x", 1);
            continue;
        }

        wrong_prepare(&a, &job, fds);
        wrong_spoil(&a, says, &job, fds);
        wrong_write(fds[IMAGEGRAM_FD_RESULT], (char *) &a.result, a.size);

        for (i = 0; i < imagegram_job_fds(&job); i++) {
            close(fds[i]);
        }
    }

    return 0;
}


static ssize_t
wrong_take(imagegram_job_t *job, int *fds)
{
    ssize_t          n;
    struct iovec     iov;
    struct msghdr    msg;
    struct cmsghdr  *cmsg;

    union {
        struct cmsghdr  align;
        char            buf[CMSG_SPACE(IMAGEGRAM_FD_MAX * sizeof(int))];
    } control;

    iov.iov_base = job;
    iov.iov_len = sizeof(imagegram_job_t);

    memset(&msg, 0, sizeof(struct msghdr));

    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control.buf;
    msg.msg_controllen = sizeof(control.buf);

    n = recvmsg(IMAGEGRAM_CONTROL_FD, &msg, MSG_CMSG_CLOEXEC);

    if (n > 0) {
        cmsg = CMSG_FIRSTHDR(&msg);
        memcpy(fds, CMSG_DATA(cmsg), cmsg->cmsg_len - CMSG_LEN(0));
    }

    return n;
}


static void
wrong_read(char *says, size_t size)
{
    char     path[4096];
    FILE    *file;
    ssize_t  n;

    n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(".says"));

    if (n > 0) {
        strcpy(path + n, ".says");
    }

    file = n > 0 ? fopen(path, "r") : NULL;

    if (file == NULL || fgets(says, size, file) == NULL) {
        perror("what to say is not said");
        exit(1);
    }

    fclose(file);
}


static void
wrong_prepare(wrong_answer_t *a, imagegram_job_t *job, int *fds)
{
    imagegram_result_t  *r;

    memset(a, 0, sizeof(wrong_answer_t));

    r = &a->result;
    r->version = IMAGEGRAM_PROTOCOL;
    r->reason = IMAGEGRAM_OK;
    r->format = IMAGEGRAM_FORMAT_PNG;

    wrong_set_size(fds[IMAGEGRAM_FD_JPEG], &r->jpeg_size, WRONG_JPEG_SIZE);

    wrong_write_at(fds[IMAGEGRAM_FD_JPEG], 0, "\xff\xd8\xff");

    if (job->kind == IMAGEGRAM_BODY_IMAGE) {
        r->original_size = lseek(fds[IMAGEGRAM_FD_BODY], 0, SEEK_END);
        wrong_set_texts(a, "", "");

    } else {
        wrong_set_size(fds[IMAGEGRAM_FD_ORIGINAL], &r->original_size,
                       WRONG_ORIGINAL_SIZE);
        wrong_set_texts(a, "ann", "x");
    }
}


static void
wrong_spoil(wrong_answer_t *a, const char *says, imagegram_job_t *job,
    int *fds)
{
    size_t               i;
    uint64_t             size;
    imagegram_result_t  *r;

    static const struct {
        const char  *name;
        const char  *author;
        const char  *body;
    } texts[] = {
        { "no_author", "", "x" },
        { "author_control", "a\001", "x" },
        { "author_crlf", "a\r\nb", "x" },
        { "author_long", "abcdefghijk", "x" },
        { "no_body", "ann", "" },
        { "body_utf8", "ann", "\xff" },
        { "body_crlf", "ann", "a\r\nb" }
    };

    r = &a->result;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(says, texts[i].name) == 0) {
            wrong_set_texts(a, texts[i].author, texts[i].body);
            return;
        }
    }

#define wrong_is(name)  (strcmp(says, name) == 0)

    if (wrong_is("short")) {
        a->size = sizeof(imagegram_result_t) - 1;

    } else if (wrong_is("cut")) {
        a->size--;

    } else if (wrong_is("longer")) {
        a->size++;

    } else if (wrong_is("author_len")) {
        r->author_len = UINT32_MAX;

    } else if (wrong_is("lens")) {
        r->author_len = UINT32_MAX;
        r->body_len += 4;

    } else if (wrong_is("too_long")) {
        r->body_len = sizeof(a->texts) - r->author_len;
        a->size = offsetof(wrong_answer_t, texts) + sizeof(a->texts);

    } else if (wrong_is("version")) {
        r->version++;

    } else if (wrong_is("reason")) {
        r->reason = IMAGEGRAM_REASON_MAX;

    } else if (wrong_is("format")) {
        r->format = IMAGEGRAM_FORMAT_MAX;

    } else if (wrong_is("no_format")) {
        r->format = IMAGEGRAM_FORMAT_NONE;

    } else if (wrong_is("field")) {
        r->reason = IMAGEGRAM_DECODE;
        r->fields[IMAGEGRAM_FIELD_MAX - 1] = IMAGEGRAM_REASON_MAX;

    } else if (wrong_is("field_at_fault")) {
        r->fields[0] = IMAGEGRAM_LONG;

    } else if (wrong_is("jpeg_size")) {
        r->jpeg_size++;

    } else if (wrong_is("no_jpeg")) {
        wrong_set_size(fds[IMAGEGRAM_FD_JPEG], &r->jpeg_size, 0);

    } else if (wrong_is("short_jpeg")) {
        wrong_set_size(fds[IMAGEGRAM_FD_JPEG], &r->jpeg_size, 2);

    } else if (wrong_is("magic_0")) {
        wrong_write_at(fds[IMAGEGRAM_FD_JPEG], 0, "\xfe");

    } else if (wrong_is("magic_1")) {
        wrong_write_at(fds[IMAGEGRAM_FD_JPEG], 1, "\xd9");

    } else if (wrong_is("magic_2")) {
        wrong_write_at(fds[IMAGEGRAM_FD_JPEG], 2, "\xfe");

    } else if (wrong_is("original_size")) {
        r->original_size--;

    } else if (wrong_is("original_large")) {
        size = job->max_image_size + 1;
        wrong_set_size(fds[IMAGEGRAM_FD_ORIGINAL], &r->original_size, size);

    } else if (!wrong_is("right")) {
        fprintf(stderr, "nobody knows \"%s\"\n", says);
        exit(1);
    }

#undef wrong_is
}


static void
wrong_set_texts(wrong_answer_t *a, const char *author, const char *body)
{
    char  *p;

    a->result.author_len = strlen(author);
    a->result.body_len = strlen(body);

    p = stpcpy(a->texts, author);
    p = stpcpy(p, body);

    a->size = p - (char *) &a->result;
}


static void
wrong_set_size(int fd, uint64_t *size, uint64_t n)
{
    if (ftruncate(fd, n) == -1) {
        exit(1);
    }

    *size = n;
}


static void
wrong_write(int fd, const char *bytes, size_t n)
{
    if (write(fd, bytes, n) != (ssize_t) n) {
        exit(1);
    }
}


static void
wrong_write_at(int fd, off_t offset, const char *text)
{
    ssize_t  n = strlen(text);

    if (pwrite(fd, text, n, offset) != n) {
        exit(1);
    }
}
