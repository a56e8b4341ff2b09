
/*
 * A walk through the storage, see the header.  Owns the open folders of the
 * walk, from step to step.
 */


#include "ngx_http_imagegram_storage_entry.h"


/* a file that is removed counts as so many entries: it may be a large one */
#define NGX_HTTP_IMAGEGRAM_WALK_REMOVED  8


typedef char  ngx_http_imagegram_walk_path_t[NGX_MAX_PATH];


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

    folder = ngx_http_imagegram_walk_name(walk);

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
            if (ngx_errno != NGX_ENOENT && walk->failed++ == 0) {
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
                      ngx_http_imagegram_walk_name(walk));
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
                      ngx_http_imagegram_walk_name(walk));
    }

    return NULL;
}


const char *
ngx_http_imagegram_walk_name(ngx_http_imagegram_walk_t *walk)
{
    return ngx_http_imagegram_walk_folders[walk->folder].name;
}
