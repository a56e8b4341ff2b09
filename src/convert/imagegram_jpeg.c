
/*
 * JPEG by libjpeg, which shrinks while it decodes.  A file that is cut off or
 * damaged is refused: libjpeg would paint the rest gray.
 *
 * libjpeg ends the process on errors; here it jumps back.  What is changed
 * between setjmp() and longjmp() lives in imagegram_jpeg_t.
 */

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "../parse/imagegram_bytes.h"
#include "../parse/imagegram_header.h"
#include "imagegram_decode.h"
#include "imagegram_jpeg_blocks.h"
#include "imagegram_jpeg_meta.h"


/* of a file in several scans, such as a progressive one */
#define IMAGEGRAM_JPEG_SCANS    32
#define IMAGEGRAM_JPEG_WORK     100000000   /* blocks of all scans */
#define IMAGEGRAM_JPEG_BLOCKS   (192 * 1024 * 1024)     /* bytes for them */

/* some cameras pad the end of the pixels */
#define IMAGEGRAM_JPEG_PADDING  64          /* bytes */

/* beside what is seen */
#define IMAGEGRAM_JPEG_MARGIN   16          /* pixels */


typedef struct {
    imagegram_jpeg_blocks_t        blocks;  /* must be the first */

    struct jpeg_decompress_struct  cinfo;
    struct jpeg_error_mgr          errors;
    struct jpeg_source_mgr         src;
    struct jpeg_progress_mgr       progress;
    jmp_buf                        jump;

    imagegram_input_t             *in;
    imagegram_picture_t           *picture;
    imagegram_jpeg_meta_t          meta;
    unsigned char                 *row;
    size_t                         row_at;  /* where decoded samples begin */
    int                            scan;    /* the number of this one */
    uint64_t                       work;    /* blocks of scans up to it */
    imagegram_reason_e             reason;  /* why it jumped */
} imagegram_jpeg_t;


static imagegram_reason_e imagegram_jpeg_run(imagegram_jpeg_t *jpeg);
static imagegram_reason_e imagegram_jpeg_limits(imagegram_jpeg_t *jpeg);
static imagegram_reason_e imagegram_jpeg_begin(imagegram_jpeg_t *jpeg);
static void imagegram_jpeg_crop(imagegram_jpeg_t *jpeg);
static void imagegram_jpeg_rows(imagegram_jpeg_t *jpeg);
static boolean imagegram_jpeg_marker(j_decompress_ptr cinfo);
static void imagegram_jpeg_read(j_decompress_ptr cinfo, unsigned char *dst,
    size_t n);
static void imagegram_jpeg_nothing(j_decompress_ptr cinfo);
static boolean imagegram_jpeg_fill(j_decompress_ptr cinfo);
static void imagegram_jpeg_take(imagegram_jpeg_t *jpeg);
static void imagegram_jpeg_skip(j_decompress_ptr cinfo, long n);
static void imagegram_jpeg_progress(j_common_ptr cinfo);
static void imagegram_jpeg_error(j_common_ptr cinfo);
static void imagegram_jpeg_message(j_common_ptr cinfo, int level);
static void imagegram_jpeg_fail(imagegram_jpeg_t *jpeg,
    imagegram_reason_e reason) __attribute__((noreturn));


