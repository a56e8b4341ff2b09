
/*
 * A walk through the storage, see the header.  Owns the open folders of the
 * walk, from step to step.
 */


#include "ngx_http_imagegram_storage_walk.h"
#include "ngx_http_imagegram_upload.h"
#include "parse/imagegram_route.h"


#define NGX_HTTP_IMAGEGRAM_WALK_DAY    (24 * 60 * 60)
#define NGX_HTTP_IMAGEGRAM_WALK_TRASH  (7 * NGX_HTTP_IMAGEGRAM_WALK_DAY)

/* a file that is removed counts as so many entries: it may be a large one */
#define NGX_HTTP_IMAGEGRAM_WALK_REMOVED  8


typedef char  ngx_http_imagegram_walk_path_t[NGX_MAX_PATH];


/* What is done with an entry; whether anything was removed. */
typedef ngx_uint_t (*ngx_http_imagegram_walk_pt)(
    ngx_http_imagegram_walk_t *walk, const char *name, ngx_log_t *log);


typedef struct {
    const char                  *name;
    ngx_uint_t                   depth;      /* folders on the way to files */
    ngx_http_imagegram_walk_pt   handler;
} ngx_http_imagegram_walk_folder_t;


static ngx_int_t ngx_http_imagegram_walk_open(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log);
static void ngx_http_imagegram_walk_enter(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log);
static const char *ngx_http_imagegram_walk_next(
    ngx_http_imagegram_walk_t *walk, ngx_log_t *log);
static ngx_uint_t ngx_http_imagegram_walk_upload(
    ngx_http_imagegram_walk_t *walk, const char *name, ngx_log_t *log);
static ngx_uint_t ngx_http_imagegram_walk_expire(
    ngx_http_imagegram_walk_t *walk, const char *name, ngx_log_t *log);
static ngx_uint_t ngx_http_imagegram_walk_temp(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log);
static ngx_uint_t ngx_http_imagegram_walk_trashed(
    ngx_http_imagegram_walk_t *walk, const char *name, ngx_log_t *log);
static ngx_uint_t ngx_http_imagegram_walk_placed(
    ngx_http_imagegram_walk_t *walk, const char *name, ngx_log_t *log);
static const char *ngx_http_imagegram_walk_suffix(const char *name);
static imagegram_format_e ngx_http_imagegram_walk_format(const char *name);
static ngx_uint_t ngx_http_imagegram_walk_recorded(
    ngx_http_imagegram_walk_t *walk, const char *id, ngx_log_t *log);
static time_t ngx_http_imagegram_walk_written(ngx_http_imagegram_walk_t *walk,
    const char *name);
static ngx_uint_t ngx_http_imagegram_walk_delete(
    ngx_http_imagegram_walk_t *walk, const char *name, ngx_log_t *log);


static ngx_http_imagegram_walk_folder_t  ngx_http_imagegram_walk_folders[] = {
    { "uploads",         0, ngx_http_imagegram_walk_upload  },
    { "tmp",             0, ngx_http_imagegram_walk_temp    },
    { "trash/images",    0, ngx_http_imagegram_walk_trashed },
    { "trash/originals", 0, ngx_http_imagegram_walk_trashed },
    { "images",          2, ngx_http_imagegram_walk_placed  },
    { "originals",       2, ngx_http_imagegram_walk_placed  }
};


void
ngx_http_imagegram_storage_walk(ngx_http_imagegram_walk_t *walk,
    ngx_log_t *log)
{
    ngx_uint_t                         n;
    const char                        *name;
    ngx_http_imagegram_walk_folder_t  *folder;

    walk->found = 0;

    folder = &ngx_http_imagegram_walk_folders[walk->folder];

    if (walk->depth == 0
        && ngx_http_imagegram_walk_open(walk, folder->name, log) != NGX_OK)
    {
        walk->folder++;
        return;
    }

    for (n = 0; n < NGX_HTTP_IMAGEGRAM_WALK_ENTRIES; n++) {

        name = ngx_http_imagegram_walk_next(walk, log);

        if (name && walk->depth <= folder->depth) {
            ngx_http_imagegram_walk_enter(walk, name, log);

        } else if (name) {
            if (folder->handler(walk, name, log)) {
                n += NGX_HTTP_IMAGEGRAM_WALK_REMOVED - 1;
            }

        } else if (walk->depth > 1) {
            (void) closedir(walk->dirs[--walk->depth]);

        } else {

            /* where files were found, the next step ends here again */

            if (walk->found == 0) {
                ngx_http_imagegram_storage_walk_close(walk);
                walk->folder++;
            }

            break;
        }
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, log, 0,
                   "imagegram sweep step: \"%s\" entries:%ui found:%ui",
                   folder->name, n, walk->found);
}


