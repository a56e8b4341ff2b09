
/*
 * The identity of a storage, see the header.
 *
 * An id appears whole or not at all: it is written and synced under another
 * name and then linked.  "id" is a link to "new", so that of several processes
 * that set up a storage at the same time all end up with one id, and one that
 * is killed on the way is carried on from where it was.
 */


#include "ngx_http_imagegram_storage_id.h"
#include "ngx_http_imagegram_id.h"
#include "parse/imagegram_route.h"


/* an id or a time, a line feed; and more, to tell what is neither */
#define NGX_HTTP_IMAGEGRAM_STORAGE_LINE  64


typedef char  ngx_http_imagegram_id_path_t[NGX_MAX_PATH];


static ngx_int_t ngx_http_imagegram_storage_id_make(
    ngx_http_imagegram_storage_t *storage, ngx_http_imagegram_user_t *user);
static ngx_int_t ngx_http_imagegram_storage_id_link(
    ngx_http_imagegram_storage_t *storage, const char *temp);
static ngx_int_t ngx_http_imagegram_storage_id_write(const char *path,
    u_char *id, ngx_http_imagegram_user_t *user);
static ngx_int_t ngx_http_imagegram_storage_empty(
    ngx_http_imagegram_storage_t *storage, const char *folder);
static ngx_int_t ngx_http_imagegram_storage_id_file(
    ngx_http_imagegram_storage_t *storage, const char *name, u_char *id);
static void ngx_http_imagegram_storage_id_path(
    ngx_http_imagegram_id_path_t path, ngx_http_imagegram_storage_t *storage,
    const char *name);


ngx_int_t
ngx_http_imagegram_storage_id_init(ngx_conf_t *cf,
    ngx_http_imagegram_storage_t *storage, ngx_http_imagegram_user_t *user)
{
    u_char  id[NGX_HTTP_IMAGEGRAM_ID_LEN];

    if (ngx_http_imagegram_storage_id_read(storage, id) == NGX_OK) {
        return NGX_OK;
    }

    if (ngx_errno == NGX_ENOENT
        && ngx_http_imagegram_storage_id_make(storage, user) == NGX_OK
        && ngx_http_imagegram_storage_id_read(storage, id) == NGX_OK)
    {
        return NGX_OK;
    }

    if (ngx_errno == EINVAL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "imagegram_storage \"%V/id\" holds no UUID",
                           &storage->path);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "imagegram_storage \"%V/id\" cannot be read or made",
                           &storage->path);
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_http_imagegram_storage_id_read(ngx_http_imagegram_storage_t *storage,
    u_char *id)
{
    return ngx_http_imagegram_storage_id_file(storage, "id", id);
}


ngx_uint_t
ngx_http_imagegram_storage_id_new(ngx_http_imagegram_storage_t *storage,
    u_char *id)
{
    u_char  told[NGX_HTTP_IMAGEGRAM_ID_LEN];

    return ngx_http_imagegram_storage_id_file(storage, "new", told) == NGX_OK
           && ngx_memcmp(id, told, NGX_HTTP_IMAGEGRAM_ID_LEN) == 0;
}


ngx_int_t
ngx_http_imagegram_storage_unused(ngx_http_imagegram_storage_t *storage)
{
    ngx_int_t  rc;

    rc = ngx_http_imagegram_storage_empty(storage, "images");

    return rc == NGX_OK ? ngx_http_imagegram_storage_empty(storage,
                                                           "originals")
                        : rc;
}


ngx_int_t
ngx_http_imagegram_storage_id_told(ngx_http_imagegram_storage_t *storage)
{
    ngx_http_imagegram_id_path_t  path;

    ngx_http_imagegram_storage_id_path(path, storage, "new");

    if (ngx_delete_file(path) == NGX_FILE_ERROR && ngx_errno != NGX_ENOENT) {
        return NGX_ERROR;
    }

    return ngx_http_imagegram_storage_sync(storage, "");
}


ngx_fd_t
ngx_http_imagegram_storage_lock(ngx_http_imagegram_storage_t *storage,
    time_t *last)
{
    u_char                       *p, line[NGX_HTTP_IMAGEGRAM_STORAGE_LINE];
    ssize_t                       n;
    ngx_fd_t                      fd;
    ngx_err_t                     err;
    struct flock                  lock;
    ngx_http_imagegram_id_path_t  path;

    ngx_http_imagegram_storage_id_path(path, storage, "sweep.lock");

    fd = open(path, O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0640);

    if (fd != NGX_INVALID_FILE) {

        /* whatever the umask is; it is ours */

        (void) fchmod(fd, 0640);

    } else if (ngx_errno == NGX_EEXIST) {
        fd = open(path, O_RDWR|O_CLOEXEC);
    }

    if (fd == NGX_INVALID_FILE) {
        return NGX_INVALID_FILE;
    }

    /* of the open file, not of the process: threads share processes */

    ngx_memzero(&lock, sizeof(struct flock));

    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;

    n = -1;

    if (fcntl(fd, F_OFD_SETLK, &lock) != -1) {
        n = pread(fd, line, sizeof(line), 0);
    }

    if (n == -1) {
        err = ngx_errno;

        (void) ngx_close_file(fd);

        ngx_set_errno(err);
        return NGX_INVALID_FILE;
    }

    p = ngx_strlchr(line, line + n, '\n');

    *last = p ? ngx_atotm(line, p - line) : 0;

    if (*last == (time_t) NGX_ERROR) {
        *last = 0;
    }

    return fd;
}


