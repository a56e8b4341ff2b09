
/*
 * The storage at configuration time: makes its folders and its id, and tries
 * as the worker's user whatever a worker will do there.  Who is killed on the
 * way leaves nothing that the next start does not put right.
 */


#include <sys/file.h>

#include "ngx_http_imagegram_storage.h"
#include "ngx_http_imagegram_storage_id.h"
#include "ngx_http_imagegram_user.h"


/* what is appended to the storage's path is shorter */
#define NGX_HTTP_IMAGEGRAM_NAMES_MAX  100

/* of the folders below, where files come from */
#define NGX_HTTP_IMAGEGRAM_TMP  1

#define NGX_HTTP_IMAGEGRAM_FOLDERS                                            \
    (sizeof(ngx_http_imagegram_folders) / sizeof(char *))


/* how a check failed, for the folder in its lower bits */
#define NGX_HTTP_IMAGEGRAM_WRITE  0x10
#define NGX_HTTP_IMAGEGRAM_LINK   0x20


static ngx_int_t ngx_http_imagegram_storage_path(ngx_conf_t *cf,
    ngx_http_imagegram_storage_t *storage);
static ngx_int_t ngx_http_imagegram_storage_folder(ngx_conf_t *cf,
    ngx_http_imagegram_storage_t *storage, ngx_http_imagegram_user_t *user,
    const char *folder);
static ngx_int_t ngx_http_imagegram_storage_give(const char *folder,
    ngx_http_imagegram_user_t *user);
static ngx_uint_t ngx_http_imagegram_storage_is_folder(const char *path);
static int ngx_http_imagegram_storage_check(void *data);
static int ngx_http_imagegram_storage_try_all(
    ngx_http_imagegram_storage_t *storage);
static int ngx_http_imagegram_storage_try(
    ngx_http_imagegram_storage_t *storage, const char *name,
    ngx_uint_t folder);


static const char  *ngx_http_imagegram_folders[] = {
    "",
    "tmp",
    "images",
    "originals",
    "uploads",
    "trash",
    "trash/images",
    "trash/originals"
};


