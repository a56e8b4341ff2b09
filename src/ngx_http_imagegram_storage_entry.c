
/*
 * What becomes of the files that a walk through the storage meets, see the
 * header.  Owns nothing; the folder that a file is in is the walk's, open.
 */


#include "ngx_http_imagegram_storage_entry.h"
#include "ngx_http_imagegram_upload.h"
#include "parse/imagegram_route.h"


#define NGX_HTTP_IMAGEGRAM_WALK_DAY    (24 * 60 * 60)
#define NGX_HTTP_IMAGEGRAM_WALK_TRASH  (7 * NGX_HTTP_IMAGEGRAM_WALK_DAY)


static ngx_uint_t ngx_http_imagegram_walk_expire(
    ngx_http_imagegram_walk_t *walk, const char *name, ngx_log_t *log);
static const char *ngx_http_imagegram_walk_suffix(const char *name);
static imagegram_format_e ngx_http_imagegram_walk_format(const char *name);
static ngx_uint_t ngx_http_imagegram_walk_recorded(
    ngx_http_imagegram_walk_t *walk, const char *id, ngx_log_t *log);
static time_t ngx_http_imagegram_walk_written(ngx_http_imagegram_walk_t *walk,
    const char *name);
static ngx_uint_t ngx_http_imagegram_walk_delete(
    ngx_http_imagegram_walk_t *walk, const char *name, ngx_log_t *log);


ngx_uint_t
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
                                             before, log))
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


ngx_uint_t
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


ngx_uint_t
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

ngx_uint_t
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
    char         path[NGX_MAX_PATH];
    struct stat  st;

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

    if (ngx_errno != NGX_ENOENT && walk->failed++ == 0) {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_errno,
                      ngx_delete_file_n " \"%s\" of \"%V/%s\" failed", name,
                      &walk->storage->path, ngx_http_imagegram_walk_name(walk));
    }

    return 0;
}
