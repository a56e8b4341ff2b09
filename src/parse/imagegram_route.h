
/*
 * Which resource a path names, below the location of the API.
 *
 * Knows no nginx type.
 */

#ifndef _IMAGEGRAM_ROUTE_H_INCLUDED_
#define _IMAGEGRAM_ROUTE_H_INCLUDED_


#include <stddef.h>


#define IMAGEGRAM_ID_LEN  36        /* a UUID as text, RFC 4122, lower case */


typedef enum {
    IMAGEGRAM_ROUTE_NONE = 0,
    IMAGEGRAM_ROUTE_POSTS,          /* posts */
    IMAGEGRAM_ROUTE_POST,           /* posts/ID */
    IMAGEGRAM_ROUTE_COMMENTS,       /* posts/ID/comments */
    IMAGEGRAM_ROUTE_COMMENT,        /* posts/ID/comments/ID */
    IMAGEGRAM_ROUTE_UPLOADS,        /* uploads */
    IMAGEGRAM_ROUTE_UPLOAD          /* uploads/ID */
} imagegram_resource_e;


typedef struct {
    imagegram_resource_e  resource;
    const unsigned char  *post;     /* IMAGEGRAM_ID_LEN bytes of the path */
    const unsigned char  *comment;  /* likewise */
    const unsigned char  *upload;   /* likewise; that of the post it becomes */
} imagegram_route_t;


/*
 * Parses a decoded path without the location's prefix and without a leading
 * slash.  What is not exactly one of the forms above is NONE.
 */
void imagegram_route_parse(imagegram_route_t *route, const unsigned char *path,
    size_t len);

/* Whether the IMAGEGRAM_ID_LEN bytes at p are a UUID in lower case. */
int imagegram_route_is_id(const unsigned char *p);


#endif /* _IMAGEGRAM_ROUTE_H_INCLUDED_ */