/*
 * First the time, then the name: who is killed in between leaves a file that
 * is found again a day later, not one that seems to have been in the trash for
 * long.
 */

void
ngx_http_imagegram_storage_trash(ngx_http_imagegram_walk_t *walk,
    ngx_log_t *log)
{
    u_char                          *id;
    ngx_str_t                       *format;
    ngx_uint_t                       i;
    const char                      *folder;
    ngx_http_imagegram_walk_path_t   from, to;

    folder = ngx_http_imagegram_walk_folders[walk->folder].name;

    for (i = 0; i < walk->found; i++) {
        id = walk->ids[i];
        format = ngx_http_imagegram_storage_format_name(walk->formats[i]);

        (void) ngx_snprintf((u_char *) from, NGX_MAX_PATH,
                            "%V/%s/%*s/%*s/%*s.%V%Z", &walk->storage->path,
                            folder, (size_t) 2, id, (size_t) 2, id + 2,
                            (size_t) NGX_HTTP_IMAGEGRAM_ID_LEN, id, format);

        (void) ngx_snprintf((u_char *) to, NGX_MAX_PATH,
                            "%V/trash/%s/%*s.%V%Z", &walk->storage->path,
                            folder, (size_t) NGX_HTTP_IMAGEGRAM_ID_LEN, id,
                            format);

        if (utimensat(AT_FDCWD, from, NULL, AT_SYMLINK_NOFOLLOW) == -1
            || rename(from, to) == -1)
        {
            if (ngx_errno != NGX_ENOENT) {
                ngx_log_error(NGX_LOG_CRIT, log, ngx_errno,
                              "imagegram: moving \"%s\" to \"%s\" failed",
                              from, to);
            }

            continue;
        }

        walk->counts[walk->folder]++;
    }
}


void
ngx_http_imagegram_storage_walk_close(ngx_http_imagegram_walk_t *walk)
{
    while (walk->depth) {
        (void) closedir(walk->dirs[--walk->depth]);
    }
}


static ngx_int_t
ngx_http_imagegram_walk_open(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log)
{
    ngx_http_imagegram_walk_path_t  path;

    (void) ngx_snprintf((u_char *) path, NGX_MAX_PATH, "%V/%s%Z",
                        &walk->storage->path, name);

    walk->dirs[0] = opendir(path);

    if (walk->dirs[0] == NULL) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      ngx_open_dir_n " \"%s\" failed", path);
        return NGX_ERROR;
    }

    walk->depth = 1;

    return NGX_OK;
}


/* Goes down into a folder that has the name of one. */

static void
ngx_http_imagegram_walk_enter(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log)
{
    DIR         *dir;
    ngx_fd_t     fd;
    ngx_uint_t   i;

    for (i = 0; i < 2; i++) {
        if ((name[i] < '0' || name[i] > '9')
            && (name[i] < 'a' || name[i] > 'f'))
        {
            return;
        }
    }

    if (name[2] != '\0') {
        return;
    }

    fd = openat(dirfd(walk->dirs[walk->depth - 1]), name,
                O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    dir = fd == NGX_INVALID_FILE ? NULL : fdopendir(fd);

    if (dir) {
        ngx_memcpy(walk->shard[walk->depth - 1], name, 2);
        walk->dirs[walk->depth++] = dir;
        return;
    }

    if (ngx_errno != NGX_ENOTDIR && ngx_errno != NGX_ELOOP
        && ngx_errno != NGX_ENOENT)
    {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "imagegram: folder \"%s\" of \"%V/%s\" cannot be opened",
                      name, &walk->storage->path,
                      ngx_http_imagegram_walk_folders[walk->folder].name);
    }

    if (fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(fd);
    }
}


