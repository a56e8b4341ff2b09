
/*
 * Recovery, see the header.
 *
 * A worker walks through the uploads of each storage when it starts; again,
 * after a while, as long as something could not be finished; and from time to
 * time, since a worker that left after a reload may have had to give up, and
 * tells nobody.  All workers do: who claims an upload finishes it, and the
 * others see that.  Reading the folder and the records is done by threads, some
 * entries at a time.  A worker that is to exit finishes what it has begun, and
 * leaves the rest to the next one.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_finish.h"
#include "ngx_http_imagegram_owner.h"
#include "ngx_http_imagegram_recovery.h"
#include "ngx_http_imagegram_task.h"


/* entries of the folder that a thread reads at a time, uploads that are
 * finished at a time */
#define NGX_HTTP_IMAGEGRAM_RECOVERY_ENTRIES  64
#define NGX_HTTP_IMAGEGRAM_RECOVERY_FOUND    4

/* until the next walk, ms: where one is wanted, and where none is */
#define NGX_HTTP_IMAGEGRAM_RECOVERY_FIRST    500
#define NGX_HTTP_IMAGEGRAM_RECOVERY_MAX      8000
#define NGX_HTTP_IMAGEGRAM_RECOVERY_REGULAR  20000


/* a complete upload: open, and what its record says */

typedef struct {
    ngx_http_imagegram_upload_t      upload;
    ngx_str_t                        texts[NGX_HTTP_IMAGEGRAM_UPLOAD_TEXTS];
    u_char                          *texts_data;    /* allocated */
} ngx_http_imagegram_recovery_found_t;


/*
 * One for each storage, as long as the process.  While a thread is at work dir,
 * end, failed and what was found are its own.
 */

typedef struct {
    ngx_queue_t                      queue;
    ngx_http_imagegram_storage_t    *storage;
    ngx_http_imagegram_main_conf_t  *mcf;
    ngx_event_t                      timer;
    ngx_thread_task_t               *task;
    ngx_uint_t                       walking;
    DIR                             *dir;       /* NULL: not open */
    ngx_uint_t                       end;       /* of the folder */
    ngx_uint_t                       failed;    /* to open it */
    ngx_http_imagegram_recovery_found_t
                                     found[NGX_HTTP_IMAGEGRAM_RECOVERY_FOUND];
    ngx_uint_t                       nfound;
    ngx_uint_t                       running;   /* transfers */
    ngx_uint_t                       wanted;    /* another walk soon */
    ngx_msec_t                       delay;     /* before it */
    ngx_uint_t                       walks;     /* that came to an end */
} ngx_http_imagegram_recovery_t;


static ngx_http_imagegram_recovery_t *ngx_http_imagegram_recovery_find(
    ngx_http_imagegram_storage_t *storage);
static ngx_int_t ngx_http_imagegram_recovery_create(ngx_cycle_t *cycle,
    ngx_http_imagegram_main_conf_t *mcf,
    ngx_http_imagegram_storage_t *storage);
static void ngx_http_imagegram_recovery_walk(ngx_event_t *ev);
static void ngx_http_imagegram_recovery_next(
    ngx_http_imagegram_recovery_t *recovery);
static void ngx_http_imagegram_recovery_schedule(
    ngx_http_imagegram_recovery_t *recovery);
static void ngx_http_imagegram_recovery_read(void *data, ngx_log_t *log);
static ngx_int_t ngx_http_imagegram_recovery_open(
    ngx_http_imagegram_recovery_t *recovery, ngx_log_t *log);
static ngx_int_t ngx_http_imagegram_recovery_look(
    ngx_http_imagegram_recovery_t *recovery, const char *name,
    ngx_log_t *log);
static void ngx_http_imagegram_recovery_found(void *data);
static void ngx_http_imagegram_recovery_start(
    ngx_http_imagegram_recovery_t *recovery,
    ngx_http_imagegram_recovery_found_t *found);
static ngx_http_imagegram_loc_conf_t *ngx_http_imagegram_recovery_location(
    ngx_http_imagegram_recovery_t *recovery, ngx_str_t *name, ngx_str_t *owner);
static void ngx_http_imagegram_recovery_done(ngx_http_imagegram_transfer_t *t);


static ngx_queue_t  ngx_http_imagegram_recoveries;


