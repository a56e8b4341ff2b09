
/*
 * A walk through the whole storage in small steps, for the sweeper: removes
 * what has had its time, and finds the files of posts that Redis is to be
 * asked about.  What has not a name that is made here is left alone.
 *
 * All functions but the one that closes block, as in
 * ngx_http_imagegram_storage.h.
 */

#ifndef _NGX_HTTP_IMAGEGRAM_STORAGE_WALK_H_INCLUDED_
#define _NGX_HTTP_IMAGEGRAM_STORAGE_WALK_H_INCLUDED_


#include "ngx_http_imagegram_storage.h"


/* entries of folders in one step, so also the files found in one */
#define NGX_HTTP_IMAGEGRAM_WALK_ENTRIES  64

/* a folder, two levels below it */
#define NGX_HTTP_IMAGEGRAM_WALK_DEPTH    3


/* in the order of the walk; for the first four nobody is asked */

typedef enum {
    NGX_HTTP_IMAGEGRAM_WALK_UPLOADS = 0,
    NGX_HTTP_IMAGEGRAM_WALK_TMP,
    NGX_HTTP_IMAGEGRAM_WALK_TRASH_IMAGES,
    NGX_HTTP_IMAGEGRAM_WALK_TRASH_ORIGINALS,
    NGX_HTTP_IMAGEGRAM_WALK_IMAGES,
    NGX_HTTP_IMAGEGRAM_WALK_ORIGINALS,
    NGX_HTTP_IMAGEGRAM_WALK_END
} ngx_http_imagegram_walk_e;


typedef struct {
    ngx_http_imagegram_storage_t  *storage;
    time_t                         now;
    time_t                         upload_expires;  /* seconds */

    ngx_uint_t                     folder;   /* ngx_http_imagegram_walk_e */
    ngx_uint_t                     depth;    /* of dirs, open */
    DIR                           *dirs[NGX_HTTP_IMAGEGRAM_WALK_DEPTH];
    u_char                         shard[NGX_HTTP_IMAGEGRAM_WALK_DEPTH - 1][2];

    /* files of the folder that is walked through: a day old, and not an
     * upload's */

    ngx_uint_t                     found;
    u_char                         ids[NGX_HTTP_IMAGEGRAM_WALK_ENTRIES]
                                      [NGX_HTTP_IMAGEGRAM_ID_LEN];
    imagegram_format_e             formats[NGX_HTTP_IMAGEGRAM_WALK_ENTRIES];

    /* by folder: removed from there; of the last two, moved to the trash */

    ngx_uint_t                     counts[NGX_HTTP_IMAGEGRAM_WALK_END];

    /* could not be removed or moved; the first one is logged */

    ngx_uint_t                     failed;
} ngx_http_imagegram_walk_t;


/*
 * A step: at most NGX_HTTP_IMAGEGRAM_WALK_ENTRIES entries of one folder.  A
 * zeroed walk starts at the first folder.  A step that found files does not
 * change walk->folder.
 */
void ngx_http_imagegram_storage_walk(ngx_http_imagegram_walk_t *walk,
    ngx_log_t *log);

/* Moves what was found in this step to the trash, as being from now. */
void ngx_http_imagegram_storage_trash(ngx_http_imagegram_walk_t *walk,
    ngx_log_t *log);

/* Closes the folders of a walk that ends. */
void ngx_http_imagegram_storage_walk_close(ngx_http_imagegram_walk_t *walk);


#endif /* _NGX_HTTP_IMAGEGRAM_STORAGE_WALK_H_INCLUDED_ */
