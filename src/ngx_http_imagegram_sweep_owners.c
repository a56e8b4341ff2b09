
/*
 * The owners of a storage's files: each Redis, with db and prefix, that holds
 * posts of it.  They are asked one after the other.
 *
 * Nothing is believed of one that does not know the storage: it may be empty,
 * or another one.  Since a change that is made at every sweep tells how old its
 * data are, nothing is believed of older data either.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_store.h"
#include "ngx_http_imagegram_sweep_internal.h"


/* why an owner is not believed; 0: they all are */

#define NGX_HTTP_IMAGEGRAM_OWNER_UNKNOWN  1
#define NGX_HTTP_IMAGEGRAM_OWNER_OLDER    2


static void ngx_http_imagegram_owner_introduce(
    ngx_http_imagegram_sweep_t *sweep);
static void ngx_http_imagegram_owner_introduced(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_imagegram_owner_refused(ngx_http_imagegram_sweep_t *sweep,
    ngx_uint_t why);
static void ngx_http_imagegram_owner_ask(ngx_http_imagegram_sweep_t *sweep);
static void ngx_http_imagegram_owner_asked(void *data, ngx_int_t rc,
    redisReply *reply);
static ngx_int_t ngx_http_imagegram_owner_orphans(
    ngx_http_imagegram_walk_t *walk, redisReply *reply);


void
ngx_http_imagegram_sweep_introduce(ngx_http_imagegram_sweep_t *sweep)
{
    sweep->run->owner = 0;

    ngx_http_imagegram_owner_introduce(sweep);
}


static void
ngx_http_imagegram_owner_introduce(ngx_http_imagegram_sweep_t *sweep)
{
    ngx_http_imagegram_run_t        *run;
    ngx_http_imagegram_loc_conf_t  **owners;

    run = sweep->run;
    owners = sweep->owners.elts;

    if (ngx_exiting
        || ngx_http_imagegram_store_sweep(owners[run->owner], run->id,
                                          run->last, run->now,
                                          ngx_http_imagegram_owner_introduced,
                                          sweep)
           != NGX_OK)
    {
        ngx_http_imagegram_sweep_finish(sweep);
    }
}


static void
ngx_http_imagegram_owner_introduced(void *data, ngx_int_t rc,
    redisReply *reply)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    if (rc != NGX_OK || reply->type != REDIS_REPLY_INTEGER) {
        ngx_http_imagegram_sweep_finish(sweep);
        return;
    }

    if (reply->integer != 1) {
        ngx_http_imagegram_owner_refused(sweep,
                                         reply->integer == 0
                                         ? NGX_HTTP_IMAGEGRAM_OWNER_UNKNOWN
                                         : NGX_HTTP_IMAGEGRAM_OWNER_OLDER);
        ngx_http_imagegram_sweep_finish(sweep);
        return;
    }

    if (++sweep->run->owner < sweep->owners.nelts) {
        ngx_http_imagegram_owner_introduce(sweep);
        return;
    }

    if (sweep->trouble) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "imagegram: images and originals of \"%V\" are swept "
                      "again", &sweep->storage->path);
        sweep->trouble = 0;
    }

    ngx_http_imagegram_sweep_introduced(sweep);
}


/* Said once, until something changes. */

static void
ngx_http_imagegram_owner_refused(ngx_http_imagegram_sweep_t *sweep,
    ngx_uint_t why)
{
    ngx_int_t                        db;
    ngx_http_imagegram_run_t        *run;
    ngx_http_imagegram_loc_conf_t  **owners;

    run = sweep->run;
    owners = sweep->owners.elts;

    if (sweep->trouble == why && sweep->suspect == run->owner) {
        return;
    }

    sweep->trouble = why;
    sweep->suspect = run->owner;

    db = ngx_http_imagegram_redis_db(owners[run->owner]->redis);

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "imagegram: images and originals of \"%V\" are not swept: "
                  "redis %V, db %i, prefix \"%V\", %s; if these are its data: "
                  "redis-cli -n %i HSET \"%V:{0}:storages\" %*s %T",
                  &sweep->storage->path,
                  ngx_http_imagegram_redis_address(owners[run->owner]->redis),
                  db, &owners[run->owner]->key_prefix,
                  why == NGX_HTTP_IMAGEGRAM_OWNER_UNKNOWN
                  ? "does not know this storage (FLUSHALL, an old backup, "
                    "another db or prefix?)"
                  : "has data from before the last sweep (an old backup?)",
                  db, &owners[run->owner]->key_prefix,
                  (size_t) IMAGEGRAM_ID_LEN, run->id, run->last);
}


/*
 * A file has no owner if none of them has the post.  Where there are several,
 * all are asked before any buries an ID, and once more then, since a post may
 * have been made meanwhile.
 */

void
ngx_http_imagegram_sweep_ask(ngx_http_imagegram_sweep_t *sweep)
{
    sweep->run->owner = 0;
    sweep->run->bury = (sweep->owners.nelts == 1);

    ngx_http_imagegram_owner_ask(sweep);
}


static void
ngx_http_imagegram_owner_ask(ngx_http_imagegram_sweep_t *sweep)
{
    ngx_http_imagegram_run_t        *run;
    ngx_http_imagegram_loc_conf_t  **owners;

    run = sweep->run;
    owners = sweep->owners.elts;

    if (ngx_exiting
        || ngx_http_imagegram_store_orphans(owners[run->owner], run->id,
                                            run->now, run->walk.ids,
                                            run->walk.found, run->bury,
                                            ngx_http_imagegram_owner_asked,
                                            sweep)
           != NGX_OK)
    {
        ngx_http_imagegram_sweep_finish(sweep);
    }
}


static void
ngx_http_imagegram_owner_asked(void *data, ngx_int_t rc, redisReply *reply)
{
    ngx_http_imagegram_sweep_t *sweep = data;

    ngx_http_imagegram_run_t  *run;

    run = sweep->run;

    if (rc == NGX_OK && reply->type == REDIS_REPLY_NIL) {

        /* it knew the storage a moment ago */

        ngx_http_imagegram_sweep_introduce(sweep);
        return;
    }

    if (rc != NGX_OK
        || ngx_http_imagegram_owner_orphans(&run->walk, reply) != NGX_OK)
    {
        ngx_http_imagegram_sweep_finish(sweep);
        return;
    }

    if (++run->owner == sweep->owners.nelts && !run->bury) {
        run->owner = 0;
        run->bury = 1;
    }

    if (run->walk.found == 0 || run->owner == sweep->owners.nelts) {
        ngx_http_imagegram_sweep_asked(sweep);

    } else {
        ngx_http_imagegram_owner_ask(sweep);
    }
}


/* Leaves of what was found the files that the reply names. */

static ngx_int_t
ngx_http_imagegram_owner_orphans(ngx_http_imagegram_walk_t *walk,
    redisReply *reply)
{
    long long    next;
    ngx_uint_t   i, found;
    redisReply  *number;

    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    found = walk->found;
    walk->found = 0;
    next = 0;

    for (i = 0; i < reply->elements; i++) {
        number = reply->element[i];

        if (number->type != REDIS_REPLY_INTEGER || number->integer < next
            || number->integer >= (long long) found)
        {
            return NGX_ERROR;
        }

        ngx_memmove(walk->ids[i], walk->ids[number->integer],
                    NGX_HTTP_IMAGEGRAM_ID_LEN);
        walk->formats[i] = walk->formats[number->integer];

        next = number->integer + 1;
    }

    walk->found = i;

    return NGX_OK;
}
