
/*
 * What the user that the workers run as may do.  A check as root says little:
 * root may search and write everything.  A child that becomes the user, as a
 * worker will, sees what the worker will see, parent folders, supplementary
 * groups and read-only mounts included.
 *
 * Owns the child and its pipe; both are gone when the check returns.
 */


#include "ngx_http_imagegram_user.h"

#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>


typedef struct {
    int        rc;
    ngx_err_t  err;
} ngx_http_imagegram_user_answer_t;


static ngx_int_t ngx_http_imagegram_user_fork(ngx_conf_t *cf,
    ngx_http_imagegram_user_t *user, ngx_http_imagegram_user_check_pt check,
    void *data, ngx_http_imagegram_user_answer_t *answer);
static void ngx_http_imagegram_user_child(ngx_fd_t fd,
    ngx_http_imagegram_user_t *user, ngx_http_imagegram_user_check_pt check,
    void *data);


/* what a child says that could not become the user */
#define NGX_HTTP_IMAGEGRAM_USER_FAILED  (-1)


ngx_int_t
ngx_http_imagegram_user(ngx_conf_t *cf, ngx_http_imagegram_user_t *user)
{
    struct group     *grp;
    struct passwd    *pwd;
    ngx_core_conf_t  *ccf;

    if (geteuid() != 0) {
        pwd = getpwuid(geteuid());

        user->uid = geteuid();
        user->gid = getegid();
        user->name = pwd ? pwd->pw_name : "";

        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    if (ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT) {
        user->uid = ccf->user;
        user->gid = ccf->group;
        user->name = ccf->username;

        return NGX_OK;
    }

    /* no "user" so far: what nginx falls back to */

    pwd = getpwnam(NGX_USER);
    grp = getgrnam(NGX_GROUP);

    if (pwd == NULL || grp == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "user \"" NGX_USER "\" or group \"" NGX_GROUP
                           "\" not found, set \"user\"");
        return NGX_ERROR;
    }

    user->uid = pwd->pw_uid;
    user->gid = grp->gr_gid;
    user->name = NGX_USER;

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_user_check_order(ngx_cycle_t *cycle,
    ngx_http_imagegram_user_t *user)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (geteuid() != 0 || ccf->user == user->uid) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                  "imagegram was set up for user \"%s\", but workers run as "
                  "\"%s\": \"user\" must stand in front of \"http\"",
                  user->name, ccf->username);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_imagegram_user_check(ngx_conf_t *cf, ngx_http_imagegram_user_t *user,
    ngx_http_imagegram_user_check_pt check, void *data, ngx_err_t *err)
{
    ngx_int_t                         rc;
    ngx_http_imagegram_user_answer_t  answer;

    if (geteuid() != 0 || user->uid == 0) {
        ngx_set_errno(0);

        rc = check(data);
        *err = ngx_errno;

        return rc;
    }

    if (ngx_http_imagegram_user_fork(cf, user, check, data, &answer)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (answer.rc == NGX_HTTP_IMAGEGRAM_USER_FAILED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, answer.err,
                           "cannot become user \"%s\" for a check",
                           user->name);
        return NGX_ERROR;
    }

    *err = answer.err;

    return answer.rc;
}


static ngx_int_t
ngx_http_imagegram_user_fork(ngx_conf_t *cf, ngx_http_imagegram_user_t *user,
    ngx_http_imagegram_user_check_pt check, void *data,
    ngx_http_imagegram_user_answer_t *answer)
{
    int        fds[2];
    pid_t      pid;
    ssize_t    n;
    sigset_t   set, old;
    ngx_err_t  err;

    if (pipe(fds) == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "pipe() failed");
        return NGX_ERROR;
    }

    /* a master's own handler must not reap this child, and log that */

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &old);

    pid = fork();
    err = ngx_errno;

    if (pid == 0) {
        (void) close(fds[0]);
        ngx_http_imagegram_user_child(fds[1], user, check, data);
    }

    (void) close(fds[1]);

    n = -1;

    if (pid != -1) {

        do {
            n = read(fds[0], answer, sizeof(ngx_http_imagegram_user_answer_t));
        } while (n == -1 && ngx_errno == NGX_EINTR);

        while (waitpid(pid, NULL, 0) == -1 && ngx_errno == NGX_EINTR) {
            /* void */
        }
    }

    (void) close(fds[0]);

    sigprocmask(SIG_SETMASK, &old, NULL);

    if (n != sizeof(ngx_http_imagegram_user_answer_t)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, pid == -1 ? err : 0,
                           "cannot check what user \"%s\" may do",
                           user->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_imagegram_user_child(ngx_fd_t fd, ngx_http_imagegram_user_t *user,
    ngx_http_imagegram_user_check_pt check, void *data)
{
    ngx_http_imagegram_user_answer_t  answer;

    ngx_memzero(&answer, sizeof(ngx_http_imagegram_user_answer_t));

    ngx_set_errno(0);

    if (setgid(user->gid) == -1
        || initgroups(user->name, user->gid) == -1
        || setuid(user->uid) == -1)
    {
        answer.rc = NGX_HTTP_IMAGEGRAM_USER_FAILED;

    } else {
        answer.rc = check(data);
    }

    answer.err = ngx_errno;

    if (write(fd, &answer, sizeof(ngx_http_imagegram_user_answer_t)) == -1) {
        _exit(1);
    }

    _exit(0);
}
