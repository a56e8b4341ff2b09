
/*
 * Paths of the API.  Nothing is copied: a route points into the path.
 */

#include <string.h>

#include "imagegram_route.h"


static void imagegram_route_posts(imagegram_route_t *route,
    const unsigned char *p, const unsigned char *end);
static void imagegram_route_uploads(imagegram_route_t *route,
    const unsigned char *p, const unsigned char *end);
static const unsigned char *imagegram_route_id(const unsigned char *p,
    const unsigned char *end);
static const unsigned char *imagegram_route_skip(const unsigned char *p,
    const unsigned char *end, const char *word);


void
imagegram_route_parse(imagegram_route_t *route, const unsigned char *path,
    size_t len)
{
    const unsigned char  *p, *end;

    end = path + len;

    route->resource = IMAGEGRAM_ROUTE_NONE;
    route->post = NULL;
    route->comment = NULL;
    route->upload = NULL;

    p = imagegram_route_skip(path, end, "posts");
    if (p) {
        imagegram_route_posts(route, p, end);
        return;
    }

    p = imagegram_route_skip(path, end, "uploads");
    if (p) {
        imagegram_route_uploads(route, p, end);
    }
}


static void
imagegram_route_posts(imagegram_route_t *route, const unsigned char *p,
    const unsigned char *end)
{
    if (p == end) {
        route->resource = IMAGEGRAM_ROUTE_POSTS;
        return;
    }

    route->post = imagegram_route_id(p, end);
    if (route->post == NULL) {
        return;
    }

    p = route->post + IMAGEGRAM_ID_LEN;

    if (p == end) {
        route->resource = IMAGEGRAM_ROUTE_POST;
        return;
    }

    p = imagegram_route_skip(p, end, "/comments");
    if (p == NULL) {
        return;
    }

    if (p == end) {
        route->resource = IMAGEGRAM_ROUTE_COMMENTS;
        return;
    }

    route->comment = imagegram_route_id(p, end);

    if (route->comment && route->comment + IMAGEGRAM_ID_LEN == end) {
        route->resource = IMAGEGRAM_ROUTE_COMMENT;
    }
}


static void
imagegram_route_uploads(imagegram_route_t *route, const unsigned char *p,
    const unsigned char *end)
{
    if (p == end) {
        route->resource = IMAGEGRAM_ROUTE_UPLOADS;
        return;
    }

    route->upload = imagegram_route_id(p, end);

    if (route->upload && route->upload + IMAGEGRAM_ID_LEN == end) {
        route->resource = IMAGEGRAM_ROUTE_UPLOAD;
    }
}


int
imagegram_route_is_id(const unsigned char *p)
{
    unsigned  i;

    for (i = 0; i < IMAGEGRAM_ID_LEN; i++) {

        if (i == 8 || i == 13 || i == 18 || i == 23) {

            if (p[i] != '-') {
                return 0;
            }

            continue;
        }

        if ((p[i] < '0' || p[i] > '9') && (p[i] < 'a' || p[i] > 'f')) {
            return 0;
        }
    }

    return 1;
}


/* Gives the ID behind a slash, or NULL. */

static const unsigned char *
imagegram_route_id(const unsigned char *p, const unsigned char *end)
{
    p = imagegram_route_skip(p, end, "/");

    if (p == NULL || end - p < IMAGEGRAM_ID_LEN || !imagegram_route_is_id(p)) {
        return NULL;
    }

    return p;
}


static const unsigned char *
imagegram_route_skip(const unsigned char *p, const unsigned char *end,
    const char *word)
{
    size_t  len;

    len = strlen(word);

    if ((size_t) (end - p) < len || memcmp(p, word, len) != 0) {
        return NULL;
    }

    return p + len;
}
