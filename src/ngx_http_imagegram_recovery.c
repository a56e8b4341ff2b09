
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


/* one for each storage, as long as the process */

typedef struct {
    ngx_queue_t                      queue;
    ngx_http_imagegram_storage_t    *storage;
    ngx_http_imagegram_main_conf_t  *mcf;
    ngx_event_t                      timer;
    ngx_thread_task_t               *task;
    DIR                             *dir;       /* NULL: not on the way */
    ngx_uint_t                       end;       /* of the folder */
    ngx_http_imagegram_upload_t      found[NGX_HTTP_IMAGEGRAM_RECOVERY_FOUND];
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
static ngx_int_t ngx_http_imagegram_recovery_look(
    ngx_http_imagegram_recovery_t *recovery, const char *name);
static void ngx_http_imagegram_recovery_found(void *data);
static void ngx_http_imagegram_recovery_start(
    ngx_http_imagegram_recovery_t *recovery, ngx_http_imagegram_upload_t *u);
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

    if (recovery->dir == NULL) {
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
    char                            path[NGX_MAX_PATH];
    ngx_http_imagegram_recovery_t  *recovery;

    recovery = ev->data;

    if (ngx_exiting) {
        return;
    }

    (void) ngx_snprintf((u_char *) path, NGX_MAX_PATH, "%V/uploads%Z",
                        &recovery->storage->path);

    recovery->dir = opendir(path);

    if (recovery->dir == NULL) {
        ngx_log_error(NGX_LOG_CRIT, ev->log, ngx_errno,
                      "opendir() \"%s\" failed", path);

        recovery->wanted = 1;
        ngx_http_imagegram_recovery_schedule(recovery);
        return;
    }

    recovery->wanted = 0;
    recovery->end = 0;

    ngx_http_imagegram_recovery_next(recovery);
}


static void
ngx_http_imagegram_recovery_next(ngx_http_imagegram_recovery_t *recovery)
{
    if (!recovery->end && !ngx_exiting
        && ngx_http_imagegram_task_post(recovery->task,
                                        ngx_http_imagegram_recovery_read,
                                        ngx_http_imagegram_recovery_found,
                                        recovery)
           == NGX_OK)
    {
        return;
    }

    (void) closedir(recovery->dir);
    recovery->dir = NULL;

    if (!recovery->end) {
        recovery->wanted = 1;
    }

    recovery->walks++;

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

    for (n = 0;
         n < NGX_HTTP_IMAGEGRAM_RECOVERY_ENTRIES
         && recovery->nfound < NGX_HTTP_IMAGEGRAM_RECOVERY_FOUND;
         n++)
    {
        entry = readdir(recovery->dir);

        if (entry == NULL) {
            recovery->end = 1;
            return;
        }

        if (ngx_http_imagegram_recovery_look(recovery, entry->d_name)
            == NGX_OK)
        {
            recovery->nfound++;
        }
    }
}


/*
 * With NGX_OK the upload is open, and complete.  Looks for bytes: of most
 * uploads that are posts only the record is there.
 */

static ngx_int_t
ngx_http_imagegram_recovery_look(ngx_http_imagegram_recovery_t *recovery,
    const char *name)
{
    ngx_http_imagegram_upload_t  *u;

    if (ngx_strlen(name) != IMAGEGRAM_ID_LEN
        || !imagegram_route_is_id((u_char *) name))
    {
        return NGX_DECLINED;
    }

    u = &recovery->found[recovery->nfound];

    ngx_memzero(u, sizeof(ngx_http_imagegram_upload_t));

    ngx_http_imagegram_upload_init(u, recovery->storage, 0);
    ngx_memcpy(u->id, name, IMAGEGRAM_ID_LEN);

    if (ngx_http_imagegram_upload_open(u) == NGX_OK
        && ngx_http_imagegram_upload_complete(u))
    {
        return NGX_OK;
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

        if (ngx_exiting) {
            ngx_http_imagegram_upload_close(&recovery->found[i]);
            continue;
        }

        ngx_http_imagegram_recovery_start(recovery, &recovery->found[i]);
    }

    if (--recovery->running == 0) {
        ngx_http_imagegram_recovery_next(recovery);
    }
}


static void
ngx_http_imagegram_recovery_start(ngx_http_imagegram_recovery_t *recovery,
    ngx_http_imagegram_upload_t *u)
{
    u_char                         *data;
    ngx_str_t                       texts[NGX_HTTP_IMAGEGRAM_UPLOAD_TEXTS];
    ngx_http_imagegram_loc_conf_t  *conf;
    ngx_http_imagegram_transfer_t  *t;

    t = NULL;

    /* a small file that was read a moment ago: that waits for no disk */

    data = ngx_http_imagegram_upload_texts(u, texts, recovery->timer.log);

    if (data) {
        conf = ngx_http_imagegram_recovery_location(recovery,
                                    &texts[NGX_HTTP_IMAGEGRAM_UPLOAD_LOCATION],
                                    &texts[NGX_HTTP_IMAGEGRAM_UPLOAD_OWNER]);
        if (conf) {
            t = ngx_http_imagegram_transfer_adopt(conf, u->id);

        } else if (recovery->walks == 0) {
            ngx_log_error(NGX_LOG_ERR, recovery->timer.log, 0,
                          "imagegram: upload %*s is complete, but there is no "
                          "location any more for posts of \"%V\"",
                          (size_t) IMAGEGRAM_ID_LEN, u->id,
                          &texts[NGX_HTTP_IMAGEGRAM_UPLOAD_OWNER]);
        }

        ngx_free(data);
    }

    if (t == NULL) {
        ngx_http_imagegram_upload_close(u);
        return;
    }

    t->upload = *u;
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
