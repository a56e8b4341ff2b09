
/*
 * The multipart parser: an automaton that is fed octets, and a fast search for
 * the next delimiter.  What it keeps between two feeds is in the caller's
 * imagegram_multipart_t; content is delivered right from what is being fed.
 *
 * A delimiter starts with CR and has no other, so that a false start needs no
 * step back: what was taken for a delimiter is content, and the search goes
 * on where it failed.  Nor is it stored: its text is known.
 *
 * Knows no nginx type.
 */

#include <string.h>
#include <strings.h>

#include "imagegram_disposition.h"
#include "imagegram_multipart.h"


/* what a delimiter has before its boundary */

#define IMAGEGRAM_MULTIPART_PREFIX  4

static const char  imagegram_multipart_prefix[] = "\r\n--";


enum {
    IMAGEGRAM_MULTIPART_CONTENT = 0,    /* or the preamble */
    IMAGEGRAM_MULTIPART_DELIMITER,      /* behind its text */
    IMAGEGRAM_MULTIPART_DASH,           /* behind that and '-' */
    IMAGEGRAM_MULTIPART_PADDING,
    IMAGEGRAM_MULTIPART_PADDING_LF,
    IMAGEGRAM_MULTIPART_HEADER,
    IMAGEGRAM_MULTIPART_HEADER_LF,
    IMAGEGRAM_MULTIPART_EPILOGUE
};


static imagegram_reason_e imagegram_multipart_content(
    imagegram_multipart_t *m, const unsigned char **pos,
    const unsigned char *last);
static const unsigned char *imagegram_multipart_search(
    imagegram_multipart_t *m, const unsigned char *p,
    const unsigned char *last);
static const unsigned char *imagegram_multipart_match(
    imagegram_multipart_t *m, const unsigned char *p,
    const unsigned char *last);
static imagegram_reason_e imagegram_multipart_deliver(
    imagegram_multipart_t *m, const void *piece, size_t len);
static imagegram_reason_e imagegram_multipart_false_start(
    imagegram_multipart_t *m);
static imagegram_reason_e imagegram_multipart_octet(imagegram_multipart_t *m,
    unsigned char ch);
static imagegram_reason_e imagegram_multipart_delimiter(
    imagegram_multipart_t *m, const unsigned char **pos);
static imagegram_reason_e imagegram_multipart_end_part(
    imagegram_multipart_t *m);
static imagegram_reason_e imagegram_multipart_header_octet(
    imagegram_multipart_t *m, unsigned char ch);
static imagegram_reason_e imagegram_multipart_header(
    imagegram_multipart_t *m);
static imagegram_reason_e imagegram_multipart_begin_part(
    imagegram_multipart_t *m);


void
imagegram_multipart_init(imagegram_multipart_t *m, const char *boundary,
    size_t boundary_len, const imagegram_multipart_handlers_t *h, void *data)
{
    memset(m, 0, offsetof(imagegram_multipart_t, buffer));

    m->handlers = h;
    m->data = data;
    m->boundary = boundary;
    m->boundary_len = boundary_len;

    /* the first delimiter needs no CR LF before it */

    m->matched = 2;
}


imagegram_reason_e
imagegram_multipart_feed(imagegram_multipart_t *m, const unsigned char *p,
    size_t len)
{
    imagegram_reason_e    rc;
    const unsigned char  *last;

    last = p + len;

    while (p < last) {

        switch (m->state) {

        case IMAGEGRAM_MULTIPART_CONTENT:
            rc = imagegram_multipart_content(m, &p, last);
            break;

        case IMAGEGRAM_MULTIPART_DELIMITER:
        case IMAGEGRAM_MULTIPART_DASH:
            rc = imagegram_multipart_delimiter(m, &p);
            break;

        case IMAGEGRAM_MULTIPART_EPILOGUE:
            return IMAGEGRAM_OK;

        default:
            rc = imagegram_multipart_octet(m, *p++);
        }

        if (rc != IMAGEGRAM_OK) {
            return rc;
        }
    }

    return IMAGEGRAM_OK;
}


imagegram_reason_e
imagegram_multipart_end(imagegram_multipart_t *m)
{
    return (m->state == IMAGEGRAM_MULTIPART_EPILOGUE) ? IMAGEGRAM_OK
                                                      : IMAGEGRAM_MULTIPART;
}


/* Delivers content up to a delimiter, or to what may become one. */

