
/*
 * The image as a stream of bytes.  The buffer lives in imagegram_input_t, the
 * fd is the caller's: there is nothing to close.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imagegram_input.h"


static size_t imagegram_input_pread(imagegram_input_t *in, unsigned char *dst,
    size_t n);


int
imagegram_input_open(imagegram_input_t *in, int fd)
{
    struct stat  st;

    in->fd = fd;
    in->failed = 0;
    in->offset = 0;
    in->pos = in->buffer;
    in->last = in->buffer;

    if (fstat(fd, &st) == -1 || st.st_size < 0) {
        return -1;
    }

    in->size = (uint64_t) st.st_size;

    return 0;
}


int
imagegram_input_fill(imagegram_input_t *in)
{
    size_t  n;

    n = imagegram_input_pread(in, in->buffer, sizeof(in->buffer));

    in->pos = in->buffer;
    in->last = in->buffer + n;

    return (n == 0) ? -1 : 0;
}


int
imagegram_input_read(imagegram_input_t *in, void *dst, size_t n)
{
    size_t          k;
    unsigned char  *p;

    p = dst;

    for ( ;; ) {
        k = (size_t) (in->last - in->pos);
        k = (k < n) ? k : n;

        memcpy(p, in->pos, k);

        in->pos += k;
        p += k;
        n -= k;

        if (n == 0) {
            return 0;
        }

        /* what is as large as the buffer gains nothing by it */

        if (n >= sizeof(in->buffer)) {
            return (imagegram_input_pread(in, p, n) == n) ? 0 : -1;
        }

        if (imagegram_input_fill(in) != 0) {
            return -1;
        }
    }
}


int
imagegram_input_skip(imagegram_input_t *in, uint64_t n)
{
    uint64_t  at;

    if (n <= (uint64_t) (in->last - in->pos)) {
        in->pos += n;
        return 0;
    }

    at = imagegram_input_tell(in);

    if (at > in->size || n > in->size - at) {
        return -1;
    }

    return imagegram_input_seek(in, at + n);
}


int
imagegram_input_seek(imagegram_input_t *in, uint64_t offset)
{
    if (offset > in->size) {
        return -1;
    }

    in->offset = offset;
    in->pos = in->buffer;
    in->last = in->buffer;

    return 0;
}


uint64_t
imagegram_input_tell(const imagegram_input_t *in)
{
    return in->offset - (uint64_t) (in->last - in->pos);
}


static size_t
imagegram_input_pread(imagegram_input_t *in, unsigned char *dst, size_t n)
{
    size_t   done;
    ssize_t  k;

    done = 0;

    while (done < n) {
        k = pread(in->fd, dst + done, n - done, (off_t) in->offset);

        if (k == -1 && errno == EINTR) {
            continue;
        }

        if (k == -1) {
            in->failed = 1;
            break;
        }

        if (k == 0) {
            break;
        }

        done += (size_t) k;
        in->offset += (uint64_t) k;
    }

    return done;
}