/* The next name of the folder that was entered last; NULL: no more. */

static const char *
ngx_http_imagegram_walk_next(ngx_http_imagegram_walk_t *walk, ngx_log_t *log)
{
    struct dirent  *entry;

    ngx_set_errno(0);

    entry = readdir(walk->dirs[walk->depth - 1]);

    if (entry) {
        return entry->d_name;
    }

    if (ngx_errno) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "imagegram: a folder in \"%V/%s\" cannot be read",
                      &walk->storage->path,
                      ngx_http_imagegram_walk_folders[walk->folder].name);
    }

    return NULL;
}


/* ID.info, an upload's record, and ID, its bytes. */

static ngx_uint_t
ngx_http_imagegram_walk_upload(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log)
{
    const char  *suffix;
    ngx_uint_t   removed;

    suffix = ngx_http_imagegram_walk_suffix(name);

    if (suffix && ngx_strcmp(suffix, ".info") == 0) {
        removed = ngx_http_imagegram_walk_expire(walk, name, log);

    /* bytes without a record are what somebody left who was killed */

    } else if (suffix && *suffix == '\0'
               && ngx_http_imagegram_walk_written(walk, name)
                  < walk->now - NGX_HTTP_IMAGEGRAM_WALK_DAY
               && !ngx_http_imagegram_walk_recorded(walk, name, log))
    {
        removed = ngx_http_imagegram_walk_delete(walk, name, log);

    } else {
        removed = 0;
    }

    walk->counts[NGX_HTTP_IMAGEGRAM_WALK_UPLOADS] += removed;

    return removed;
}


/* Removes an upload that was not written for as long as uploads may wait. */

static ngx_uint_t
ngx_http_imagegram_walk_expire(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log)
{
    char    bytes[NGX_HTTP_IMAGEGRAM_ID_LEN + 1];
    time_t  before;

    (void) ngx_cpystrn((u_char *) bytes, (u_char *) name, sizeof(bytes));

    before = walk->now - walk->upload_expires;

    if (ngx_http_imagegram_walk_written(walk, name) >= before
        || ngx_http_imagegram_walk_written(walk, bytes) >= before)
    {
        return 0;
    }

    switch (ngx_http_imagegram_upload_expire(walk->storage, (u_char *) bytes,
                                             walk->upload_expires, log))
    {
    case NGX_OK:
        return 1;

    case NGX_BUSY:
        return 0;

    default: /* NGX_DECLINED: whoever made the record died over it */
        (void) ngx_http_imagegram_walk_delete(walk, bytes, log);

        return ngx_http_imagegram_walk_delete(walk, name, log);
    }
}


/* ID.body and the like, while a post is made; ID.id, while a storage is. */

