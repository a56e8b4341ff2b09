
/*
 * Paths of the API.  Nothing is copied: a route points into the path.
 */

#include <string.h>

#include "imagegram_route.h"


static const unsigned char *imagegram_route_skip(const unsigned char *p,
    const unsigned char *end, const char *word);


void
imagegram_route_parse(imagegram_route_t *route, const unsigned char *path,
    size_t len)
{
    const unsigned char  *p, *end;

    p = path;
    end = path + len;

    route->resource = IMAGEGRAM_ROUTE_NONE;
    route->post = NULL;
    route->comment = NULL;

    p = imagegram_route_skip(p, end, "posts");
    if (p == NULL) {
        return;
    }

    if (p == end) {
        route->resource = IMAGEGRAM_ROUTE_POSTS;
        return;
    }

    p = imagegram_route_skip(p, end, "/");
    if (p == NULL || end - p < IMAGEGRAM_ID_LEN || !imagegram_route_is_id(p)) {
        return;
    }

    route->post = p;
    p += IMAGEGRAM_ID_LEN;

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

    p = imagegram_route_skip(p, end, "/");
    if (p == NULL || end - p != IMAGEGRAM_ID_LEN || !imagegram_route_is_id(p)) {
        return;
    }

    route->resource = IMAGEGRAM_ROUTE_COMMENT;
    route->comment = p;
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
