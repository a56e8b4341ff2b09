
/*
 * probe port rate connections name=file ...
 *
 * Sends the requests in the files, round robin, at a steady rate over a fixed
 * number of keep-alive connections to 127.0.0.1, until SIGTERM.  What is to be
 * sent more often than others has more files.  "__counter___" in one becomes a
 * number of twelve digits, another one each time, from 0.  Then it prints a
 * line for each request:
 *
 *   name  due  late  latency  status  worker
 *
 * in microseconds: when the request was due, counted from the start; how late
 * the probe itself was to send it; and the time from when it was due to its
 * answer's last byte.  A request that found all connections busy waits for
 * one, which counts as latency, not as the probe's, so that a server that
 * stalls is not spared the requests it would have had to answer meanwhile.
 *
 * The probe stands for clients on other machines.  Where it may, it runs ahead
 * of everything on this one (SCHED_FIFO), so that what it sees is not its own
 * wait for a processor; how far that worked is what "late" tells.
 *
 * Everything lives as long as the process.
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define PROBE_CONNECTIONS_MAX  64
#define PROBE_REQUESTS_MAX     1024
#define PROBE_SAMPLES_MAX      1000000
#define PROBE_BUFFER           262144
#define PROBE_PATIENCE         30000000000     /* ns for the last answers */
#define PROBE_COUNTER          "__counter___"


typedef struct {
    const char  *name;
    char        *data;
    size_t       len;
    char        *counter;      /* in the data, or NULL */
    long         sent;
} probe_request_t;


typedef struct {
    int          request;
    int          status;
    int          worker;       /* as X-Worker tells, or 0 */
    int64_t      due;          /* ns */
    int64_t      late;
    int64_t      latency;
} probe_sample_t;


typedef struct {
    probe_sample_t  *sample;   /* waits for its answer here; NULL: free */
    size_t           len;      /* of what has come of it */
    char             buffer[PROBE_BUFFER];
} probe_connection_t;


static void probe_load(probe_request_t *request, char *argument);
static int probe_connect(int port);
static void probe_schedule(void);
static void probe_send(int fd, probe_connection_t *c, probe_request_t *r);
static void probe_receive(int fd, probe_connection_t *c);
static size_t probe_answer(probe_connection_t *c);
static long probe_header(const char *head, const char *name);
static int64_t probe_now(void);
static void probe_stop(int signo);
static void probe_fail(const char *what);


static probe_request_t        probe_requests[PROBE_REQUESTS_MAX];
static probe_connection_t     probe_connections[PROBE_CONNECTIONS_MAX];
static struct pollfd          probe_fds[PROBE_CONNECTIONS_MAX];
static probe_sample_t        *probe_samples;

static volatile sig_atomic_t  probe_stopped;


int
main(int argc, char **argv)
{
    int                 i, n, nrequests, busy, crowded;
    int64_t             start, now, due, period, wait, end, ready;
    struct timespec     ts;
    size_t              nsamples;
    probe_sample_t     *sample;

    if (argc < 5) {
        fprintf(stderr, "usage: probe port rate connections name=file ...\n");
        return 1;
    }

    period = 1000000000 / atoi(argv[2]);
    n = atoi(argv[3]);
    nrequests = argc - 4;

    if (n < 1 || n > PROBE_CONNECTIONS_MAX || nrequests > PROBE_REQUESTS_MAX) {
        probe_fail("too many connections or requests");
    }

    probe_samples = calloc(PROBE_SAMPLES_MAX, sizeof(probe_sample_t));
    if (probe_samples == NULL) {
        probe_fail("no memory");
    }

    for (i = 0; i < nrequests; i++) {
        probe_load(&probe_requests[i], argv[4 + i]);
    }

    for (i = 0; i < n; i++) {
        probe_fds[i].fd = probe_connect(atoi(argv[1]));
        probe_fds[i].events = POLLIN;
    }

    signal(SIGTERM, probe_stop);
    signal(SIGPIPE, SIG_IGN);
    probe_schedule();

    nsamples = 0;
    end = 0;
    crowded = 0;
    ready = 0;
    start = probe_now();

    for ( ;; ) {
        now = probe_now();
        due = start + (int64_t) nsamples * period;
        busy = 0;

        for (i = 0; i < n; i++) {
            busy += probe_connections[i].sample != NULL;
        }

        if (busy == n) {
            crowded = 1;

        } else if (crowded) {
            crowded = 0;
            ready = now;
        }

        if (probe_stopped || nsamples == PROBE_SAMPLES_MAX) {
            end = end ? end : now + PROBE_PATIENCE;

            if (busy == 0) {
                break;
            }

            if (now > end) {
                probe_fail("answers are missing");
            }

        } else if (now >= due && busy < n) {
            sample = &probe_samples[nsamples];
            sample->request = nsamples % nrequests;
            sample->due = due;
            sample->late = now - (due > ready ? due : ready);

            for (i = nsamples % n; probe_connections[i].sample; /* void */) {
                i = (i + 1) % n;
            }

            probe_connections[i].sample = sample;
            probe_send(probe_fds[i].fd, &probe_connections[i],
                       &probe_requests[sample->request]);
            nsamples++;
            continue;
        }

        wait = (probe_stopped || busy == n) ? 100000000 : due - now;
        ts.tv_sec = wait / 1000000000;
        ts.tv_nsec = wait % 1000000000;

        if (ppoll(probe_fds, n, &ts, NULL) == -1 && errno != EINTR) {
            probe_fail("ppoll() failed");
        }

        for (i = 0; i < n; i++) {
            if (probe_fds[i].revents) {
                probe_receive(probe_fds[i].fd, &probe_connections[i]);
                probe_fds[i].revents = 0;
            }
        }
    }

    for (sample = probe_samples; sample < probe_samples + nsamples; sample++) {
        printf("%s\t%.0f\t%.0f\t%.0f\t%d\t%d\n",
               probe_requests[sample->request].name,
               (sample->due - start) / 1e3, sample->late / 1e3,
               sample->latency / 1e3, sample->status, sample->worker);
    }

    return 0;
}


