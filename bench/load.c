/*
 * load CONNECTIONS SECONDS PORT FILE [MOST]: sends 127.0.0.1 the request in
 * the file over kept connections, one after the other on each, and prints a
 * line: requests, seconds, p50, p99, max (ms), answers that are no 2xx.
 *
 * "__counter___" in the request becomes a number of twelve digits, another one
 * each time, from 0; MOST ends it after so many requests.
 *
 * It reads every byte and looks at little: a client that takes as long for a
 * page as the server would be what is measured, where both share a machine.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define COUNTER  "__counter___"
#define DIGITS   (sizeof(COUNTER) - 1)
#define HEADER   4096
#define EVENTS   256


typedef struct {
    int     fd;
    double  started;
    char    header[HEADER + 1];
    size_t  len;                /* of the header so far */
    long    left;               /* bytes of the body; -1: in the header */
    int     bad;                /* no 2xx */
    int     last;               /* of this connection */
} connection_t;


static char                request[65536];
static size_t              request_len;
static char               *counter[8];
static int                 counters;
static long                sent, most, done, bad;
static double             *times;
static long                room;
static int                 epoll;
static struct sockaddr_in  address;
static char                buffer[65536];


static void
fail(const char *what)
{
    perror(what);
    exit(1);
}


static double
now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return t.tv_sec + t.tv_nsec / 1e9;
}


static void
read_request(const char *name)
{
    char  *p;
    FILE  *file;

    file = fopen(name, "r");
    if (file == NULL) {
        fail(name);
    }

    request_len = fread(request, 1, sizeof(request) - 1, file);
    fclose(file);

    for (p = request; (p = strstr(p, COUNTER)) != NULL; p += DIGITS) {

        if (counters < 8) {
            counter[counters++] = p;
        }
    }
}


static void
start(connection_t *c)
{
    int   i;
    char  digits[DIGITS + 1];

    if (sent == most) {
        return;
    }

    for (i = 0; i < counters; i++) {
        snprintf(digits, sizeof(digits), "%012ld", sent);
        memcpy(counter[i], digits, DIGITS);
    }

    sent++;

    c->len = 0;
    c->left = -1;
    c->started = now();

    if (send(c->fd, request, request_len, MSG_NOSIGNAL)
        != (ssize_t) request_len)
    {
        fail("send");
    }
}


static void
open_connection(connection_t *c)
{
    int                 on;
    struct epoll_event  event;

    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &address, sizeof(address)) == -1)
    {
        fail("connect");
    }

    on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    event.events = EPOLLIN;
    event.data.ptr = c;

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) == -1) {
        fail("epoll_ctl");
    }

    start(c);
}


/* Gives the value of a header's field, or NULL; the header ends with NUL. */

static const char *
field(const char *header, const char *name)
{
    size_t       len;
    const char  *p;

    len = strlen(name);

    for (p = strstr(header, "\r\n"); p; p = strstr(p, "\r\n")) {
        p += 2;

        if (strncasecmp(p, name, len) == 0) {
            return p + len + strspn(p + len, " ");
        }
    }

    return NULL;
}


/* Gives how many of the bytes belong to the header. */

static size_t
take_header(connection_t *c, const char *data, size_t n)
{
    char        *end;
    size_t       before;
    const char  *value;

    before = c->len;

    if (n > HEADER - before) {
        n = HEADER - before;
    }

    memcpy(c->header + before, data, n);
    c->len += n;
    c->header[c->len] = '\0';

    end = strstr(c->header, "\r\n\r\n");

    if (end == NULL) {

        if (c->len == HEADER) {
            fprintf(stderr, "the header is too long\n");
            exit(1);
        }

        return n;
    }

    end[2] = '\0';

    value = field(c->header, "Content-Length:");
    c->left = value ? atol(value) : 0;

    if (value == NULL && field(c->header, "Transfer-Encoding:")) {
        fprintf(stderr, "the length is not told\n");
        exit(1);
    }

    value = field(c->header, "Connection:");
    c->last = value && strncasecmp(value, "close", 5) == 0;
    c->bad = c->header[9] != '2';

    return end + 4 - c->header - before;
}


static void
finish(connection_t *c)
{
    if (done == room) {
        room = room ? 2 * room : 65536;
        times = realloc(times, room * sizeof(double));

        if (times == NULL) {
            fail("realloc");
        }
    }

    times[done++] = now() - c->started;
    bad += c->bad;

    if (c->last) {
        close(c->fd);
        open_connection(c);
        return;
    }

    start(c);
}


static void
receive(connection_t *c)
{
    size_t   used;
    ssize_t  n;

    n = recv(c->fd, buffer, sizeof(buffer), 0);

    if (n <= 0) {
        fail(n ? "recv" : "closed");
    }

    used = c->left == -1 ? take_header(c, buffer, n) : 0;

    if (c->left == -1) {
        return;
    }

    c->left -= n - used;

    if (c->left < 0) {
        fprintf(stderr, "more bytes than were told\n");
        exit(1);
    }

    if (c->left == 0) {
        finish(c);
    }
}


static int
compare(const void *a, const void *b)
{
    double  x = *(const double *) a, y = *(const double *) b;

    return x < y ? -1 : x > y;
}


static void
report(double seconds)
{
    if (done == 0) {
        fprintf(stderr, "nothing was answered\n");
        exit(1);
    }

    qsort(times, done, sizeof(double), compare);

    printf("%ld %.6f %.3f %.3f %.3f %ld\n", done, seconds,
           times[(long) (0.5 * (done - 1))] * 1e3,
           times[(long) (0.99 * (done - 1))] * 1e3,
           times[done - 1] * 1e3, bad);
}


int
main(int argc, char **argv)
{
    int                 i, n, connections;
    double              begin, end;
    connection_t       *c;
    struct epoll_event  events[EVENTS];

    if (argc < 5) {
        fprintf(stderr, "load CONNECTIONS SECONDS PORT FILE [MOST]\n");
        return 2;
    }

    connections = atoi(argv[1]);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(atoi(argv[3]));
    read_request(argv[4]);
    most = argc > 5 ? atol(argv[5]) : -1;

    epoll = epoll_create1(0);
    c = calloc(connections, sizeof(connection_t));

    if (epoll == -1 || c == NULL) {
        fail("start");
    }

    begin = now();
    end = begin + atof(argv[2]);

    for (i = 0; i < connections; i++) {
        open_connection(&c[i]);
    }

    while (now() < end && done != most) {
        n = epoll_wait(epoll, events, EVENTS, 1000);

        if (n == -1 && errno != EINTR) {
            fail("epoll_wait");
        }

        for (i = 0; i < n; i++) {
            receive(events[i].data.ptr);
        }
    }

    report(now() - begin);

    return 0;
}
