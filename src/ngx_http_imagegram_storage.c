
/*
 * The files, see the header: what happens to them in threads.  Owns no memory
 * and no state but what lies on disk; the fds that it opens are its caller's,
 * or closed before it returns.
 */


#include "ngx_http_imagegram_storage.h"


#define NGX_HTTP_IMAGEGRAM_FILE_ACCESS  0640
#define NGX_HTTP_IMAGEGRAM_DIR_ACCESS   0750


/* for "…/images", "/83", "/df", "/ID.jpeg" and the like */
typedef char  ngx_http_imagegram_path_t[NGX_MAX_PATH];


static void ngx_http_imagegram_storage_temp(
    ngx_http_imagegram_path_t path, ngx_http_imagegram_storage_t *storage,
    u_char *id, ngx_http_imagegram_temp_e type);
static void ngx_http_imagegram_storage_file(
    ngx_http_imagegram_path_t path, ngx_http_imagegram_storage_t *storage,
    const char *folder, u_char *id, imagegram_format_e format);
static ngx_int_t ngx_http_imagegram_storage_link(
    ngx_http_imagegram_storage_t *storage, const char *folder, u_char *id,
    ngx_http_imagegram_temp_e type, imagegram_format_e format,
    ngx_uint_t again);
static ngx_int_t ngx_http_imagegram_storage_make_dirs(char *path, size_t top);
static void ngx_http_imagegram_storage_drop_dirs(char *path, size_t top);
static ngx_int_t ngx_http_imagegram_storage_sync_dirs(const char *path,
    size_t top);
static ngx_int_t ngx_http_imagegram_storage_sync_dir(const char *path);
static void ngx_http_imagegram_storage_delete(const char *path,
    ngx_log_t *log);


static const char  *ngx_http_imagegram_images = "images";
static const char  *ngx_http_imagegram_originals = "originals";


/* by ngx_http_imagegram_temp_e: what stands before and behind the ID */

static const char  *ngx_http_imagegram_temp_names[][2] = {
    { "tmp", ".body" },
    { "tmp", ".original" },
    { "tmp", ".jpeg" },
    { "uploads", "" },
    { "uploads", ".info" }
};


static ngx_str_t  ngx_http_imagegram_format_names[] = {
    ngx_null_string,
    ngx_string("png"),
    ngx_string("jpg"),
    ngx_string("bmp")
};


ngx_int_t
ngx_http_imagegram_storage_status(ngx_err_t err)
{
    return (err == NGX_ENOSPC || err == EDQUOT)
           ? NGX_HTTP_INSUFFICIENT_STORAGE : NGX_HTTP_SERVICE_UNAVAILABLE;
}


ngx_fd_t
ngx_http_imagegram_storage_create(ngx_http_imagegram_storage_t *storage,
    u_char *id, ngx_http_imagegram_temp_e type)
{
    ngx_fd_t                   fd;
    ngx_err_t                  err;
    ngx_http_imagegram_path_t  path;

    ngx_http_imagegram_storage_temp(path, storage, id, type);

    fd = open(path, O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC,
              NGX_HTTP_IMAGEGRAM_FILE_ACCESS);

    if (fd == NGX_INVALID_FILE) {
        return NGX_INVALID_FILE;
    }

    /* whatever the umask is */

    if (fchmod(fd, NGX_HTTP_IMAGEGRAM_FILE_ACCESS) == -1) {
        err = ngx_errno;

        (void) ngx_delete_file(path);
        (void) ngx_close_file(fd);

        ngx_set_errno(err);
        return NGX_INVALID_FILE;
    }

    return fd;
}


ngx_fd_t
ngx_http_imagegram_storage_open(ngx_http_imagegram_storage_t *storage,
    u_char *id, ngx_http_imagegram_temp_e type)
{
    ngx_http_imagegram_path_t  path;

    ngx_http_imagegram_storage_temp(path, storage, id, type);

    return open(path, O_RDWR|O_CLOEXEC);
}


void
ngx_http_imagegram_storage_unlink(ngx_http_imagegram_storage_t *storage,
    u_char *id, ngx_http_imagegram_temp_e type, ngx_log_t *log)
{
    ngx_http_imagegram_path_t  path;

    ngx_http_imagegram_storage_temp(path, storage, id, type);
    ngx_http_imagegram_storage_delete(path, log);
}


