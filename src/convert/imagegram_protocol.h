
/*
 * What a worker and its imagegram-convert say to each other.
 *
 * The worker starts the program with one end of a SOCK_SEQPACKET socketpair
 * as fd IMAGEGRAM_CONTROL_FD.  A job is one message on it: an imagegram_job_t,
 * with the fds listed below attached (SCM_RIGHTS).  For each the parent forks
 * one child.  The answer is one message on the job's own result socket, also
 * SOCK_SEQPACKET: an imagegram_result_t, then author and body.  It comes from
 * the child, or from the parent for one that could not give any: TIME, it had
 * to be killed; CRASH, its image took it down; LOST, there was none, or it fell
 * to something else.  The end of file without an answer means that the parent
 * died.  The parent exits when the control socket is closed; its children die
 * with it.
 *
 * Both ends are built from the same tree and run on the same machine: structs
 * go over the wire as they are.  The worker trusts nothing of a result.
 */

#ifndef _IMAGEGRAM_PROTOCOL_H_INCLUDED_
#define _IMAGEGRAM_PROTOCOL_H_INCLUDED_


#include <stdint.h>

#include "../parse/imagegram_reason.h"


#define IMAGEGRAM_PROTOCOL      2

#define IMAGEGRAM_CONTROL_FD    3

#define IMAGEGRAM_BOUNDARY_MAX  200     /* RFC 2046 allows 70 */

/* upper bounds of imagegram_max_author and imagegram_max_body, characters */
#define IMAGEGRAM_AUTHOR_MAX    256
#define IMAGEGRAM_BODY_MAX      16384


/*
 * The fds of a job, in this order.  The body is open for reading only, at any
 * offset; files to be written are empty, or hold what a child wrote that
 * crashed: a child truncates them first.
 */
typedef enum {
    IMAGEGRAM_FD_BODY = 0,
    IMAGEGRAM_FD_JPEG,
    IMAGEGRAM_FD_RESULT,
    IMAGEGRAM_FD_ORIGINAL,      /* not for IMAGEGRAM_BODY_IMAGE */
    IMAGEGRAM_FD_MAX
} imagegram_fd_e;


typedef enum {
    IMAGEGRAM_BODY_MULTIPART = 0,
    IMAGEGRAM_BODY_JSON,
    IMAGEGRAM_BODY_IMAGE        /* the image alone: author and body are known
                                 * already, the body's file is the original */
} imagegram_body_e;


typedef enum {
    IMAGEGRAM_FORMAT_NONE = 0,
    IMAGEGRAM_FORMAT_PNG,
    IMAGEGRAM_FORMAT_JPEG,
    IMAGEGRAM_FORMAT_BMP,
    IMAGEGRAM_FORMAT_MAX
} imagegram_format_e;


typedef enum {
    IMAGEGRAM_FIT_COVER = 0,
    IMAGEGRAM_FIT_CONTAIN,
    IMAGEGRAM_FIT_STRETCH
} imagegram_fit_e;


typedef struct {
    uint32_t  version;          /* IMAGEGRAM_PROTOCOL */
    uint32_t  kind;             /* imagegram_body_e */
    uint64_t  memory;           /* bytes a child may map beyond what it
                                 * inherits */
    uint64_t  max_image_size;   /* bytes */
    uint64_t  max_image_pixels;
    uint32_t  timeout;          /* ms from fork to kill */
    uint32_t  width;            /* of the JPEG, pixels */
    uint32_t  height;
    uint32_t  fit;              /* imagegram_fit_e */
    uint32_t  quality;          /* 1 to 100 */
    uint32_t  max_author;       /* characters */
    uint32_t  max_body;
    uint32_t  author_optional;  /* the identity is the author */
    uint32_t  boundary_len;
    char      boundary[IMAGEGRAM_BOUNDARY_MAX];
} imagegram_job_t;


/* How many of the fds a job brings, for its kind of body. */

#define imagegram_job_fds(job)                                                \
    ((size_t) ((job)->kind == IMAGEGRAM_BODY_IMAGE ? IMAGEGRAM_FD_ORIGINAL    \
                                                   : IMAGEGRAM_FD_MAX))


typedef struct {
    uint32_t  version;                      /* IMAGEGRAM_PROTOCOL */
    uint32_t  reason;                       /* imagegram_reason_e */
    uint32_t  fields[IMAGEGRAM_FIELD_MAX];  /* likewise; not OK: at fault */
    uint32_t  format;                       /* imagegram_format_e */
    uint64_t  original_size;                /* bytes */
    uint64_t  jpeg_size;
    uint32_t  author_len;                   /* bytes; 0 where not given */
    uint32_t  body_len;
    /* author_len bytes of author, body_len bytes of body: normalized text */
} imagegram_result_t;


#define IMAGEGRAM_RESULT_SIZE_MAX  (sizeof(imagegram_result_t)                \
                                    + 4 * IMAGEGRAM_AUTHOR_MAX                \
                                    + 4 * IMAGEGRAM_BODY_MAX)


#endif /* _IMAGEGRAM_PROTOCOL_H_INCLUDED_ */