static ngx_uint_t
ngx_http_imagegram_walk_temp(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log)
{
    const char  *suffix;
    ngx_uint_t   i, removed;

    static const char  *suffixes[] = { ".body", ".original", ".jpeg", ".id" };

    suffix = ngx_http_imagegram_walk_suffix(name);

    for (i = 0; suffix && i < sizeof(suffixes) / sizeof(char *); i++) {

        if (ngx_strcmp(suffix, suffixes[i]) == 0
            && ngx_http_imagegram_walk_written(walk, name)
               < walk->now - NGX_HTTP_IMAGEGRAM_WALK_DAY)
        {
            removed = ngx_http_imagegram_walk_delete(walk, name, log);
            walk->counts[NGX_HTTP_IMAGEGRAM_WALK_TMP] += removed;

            return removed;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_imagegram_walk_trashed(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log)
{
    ngx_uint_t  removed;

    if (ngx_http_imagegram_walk_format(name) == IMAGEGRAM_FORMAT_NONE
        || ngx_http_imagegram_walk_written(walk, name)
           >= walk->now - NGX_HTTP_IMAGEGRAM_WALK_TRASH)
    {
        return 0;
    }

    removed = ngx_http_imagegram_walk_delete(walk, name, log);
    walk->counts[walk->folder] += removed;

    return removed;
}


/*
 * A post's file.  That there is no record of an upload needs no lock: the
 * record is made before any other file of that ID, and never a second time.
 */

static ngx_uint_t
ngx_http_imagegram_walk_placed(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log)
{
    imagegram_format_e  format;

    format = ngx_http_imagegram_walk_format(name);

    if (format == IMAGEGRAM_FORMAT_NONE
        || (walk->folder == NGX_HTTP_IMAGEGRAM_WALK_IMAGES
            && format != IMAGEGRAM_FORMAT_JPEG)
        || ngx_memcmp(walk->shard[0], name, 2) != 0
        || ngx_memcmp(walk->shard[1], name + 2, 2) != 0
        || ngx_http_imagegram_walk_written(walk, name)
           >= walk->now - NGX_HTTP_IMAGEGRAM_WALK_DAY
        || ngx_http_imagegram_walk_recorded(walk, name, log))
    {
        return 0;
    }

    ngx_memcpy(walk->ids[walk->found], name, NGX_HTTP_IMAGEGRAM_ID_LEN);
    walk->formats[walk->found] = format;
    walk->found++;

    return 0;
}


/* What follows the ID that a name begins with; NULL: it is not one of ours. */

static const char *
ngx_http_imagegram_walk_suffix(const char *name)
{
    if (ngx_strlen(name) < NGX_HTTP_IMAGEGRAM_ID_LEN
        || !imagegram_route_is_id((const u_char *) name))
    {
        return NULL;
    }

    return name + NGX_HTTP_IMAGEGRAM_ID_LEN;
}


static imagegram_format_e
ngx_http_imagegram_walk_format(const char *name)
{
    const char  *suffix;

    suffix = ngx_http_imagegram_walk_suffix(name);

    if (suffix == NULL || *suffix++ != '.') {
        return IMAGEGRAM_FORMAT_NONE;
    }

    return ngx_http_imagegram_storage_format((u_char *) suffix,
                                             ngx_strlen(suffix));
}


/* Whether uploads/ has a record of the ID, also where that is not clear. */

static ngx_uint_t
ngx_http_imagegram_walk_recorded(ngx_http_imagegram_walk_t *walk,
    const char *id, ngx_log_t *log)
{
    struct stat                     st;
    ngx_http_imagegram_walk_path_t  path;

    (void) ngx_snprintf((u_char *) path, NGX_MAX_PATH, "%V/uploads/%*s.info%Z",
                        &walk->storage->path,
                        (size_t) NGX_HTTP_IMAGEGRAM_ID_LEN, id);

    if (lstat(path, &st) == 0) {
        return 1;
    }

    if (ngx_errno == NGX_ENOENT) {
        return 0;
    }

    ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                  "imagegram: \"%s\" cannot be examined", path);

    return 1;
}


/*
 * When a file of the folder was written last: 0 if it is gone, a moment ago if
 * it is not a file or not to be examined.
 */

static time_t
ngx_http_imagegram_walk_written(ngx_http_imagegram_walk_t *walk,
    const char *name)
{
    struct stat  st;

    if (fstatat(dirfd(walk->dirs[walk->depth - 1]), name, &st,
                AT_SYMLINK_NOFOLLOW)
        == -1)
    {
        return ngx_errno == NGX_ENOENT ? 0 : walk->now;
    }

    return S_ISREG(st.st_mode) ? st.st_mtime : walk->now;
}


static ngx_uint_t
ngx_http_imagegram_walk_delete(ngx_http_imagegram_walk_t *walk,
    const char *name, ngx_log_t *log)
{
    if (unlinkat(dirfd(walk->dirs[walk->depth - 1]), name, 0) == 0) {
        return 1;
    }

    if (ngx_errno != NGX_ENOENT) {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_errno,
                      ngx_delete_file_n " \"%s\" of \"%V/%s\" failed", name,
                      &walk->storage->path,
                      ngx_http_imagegram_walk_folders[walk->folder].name);
    }

    return 0;
}
