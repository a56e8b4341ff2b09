
/*
 * imagegram-convert: its command line.  With -w it serves the nginx worker at
 * the other end of fd IMAGEGRAM_CONTROL_FD until that closes; otherwise it
 * converts one file.
 */

#define _GNU_SOURCE

#include <fcntl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "imagegram_hand.h"
#include "imagegram_sandbox.h"
#include "imagegram_server.h"


/* longest side of the JPEG to make */
#define IMAGEGRAM_MAIN_SIDE     16384

/* longest time to make it, ms */
#define IMAGEGRAM_MAIN_TIMEOUT  86400000


static int imagegram_main_worker(imagegram_server_t *server);
static int imagegram_main_standard_fds(void);
static int imagegram_main_options(int argc, char **argv,
    imagegram_job_t *job);
static int imagegram_main_option(int option, const char *value,
    imagegram_job_t *job);
static int imagegram_main_size(const char *value, uint32_t *width,
    uint32_t *height);
static int imagegram_main_fit(const char *value, uint32_t *fit);
static int imagegram_main_bytes(const char *value, uint64_t *bytes);
static int imagegram_main_time(const char *value, uint32_t *ms);
static int imagegram_main_number(const char *value, uint64_t *number,
    const char **end);


enum {
    IMAGEGRAM_MAIN_SIZE = 256,
    IMAGEGRAM_MAIN_FIT,
    IMAGEGRAM_MAIN_QUALITY,
    IMAGEGRAM_MAIN_MAX_SIZE,
    IMAGEGRAM_MAIN_MAX_PIXELS,
    IMAGEGRAM_MAIN_MEMORY,
    IMAGEGRAM_MAIN_TIME
};


static const struct option  imagegram_main_long_options[] = {
    { "size",        required_argument, NULL, IMAGEGRAM_MAIN_SIZE },
    { "fit",         required_argument, NULL, IMAGEGRAM_MAIN_FIT },
    { "quality",     required_argument, NULL, IMAGEGRAM_MAIN_QUALITY },
    { "max-size",    required_argument, NULL, IMAGEGRAM_MAIN_MAX_SIZE },
    { "max-pixels",  required_argument, NULL, IMAGEGRAM_MAIN_MAX_PIXELS },
    { "memory",      required_argument, NULL, IMAGEGRAM_MAIN_MEMORY },
    { "timeout",     required_argument, NULL, IMAGEGRAM_MAIN_TIME },
    { "help",        no_argument,       NULL, 'h' },
    { NULL, 0, NULL, 0 }
};


static const char  imagegram_main_usage[] =
    "usage: imagegram-convert [option ...] photo out.jpg\n"
    "       imagegram-convert -w\n"
    "\n"
    "Converts a PNG, JPEG or BMP image to a JPEG as nginx's imagegram module\n"
    "does.  Exit status: 0 done, 2 the image is refused, 1 anything else.\n"
    "\n"
    "  --size WxH       of the JPEG (600x600)\n"
    "  --fit F          cover, contain or stretch (cover)\n"
    "  --quality N      1 to 100 (82)\n"
    "  --max-size N     bytes of the image (100m)\n"
    "  --max-pixels N   of the image (250m)\n"
    "  --memory N       bytes to work in (1g)\n"
    "  --timeout T      seconds, or as in 500ms (20s)\n"
    "  -w               started by an nginx worker: jobs come over fd 3\n"
    "  -h, --help\n"
    "\n"
    "N may end in k, m or g.\n";


int
main(int argc, char **argv)
{
    int                        mode;
    imagegram_job_t            job;
    static imagegram_server_t  server;

    mode = imagegram_main_options(argc, argv, &job);

    switch (mode) {

    case 'h':
        fputs(imagegram_main_usage, stdout);
        return IMAGEGRAM_HAND_OK;

    case 'w':
        return imagegram_main_worker(&server);

    case '?':
        fputs(imagegram_main_usage, stderr);
        return IMAGEGRAM_HAND_FAILED;

    default:
        break;
    }

    if (imagegram_main_standard_fds() == -1
        || imagegram_server_init(&server) == -1)
    {
        return IMAGEGRAM_HAND_FAILED;
    }

    return imagegram_hand_convert(&server, argv[optind], argv[optind + 1],
                                  &job);
}


static int
imagegram_main_worker(imagegram_server_t *server)
{
    int        type;
    socklen_t  len;

    len = sizeof(int);

    if (getsockopt(IMAGEGRAM_CONTROL_FD, SOL_SOCKET, SO_TYPE, &type, &len)
        == -1
        || type != SOCK_SEQPACKET)
    {
        fprintf(stderr, "imagegram-convert: -w is for nginx: fd %d is not a "
                "control socket\n", IMAGEGRAM_CONTROL_FD);
        return IMAGEGRAM_HAND_FAILED;
    }

    /* listening sockets and connections of the worker come along */

    imagegram_sandbox_close_from(IMAGEGRAM_CONTROL_FD + 1);

    (void) prctl(PR_SET_NAME, "imagegram-conv", 0, 0, 0);

    if (imagegram_main_standard_fds() == -1
        || imagegram_server_init(server) == -1)
    {
        return IMAGEGRAM_HAND_FAILED;
    }

    while (imagegram_server_turn(server, IMAGEGRAM_CONTROL_FD) == 0) {
        /* the next job, end or deadline */
    }

    /* what still runs dies with this process */

    return IMAGEGRAM_HAND_OK;
}