imagegram_reason_e
imagegram_jpeg_decode(imagegram_input_t *in, imagegram_picture_t *p)
{
    imagegram_jpeg_t   *jpeg;
    imagegram_reason_e  rc;

    jpeg = calloc(1, sizeof(imagegram_jpeg_t));
    if (jpeg == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    jpeg->in = in;
    jpeg->picture = p;
    jpeg->meta.orientation = 1;

    rc = imagegram_jpeg_run(jpeg);

    jpeg_destroy_decompress(&jpeg->cinfo);
    imagegram_jpeg_meta_free(&jpeg->meta);
    free(jpeg->row);
    free(jpeg);

    return (rc == IMAGEGRAM_OK) ? imagegram_picture_end(p) : rc;
}


static imagegram_reason_e
imagegram_jpeg_run(imagegram_jpeg_t *jpeg)
{
    imagegram_reason_e              rc;
    struct jpeg_decompress_struct  *cinfo;

    cinfo = &jpeg->cinfo;

    /* jpeg_create_decompress() may fail too, and keeps these two */

    cinfo->client_data = jpeg;
    cinfo->err = jpeg_std_error(&jpeg->errors);
    jpeg->errors.error_exit = imagegram_jpeg_error;
    jpeg->errors.emit_message = imagegram_jpeg_message;

    if (setjmp(jpeg->jump) != 0) {
        return jpeg->reason;
    }

    jpeg_create_decompress(cinfo);

    jpeg->progress.progress_monitor = imagegram_jpeg_progress;
    cinfo->progress = &jpeg->progress;

    jpeg->src.init_source = imagegram_jpeg_nothing;
    jpeg->src.fill_input_buffer = imagegram_jpeg_fill;
    jpeg->src.skip_input_data = imagegram_jpeg_skip;
    jpeg->src.resync_to_restart = jpeg_resync_to_restart;
    jpeg->src.term_source = imagegram_jpeg_nothing;
    imagegram_jpeg_take(jpeg);
    cinfo->src = &jpeg->src;

    jpeg_set_marker_processor(cinfo, JPEG_APP0 + 1, imagegram_jpeg_marker);
    jpeg_set_marker_processor(cinfo, JPEG_APP0 + 2, imagegram_jpeg_marker);

    (void) jpeg_read_header(cinfo, TRUE);

    rc = imagegram_jpeg_limits(jpeg);
    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    rc = imagegram_jpeg_begin(jpeg);
    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    imagegram_jpeg_rows(jpeg);

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_jpeg_limits(imagegram_jpeg_t *jpeg)
{
    imagegram_reason_e              rc;
    struct jpeg_decompress_struct  *cinfo;

    cinfo = &jpeg->cinfo;

    rc = imagegram_header_limits(cinfo->image_width, cinfo->image_height,
                                 jpeg->picture->job->max_image_pixels);
    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    if (cinfo->arith_code
        || (cinfo->num_components != 1 && cinfo->num_components != 3
            && cinfo->num_components != 4))
    {
        return IMAGEGRAM_DECODE;
    }

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_jpeg_begin(imagegram_jpeg_t *jpeg)
{
    imagegram_view_t                view;
    imagegram_source_t              s;
    imagegram_reason_e              rc;
    struct jpeg_decompress_struct  *cinfo;

    cinfo = &jpeg->cinfo;

    memset(&s, 0, sizeof(imagegram_source_t));

    s.orientation = jpeg->meta.orientation;

    imagegram_picture_view(jpeg->picture, cinfo->image_width,
                           cinfo->image_height, s.orientation, &view);

    cinfo->scale_denom = 8;
    cinfo->scale_num = (view.across > view.down) ? view.across : view.down;
    cinfo->dct_method = JDCT_ISLOW;

    switch (cinfo->num_components) {

    case 1:
        cinfo->out_color_space = JCS_GRAYSCALE;
        s.samples = IMAGEGRAM_SAMPLES_GRAY;
        break;

    case 3:
        cinfo->out_color_space = JCS_RGB;
        s.samples = IMAGEGRAM_SAMPLES_RGB;
        break;

    default:
        cinfo->out_color_space = JCS_CMYK;
        s.samples = cinfo->saw_Adobe_marker ? IMAGEGRAM_SAMPLES_CMYK_REV
                                            : IMAGEGRAM_SAMPLES_CMYK;
    }

    if (imagegram_jpeg_meta_icc(&jpeg->meta, &s.icc, &s.icc_len) != 0) {
        return IMAGEGRAM_MEMORY;
    }

    imagegram_jpeg_blocks_use(&jpeg->blocks, cinfo, &view,
                              IMAGEGRAM_JPEG_BLOCKS);

    (void) jpeg_start_decompress(cinfo);

    s.width = cinfo->output_width;
    s.height = cinfo->output_height;

    rc = imagegram_picture_begin(jpeg->picture, &s);
    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    jpeg->row = malloc((size_t) cinfo->output_width
                       * (size_t) cinfo->output_components);
    if (jpeg->row == NULL) {
        return IMAGEGRAM_MEMORY;
    }

    imagegram_jpeg_crop(jpeg);

    return IMAGEGRAM_OK;
}


/* What lies to the left and to the right of what is seen is read, but no more;
 * with a margin for what upsampling mixes in. */

static void
imagegram_jpeg_crop(imagegram_jpeg_t *jpeg)
{
    JDIMENSION                      x, end;
    struct jpeg_decompress_struct  *cinfo;

    cinfo = &jpeg->cinfo;

    x = jpeg->picture->x;
    end = x + jpeg->picture->width + IMAGEGRAM_JPEG_MARGIN;

    x = (x > IMAGEGRAM_JPEG_MARGIN) ? x - IMAGEGRAM_JPEG_MARGIN : 0;
    end = (end < cinfo->output_width) ? end : cinfo->output_width;

    if (end - x == cinfo->output_width) {
        return;
    }

    end -= x;
    jpeg_crop_scanline(cinfo, &x, &end);

    jpeg->row_at = (size_t) x * (size_t) cinfo->output_components;
}


static void
imagegram_jpeg_rows(imagegram_jpeg_t *jpeg)
{
    uint32_t                        y;
    JSAMPROW                        row;
    struct jpeg_decompress_struct  *cinfo;

    cinfo = &jpeg->cinfo;
    row = jpeg->row + jpeg->row_at;

    while (cinfo->output_scanline < cinfo->output_height) {
        y = cinfo->output_scanline;

        (void) jpeg_read_scanlines(cinfo, &row, 1);

        imagegram_picture_row(jpeg->picture, y, jpeg->row);
    }

    /* reads up to the end of the image, which must be there */

    (void) jpeg_finish_decompress(cinfo);
}


/* APP1, where EXIF is, and APP2, where profiles are */

static boolean
imagegram_jpeg_marker(j_decompress_ptr cinfo)
{
    size_t             n;
    unsigned char      size[2];
    imagegram_jpeg_t  *jpeg;

    jpeg = cinfo->client_data;

    imagegram_jpeg_read(cinfo, size, 2);

    n = imagegram_get_be16(size);

    if (n < 2) {
        imagegram_jpeg_fail(jpeg, IMAGEGRAM_DECODE);
    }

    n -= 2;

    imagegram_jpeg_read(cinfo, jpeg->meta.segment, n);

    if (imagegram_jpeg_meta_segment(&jpeg->meta, n) != 0) {
        imagegram_jpeg_fail(jpeg, IMAGEGRAM_MEMORY);
    }

    return TRUE;
}


static void
imagegram_jpeg_read(j_decompress_ptr cinfo, unsigned char *dst, size_t n)
{
    size_t                   k;
    struct jpeg_source_mgr  *src;

    src = cinfo->src;

    while (n != 0) {
        if (src->bytes_in_buffer == 0) {
            (void) imagegram_jpeg_fill(cinfo);
        }

        k = (n < src->bytes_in_buffer) ? n : src->bytes_in_buffer;
        memcpy(dst, src->next_input_byte, k);

        src->next_input_byte += k;
        src->bytes_in_buffer -= k;
        dst += k;
        n -= k;
    }
}


static void
imagegram_jpeg_nothing(j_decompress_ptr cinfo)
{
    (void) cinfo;
}


static boolean
imagegram_jpeg_fill(j_decompress_ptr cinfo)
{
    imagegram_jpeg_t  *jpeg;

    jpeg = cinfo->client_data;

    if (imagegram_input_fill(jpeg->in) != 0) {
        imagegram_jpeg_fail(jpeg, IMAGEGRAM_DECODE);
    }

    imagegram_jpeg_take(jpeg);

    return TRUE;
}


/* libjpeg reads from the input's own buffer */

static void
imagegram_jpeg_take(imagegram_jpeg_t *jpeg)
{
    jpeg->src.next_input_byte = jpeg->in->pos;
    jpeg->src.bytes_in_buffer = (size_t) (jpeg->in->last - jpeg->in->pos);

    jpeg->in->pos = jpeg->in->last;
}


static void
imagegram_jpeg_skip(j_decompress_ptr cinfo, long n)
{
    size_t             left;
    imagegram_jpeg_t  *jpeg;

    if (n <= 0) {
        return;
    }

    jpeg = cinfo->client_data;
    left = cinfo->src->bytes_in_buffer;

    if ((size_t) n <= left) {
        cinfo->src->next_input_byte += n;
        cinfo->src->bytes_in_buffer -= (size_t) n;
        return;
    }

    cinfo->src->bytes_in_buffer = 0;

    if (imagegram_input_skip(jpeg->in, (uint64_t) n - left) != 0) {
        imagegram_jpeg_fail(jpeg, IMAGEGRAM_DECODE);
    }
}


/* called for each piece of work, so also in each of a million scans */

static void
imagegram_jpeg_progress(j_common_ptr common)
{
    int                         i;
    j_decompress_ptr            cinfo;
    imagegram_jpeg_t           *jpeg;
    const jpeg_component_info  *c;

    cinfo = (j_decompress_ptr) common;
    jpeg = common->client_data;

    if (cinfo->input_scan_number == jpeg->scan) {
        return;
    }

    jpeg->scan = cinfo->input_scan_number;

    for (i = 0; i < cinfo->comps_in_scan; i++) {
        c = cinfo->cur_comp_info[i];
        jpeg->work += (uint64_t) c->width_in_blocks * c->height_in_blocks;
    }

    if (jpeg->scan > IMAGEGRAM_JPEG_SCANS
        || (jpeg->scan > 1 && jpeg->work > IMAGEGRAM_JPEG_WORK))
    {
        imagegram_jpeg_fail(jpeg, IMAGEGRAM_COMPLEXITY);
    }
}


static void
imagegram_jpeg_error(j_common_ptr cinfo)
{
    imagegram_reason_e  reason;

    switch (cinfo->err->msg_code) {

    case JERR_OUT_OF_MEMORY:
        reason = IMAGEGRAM_MEMORY;
        break;

    case JERR_NO_BACKING_STORE:
        reason = IMAGEGRAM_COMPLEXITY;
        break;

    default:
        reason = IMAGEGRAM_DECODE;
    }

    imagegram_jpeg_fail(cinfo->client_data, reason);
}


/* level -1 is a warning: the data is damaged, libjpeg would go on */

static void
imagegram_jpeg_message(j_common_ptr cinfo, int level)
{
    if (level >= 0) {
        return;
    }

    switch (cinfo->err->msg_code) {

    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
        return;

    case JWRN_EXTRANEOUS_DATA:
        if (cinfo->err->msg_parm.i[0] <= IMAGEGRAM_JPEG_PADDING) {
            return;
        }

        break;
    }

    imagegram_jpeg_fail(cinfo->client_data, IMAGEGRAM_DECODE);
}


static void
imagegram_jpeg_fail(imagegram_jpeg_t *jpeg, imagegram_reason_e reason)
{
    jpeg->reason = jpeg->in->failed ? IMAGEGRAM_INTERNAL : reason;

    longjmp(jpeg->jump, 1);
}