ngx_int_t
ngx_http_imagegram_recovery_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                       i;
    ngx_http_imagegram_loc_conf_t  **conf;
    ngx_http_imagegram_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_imagegram_module);

    ngx_queue_init(&ngx_http_imagegram_recoveries);

    conf = mcf->locations.elts;

    for (i = 0; i < mcf->locations.nelts; i++) {

        if (ngx_http_imagegram_recovery_find(conf[i]->storage) == NULL
            && ngx_http_imagegram_recovery_create(cycle, mcf, conf[i]->storage)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_http_imagegram_recovery_wanted(ngx_http_imagegram_storage_t *storage)
{
    ngx_http_imagegram_recovery_t  *recovery;

    recovery = ngx_http_imagegram_recovery_find(storage);

    if (recovery->wanted) {
        return;
    }

    recovery->wanted = 1;

    if (!recovery->walking) {
        ngx_add_timer(&recovery->timer, recovery->delay);
    }
}


static ngx_http_imagegram_recovery_t *
ngx_http_imagegram_recovery_find(ngx_http_imagegram_storage_t *storage)
{
    ngx_queue_t                    *q;
    ngx_http_imagegram_recovery_t  *recovery;

    for (q = ngx_queue_head(&ngx_http_imagegram_recoveries);
         q != ngx_queue_sentinel(&ngx_http_imagegram_recoveries);
         q = ngx_queue_next(q))
    {
        recovery = ngx_queue_data(q, ngx_http_imagegram_recovery_t, queue);

        if (ngx_http_imagegram_storage_same(recovery->storage, storage)) {
            return recovery;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_imagegram_recovery_create(ngx_cycle_t *cycle,
    ngx_http_imagegram_main_conf_t *mcf, ngx_http_imagegram_storage_t *storage)
{
    ngx_http_imagegram_recovery_t  *recovery;

    recovery = ngx_pcalloc(cycle->pool, sizeof(ngx_http_imagegram_recovery_t));
    if (recovery == NULL) {
        return NGX_ERROR;
    }

    recovery->task = ngx_thread_task_alloc(cycle->pool, 0);
    if (recovery->task == NULL) {
        return NGX_ERROR;
    }

    recovery->storage = storage;
    recovery->mcf = mcf;
    recovery->delay = NGX_HTTP_IMAGEGRAM_RECOVERY_FIRST;

    recovery->timer.handler = ngx_http_imagegram_recovery_walk;
    recovery->timer.data = recovery;
    recovery->timer.log = cycle->log;
    recovery->timer.cancelable = 1;

    ngx_queue_insert_tail(&ngx_http_imagegram_recoveries, &recovery->queue);

    ngx_add_timer(&recovery->timer, 0);

    return NGX_OK;
}


static void
ngx_http_imagegram_recovery_walk(ngx_event_t *ev)
{
    ngx_http_imagegram_recovery_t  *recovery;

    recovery = ev->data;

    if (ngx_exiting) {
        return;
    }

    recovery->walking = 1;
    recovery->wanted = 0;
    recovery->end = 0;
    recovery->failed = 0;

    ngx_http_imagegram_recovery_next(recovery);
}


static void
ngx_http_imagegram_recovery_next(ngx_http_imagegram_recovery_t *recovery)
{
    if (!recovery->end && !recovery->failed && !ngx_exiting
        && ngx_http_imagegram_task_post(recovery->task,
                                        ngx_http_imagegram_recovery_read,
                                        ngx_http_imagegram_recovery_found,
                                        recovery)
           == NGX_OK)
    {
        return;
    }

    /* no thread is to be had, or the worker is to exit */

    if (recovery->dir) {
        (void) closedir(recovery->dir);
        recovery->dir = NULL;
    }

    recovery->walking = 0;

    if (recovery->end) {
        recovery->walks++;

    } else {
        recovery->wanted = 1;
    }

    ngx_http_imagegram_recovery_schedule(recovery);
}


static void
ngx_http_imagegram_recovery_schedule(ngx_http_imagegram_recovery_t *recovery)
{
    if (recovery->wanted) {
        recovery->delay = ngx_min(2 * recovery->delay,
                                  NGX_HTTP_IMAGEGRAM_RECOVERY_MAX);
        ngx_add_timer(&recovery->timer, recovery->delay);

    } else {
        recovery->delay = NGX_HTTP_IMAGEGRAM_RECOVERY_FIRST;
        ngx_add_timer(&recovery->timer, NGX_HTTP_IMAGEGRAM_RECOVERY_REGULAR);
    }
}


static void
ngx_http_imagegram_recovery_read(void *data, ngx_log_t *log)
{
    ngx_http_imagegram_recovery_t *recovery = data;

    ngx_uint_t      n;
    struct dirent  *entry;

    recovery->nfound = 0;

    if (recovery->dir == NULL
        && ngx_http_imagegram_recovery_open(recovery, log) != NGX_OK)
    {
        recovery->failed = 1;
        return;
    }

    for (n = 0;
         n < NGX_HTTP_IMAGEGRAM_RECOVERY_ENTRIES
         && recovery->nfound < NGX_HTTP_IMAGEGRAM_RECOVERY_FOUND;
         n++)
    {
        entry = readdir(recovery->dir);

        if (entry == NULL) {
            (void) closedir(recovery->dir);
            recovery->dir = NULL;
            recovery->end = 1;
            return;
        }

        if (ngx_http_imagegram_recovery_look(recovery, entry->d_name, log)
            == NGX_OK)
        {
            recovery->nfound++;
        }
    }
}


static ngx_int_t
ngx_http_imagegram_recovery_open(ngx_http_imagegram_recovery_t *recovery,
    ngx_log_t *log)
{
    char  path[NGX_MAX_PATH];

    (void) ngx_snprintf((u_char *) path, NGX_MAX_PATH, "%V/uploads%Z",
                        &recovery->storage->path);

    recovery->dir = opendir(path);

    if (recovery->dir == NULL) {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_errno,
                      "opendir() \"%s\" failed", path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * With NGX_OK the upload is open, and complete.  Looks for bytes: of most
 * uploads that are posts only the record is there.
 */

static ngx_int_t
ngx_http_imagegram_recovery_look(ngx_http_imagegram_recovery_t *recovery,
    const char *name, ngx_log_t *log)
{
    ngx_http_imagegram_upload_t          *u;
    ngx_http_imagegram_recovery_found_t  *found;

    if (ngx_strlen(name) != IMAGEGRAM_ID_LEN
        || !imagegram_route_is_id((u_char *) name))
    {
        return NGX_DECLINED;
    }

    found = &recovery->found[recovery->nfound];
    u = &found->upload;

    ngx_memzero(u, sizeof(ngx_http_imagegram_upload_t));

    ngx_http_imagegram_upload_init(u, recovery->storage, 0);
    ngx_memcpy(u->id, name, IMAGEGRAM_ID_LEN);

    if (ngx_http_imagegram_upload_open(u) == NGX_OK
        && ngx_http_imagegram_upload_complete(u))
    {
        found->texts_data = ngx_http_imagegram_upload_texts(u, found->texts,
                                                            log);
        if (found->texts_data) {
            return NGX_OK;
        }
    }

    ngx_http_imagegram_upload_close(u);

    return NGX_DECLINED;
}


static void
ngx_http_imagegram_recovery_found(void *data)
{
    ngx_http_imagegram_recovery_t *recovery = data;

    ngx_uint_t  i;

    /* whoever comes last goes on */

    recovery->running = 1;

    for (i = 0; i < recovery->nfound; i++) {

        ngx_http_imagegram_recovery_start(recovery, &recovery->found[i]);
    }

    if (--recovery->running == 0) {
        ngx_http_imagegram_recovery_next(recovery);
    }
}


static void
ngx_http_imagegram_recovery_start(ngx_http_imagegram_recovery_t *recovery,
    ngx_http_imagegram_recovery_found_t *found)
{
    ngx_str_t                      *texts;
    ngx_http_imagegram_upload_t    *u;
    ngx_http_imagegram_loc_conf_t  *conf;
    ngx_http_imagegram_transfer_t  *t;

    t = NULL;

    u = &found->upload;
    texts = found->texts;

    conf = ngx_http_imagegram_recovery_location(recovery,
                                    &texts[NGX_HTTP_IMAGEGRAM_UPLOAD_LOCATION],
                                    &texts[NGX_HTTP_IMAGEGRAM_UPLOAD_OWNER]);

    if (conf == NULL && recovery->walks == 0) {
        ngx_log_error(NGX_LOG_ERR, recovery->timer.log, 0,
                      "imagegram: upload %*s is complete, but there is no "
                      "location any more for posts of \"%V\"",
                      (size_t) IMAGEGRAM_ID_LEN, u->id,
                      &texts[NGX_HTTP_IMAGEGRAM_UPLOAD_OWNER]);
    }

    if (conf && !ngx_exiting) {
        t = ngx_http_imagegram_transfer_adopt(conf, u->id);
    }

    if (t == NULL) {
        ngx_http_imagegram_upload_close(u);
        ngx_free(found->texts_data);
        return;
    }

    t->upload = *u;
    ngx_memcpy(t->texts, texts, sizeof(t->texts));
    t->texts_data = found->texts_data;
    t->recovery = recovery;
    recovery->running++;

    ngx_http_imagegram_finish(t, ngx_http_imagegram_recovery_done);
}


/* The location that it was sent to, or another one whose posts are the same. */

static ngx_http_imagegram_loc_conf_t *
ngx_http_imagegram_recovery_location(ngx_http_imagegram_recovery_t *recovery,
    ngx_str_t *name, ngx_str_t *owner)
{
    ngx_uint_t                       i;
    ngx_http_imagegram_loc_conf_t  **conf, *other;

    other = NULL;
    conf = recovery->mcf->locations.elts;

    for (i = 0; i < recovery->mcf->locations.nelts; i++) {

        if (ngx_http_imagegram_recovery_find(conf[i]->storage) != recovery
            || !ngx_http_imagegram_owner_is(conf[i], owner))
        {
            continue;
        }

        if (conf[i]->name.len == name->len
            && ngx_strncmp(conf[i]->name.data, name->data, name->len) == 0)
        {
            return conf[i];
        }

        other = conf[i];
    }

    return other;
}


static void
ngx_http_imagegram_recovery_done(ngx_http_imagegram_transfer_t *t)
{
    ngx_http_imagegram_recovery_t  *recovery;

    recovery = t->recovery;

    (void) ngx_http_imagegram_transfer_end(t);

    if (--recovery->running == 0) {
        ngx_http_imagegram_recovery_next(recovery);
    }
}
