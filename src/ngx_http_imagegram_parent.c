
/*
 * The imagegram-convert process, see the header.  Its death is told by the end
 * of its control socket: the process itself is reaped by the worker's SIGCHLD
 * handler, so nothing here waits for it.
 */


#include "ngx_http_imagegram_parent.h"

#include <spawn.h>


#define NGX_HTTP_IMAGEGRAM_RESTART_FIRST  100
#define NGX_HTTP_IMAGEGRAM_RESTART_MAX    5000

/* who lived that long did not die of how it was started */
#define NGX_HTTP_IMAGEGRAM_LIFE           10000


static ngx_int_t ngx_http_imagegram_parent_run(
    ngx_http_imagegram_converters_t *converters);
static ngx_int_t ngx_http_imagegram_parent_spawn(
    ngx_http_imagegram_converters_t *converters, ngx_socket_t control);
static int ngx_http_imagegram_parent_spawn_setup(
    posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr,
    ngx_socket_t control);
static void ngx_http_imagegram_parent_died(
    ngx_http_imagegram_converters_t *converters);
static void ngx_http_imagegram_parent_restart(ngx_event_t *ev);
static void ngx_http_imagegram_parent_read(ngx_event_t *rev);
static void ngx_http_imagegram_parent_write(ngx_event_t *wev);
static ngx_fd_t ngx_http_imagegram_parent_read_only(ngx_fd_t fd);
static ngx_int_t ngx_http_imagegram_parent_send_job(
    ngx_http_imagegram_converters_t *converters, imagegram_job_t *job,
    ngx_fd_t *fds, ngx_uint_t nfds);


extern char  **environ;


void
ngx_http_imagegram_parent_start(ngx_http_imagegram_converters_t *converters)
{
    ngx_event_t  *ev;

    ev = &converters->restart;

    ev->handler = ngx_http_imagegram_parent_restart;
    ev->data = converters;
    ev->log = converters->dispatch.log;

    ngx_http_imagegram_parent_restart(ev);
}


void
ngx_http_imagegram_parent_stop(ngx_http_imagegram_converters_t *converters)
{
    if (converters->restart.timer_set) {
        ngx_del_timer(&converters->restart);
    }

    if (converters->control) {
        ngx_close_connection(converters->control);
        converters->control = NULL;
    }
}


void
ngx_http_imagegram_parent_kill(ngx_http_imagegram_converters_t *converters)
{
    if (converters->pid == NGX_INVALID_PID) {
        return;
    }

    if (kill(converters->pid, SIGKILL) == -1) {
        ngx_log_error(NGX_LOG_ALERT, converters->dispatch.log, ngx_errno,
                      "kill(%P) failed", converters->pid);
    }

    converters->pid = NGX_INVALID_PID;
}


ngx_int_t
ngx_http_imagegram_parent_send(ngx_http_imagegram_converters_t *converters,
    ngx_http_imagegram_conversion_t *conversion, ngx_socket_t result)
{
    ngx_fd_t    fds[IMAGEGRAM_FD_MAX];
    ngx_int_t   rc;
    ngx_uint_t  n;

    if (converters->pid == NGX_INVALID_PID) {
        /* killed, its end has not been read yet */
        return NGX_AGAIN;
    }

    ngx_memcpy(fds, conversion->fds, sizeof(fds));

    fds[IMAGEGRAM_FD_RESULT] = result;

    n = imagegram_job_fds(&conversion->job);

    /* what is the caller's own may be open for writing, too */

    fds[IMAGEGRAM_FD_BODY] = ngx_http_imagegram_parent_read_only(
                                           conversion->fds[IMAGEGRAM_FD_BODY]);

    if (fds[IMAGEGRAM_FD_BODY] == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_ALERT, conversion->log, ngx_errno,
                      "a body cannot be opened again through /proc/self/fd");
        return NGX_ERROR;
    }

    rc = ngx_http_imagegram_parent_send_job(converters, &conversion->job, fds,
                                            n);

    (void) ngx_close_file(fds[IMAGEGRAM_FD_BODY]);

    return rc;
}