ngx_int_t
ngx_http_imagegram_storage_init(ngx_conf_t *cf,
    ngx_http_imagegram_storage_t *storage)
{
    ngx_int_t                  rc;
    ngx_err_t                  err;
    ngx_uint_t                 i;
    const char                *folder;
    ngx_file_info_t            fi;
    ngx_http_imagegram_user_t  user;

    if (ngx_http_imagegram_storage_path(cf, storage) != NGX_OK
        || ngx_http_imagegram_user(cf, &user) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_IMAGEGRAM_FOLDERS; i++) {
        if (ngx_http_imagegram_storage_folder(cf, storage, &user,
                                              ngx_http_imagegram_folders[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_file_info(storage->path.data, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "imagegram_storage \"%V\" cannot be examined",
                           &storage->path);
        return NGX_ERROR;
    }

    storage->device = fi.st_dev;
    storage->inode = fi.st_ino;

    rc = ngx_http_imagegram_user_check(cf, &user,
                                       ngx_http_imagegram_storage_check,
                                       storage, &err);

    if (rc == NGX_OK) {
        return ngx_http_imagegram_storage_id_init(cf, storage, &user);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    folder = ngx_http_imagegram_folders[rc & 0xf];

    if ((rc & NGX_HTTP_IMAGEGRAM_LINK) && err == NGX_EXDEV) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "imagegram_storage \"%V/%s\" is not on the file "
                           "system of \"%V/tmp\"",
                           &storage->path, folder, &storage->path);

    } else if (rc & NGX_HTTP_IMAGEGRAM_LINK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "imagegram_storage \"%V/%s\" cannot be linked to "
                           "by user \"%s\"",
                           &storage->path, folder, user.name);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "imagegram_storage \"%V/%s\" is not writable by "
                           "user \"%s\"",
                           &storage->path, folder, user.name);
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_imagegram_storage_path(ngx_conf_t *cf,
    ngx_http_imagegram_storage_t *storage)
{
    ngx_str_t  *path;

    path = &storage->path;

    if (path->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "imagegram_storage is empty");
        return NGX_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, path, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    while (path->len > 1 && path->data[path->len - 1] == '/') {
        path->data[--path->len] = '\0';
    }

    if (path->len > NGX_MAX_PATH - NGX_HTTP_IMAGEGRAM_NAMES_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "imagegram_storage is too long: \"%V\"", path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Gives away to the worker's user only what was made here: what was there
 * before may be there for others, too.  So it appears under its name only once
 * it is given; under the other one it was left by who was killed before that,
 * or another nginx is about to make it.
 */

static ngx_int_t
ngx_http_imagegram_storage_folder(ngx_conf_t *cf,
    ngx_http_imagegram_storage_t *storage, ngx_http_imagegram_user_t *user,
    const char *folder)
{
    char        path[NGX_MAX_PATH], temp[NGX_MAX_PATH];
    ngx_err_t   err;
    ngx_int_t   rc;

    (void) ngx_snprintf((u_char *) path, NGX_MAX_PATH, "%V%s%s%Z",
                        &storage->path, *folder ? "/" : "", folder);

    if (ngx_http_imagegram_storage_is_folder(path)) {
        return NGX_OK;
    }

    (void) ngx_snprintf((u_char *) temp, NGX_MAX_PATH, "%s.new%Z", path);

    rc = NGX_ERROR;

    if (ngx_errno == NGX_ENOENT
        && (mkdir(temp, 0750) == 0 || ngx_errno == NGX_EEXIST))
    {
        rc = ngx_http_imagegram_storage_give(temp, user);

        if (rc == NGX_OK && rename(temp, path) == 0) {
            return NGX_OK;
        }
    }

    err = ngx_errno;

    if (ngx_http_imagegram_storage_is_folder(path)) {

        /* another nginx was faster, and has put something into it */

        (void) ngx_delete_dir(temp);

        return NGX_OK;
    }

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "imagegram_storage \"%s\" cannot be given to "
                           "user \"%s\"", path, user->name);
    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "imagegram_storage \"%s\" cannot be made", path);
    }

    return NGX_ERROR;
}


/* Follows no link that somebody else put there.  NGX_DECLINED: it must not be
 * given away; otherwise ngx_errno is set, too. */

static ngx_int_t
ngx_http_imagegram_storage_give(const char *folder,
    ngx_http_imagegram_user_t *user)
{
    ngx_fd_t   fd;
    ngx_int_t  rc;
    ngx_err_t  err;

    fd = open(folder, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    if (fchmod(fd, 0750) == -1
        || (geteuid() == 0 && fchown(fd, user->uid, user->gid) == -1))
    {
        rc = NGX_DECLINED;
    }

    err = ngx_errno;

    (void) ngx_close_file(fd);

    ngx_set_errno(err);

    return rc;
}


/* Otherwise ngx_errno says why not. */

static ngx_uint_t
ngx_http_imagegram_storage_is_folder(const char *path)
{
    ngx_file_info_t  fi;

    if (ngx_file_info(path, &fi) == NGX_FILE_ERROR) {
        return 0;
    }

    ngx_set_errno(NGX_ENOTDIR);

    return ngx_is_dir(&fi);
}


/*
 * One process at a time, as far as the file system knows locks of folders: so
 * the names can be always the same, and what is left by one that was killed is
 * removed by the next.
 */

static int
ngx_http_imagegram_storage_check(void *data)
{
    ngx_http_imagegram_storage_t *storage = data;

    int        rc;
    ngx_fd_t   fd;
    ngx_err_t  err;

    fd = open((char *) storage->path.data, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd != NGX_INVALID_FILE) {
        (void) flock(fd, LOCK_EX);
    }

    rc = ngx_http_imagegram_storage_try_all(storage);

    if (fd != NGX_INVALID_FILE) {
        err = ngx_errno;

        (void) ngx_close_file(fd);

        ngx_set_errno(err);
    }

    return rc;
}


/* Makes a file in tmp/ and links it into each of the other folders. */

static int
ngx_http_imagegram_storage_try_all(ngx_http_imagegram_storage_t *storage)
{
    int         rc;
    char        name[NGX_MAX_PATH];
    ngx_fd_t    fd;
    ngx_err_t   err;
    ngx_uint_t  i;

    (void) ngx_snprintf((u_char *) name, NGX_MAX_PATH, "%V/tmp/.check%Z",
                        &storage->path);

    (void) ngx_delete_file(name);

    fd = open(name, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0640);

    if (fd == NGX_INVALID_FILE) {
        return NGX_HTTP_IMAGEGRAM_WRITE | NGX_HTTP_IMAGEGRAM_TMP;
    }

    (void) ngx_close_file(fd);

    rc = 0;

    for (i = 0; rc == 0 && i < NGX_HTTP_IMAGEGRAM_FOLDERS; i++) {

        if (i != NGX_HTTP_IMAGEGRAM_TMP) {
            rc = ngx_http_imagegram_storage_try(storage, name, i);
        }
    }

    err = ngx_errno;

    (void) ngx_delete_file(name);

    ngx_set_errno(err);

    return rc;
}


static int
ngx_http_imagegram_storage_try(ngx_http_imagegram_storage_t *storage,
    const char *name, ngx_uint_t folder)
{
    char        path[NGX_MAX_PATH];
    ngx_fd_t    fd;

    (void) ngx_snprintf((u_char *) path, NGX_MAX_PATH, "%V/%s/.check%Z",
                        &storage->path, ngx_http_imagegram_folders[folder]);

    (void) ngx_delete_file(path);

    fd = open(path, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0640);

    if (fd == NGX_INVALID_FILE) {
        return NGX_HTTP_IMAGEGRAM_WRITE | folder;
    }

    (void) ngx_close_file(fd);
    (void) ngx_delete_file(path);

    if (link(name, path) == -1) {
        return NGX_HTTP_IMAGEGRAM_LINK | folder;
    }

    (void) ngx_delete_file(path);

    return 0;
}
