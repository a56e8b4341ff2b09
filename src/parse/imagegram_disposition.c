
/*
 * Content-Disposition.  Works on the caller's memory, keeps nothing.
 *
 * Clients escape a quote in two ways: with a backslash as RFC 2183 says (curl)
 * or as %22, with %0D and %0A for CR and LF (browsers, the WHATWG's rule).
 * Both are decoded.
 *
 * Knows no nginx type.
 */

#include <string.h>
#include <strings.h>

#include "imagegram_disposition.h"


static char *imagegram_disposition_parameter(char *p, char *last,
    char **name, size_t *name_len);
static char *imagegram_disposition_value(char *p, char *last, char **end);
static char *imagegram_disposition_quoted(char *p, char *last, char **end);
static char *imagegram_disposition_space(char *p, char *last);
static char *imagegram_disposition_token(char *p, char *last);
static size_t imagegram_disposition_percent(char *s, size_t len);


int
imagegram_disposition_parse(char *value, size_t len, char **name,
    size_t *name_len)
{
    char  *p, *last, *type;

    last = value + len;
    *name = NULL;

    type = imagegram_disposition_space(value, last);
    p = imagegram_disposition_token(type, last);

    if (p - type != sizeof("form-data") - 1
        || strncasecmp(type, "form-data", p - type) != 0)
    {
        return -1;
    }

    for ( ;; ) {
        p = imagegram_disposition_space(p, last);

        if (p == last) {
            break;
        }

        if (*p++ != ';') {
            return -1;
        }

        p = imagegram_disposition_space(p, last);

        if (p == last || *p == ';') {
            continue;
        }

        p = imagegram_disposition_parameter(p, last, name, name_len);

        if (p == NULL) {
            return -1;
        }
    }

    if (*name == NULL) {
        return -1;
    }

    *name_len = imagegram_disposition_percent(*name, *name_len);

    return 0;
}


/* Gives the end of the parameter at p, or NULL. */

static char *
imagegram_disposition_parameter(char *p, char *last, char **name,
    size_t *name_len)
{
    char  *attribute, *value, *end;

    attribute = p;
    p = imagegram_disposition_token(p, last);

    if (p == attribute || p == last || *p != '=') {
        return NULL;
    }

    value = p + 1;

    if (p - attribute != sizeof("name") - 1
        || strncasecmp(attribute, "name", p - attribute) != 0)
    {
        return imagegram_disposition_value(value, last, &end);
    }

    if (*name != NULL) {
        return NULL;
    }

    *name = (value < last && *value == '"') ? value + 1 : value;

    p = imagegram_disposition_value(value, last, &end);
    *name_len = end - *name;

    return p;
}


/*
 * Gives what is behind the value at p, or NULL.  The value itself, unquoted,
 * ends at *end.
 */

static char *
imagegram_disposition_value(char *p, char *last, char **end)
{
    char  *start;

    *end = p;

    if (p < last && *p == '"') {
        return imagegram_disposition_quoted(p + 1, last, end);
    }

    start = p;

    while (p < last && *p != ';' && *p != ' ' && *p != '\t' && *p != '"') {
        p++;
    }

    *end = p;

    return (p > start) ? p : NULL;
}


/*
 * A backslash is an escape only before a quote or a backslash; a browser may
 * send a name that has one, as it is.  And a quote at the very end always
 * closes: a browser sends the file name a\ as filename="a\".
 */

static char *
imagegram_disposition_quoted(char *p, char *last, char **end)
{
    char  *dst;

    for (dst = p; p < last; p++) {

        if (*p == '"') {
            *end = dst;
            return p + 1;
        }

        if (*p == '\\' && last - p > 2 && (p[1] == '"' || p[1] == '\\')) {
            p++;
        }

        *dst++ = *p;
    }

    return NULL;
}


static char *
imagegram_disposition_space(char *p, char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
}


static char *
imagegram_disposition_token(char *p, char *last)
{
    while (p < last && *p > ' ' && *p < 0x7f
           && strchr("()<>@,;:\\\"/[]?=", *p) == NULL)
    {
        p++;
    }

    return p;
}


static size_t
imagegram_disposition_percent(char *s, size_t len)
{
    char  *p, *last, *dst, ch;

    last = s + len;

    for (p = s, dst = s; p < last; p++) {
        ch = *p;

        if (ch == '%' && last - p > 2) {

            if (p[1] == '2' && p[2] == '2') {
                ch = '"';

            } else if (strncasecmp(p, "%0D", 3) == 0) {
                ch = '\r';

            } else if (strncasecmp(p, "%0A", 3) == 0) {
                ch = '\n';
            }

            if (ch != '%') {
                p += 2;
            }
        }

        *dst++ = ch;
    }

    return dst - s;
}
