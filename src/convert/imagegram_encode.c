
/*
 * Encoding by libjpeg, straight to the file: what is written is what is asked
 * for, and nothing is left that could carry metadata over.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>
#include <jerror.h>

#include "imagegram_encode.h"


#define IMAGEGRAM_ENCODE_BUFFER  16384


typedef struct {
    struct jpeg_compress_struct    cinfo;
    struct jpeg_error_mgr          errors;
    struct jpeg_destination_mgr    dest;
    jmp_buf                        jump;

    int                            fd;
    imagegram_reason_e             reason;  /* why it jumped */
    unsigned char                  buffer[IMAGEGRAM_ENCODE_BUFFER];
} imagegram_encode_t;


static imagegram_reason_e imagegram_encode_run(imagegram_encode_t *e,
    const unsigned char *pixels, uint32_t width, uint32_t height,
    unsigned quality);
static void imagegram_encode_start(j_compress_ptr cinfo);
static boolean imagegram_encode_empty(j_compress_ptr cinfo);
static void imagegram_encode_end(j_compress_ptr cinfo);
static void imagegram_encode_write(imagegram_encode_t *e, size_t n);
static void imagegram_encode_error(j_common_ptr cinfo);
static void imagegram_encode_message(j_common_ptr cinfo, int level);
static void imagegram_encode_fail(imagegram_encode_t *e,
    imagegram_reason_e reason) __attribute__((noreturn));


imagegram_reason_e
imagegram_encode(int fd, const unsigned char *pixels, uint32_t width,
    uint32_t height, unsigned quality)
{
    imagegram_encode_t  *e;
    imagegram_reason_e   rc;

    e = calloc(1, sizeof(imagegram_encode_t));
    if (e == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    e->fd = fd;

    rc = imagegram_encode_run(e, pixels, width, height, quality);

    jpeg_destroy_compress(&e->cinfo);
    free(e);

    return rc;
}


static imagegram_reason_e
imagegram_encode_run(imagegram_encode_t *e, const unsigned char *pixels,
    uint32_t width, uint32_t height, unsigned quality)
{
    JSAMPROW                      row;
    struct jpeg_compress_struct  *cinfo;

    cinfo = &e->cinfo;

    /* jpeg_create_compress() may fail too, and keeps these two */

    cinfo->client_data = e;
    cinfo->err = jpeg_std_error(&e->errors);
    e->errors.error_exit = imagegram_encode_error;
    e->errors.emit_message = imagegram_encode_message;

    if (setjmp(e->jump) != 0) {
        return e->reason;
    }

    jpeg_create_compress(cinfo);

    e->dest.init_destination = imagegram_encode_start;
    e->dest.empty_output_buffer = imagegram_encode_empty;
    e->dest.term_destination = imagegram_encode_end;
    cinfo->dest = &e->dest;

    cinfo->image_width = width;
    cinfo->image_height = height;
    cinfo->input_components = 3;
    cinfo->in_color_space = JCS_RGB;

    /* the defaults are YCbCr, 4:2:0 and a JFIF header */

    jpeg_set_defaults(cinfo);
    jpeg_set_quality(cinfo, (int) quality, TRUE);
    jpeg_simple_progression(cinfo);
    cinfo->optimize_coding = TRUE;

    jpeg_start_compress(cinfo, TRUE);

    while (cinfo->next_scanline < height) {
        row = (JSAMPROW) pixels + (size_t) cinfo->next_scanline * width * 3;

        (void) jpeg_write_scanlines(cinfo, &row, 1);
    }

    jpeg_finish_compress(cinfo);

    return IMAGEGRAM_OK;
}


static void
imagegram_encode_start(j_compress_ptr cinfo)
{
    imagegram_encode_t  *e;

    e = cinfo->client_data;

    e->dest.next_output_byte = e->buffer;
    e->dest.free_in_buffer = sizeof(e->buffer);
}


static boolean
imagegram_encode_empty(j_compress_ptr cinfo)
{
    imagegram_encode_t  *e;

    e = cinfo->client_data;

    imagegram_encode_write(e, sizeof(e->buffer));
    imagegram_encode_start(cinfo);

    return TRUE;
}


static void
imagegram_encode_end(j_compress_ptr cinfo)
{
    imagegram_encode_t  *e;

    e = cinfo->client_data;

    imagegram_encode_write(e, sizeof(e->buffer) - e->dest.free_in_buffer);
}


static void
imagegram_encode_write(imagegram_encode_t *e, size_t n)
{
    ssize_t               k;
    const unsigned char  *p;

    p = e->buffer;

    while (n != 0) {
        k = write(e->fd, p, n);

        if (k == -1 && errno == EINTR) {
            continue;
        }

        if (k <= 0) {
            imagegram_encode_fail(e, (k == -1 && (errno == ENOSPC
                                                  || errno == EDQUOT))
                                     ? IMAGEGRAM_DISK_FULL
                                     : IMAGEGRAM_INTERNAL);
        }

        p += k;
        n -= (size_t) k;
    }
}


static void
imagegram_encode_error(j_common_ptr cinfo)
{
    imagegram_encode_fail(cinfo->client_data,
                          (cinfo->err->msg_code == JERR_OUT_OF_MEMORY)
                          ? IMAGEGRAM_MEMORY : IMAGEGRAM_INTERNAL);
}


static void
imagegram_encode_message(j_common_ptr cinfo, int level)
{
    (void) cinfo;
    (void) level;
}


static void
imagegram_encode_fail(imagegram_encode_t *e, imagegram_reason_e reason)
{
    e->reason = reason;

    longjmp(e->jump, 1);
}
