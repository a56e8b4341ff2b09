
/*
 * The check of what a converter says, see the header.  Owns nothing.
 *
 * It reads three bytes and two sizes of files that were written a moment ago:
 * that does not wait for a disk.
 */


#include "ngx_http_imagegram_result.h"

#include "parse/imagegram_text.h"


static const char *ngx_http_imagegram_result_numbers(
    imagegram_result_t *result);
static const char *ngx_http_imagegram_result_text(imagegram_job_t *job,
    ngx_str_t *author, ngx_str_t *body);
static const char *ngx_http_imagegram_result_files(
    ngx_http_imagegram_conversion_t *conversion, imagegram_result_t *result);


ngx_int_t
ngx_http_imagegram_result_parse(ngx_http_imagegram_conversion_t *conversion,
    u_char *buffer, size_t size, imagegram_result_t *result, ngx_str_t *author,
    ngx_str_t *body)
{
    const char  *wrong;

    wrong = "its length";

    if (size < sizeof(imagegram_result_t)) {
        goto failed;
    }

    ngx_memcpy(result, buffer, sizeof(imagegram_result_t));

    buffer += sizeof(imagegram_result_t);
    size -= sizeof(imagegram_result_t);

    if (result->author_len > size
        || result->body_len != size - result->author_len)
    {
        goto failed;
    }

    author->data = buffer;
    author->len = result->author_len;
    body->data = buffer + author->len;
    body->len = result->body_len;

    wrong = ngx_http_imagegram_result_numbers(result);

    if (wrong == NULL && result->reason == IMAGEGRAM_OK) {
        wrong = ngx_http_imagegram_result_text(&conversion->job, author, body);

        if (wrong == NULL) {
            wrong = ngx_http_imagegram_result_files(conversion, result);
        }
    }

    if (wrong == NULL) {
        return NGX_OK;
    }

failed:

    ngx_log_error(NGX_LOG_ERR, conversion->log, 0,
                  "imagegram-convert sent a wrong result: %s", wrong);

    return NGX_ERROR;
}


static const char *
ngx_http_imagegram_result_numbers(imagegram_result_t *result)
{
    ngx_uint_t  i;

    if (result->version != IMAGEGRAM_PROTOCOL) {
        return "another version";
    }

    if (result->reason >= IMAGEGRAM_REASON_MAX
        || result->format >= IMAGEGRAM_FORMAT_MAX)
    {
        return "an unknown reason or format";
    }

    for (i = 0; i < IMAGEGRAM_FIELD_MAX; i++) {

        if (result->fields[i] >= IMAGEGRAM_REASON_MAX) {
            return "an unknown reason for a field";
        }

        if (result->reason == IMAGEGRAM_OK
            && result->fields[i] != IMAGEGRAM_OK)
        {
            return "success with a field at fault";
        }
    }

    if (result->reason == IMAGEGRAM_OK
        && result->format == IMAGEGRAM_FORMAT_NONE)
    {
        return "success without a format";
    }

    return NULL;
}


static const char *
ngx_http_imagegram_result_text(imagegram_job_t *job, ngx_str_t *author,
    ngx_str_t *body)
{
    size_t  len;

    if (job->kind == IMAGEGRAM_BODY_IMAGE) {
        return author->len || body->len ? "fields of an image alone" : NULL;
    }

    len = author->len;

    if ((len != 0 || !job->author_optional)
        && (imagegram_text_normalize(author->data, &len, job->max_author)
            != IMAGEGRAM_OK
            || len != author->len))
    {
        return "a bad author";
    }

    len = body->len;

    if (imagegram_text_normalize(body->data, &len, job->max_body)
        != IMAGEGRAM_OK
        || len != body->len)
    {
        return "a bad body";
    }

    return NULL;
}


static const char *
ngx_http_imagegram_result_files(ngx_http_imagegram_conversion_t *conversion,
    imagegram_result_t *result)
{
    u_char           magic[3];
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    fd = conversion->fds[IMAGEGRAM_FD_JPEG];

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR
        || (uint64_t) ngx_file_size(&fi) != result->jpeg_size)
    {
        return "another size than the JPEG has";
    }

    if (pread(fd, magic, 3, 0) != 3
        || magic[0] != 0xff || magic[1] != 0xd8 || magic[2] != 0xff)
    {
        return "what it wrote is no JPEG";
    }

    fd = conversion->job.kind == IMAGEGRAM_BODY_IMAGE
             ? conversion->fds[IMAGEGRAM_FD_BODY]
             : conversion->fds[IMAGEGRAM_FD_ORIGINAL];

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR
        || (uint64_t) ngx_file_size(&fi) != result->original_size
        || result->original_size > conversion->job.max_image_size)
    {
        return "another size than the original has, or may have";
    }

    return NULL;
}