ngx_int_t
ngx_http_imagegram_storage_place(ngx_http_imagegram_storage_t *storage,
    u_char *id, ngx_http_imagegram_temp_e original, imagegram_format_e format)
{
    ngx_err_t                  err;
    ngx_uint_t                 again;
    ngx_http_imagegram_path_t  path;

    again = original == NGX_HTTP_IMAGEGRAM_UPLOAD_BYTES;

    if (ngx_http_imagegram_storage_link(storage, ngx_http_imagegram_originals,
                                        id, original, format, again)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_imagegram_storage_link(storage, ngx_http_imagegram_images, id,
                                        NGX_HTTP_IMAGEGRAM_TEMP_JPEG,
                                        IMAGEGRAM_FORMAT_JPEG, again)
        != NGX_OK)
    {
        if (again) {
            return NGX_ERROR;
        }

        err = ngx_errno;

        ngx_http_imagegram_storage_file(path, storage,
                                        ngx_http_imagegram_originals, id,
                                        format);
        (void) ngx_delete_file(path);
        ngx_http_imagegram_storage_drop_dirs(path, storage->path.len + 1
                                    + ngx_strlen(ngx_http_imagegram_originals));

        ngx_set_errno(err);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_imagegram_storage_clean(ngx_http_imagegram_storage_t *storage,
    u_char *id, ngx_log_t *log)
{
    ngx_uint_t  i;

    for (i = 0; i <= NGX_HTTP_IMAGEGRAM_TEMP_JPEG; i++) {
        ngx_http_imagegram_storage_unlink(storage, id, i, log);
    }
}


void
ngx_http_imagegram_storage_remove(ngx_http_imagegram_storage_t *storage,
    u_char *id, imagegram_format_e format, ngx_log_t *log)
{
    ngx_http_imagegram_path_t  path;

    ngx_http_imagegram_storage_file(path, storage, ngx_http_imagegram_images,
                                    id, IMAGEGRAM_FORMAT_JPEG);
    ngx_http_imagegram_storage_delete(path, log);

    ngx_http_imagegram_storage_file(path, storage,
                                    ngx_http_imagegram_originals, id, format);
    ngx_http_imagegram_storage_delete(path, log);
}


ngx_fd_t
ngx_http_imagegram_storage_open_jpeg(ngx_http_imagegram_storage_t *storage,
    u_char *id, off_t *size)
{
    ngx_fd_t                   fd;
    ngx_err_t                  err;
    ngx_file_info_t            fi;
    ngx_http_imagegram_path_t  path;

    ngx_http_imagegram_storage_file(path, storage, ngx_http_imagegram_images,
                                    id, IMAGEGRAM_FORMAT_JPEG);

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return NGX_INVALID_FILE;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        err = ngx_errno;

        (void) ngx_close_file(fd);

        ngx_set_errno(err);
        return NGX_INVALID_FILE;
    }

    *size = ngx_file_size(&fi);

    return fd;
}


ngx_str_t *
ngx_http_imagegram_storage_format_name(imagegram_format_e format)
{
    return &ngx_http_imagegram_format_names[format];
}


imagegram_format_e
ngx_http_imagegram_storage_format(u_char *name, size_t len)
{
    ngx_uint_t  i;
    ngx_str_t  *format;

    for (i = IMAGEGRAM_FORMAT_NONE + 1; i < IMAGEGRAM_FORMAT_MAX; i++) {
        format = &ngx_http_imagegram_format_names[i];

        if (format->len == len && ngx_memcmp(format->data, name, len) == 0) {
            return i;
        }
    }

    return IMAGEGRAM_FORMAT_NONE;
}


static void
ngx_http_imagegram_storage_temp(ngx_http_imagegram_path_t path,
    ngx_http_imagegram_storage_t *storage, u_char *id,
    ngx_http_imagegram_temp_e type)
{
    (void) ngx_snprintf((u_char *) path, NGX_MAX_PATH, "%V/%s/%*s%s%Z",
                        &storage->path, ngx_http_imagegram_temp_names[type][0],
                        (size_t) NGX_HTTP_IMAGEGRAM_ID_LEN, id,
                        ngx_http_imagegram_temp_names[type][1]);
}


static void
ngx_http_imagegram_storage_file(ngx_http_imagegram_path_t path,
    ngx_http_imagegram_storage_t *storage, const char *folder, u_char *id,
    imagegram_format_e format)
{
    (void) ngx_snprintf((u_char *) path, NGX_MAX_PATH,
                        "%V/%s/%*s/%*s/%*s.%V%Z",
                        &storage->path, folder, (size_t) 2, id,
                        (size_t) 2, id + 2,
                        (size_t) NGX_HTTP_IMAGEGRAM_ID_LEN, id,
                        &ngx_http_imagegram_format_names[format]);
}


static ngx_int_t
ngx_http_imagegram_storage_link(ngx_http_imagegram_storage_t *storage,
    const char *folder, u_char *id, ngx_http_imagegram_temp_e type,
    imagegram_format_e format, ngx_uint_t again)
{
    int                        rc;
    size_t                     top;
    ngx_err_t                  err;
    ngx_http_imagegram_path_t  from, to;

    ngx_http_imagegram_storage_temp(from, storage, id, type);
    ngx_http_imagegram_storage_file(to, storage, folder, id, format);

    top = storage->path.len + 1 + ngx_strlen(folder);

    rc = link(from, to);

    if (rc == -1 && ngx_errno == NGX_ENOENT
        && ngx_http_imagegram_storage_make_dirs(to, top) == NGX_OK)
    {
        rc = link(from, to);
    }

    if (rc == -1 && !(again && ngx_errno == NGX_EEXIST)) {
        err = ngx_errno;

        ngx_http_imagegram_storage_drop_dirs(to, top);

        ngx_set_errno(err);
        return NGX_ERROR;
    }

    if (ngx_http_imagegram_storage_sync_dirs(to, top) != NGX_OK) {
        err = ngx_errno;

        if (rc != -1) {
            (void) ngx_delete_file(to);
        }

        ngx_set_errno(err);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Makes the folders of path below its first top bytes. */

static ngx_int_t
ngx_http_imagegram_storage_make_dirs(char *path, size_t top)
{
    char       *p;
    ngx_int_t   rc;

    for (p = strchr(path + top + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';

        rc = NGX_OK;

        if (mkdir(path, NGX_HTTP_IMAGEGRAM_DIR_ACCESS) == 0) {
            rc = chmod(path, NGX_HTTP_IMAGEGRAM_DIR_ACCESS);

        } else if (ngx_errno != NGX_EEXIST) {
            rc = NGX_ERROR;
        }

        *p = '/';

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Removes those of them that are empty.  On a disk without room every post
 * that is refused would otherwise take some more of it, for folders.
 */

static void
ngx_http_imagegram_storage_drop_dirs(char *path, size_t top)
{
    int    rc;
    char  *p;

    do {
        p = strrchr(path, '/');
        *p = '\0';

        rc = (size_t) (p - path) > top ? rmdir(path) : -1;

    } while (rc == 0);
}


/*
 * Syncs the folders from the file's own up to the one that is path's first top
 * bytes.  All of them, always: another process may have made them a moment
 * ago, and not synced them yet.  What is clean costs next to nothing.
 */

static ngx_int_t
ngx_http_imagegram_storage_sync_dirs(const char *path, size_t top)
{
    char                       *p;
    ngx_http_imagegram_path_t   dir;

    (void) ngx_cpystrn((u_char *) dir, (u_char *) path, NGX_MAX_PATH);

    do {
        p = strrchr(dir, '/');
        *p = '\0';

        if (ngx_http_imagegram_storage_sync_dir(dir) != NGX_OK) {
            return NGX_ERROR;
        }

    } while ((size_t) (p - dir) > top);

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_storage_sync(ngx_http_imagegram_storage_t *storage,
    const char *folder)
{
    char  path[NGX_MAX_PATH];

    (void) ngx_snprintf((u_char *) path, NGX_MAX_PATH, "%V/%s%Z",
                        &storage->path, folder);

    return ngx_http_imagegram_storage_sync_dir(path);
}


static ngx_int_t
ngx_http_imagegram_storage_sync_dir(const char *path)
{
    ngx_fd_t   fd;
    ngx_int_t  rc;
    ngx_err_t  err;

    fd = open(path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    rc = fsync(fd);
    err = ngx_errno;

    (void) ngx_close_file(fd);

    ngx_set_errno(err);

    return rc == -1 ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_imagegram_storage_delete(const char *path, ngx_log_t *log)
{
    ngx_err_t  err;

    if (ngx_delete_file(path) != NGX_FILE_ERROR) {
        return;
    }

    err = ngx_errno;

    if (err != NGX_ENOENT) {
        ngx_log_error(NGX_LOG_CRIT, log, err,
                      ngx_delete_file_n " \"%s\" failed", path);
    }
}