static imagegram_reason_e
imagegram_multipart_content(imagegram_multipart_t *m,
    const unsigned char **pos, const unsigned char *last)
{
    imagegram_reason_e    rc;
    const unsigned char  *p, *start;

    p = *pos;

    if (m->matched) {
        p = imagegram_multipart_match(m, p, last);

        if (m->state != IMAGEGRAM_MULTIPART_CONTENT || p == last) {
            *pos = p;
            return IMAGEGRAM_OK;
        }

        rc = imagegram_multipart_false_start(m);

        if (rc != IMAGEGRAM_OK) {
            return rc;
        }
    }

    start = p;
    p = imagegram_multipart_search(m, start, last);

    rc = imagegram_multipart_deliver(m, start, p - start);

    *pos = p + m->matched;

    return rc;
}


/*
 * Gives where a delimiter starts that is complete or goes on behind last;
 * m->matched bytes of it are there.  Gives last where there is none.
 */

static const unsigned char *
imagegram_multipart_search(imagegram_multipart_t *m, const unsigned char *p,
    const unsigned char *last)
{
    size_t                n;
    const unsigned char  *end;

    n = IMAGEGRAM_MULTIPART_PREFIX + m->boundary_len;

    while (p < last) {

        p = memchr(p, '\r', last - p);

        if (p == NULL) {
            break;
        }

        if ((size_t) (last - p) >= n
            && (memcmp(p, imagegram_multipart_prefix,
                       IMAGEGRAM_MULTIPART_PREFIX)
                != 0
                || memcmp(p + IMAGEGRAM_MULTIPART_PREFIX, m->boundary,
                          m->boundary_len)
                   != 0))
        {
            p++;
            continue;
        }

        m->matched = 0;
        end = imagegram_multipart_match(m, p, last);

        if (end == last || m->state != IMAGEGRAM_MULTIPART_CONTENT) {
            return p;
        }

        p = end;
    }

    m->matched = 0;

    return last;
}


/* Goes on comparing with the delimiter; gives where that ended. */

static const unsigned char *
imagegram_multipart_match(imagegram_multipart_t *m, const unsigned char *p,
    const unsigned char *last)
{
    size_t  n;
    char    expected;

    while (p < last) {
        n = m->matched;

        expected = (n < IMAGEGRAM_MULTIPART_PREFIX)
                   ? imagegram_multipart_prefix[n]
                   : m->boundary[n - IMAGEGRAM_MULTIPART_PREFIX];

        if (*p != (unsigned char) expected) {
            break;
        }

        p++;

        if (++m->matched == IMAGEGRAM_MULTIPART_PREFIX + m->boundary_len) {
            m->state = IMAGEGRAM_MULTIPART_DELIMITER;
            break;
        }
    }

    return p;
}


static imagegram_reason_e
imagegram_multipart_deliver(imagegram_multipart_t *m, const void *piece,
    size_t len)
{
    if (m->parts == 0 || len == 0) {
        return IMAGEGRAM_OK;
    }

    return m->handlers->data(m->data, piece, len);
}


/* What was matched so far is content after all. */

static imagegram_reason_e
imagegram_multipart_false_start(imagegram_multipart_t *m)
{
    size_t              n, from;
    imagegram_reason_e  rc;

    n = m->matched;
    from = m->borrowed;

    m->matched = 0;
    m->borrowed = 0;

    if (n <= IMAGEGRAM_MULTIPART_PREFIX) {
        return imagegram_multipart_deliver(m,
                                           imagegram_multipart_prefix + from,
                                           n - from);
    }

    rc = imagegram_multipart_deliver(m, imagegram_multipart_prefix + from,
                                     IMAGEGRAM_MULTIPART_PREFIX - from);

    if (rc != IMAGEGRAM_OK) {
        return rc;
    }

    return imagegram_multipart_deliver(m, m->boundary,
                                       n - IMAGEGRAM_MULTIPART_PREFIX);
}


/*
 * Decides whether the text of a delimiter is one: "--" makes it the last one,
 * white space or the end of the line another one.  Anything else, such as a
 * longer boundary, is content.
 */

static imagegram_reason_e
imagegram_multipart_delimiter(imagegram_multipart_t *m,
    const unsigned char **pos)
{
    unsigned            dash;
    unsigned char       ch;
    imagegram_reason_e  rc;

    ch = **pos;
    dash = (m->state == IMAGEGRAM_MULTIPART_DASH);

    if (ch == '-') {
        (*pos)++;

        if (!dash) {
            m->state = IMAGEGRAM_MULTIPART_DASH;
            return IMAGEGRAM_OK;
        }

        m->state = IMAGEGRAM_MULTIPART_EPILOGUE;
        return imagegram_multipart_end_part(m);
    }

    if (!dash && (ch == ' ' || ch == '\t' || ch == '\r')) {
        m->state = IMAGEGRAM_MULTIPART_PADDING;
        return imagegram_multipart_end_part(m);
    }

    m->state = IMAGEGRAM_MULTIPART_CONTENT;

    rc = imagegram_multipart_false_start(m);

    if (rc != IMAGEGRAM_OK || !dash) {
        return rc;
    }

    return imagegram_multipart_deliver(m, "-", 1);
}