ngx_int_t
ngx_http_imagegram_storage_swept(ngx_fd_t fd, time_t now)
{
    u_char  *p, line[NGX_TIME_T_LEN + 1];

    p = ngx_sprintf(line, "%T\n", now);

    if (pwrite(fd, line, p - line, 0) != p - line || fdatasync(fd) == -1) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_imagegram_storage_id_make(ngx_http_imagegram_storage_t *storage,
    ngx_http_imagegram_user_t *user)
{
    u_char                        id[NGX_HTTP_IMAGEGRAM_ID_LEN];
    u_char                        name[sizeof("tmp/.id")
                                       + NGX_HTTP_IMAGEGRAM_ID_LEN];
    ngx_int_t                     rc;
    ngx_err_t                     err;
    ngx_http_imagegram_id_path_t  temp;

    ngx_http_imagegram_id_create(id);

    (void) ngx_sprintf(name, "tmp/%*s.id%Z",
                       (size_t) NGX_HTTP_IMAGEGRAM_ID_LEN, id);

    ngx_http_imagegram_storage_id_path(temp, storage, (char *) name);

    rc = ngx_http_imagegram_storage_id_write(temp, id, user);

    if (rc == NGX_OK) {
        rc = ngx_http_imagegram_storage_id_link(storage, temp);
    }

    err = ngx_errno;

    (void) ngx_delete_file(temp);

    ngx_set_errno(err);

    return rc;
}


static ngx_int_t
ngx_http_imagegram_storage_id_link(ngx_http_imagegram_storage_t *storage,
    const char *temp)
{
    ngx_int_t                      rc;
    ngx_http_imagegram_id_path_t   id, new;

    ngx_http_imagegram_storage_id_path(id, storage, "id");
    ngx_http_imagegram_storage_id_path(new, storage, "new");

    rc = ngx_http_imagegram_storage_unused(storage);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {

        if (ngx_delete_file(new) == NGX_FILE_ERROR && ngx_errno != NGX_ENOENT) {
            return NGX_ERROR;
        }

    } else {

        if (link(temp, new) == -1 && ngx_errno != NGX_EEXIST) {
            return NGX_ERROR;
        }

        temp = new;
    }

    if (link(temp, id) == -1 && ngx_errno != NGX_EEXIST) {
        return NGX_ERROR;
    }

    return ngx_http_imagegram_storage_sync(storage, "");
}


static ngx_int_t
ngx_http_imagegram_storage_id_write(const char *path, u_char *id,
    ngx_http_imagegram_user_t *user)
{
    u_char     line[NGX_HTTP_IMAGEGRAM_ID_LEN + 1];
    ngx_fd_t   fd;
    ngx_int_t  rc;
    ngx_err_t  err;

    fd = open(path, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0640);

    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    ngx_memcpy(line, id, NGX_HTTP_IMAGEGRAM_ID_LEN);
    line[NGX_HTTP_IMAGEGRAM_ID_LEN] = '\n';

    rc = NGX_OK;

    if (fchmod(fd, 0640) == -1
        || (geteuid() == 0 && fchown(fd, user->uid, user->gid) == -1)
        || write(fd, line, sizeof(line)) != sizeof(line)
        || fsync(fd) == -1)
    {
        rc = NGX_ERROR;
    }

    err = ngx_errno;

    (void) ngx_close_file(fd);

    ngx_set_errno(err);

    return rc;
}


/* NGX_DECLINED: it is not.  What begins with a dot is no post's. */

static ngx_int_t
ngx_http_imagegram_storage_empty(ngx_http_imagegram_storage_t *storage,
    const char *folder)
{
    DIR                           *dir;
    ngx_err_t                      err;
    struct dirent                 *entry;
    ngx_http_imagegram_id_path_t   path;

    ngx_http_imagegram_storage_id_path(path, storage, folder);

    dir = opendir(path);

    if (dir == NULL) {
        return NGX_ERROR;
    }

    do {
        ngx_set_errno(0);
        entry = readdir(dir);
        err = ngx_errno;
    } while (entry && entry->d_name[0] == '.');

    (void) closedir(dir);

    if (entry) {
        return NGX_DECLINED;
    }

    ngx_set_errno(err);

    return err ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_imagegram_storage_id_file(ngx_http_imagegram_storage_t *storage,
    const char *name, u_char *id)
{
    u_char                        line[NGX_HTTP_IMAGEGRAM_STORAGE_LINE];
    ssize_t                       n;
    ngx_fd_t                      fd;
    ngx_err_t                     err;
    ngx_http_imagegram_id_path_t  path;

    ngx_http_imagegram_storage_id_path(path, storage, name);

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    n = read(fd, line, sizeof(line));
    err = ngx_errno;

    (void) ngx_close_file(fd);

    if (n == -1) {
        ngx_set_errno(err);
        return NGX_ERROR;
    }

    if (n != NGX_HTTP_IMAGEGRAM_ID_LEN + 1
        || line[NGX_HTTP_IMAGEGRAM_ID_LEN] != '\n'
        || !imagegram_route_is_id(line))
    {
        ngx_set_errno(EINVAL);
        return NGX_ERROR;
    }

    ngx_memcpy(id, line, NGX_HTTP_IMAGEGRAM_ID_LEN);

    return NGX_OK;
}


static void
ngx_http_imagegram_storage_id_path(ngx_http_imagegram_id_path_t path,
    ngx_http_imagegram_storage_t *storage, const char *name)
{
    (void) ngx_snprintf((u_char *) path, NGX_MAX_PATH, "%V/%s%Z",
                        &storage->path, name);
}