/* So that no file of a job ever gets the number of stdout or stderr. */

static int
imagegram_main_standard_fds(void)
{
    int  fd;

    do {
        fd = open("/dev/null", O_RDWR);

        if (fd == -1) {
            fprintf(stderr, "imagegram-convert: cannot open /dev/null\n");
            return -1;
        }

    } while (fd <= STDERR_FILENO);

    close(fd);

    return 0;
}


/* Gives 'w', 'h', '?' for an error, or 0: convert argv[optind]. */

static int
imagegram_main_options(int argc, char **argv, imagegram_job_t *job)
{
    int  c, mode;

    memset(job, 0, sizeof(imagegram_job_t));

    job->version = IMAGEGRAM_PROTOCOL;
    job->kind = IMAGEGRAM_BODY_IMAGE;
    job->memory = 1ULL << 30;
    job->max_image_size = 100ULL << 20;
    job->max_image_pixels = 250ULL << 20;
    job->timeout = 20000;
    job->width = 600;
    job->height = 600;
    job->fit = IMAGEGRAM_FIT_COVER;
    job->quality = 82;

    mode = 0;

    for ( ;; ) {
        c = getopt_long(argc, argv, "wh", imagegram_main_long_options, NULL);

        if (c == -1) {
            break;
        }

        if (c == 'w' || c == 'h') {
            mode = c;
            continue;
        }

        if (c == '?') {
            return '?';
        }

        if (imagegram_main_option(c, optarg, job) == -1) {
            fprintf(stderr, "imagegram-convert: invalid value \"%s\"\n",
                    optarg);
            return '?';
        }
    }

    return (mode || argc - optind == 2) ? mode : '?';
}


static int
imagegram_main_option(int option, const char *value, imagegram_job_t *job)
{
    uint64_t     n;
    const char  *end;

    switch (option) {

    case IMAGEGRAM_MAIN_SIZE:
        return imagegram_main_size(value, &job->width, &job->height);

    case IMAGEGRAM_MAIN_FIT:
        return imagegram_main_fit(value, &job->fit);

    case IMAGEGRAM_MAIN_QUALITY:
        if (imagegram_main_number(value, &n, &end) == -1 || *end != '\0'
            || n < 1 || n > 100)
        {
            return -1;
        }

        job->quality = n;
        return 0;

    case IMAGEGRAM_MAIN_MAX_SIZE:
        return imagegram_main_bytes(value, &job->max_image_size);

    case IMAGEGRAM_MAIN_MAX_PIXELS:
        return imagegram_main_bytes(value, &job->max_image_pixels);

    case IMAGEGRAM_MAIN_MEMORY:
        return imagegram_main_bytes(value, &job->memory);

    default: /* IMAGEGRAM_MAIN_TIME */
        return imagegram_main_time(value, &job->timeout);
    }
}


static int
imagegram_main_size(const char *value, uint32_t *width, uint32_t *height)
{
    uint64_t     w, h;
    const char  *end;

    if (imagegram_main_number(value, &w, &end) == -1 || *end != 'x'
        || imagegram_main_number(end + 1, &h, &end) == -1 || *end != '\0'
        || w == 0 || w > IMAGEGRAM_MAIN_SIDE
        || h == 0 || h > IMAGEGRAM_MAIN_SIDE)
    {
        return -1;
    }

    *width = w;
    *height = h;

    return 0;
}


static int
imagegram_main_fit(const char *value, uint32_t *fit)
{
    if (strcmp(value, "cover") == 0) {
        *fit = IMAGEGRAM_FIT_COVER;

    } else if (strcmp(value, "contain") == 0) {
        *fit = IMAGEGRAM_FIT_CONTAIN;

    } else if (strcmp(value, "stretch") == 0) {
        *fit = IMAGEGRAM_FIT_STRETCH;

    } else {
        return -1;
    }

    return 0;
}


static int
imagegram_main_bytes(const char *value, uint64_t *bytes)
{
    unsigned     shift;
    const char  *end;

    if (imagegram_main_number(value, bytes, &end) == -1) {
        return -1;
    }

    shift = 0;

    switch (*end) {
    case 'g':
    case 'G':
        shift += 10;
        /* fall through */

    case 'm':
    case 'M':
        shift += 10;
        /* fall through */

    case 'k':
    case 'K':
        shift += 10;
        end++;
        break;

    default:
        break;
    }

    *bytes <<= shift;

    return (*end == '\0' && *bytes != 0) ? 0 : -1;
}


static int
imagegram_main_time(const char *value, uint32_t *ms)
{
    uint64_t     n;
    const char  *end;

    if (imagegram_main_number(value, &n, &end) == -1) {
        return -1;
    }

    if (*end == '\0' || strcmp(end, "s") == 0) {
        n *= 1000;

    } else if (strcmp(end, "ms") != 0) {
        return -1;
    }

    if (n == 0 || n > IMAGEGRAM_MAIN_TIMEOUT) {
        return -1;
    }

    *ms = n;

    return 0;
}


/* Nine digits at most, so that no factor makes it overflow. */

static int
imagegram_main_number(const char *value, uint64_t *number, const char **end)
{
    const char  *p;

    *number = 0;

    for (p = value; *p >= '0' && *p <= '9'; p++) {

        if (p - value == 9) {
            return -1;
        }

        *number = *number * 10 + (*p - '0');
    }

    *end = p;

    return (p > value) ? 0 : -1;
}