static imagegram_reason_e
imagegram_multipart_end_part(imagegram_multipart_t *m)
{
    m->matched = 0;
    m->borrowed = 0;

    return m->parts ? m->handlers->end(m->data) : IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_multipart_octet(imagegram_multipart_t *m, unsigned char ch)
{
    switch (m->state) {

    case IMAGEGRAM_MULTIPART_PADDING:
        if (ch == ' ' || ch == '\t') {
            return IMAGEGRAM_OK;
        }

        m->state = IMAGEGRAM_MULTIPART_PADDING_LF;
        return (ch == '\r') ? IMAGEGRAM_OK : IMAGEGRAM_MULTIPART;

    case IMAGEGRAM_MULTIPART_PADDING_LF:
        if (ch != '\n' || m->parts == IMAGEGRAM_MULTIPART_PARTS) {
            return IMAGEGRAM_MULTIPART;
        }

        m->parts++;
        m->headers = 0;
        m->named = 0;
        m->name_len = 0;
        m->line_len = 0;
        m->state = IMAGEGRAM_MULTIPART_HEADER;
        return IMAGEGRAM_OK;

    case IMAGEGRAM_MULTIPART_HEADER:
        return imagegram_multipart_header_octet(m, ch);

    default: /* IMAGEGRAM_MULTIPART_HEADER_LF */
        if (ch != '\n') {
            return IMAGEGRAM_MULTIPART;
        }

        m->state = IMAGEGRAM_MULTIPART_HEADER;

        return m->line_len ? imagegram_multipart_header(m)
                           : imagegram_multipart_begin_part(m);
    }
}


static imagegram_reason_e
imagegram_multipart_header_octet(imagegram_multipart_t *m, unsigned char ch)
{
    if (ch == '\r') {
        m->state = IMAGEGRAM_MULTIPART_HEADER_LF;
        return IMAGEGRAM_OK;
    }

    if ((ch < ' ' && ch != '\t') || ch == 0x7f
        || m->name_len + m->line_len == IMAGEGRAM_MULTIPART_BUFFER)
    {
        return IMAGEGRAM_MULTIPART;
    }

    m->buffer[m->name_len + m->line_len++] = ch;

    return IMAGEGRAM_OK;
}


/*
 * Takes a complete line.  The name that it may have goes to the start of the
 * buffer; the next line is read behind it.
 */

static imagegram_reason_e
imagegram_multipart_header(imagegram_multipart_t *m)
{
    char    *line, *colon, *name;
    size_t   len, name_len;

    static const char  disposition[] = "Content-Disposition";

    line = m->buffer + m->name_len;
    len = m->line_len;
    m->line_len = 0;

    colon = memchr(line, ':', len);

    /* a line that starts with white space would be a folded one */

    if (m->headers++ == IMAGEGRAM_MULTIPART_HEADERS
        || colon == NULL || colon == line || *line == ' ' || *line == '\t')
    {
        return IMAGEGRAM_MULTIPART;
    }

    if (colon - line != sizeof(disposition) - 1
        || strncasecmp(line, disposition, sizeof(disposition) - 1) != 0)
    {
        return IMAGEGRAM_OK;
    }

    colon++;

    if (m->named
        || imagegram_disposition_parse(colon, line + len - colon, &name,
                                       &name_len)
           == -1)
    {
        return IMAGEGRAM_MULTIPART;
    }

    memmove(m->buffer, name, name_len);

    m->named = 1;
    m->name_len = name_len;

    return IMAGEGRAM_OK;
}


/*
 * The part's content starts behind an empty line.  Where there is none, that
 * line's CR LF is the next delimiter's at the same time.
 */

static imagegram_reason_e
imagegram_multipart_begin_part(imagegram_multipart_t *m)
{
    if (!m->named) {
        return IMAGEGRAM_MULTIPART;
    }

    m->matched = 2;
    m->borrowed = 2;
    m->state = IMAGEGRAM_MULTIPART_CONTENT;

    return m->handlers->begin(m->data, m->buffer, m->name_len);
}
