
/*
 * Paths: a second, slower reading, which cuts the path at its slashes, finds
 * the same resource and the same IDs.
 */

#include <stdlib.h>
#include <string.h>

#include "imagegram_route.h"


#define SEGMENTS  4             /* of the longest form */


typedef struct {
    size_t                len;
    const unsigned char  *p;
} segment_t;


static unsigned cut(segment_t *s, const unsigned char *p, size_t len);
static imagegram_resource_e classify(segment_t *s, unsigned n);
static int is(segment_t *s, const char *word);
static int is_id(segment_t *s);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    unsigned              n;
    segment_t             s[SEGMENTS];
    imagegram_route_t     route;
    imagegram_resource_e  resource;

    memset(&route, 0xa5, sizeof(route));
    memset(s, 0, sizeof(s));

    n = cut(s, data, size);
    resource = classify(s, n);

    imagegram_route_parse(&route, data, size);

    if (route.resource != resource) {
        abort();
    }

    switch (resource) {

    case IMAGEGRAM_ROUTE_COMMENT:
        if (route.comment != s[3].p) {
            abort();
        }

        /* fall through */

    case IMAGEGRAM_ROUTE_COMMENTS:
    case IMAGEGRAM_ROUTE_POST:
        if (route.post != s[1].p || route.upload) {
            abort();
        }

        break;

    case IMAGEGRAM_ROUTE_UPLOAD:
        if (route.upload != s[1].p || route.post || route.comment) {
            abort();
        }

        break;

    default:
        break;
    }

    return 0;
}


/* Gives the number of segments; 0: too many. */

static unsigned
cut(segment_t *s, const unsigned char *p, size_t len)
{
    size_t    i;
    unsigned  n;

    n = 0;
    s[0].p = p;

    for (i = 0; i < len; i++) {

        if (p[i] != '/') {
            s[n].len++;
            continue;
        }

        if (++n == SEGMENTS) {
            return 0;
        }

        s[n].p = p + i + 1;
    }

    return n + 1;
}


static imagegram_resource_e
classify(segment_t *s, unsigned n)
{
    if (n == 1) {
        return is(&s[0], "posts") ? IMAGEGRAM_ROUTE_POSTS
               : is(&s[0], "uploads") ? IMAGEGRAM_ROUTE_UPLOADS
               : IMAGEGRAM_ROUTE_NONE;
    }

    if (n < 2 || !is_id(&s[1])) {
        return IMAGEGRAM_ROUTE_NONE;
    }

    if (n == 2 && is(&s[0], "uploads")) {
        return IMAGEGRAM_ROUTE_UPLOAD;
    }

    if (!is(&s[0], "posts")) {
        return IMAGEGRAM_ROUTE_NONE;
    }

    if (n == 2) {
        return IMAGEGRAM_ROUTE_POST;
    }

    if (!is(&s[2], "comments")) {
        return IMAGEGRAM_ROUTE_NONE;
    }

    if (n == 3) {
        return IMAGEGRAM_ROUTE_COMMENTS;
    }

    return is_id(&s[3]) ? IMAGEGRAM_ROUTE_COMMENT : IMAGEGRAM_ROUTE_NONE;
}


static int
is(segment_t *s, const char *word)
{
    return s->len == strlen(word) && memcmp(s->p, word, s->len) == 0;
}


static int
is_id(segment_t *s)
{
    size_t  i;

    static const char  form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (s->len != sizeof(form) - 1) {
        return 0;
    }

    for (i = 0; i < s->len; i++) {
        if (form[i] == '-' ? s->p[i] != '-'
            : s->p[i] == '\0' || strchr("0123456789abcdef", s->p[i]) == NULL)
        {
            return 0;
        }
    }

    return 1;
}
