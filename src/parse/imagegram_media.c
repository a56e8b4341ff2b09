
/*
 * Content-Type.  Keeps nothing.
 */

#include <string.h>
#include <strings.h>

#include "imagegram_media.h"


typedef struct {
    const unsigned char  *name;
    size_t                name_len;
    const unsigned char  *value;        /* without quotes */
    size_t                value_len;
} imagegram_media_parameter_t;


static const unsigned char *imagegram_media_parameter(const unsigned char *p,
    const unsigned char *last, imagegram_media_parameter_t *parameter);
static const unsigned char *imagegram_media_space(const unsigned char *p,
    const unsigned char *last);
static int imagegram_media_boundary_char(unsigned char c);


int
imagegram_media_is(const unsigned char *p, size_t len, const char *type)
{
    size_t                n;
    const unsigned char  *end;

    n = strlen(type);

    if (len < n || strncasecmp((const char *) p, type, n) != 0) {
        return 0;
    }

    end = imagegram_media_space(p + n, p + len);

    return end == p + len || *end == ';';
}


size_t
imagegram_media_boundary(const unsigned char *p, size_t len, char *boundary,
    size_t size)
{
    size_t                        i;
    const unsigned char          *last;
    imagegram_media_parameter_t   parameter;

    last = p + len;
    p = memchr(p, ';', len);

    while (p) {
        p = imagegram_media_parameter(p + 1, last, &parameter);

        if (parameter.name_len != sizeof("boundary") - 1
            || strncasecmp((const char *) parameter.name, "boundary",
                           parameter.name_len)
               != 0)
        {
            continue;
        }

        if (parameter.value_len > size) {
            return 0;
        }

        for (i = 0; i < parameter.value_len; i++) {
            if (!imagegram_media_boundary_char(parameter.value[i])) {
                return 0;
            }

            boundary[i] = (char) parameter.value[i];
        }

        return parameter.value_len;
    }

    return 0;
}


/*
 * Reads one parameter; gives the ';' behind it, or NULL if it was the last
 * one.  What is malformed has an empty name.
 */

static const unsigned char *
imagegram_media_parameter(const unsigned char *p, const unsigned char *last,
    imagegram_media_parameter_t *parameter)
{
    const unsigned char  *start;

    parameter->name_len = 0;

    p = imagegram_media_space(p, last);
    start = p;

    while (p < last && *p != '=' && *p != ';') {
        p++;
    }

    if (p == last || *p == ';') {
        return p == last ? NULL : p;
    }

    parameter->name = start;
    parameter->name_len = (size_t) (p - start);

    p++;

    if (p < last && *p == '"') {
        start = ++p;

        while (p < last && *p != '"') {
            p++;
        }

        if (p == last) {
            parameter->name_len = 0;
            return NULL;
        }

        parameter->value = start;
        parameter->value_len = (size_t) (p - start);

        return memchr(p, ';', (size_t) (last - p));
    }

    start = p;

    while (p < last && *p != ';' && *p != ' ' && *p != '\t') {
        p++;
    }

    parameter->value = start;
    parameter->value_len = (size_t) (p - start);

    return memchr(p, ';', (size_t) (last - p));
}


static const unsigned char *
imagegram_media_space(const unsigned char *p, const unsigned char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
}


/* bchars of RFC 2046 */

static int
imagegram_media_boundary_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
           || (c >= 'a' && c <= 'z')
           || (c != '\0' && strchr("'()+_,-./:=? ", c) != NULL);
}