static ngx_int_t
ngx_http_imagegram_parent_run(ngx_http_imagegram_converters_t *converters)
{
    int                s[2];
    ngx_int_t          rc;
    ngx_log_t         *log;
    ngx_connection_t  *c;

    log = converters->dispatch.log;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0, s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno, "socketpair() failed");
        return NGX_ERROR;
    }

    rc = ngx_http_imagegram_parent_spawn(converters, s[1]);

    (void) close(s[1]);

    if (rc != NGX_OK) {
        (void) close(s[0]);
        return NGX_ERROR;
    }

    /* from here on, closing s[0] ends the process */

    c = ngx_get_connection(s[0], log);
    if (c == NULL) {
        (void) close(s[0]);
        return NGX_ERROR;
    }

    c->data = converters;
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->read->handler = ngx_http_imagegram_parent_read;
    c->write->handler = ngx_http_imagegram_parent_write;

    if (ngx_nonblocking(s[0]) == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_nonblocking_n " failed");
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    converters->control = c;

    return NGX_OK;
}


static ngx_int_t
ngx_http_imagegram_parent_spawn(ngx_http_imagegram_converters_t *converters,
    ngx_socket_t control)
{
    int                         err;
    char                       *argv[3];
    posix_spawnattr_t           attr;
    posix_spawn_file_actions_t  actions;

    argv[0] = "imagegram-convert";
    argv[1] = "-w";
    argv[2] = NULL;

    (void) posix_spawn_file_actions_init(&actions);
    (void) posix_spawnattr_init(&attr);

    err = ngx_http_imagegram_parent_spawn_setup(&actions, &attr, control);

    if (err == 0) {
        err = posix_spawn(&converters->pid, (char *) converters->path.data,
                          &actions, &attr, argv, environ);
    }

    (void) posix_spawnattr_destroy(&attr);
    (void) posix_spawn_file_actions_destroy(&actions);

    if (err) {
        converters->pid = NGX_INVALID_PID;

        ngx_log_error(NGX_LOG_ALERT, converters->dispatch.log, err,
                      "imagegram_converters: \"%V\" cannot be run",
                      &converters->path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Sockets and files of the worker are mostly not close-on-exec; signals that
 * nginx ignores would remain ignored; and a Ctrl-C on nginx is not for the
 * converter, which ends after its worker.
 */

static int
ngx_http_imagegram_parent_spawn_setup(posix_spawn_file_actions_t *actions,
    posix_spawnattr_t *attr, ngx_socket_t control)
{
    int       err;
    sigset_t  all, none;

    sigfillset(&all);
    sigemptyset(&none);

    err = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY,
                                           0);
    if (err == 0) {
        err = posix_spawn_file_actions_adddup2(actions, control,
                                               IMAGEGRAM_CONTROL_FD);
    }

    if (err == 0) {
        err = posix_spawn_file_actions_addclosefrom_np(actions,
                                                     IMAGEGRAM_CONTROL_FD + 1);
    }

    if (err == 0) {
        err = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF
                                             |POSIX_SPAWN_SETSIGMASK
                                             |POSIX_SPAWN_SETPGROUP);
    }

    if (err == 0) {
        err = posix_spawnattr_setsigdefault(attr, &all);
    }

    if (err == 0) {
        err = posix_spawnattr_setsigmask(attr, &none);
    }

    return err ? err : posix_spawnattr_setpgroup(attr, 0);
}


/* The first time it is started again at once, then with growing delays. */

static void
ngx_http_imagegram_parent_died(ngx_http_imagegram_converters_t *converters)
{
    ngx_msec_t  delay;

    if (ngx_current_msec - converters->started > NGX_HTTP_IMAGEGRAM_LIFE) {
        converters->deaths = 0;
    }

    delay = 0;

    if (converters->deaths) {
        delay = NGX_HTTP_IMAGEGRAM_RESTART_FIRST
                << ngx_min(converters->deaths - 1, 10);

        delay = ngx_min(delay, NGX_HTTP_IMAGEGRAM_RESTART_MAX);
    }

    converters->deaths++;
    converters->pid = NGX_INVALID_PID;

    ngx_log_error(NGX_LOG_ERR, converters->dispatch.log, 0,
                  "imagegram-convert died, it is started again in %M ms",
                  delay);

    converters->restart.cancelable = converters->nwaiting == 0
                                     && converters->nactive == 0;

    ngx_add_timer(&converters->restart, delay);

    ngx_http_imagegram_converters_died(converters);
}


static void
ngx_http_imagegram_parent_restart(ngx_event_t *ev)
{
    ngx_http_imagegram_converters_t *converters = ev->data;

    converters->started = ngx_current_msec;

    if (ngx_http_imagegram_parent_run(converters) != NGX_OK) {
        ngx_http_imagegram_parent_died(converters);
        return;
    }

    ngx_http_imagegram_converters_started(converters);
}


/*
 * A parent never says anything: what can be read is its end, a reset if it
 * left jobs unread.  Then it may be reaped, and its number another process's.
 */

static void
ngx_http_imagegram_parent_read(ngx_event_t *rev)
{
    u_char                            buf[1];
    ssize_t                           n;
    ngx_err_t                         err;
    ngx_connection_t                 *c;
    ngx_http_imagegram_converters_t  *converters;

    c = rev->data;
    converters = c->data;

    if (c->close) {

        /* worker_shutdown_timeout */

        ngx_http_imagegram_parent_stop(converters);
        converters->deaths = NGX_MAX_UINT32_VALUE;
        ngx_http_imagegram_converters_died(converters);
        return;
    }

    n = recv(c->fd, buf, 1, 0);
    err = ngx_errno;

    if (n == -1 && (err == NGX_EAGAIN || err == NGX_EINTR)) {
        rev->ready = 0;

        if (ngx_handle_read_event(rev, 0) == NGX_OK) {
            return;
        }
    }

    if (n == 1 || (n == -1 && err != NGX_ECONNRESET)) {
        ngx_http_imagegram_parent_kill(converters);
    }

    ngx_close_connection(c);
    converters->control = NULL;

    ngx_http_imagegram_parent_died(converters);
}


static void
ngx_http_imagegram_parent_write(ngx_event_t *wev)
{
    ngx_connection_t  *c;

    c = wev->data;

    ngx_http_imagegram_converters_started(c->data);
}


static ngx_fd_t
ngx_http_imagegram_parent_read_only(ngx_fd_t fd)
{
    u_char  path[sizeof("/proc/self/fd/") + NGX_INT_T_LEN];

    (void) ngx_sprintf(path, "/proc/self/fd/%d%Z", fd);

    return open((char *) path, O_RDONLY|O_CLOEXEC);
}


static ngx_int_t
ngx_http_imagegram_parent_send_job(ngx_http_imagegram_converters_t *converters,
    imagegram_job_t *job, ngx_fd_t *fds, ngx_uint_t nfds)
{
    ngx_err_t         err;
    struct iovec      iov;
    struct msghdr     msg;
    struct cmsghdr   *cmsg;
    ngx_connection_t  *c;

    union {
        struct cmsghdr  align;
        u_char          buf[CMSG_SPACE(IMAGEGRAM_FD_MAX * sizeof(int))];
    } control;

    iov.iov_base = job;
    iov.iov_len = sizeof(imagegram_job_t);

    ngx_memzero(&control, sizeof(control));
    ngx_memzero(&msg, sizeof(struct msghdr));

    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control.buf;
    msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));

    cmsg = &control.align;
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));

    ngx_memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));

    c = converters->control;

    if (sendmsg(c->fd, &msg, MSG_NOSIGNAL) != -1) {
        return NGX_OK;
    }

    err = ngx_errno;

    if (err == NGX_EAGAIN) {
        c->write->ready = 0;

        if (ngx_handle_write_event(c->write, 0) == NGX_OK) {
            return NGX_AGAIN;
        }

    } else if (err == NGX_EPIPE || err == NGX_ECONNRESET) {
        return NGX_AGAIN;
    }

    ngx_log_error(NGX_LOG_ALERT, converters->dispatch.log, err,
                  "sendmsg() to imagegram-convert failed");

    return NGX_ERROR;
}
