
/*
 * Uploads on disk, see the header: the record, from its creation to its end.
 */

#include "ngx_http_imagegram_upload_internal.h"


/* "IGU1", with the byte order of the machine */
#define NGX_HTTP_IMAGEGRAM_UPLOAD_MAGIC  0x31554749

/* the most bytes of a record's texts: what fits into request headers, twice,
 * and what an admin wrote */
#define NGX_HTTP_IMAGEGRAM_UPLOAD_ROOM   1048576


static ngx_int_t ngx_http_imagegram_upload_stat(
    ngx_http_imagegram_upload_t *u);


void
ngx_http_imagegram_upload_init(ngx_http_imagegram_upload_t *u,
    ngx_http_imagegram_storage_t *storage, uint64_t max_pixels)
{
    u->storage = storage;
    u->info = NGX_INVALID_FILE;
    u->bytes = NGX_INVALID_FILE;
    u->need = 1;
    u->max_pixels = max_pixels;
}


ngx_int_t
ngx_http_imagegram_upload_create(ngx_http_imagegram_upload_t *u,
    ngx_str_t *texts)
{
    ssize_t       size;
    ngx_err_t     err;
    ngx_uint_t    i;
    struct iovec  iov[1 + NGX_HTTP_IMAGEGRAM_UPLOAD_TEXTS];

    u->record.magic = NGX_HTTP_IMAGEGRAM_UPLOAD_MAGIC;
    u->record.epoch = 1;
    u->record.verified = -1;

    iov[0].iov_base = &u->record;
    iov[0].iov_len = sizeof(ngx_http_imagegram_upload_record_t);
    size = iov[0].iov_len;

    for (i = 0; i < NGX_HTTP_IMAGEGRAM_UPLOAD_TEXTS; i++) {
        u->record.texts[i] = texts[i].len;

        iov[1 + i].iov_base = texts[i].data;
        iov[1 + i].iov_len = texts[i].len;
        size += texts[i].len;
    }

    u->bytes = ngx_http_imagegram_storage_create(u->storage, u->id,
                                             NGX_HTTP_IMAGEGRAM_UPLOAD_BYTES);

    if (u->bytes == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    u->info = ngx_http_imagegram_storage_create(u->storage, u->id,
                                              NGX_HTTP_IMAGEGRAM_UPLOAD_INFO);

    if (u->info != NGX_INVALID_FILE) {
        ngx_set_errno(NGX_ENOSPC);

        if (writev(u->info, iov, 1 + NGX_HTTP_IMAGEGRAM_UPLOAD_TEXTS) == size)
        {
            u->touched = ngx_time();
            return NGX_OK;
        }
    }

    err = ngx_errno;

    ngx_http_imagegram_storage_unlink(u->storage, u->id,
                                      NGX_HTTP_IMAGEGRAM_UPLOAD_INFO,
                                      ngx_cycle->log);
    ngx_http_imagegram_storage_unlink(u->storage, u->id,
                                      NGX_HTTP_IMAGEGRAM_UPLOAD_BYTES,
                                      ngx_cycle->log);

    ngx_set_errno(err);
    return NGX_ERROR;
}


ngx_int_t
ngx_http_imagegram_upload_open(ngx_http_imagegram_upload_t *u)
{
    ngx_int_t  rc;

    u->info = ngx_http_imagegram_storage_open(u->storage, u->id,
                                              NGX_HTTP_IMAGEGRAM_UPLOAD_INFO);

    if (u->info == NGX_INVALID_FILE) {
        return ngx_errno == NGX_ENOENT ? NGX_DECLINED : NGX_ERROR;
    }

    rc = ngx_http_imagegram_upload_read(u, &u->record);

    if (rc != NGX_OK) {
        return rc;
    }

    if (u->record.state == NGX_HTTP_IMAGEGRAM_UPLOAD_RECEIVING) {
        u->bytes = ngx_http_imagegram_storage_open(u->storage, u->id,
                                             NGX_HTTP_IMAGEGRAM_UPLOAD_BYTES);

        if (u->bytes == NGX_INVALID_FILE) {

            if (ngx_errno != NGX_ENOENT) {
                return NGX_ERROR;
            }

            /* it may have ended this very moment, the record tells */

            rc = ngx_http_imagegram_upload_read(u, &u->record);

            if (rc != NGX_OK) {
                return rc;
            }

            if (u->record.state == NGX_HTTP_IMAGEGRAM_UPLOAD_RECEIVING) {
                return NGX_DECLINED;
            }
        }
    }

    return ngx_http_imagegram_upload_stat(u);
}


u_char *
ngx_http_imagegram_upload_texts(ngx_http_imagegram_upload_t *u,
    ngx_str_t *texts, ngx_log_t *log)
{
    u_char      *buf;
    size_t       size;
    ngx_uint_t   i;

    size = 0;

    for (i = 0; i < NGX_HTTP_IMAGEGRAM_UPLOAD_TEXTS; i++) {
        size += u->record.texts[i];
    }

    buf = ngx_alloc(size + 1, log);
    if (buf == NULL) {
        return NULL;
    }

    if (pread(u->info, buf, size, sizeof(ngx_http_imagegram_upload_record_t))
        != (ssize_t) size)
    {
        ngx_free(buf);
        return NULL;
    }

    size = 0;

    for (i = 0; i < NGX_HTTP_IMAGEGRAM_UPLOAD_TEXTS; i++) {
        texts[i].data = buf + size;
        texts[i].len = u->record.texts[i];

        size += texts[i].len;
    }

    return buf;
}


ngx_int_t
ngx_http_imagegram_upload_take_over(ngx_http_imagegram_upload_t *u,
    off_t offset)
{
    ngx_int_t                            rc;
    ngx_http_imagegram_upload_record_t  *record;

    record = &u->record;

    if (ngx_http_imagegram_upload_lock(u, NGX_HTTP_IMAGEGRAM_UPLOAD_SLICE, 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_imagegram_upload_read(u, record);

    if (rc == NGX_OK && record->state == NGX_HTTP_IMAGEGRAM_UPLOAD_RECEIVING) {

        rc = ngx_http_imagegram_upload_stat(u);

        if (rc == NGX_OK && offset != -1 && offset != u->offset) {
            rc = NGX_HTTP_CONFLICT;
        }

        if (rc == NGX_OK) {
            record->epoch++;

            if (record->verified != -1) {
                record->verified = -1;

                if (ftruncate(u->bytes, u->offset) == -1) {
                    rc = NGX_ERROR;
                }
            }
        }

        if (rc == NGX_OK) {
            rc = ngx_http_imagegram_upload_write(u);
        }
    }

    ngx_http_imagegram_upload_unlock(u);

    return rc;
}


ngx_int_t
ngx_http_imagegram_upload_claim(ngx_http_imagegram_upload_t *u)
{
    ngx_int_t  rc;

    rc = ngx_http_imagegram_upload_lock(u, NGX_HTTP_IMAGEGRAM_UPLOAD_CLAIM, 0);

    if (rc != NGX_OK) {
        return rc;
    }

    /* whoever had it before may have ended it */

    return ngx_http_imagegram_upload_read(u, &u->record);
}


ngx_int_t
ngx_http_imagegram_upload_end(ngx_http_imagegram_upload_t *u,
    ngx_http_imagegram_upload_state_e state, imagegram_reason_e reason,
    ngx_log_t *log)
{
    ngx_int_t  rc;

    if (ngx_http_imagegram_upload_lock(u, NGX_HTTP_IMAGEGRAM_UPLOAD_SLICE, 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_imagegram_upload_read(u, &u->record);

    if (rc == NGX_OK) {
        u->record.epoch++;
        u->record.state = state;
        u->record.reason = reason;

        rc = ngx_http_imagegram_upload_write(u);
    }

    /* a power cut must not take the record and leave the bytes gone */

    if (rc == NGX_OK && fdatasync(u->info) == 0) {
        ngx_http_imagegram_storage_unlink(u->storage, u->id,
                                          NGX_HTTP_IMAGEGRAM_UPLOAD_BYTES,
                                          log);
    }

    /* only now the space is given back, which takes time for large files */

    ngx_http_imagegram_upload_close_bytes(u);

    /* who waits for its end has the record open */

    if (rc == NGX_OK && state == NGX_HTTP_IMAGEGRAM_UPLOAD_REFUSED) {
        ngx_http_imagegram_storage_unlink(u->storage, u->id,
                                          NGX_HTTP_IMAGEGRAM_UPLOAD_INFO, log);
    }

    ngx_http_imagegram_upload_unlock(u);

    return rc;
}


/* Also where somebody has taken over: that is no matter of bytes. */

ngx_uint_t
ngx_http_imagegram_upload_crashed(ngx_http_imagegram_upload_t *u)
{
    ngx_uint_t  n;

    if (ngx_http_imagegram_upload_lock(u, NGX_HTTP_IMAGEGRAM_UPLOAD_SLICE, 1)
        != NGX_OK)
    {
        return 0;
    }

    n = 0;

    if (ngx_http_imagegram_upload_read(u, &u->record) == NGX_OK) {
        n = ++u->record.crashes;

        if (ngx_http_imagegram_upload_write(u) != NGX_OK) {
            n = 0;
        }
    }

    ngx_http_imagegram_upload_unlock(u);

    return n;
}


ngx_int_t
ngx_http_imagegram_upload_remove(ngx_http_imagegram_upload_t *u,
    time_t before, ngx_log_t *log)
{
    ngx_int_t  rc;

    if (ngx_http_imagegram_upload_lock(u, NGX_HTTP_IMAGEGRAM_UPLOAD_SLICE, 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_imagegram_upload_read(u, &u->record);

    if (rc == NGX_OK && u->bytes != NGX_INVALID_FILE) {
        rc = ngx_http_imagegram_upload_stat(u);
    }

    if (rc == NGX_OK
        && (ngx_http_imagegram_upload_complete(u)
            || (before && u->touched >= before)))
    {
        rc = NGX_BUSY;
    }

    if (rc == NGX_OK) {

        /* for those who have it open */

        u->record.epoch++;
        u->record.state = NGX_HTTP_IMAGEGRAM_UPLOAD_REMOVED;

        rc = ngx_http_imagegram_upload_write(u);
    }

    if (rc == NGX_OK) {
        ngx_http_imagegram_storage_unlink(u->storage, u->id,
                                          NGX_HTTP_IMAGEGRAM_UPLOAD_BYTES,
                                          log);
        ngx_http_imagegram_storage_unlink(u->storage, u->id,
                                          NGX_HTTP_IMAGEGRAM_UPLOAD_INFO, log);
        ngx_http_imagegram_upload_close_bytes(u);
    }

    ngx_http_imagegram_upload_unlock(u);

    return rc;
}


ngx_int_t
ngx_http_imagegram_upload_expire(ngx_http_imagegram_storage_t *storage,
    u_char *id, time_t before, ngx_log_t *log)
{
    ngx_int_t                    rc;
    ngx_http_imagegram_upload_t  u;

    ngx_memzero(&u, sizeof(ngx_http_imagegram_upload_t));

    ngx_http_imagegram_upload_init(&u, storage, 0);
    ngx_memcpy(u.id, id, NGX_HTTP_IMAGEGRAM_ID_LEN);

    rc = ngx_http_imagegram_upload_open(&u);

    if (rc == NGX_DECLINED) {
        ngx_http_imagegram_upload_close(&u);
        return NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_imagegram_upload_remove(&u, before, log);
    }

    ngx_http_imagegram_upload_close(&u);

    return rc == NGX_OK ? NGX_OK : NGX_BUSY;
}


ngx_int_t
ngx_http_imagegram_upload_sync(ngx_http_imagegram_upload_t *u)
{
    if (u->bytes == NGX_INVALID_FILE) {
        u->bytes = ngx_http_imagegram_storage_open(u->storage, u->id,
                                             NGX_HTTP_IMAGEGRAM_UPLOAD_BYTES);
    }

    if (u->bytes == NGX_INVALID_FILE || fdatasync(u->bytes) == -1
        || fdatasync(u->info) == -1)
    {
        return NGX_ERROR;
    }

    return ngx_http_imagegram_storage_sync(u->storage, "uploads");
}


ngx_uint_t
ngx_http_imagegram_upload_complete(ngx_http_imagegram_upload_t *u)
{
    return u->record.state == NGX_HTTP_IMAGEGRAM_UPLOAD_RECEIVING
           && u->offset == u->record.length;
}


void
ngx_http_imagegram_upload_close(ngx_http_imagegram_upload_t *u)
{
    ngx_http_imagegram_upload_close_bytes(u);

    if (u->info != NGX_INVALID_FILE) {
        (void) ngx_close_file(u->info);
        u->info = NGX_INVALID_FILE;
    }
}


void
ngx_http_imagegram_upload_close_bytes(ngx_http_imagegram_upload_t *u)
{
    if (u->bytes != NGX_INVALID_FILE) {
        (void) ngx_close_file(u->bytes);
        u->bytes = NGX_INVALID_FILE;
    }
}


ngx_int_t
ngx_http_imagegram_upload_lock(ngx_http_imagegram_upload_t *u,
    ngx_http_imagegram_upload_lock_e which, ngx_uint_t wait)
{
    int           rc;
    struct flock  fl;

    ngx_memzero(&fl, sizeof(struct flock));

    fl.l_type = F_WRLCK;
    fl.l_whence = SEEK_SET;
    fl.l_start = which;
    fl.l_len = 1;

    do {
        rc = fcntl(u->info, wait ? F_OFD_SETLKW : F_OFD_SETLK, &fl);
    } while (rc == -1 && ngx_errno == NGX_EINTR);

    if (rc == 0) {
        return NGX_OK;
    }

    return ngx_errno == NGX_EAGAIN || ngx_errno == NGX_EACCES ? NGX_BUSY
                                                              : NGX_ERROR;
}


void
ngx_http_imagegram_upload_unlock(ngx_http_imagegram_upload_t *u)
{
    ngx_err_t     err;
    struct flock  fl;

    err = ngx_errno;

    ngx_memzero(&fl, sizeof(struct flock));

    fl.l_type = F_UNLCK;
    fl.l_whence = SEEK_SET;
    fl.l_start = NGX_HTTP_IMAGEGRAM_UPLOAD_SLICE;
    fl.l_len = 1;

    (void) fcntl(u->info, F_OFD_SETLK, &fl);

    ngx_set_errno(err);
}


ngx_int_t
ngx_http_imagegram_upload_read(ngx_http_imagegram_upload_t *u,
    ngx_http_imagegram_upload_record_t *record)
{
    size_t           size;
    ssize_t          n;
    ngx_uint_t       i;
    ngx_file_info_t  fi;

    size = sizeof(ngx_http_imagegram_upload_record_t);

    n = pread(u->info, record, size, 0);

    if (n == -1 || ngx_fd_info(u->info, &fi) == NGX_FILE_ERROR) {
        return NGX_ERROR;
    }

    if ((size_t) n != size || record->magic != NGX_HTTP_IMAGEGRAM_UPLOAD_MAGIC
        || record->state >= NGX_HTTP_IMAGEGRAM_UPLOAD_REMOVED)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < NGX_HTTP_IMAGEGRAM_UPLOAD_TEXTS; i++) {
        size += record->texts[i];
    }

    if (ngx_file_size(&fi) != (off_t) size
        || size > NGX_HTTP_IMAGEGRAM_UPLOAD_ROOM)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_upload_write(ngx_http_imagegram_upload_t *u)
{
    ssize_t  size;

    size = sizeof(ngx_http_imagegram_upload_record_t);

    return pwrite(u->info, &u->record, size, 0) == size ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_imagegram_upload_stat(ngx_http_imagegram_upload_t *u)
{
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    fd = u->bytes != NGX_INVALID_FILE ? u->bytes : u->info;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        return NGX_ERROR;
    }

    u->touched = ngx_file_mtime(&fi);

    if (fd == u->info) {
        u->offset = u->record.length;

    } else if (u->record.verified != -1) {
        u->offset = u->record.verified;

    } else {
        u->offset = ngx_file_size(&fi);
    }

    return NGX_OK;
}


/* With NGX_OK the lock is held; ours is whose epoch the record has. */

ngx_int_t
ngx_http_imagegram_upload_ours(ngx_http_imagegram_upload_t *u)
{
    ngx_int_t                           rc;
    ngx_http_imagegram_upload_record_t  record;

    if (ngx_http_imagegram_upload_lock(u, NGX_HTTP_IMAGEGRAM_UPLOAD_SLICE, 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_imagegram_upload_read(u, &record);

    if (rc == NGX_OK && record.epoch == u->record.epoch) {
        return NGX_OK;
    }

    ngx_http_imagegram_upload_unlock(u);

    return rc == NGX_ERROR ? NGX_ERROR : NGX_HTTP_CONFLICT;
}