static void
probe_load(probe_request_t *request, char *argument)
{
    char        *p;
    FILE        *file;
    static char  buffer[PROBE_BUFFER];

    p = strchr(argument, '=');
    file = p ? fopen(p + 1, "rb") : NULL;

    if (file == NULL) {
        probe_fail(argument);
    }

    *p = '\0';

    request->name = argument;
    request->len = fread(buffer, 1, PROBE_BUFFER - 1, file);
    request->data = strndup(buffer, request->len);

    fclose(file);

    if (request->data == NULL) {
        probe_fail("no memory");
    }

    request->counter = strstr(request->data, PROBE_COUNTER);
}


static int
probe_connect(int port)
{
    int                 fd, on;
    struct sockaddr_in  addr;

    memset(&addr, 0, sizeof(struct sockaddr_in));

    addr.sin_family = AF_INET;
    addr.sin_port = htons(port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    on = 1;
    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1
        || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int)) == -1
        || connect(fd, (struct sockaddr *) &addr, sizeof(addr)) == -1
        || fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
    {
        probe_fail("cannot connect");
    }

    return fd;
}


static void
probe_schedule(void)
{
    struct sched_param  param;

    memset(&param, 0, sizeof(struct sched_param));
    param.sched_priority = 1;

    if (sched_setscheduler(0, SCHED_FIFO, &param) == -1) {
        (void) nice(-20);
    }

    (void) prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}


/* A request is much smaller than a socket's buffer, which is empty. */

static void
probe_send(int fd, probe_connection_t *c, probe_request_t *r)
{
    char  digits[sizeof(PROBE_COUNTER)];

    c->len = 0;

    if (r->counter) {
        snprintf(digits, sizeof(digits), "%012ld", r->sent++);
        memcpy(r->counter, digits, sizeof(digits) - 1);
    }

    if (write(fd, r->data, r->len) != (ssize_t) r->len) {
        probe_fail("cannot send");
    }
}


static void
probe_receive(int fd, probe_connection_t *c)
{
    size_t   size;
    ssize_t  n;

    n = read(fd, c->buffer + c->len, PROBE_BUFFER - 1 - c->len);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0 || c->sample == NULL) {
        probe_fail("the server closed a connection");
    }

    c->len += n;
    size = probe_answer(c);

    if (size && c->len >= size) {
        c->sample->latency = probe_now() - c->sample->due;
        c->sample = NULL;
    }
}


/* The size of the answer; 0 as long as it cannot be told. */

static size_t
probe_answer(probe_connection_t *c)
{
    char  *end;
    long   length;

    c->buffer[c->len] = '\0';

    end = strstr(c->buffer, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }

    length = probe_header(c->buffer, "\r\nContent-Length: ");

    if (length == -1 || length > PROBE_BUFFER - 4096) {
        probe_fail("an answer without length, or too long");
    }

    c->sample->status = atoi(c->buffer + sizeof("HTTP/1.1 ") - 1);
    c->sample->worker = probe_header(c->buffer, "\r\nX-Worker: ");

    return end + 4 - c->buffer + length;
}


static long
probe_header(const char *head, const char *name)
{
    const char  *p;

    p = strcasestr(head, name);

    return p ? atol(p + strlen(name)) : -1;
}


static int64_t
probe_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


static void
probe_stop(int signo)
{
    (void) signo;
    probe_stopped = 1;
}


static void
probe_fail(const char *what)
{
    fprintf(stderr, "probe: %s%s%s\n", what, errno ? ": " : "",
            errno ? strerror(errno) : "");
    exit(1);
}
