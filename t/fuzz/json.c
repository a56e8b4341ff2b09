
/*
 * JSON: however a text is cut into pieces, the verdict and the members are
 * the same; and what is accepted cJSON accepts too, with the same members.
 *
 * The first octet seeds the cuts.
 */

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "imagegram_json.h"


#define MEMBERS  IMAGEGRAM_JSON_MEMBERS


typedef struct {
    int             string;
    size_t          name_len;
    size_t          len;
    unsigned char  *name;
    unsigned char  *value;
} member_t;


typedef struct {
    unsigned            n;
    unsigned            open;       /* the last one's value goes on */
    size_t              size;
    imagegram_reason_e  rc;
    member_t            members[MEMBERS];
} document_t;


static void parse(document_t *d, const unsigned char *p, size_t len,
    unsigned seed);
static imagegram_reason_e on_string(void *data, const char *name,
    size_t name_len, const unsigned char *piece, size_t len, int last);
static imagegram_reason_e on_other(void *data, const char *name,
    size_t name_len);
static member_t *add(document_t *d, const char *name, size_t name_len);
static void compare(document_t *a, document_t *b);
static void compare_cjson(document_t *d, const unsigned char *p, size_t len);
static int long_number(const unsigned char *p, size_t len);
static void release(document_t *d);


static const imagegram_json_handlers_t  handlers = { on_string, on_other };


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static document_t  whole, split, octets;

    if (size == 0) {
        return 0;
    }

    parse(&whole, data + 1, size - 1, 0);
    parse(&split, data + 1, size - 1, data[0] + 256);
    parse(&octets, data + 1, size - 1, 1);

    compare(&whole, &split);
    compare(&whole, &octets);

    if (whole.rc == IMAGEGRAM_OK && !long_number(data + 1, size - 1)) {
        compare_cjson(&whole, data + 1, size - 1);
    }

    release(&whole);
    release(&split);
    release(&octets);

    return 0;
}


/* seed 0: in one piece, 1: octet by octet, others: at random */

static void
parse(document_t *d, const unsigned char *p, size_t len, unsigned seed)
{
    size_t                   n;
    unsigned char           *copy;
    static imagegram_json_t  json;

    memset(d, 0, sizeof(document_t));
    memset(&json, 0xa5, sizeof(json));

    d->size = len;
    imagegram_json_init(&json, &handlers, d);

    while (len && d->rc == IMAGEGRAM_OK) {

        n = len;

        if (seed) {
            seed = (seed == 1) ? 1 : seed * 1103515245 + 12345;
            n = (seed == 1) ? 1 : 1 + (seed >> 16) % 23;
            n = (n < len) ? n : len;
        }

        /* on the heap, so that reading beyond a piece is seen */

        copy = malloc(n);
        memcpy(copy, p, n);

        d->rc = imagegram_json_feed(&json, copy, n);

        free(copy);

        p += n;
        len -= n;
    }

    if (d->rc == IMAGEGRAM_OK) {
        d->rc = imagegram_json_end(&json);
    }
}


static imagegram_reason_e
on_string(void *data, const char *name, size_t name_len,
    const unsigned char *piece, size_t len, int last)
{
    member_t    *m;
    document_t  *d = data;

    m = d->open ? &d->members[d->n - 1] : add(d, name, name_len);

    if (m->value == NULL) {
        m->value = malloc(d->size + 1);
    }

    if (m->name_len != name_len || memcmp(m->name, name, name_len) != 0
        || m->len + len > d->size)
    {
        abort();
    }

    memcpy(m->value + m->len, piece, len);

    m->string = 1;
    m->len += len;
    d->open = !last;

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
on_other(void *data, const char *name, size_t name_len)
{
    document_t  *d = data;

    if (d->open) {
        abort();
    }

    (void) add(d, name, name_len);

    return IMAGEGRAM_OK;
}


static member_t *
add(document_t *d, const char *name, size_t name_len)
{
    member_t  *m;

    if (d->n == MEMBERS) {
        abort();
    }

    m = &d->members[d->n++];

    m->name = malloc(name_len + 1);
    memcpy(m->name, name, name_len);
    m->name_len = name_len;

    return m;
}


static void
compare(document_t *a, document_t *b)
{
    unsigned   i;
    member_t  *x, *y;

    if (a->rc != b->rc || a->n != b->n) {
        abort();
    }

    for (i = 0; i < a->n; i++) {
        x = &a->members[i];
        y = &b->members[i];

        if (x->string != y->string || x->len != y->len
            || x->name_len != y->name_len
            || memcmp(x->name, y->name, x->name_len) != 0
            || (x->len && memcmp(x->value, y->value, x->len) != 0))
        {
            abort();
        }
    }
}


/* cJSON's strings end at an escaped NUL: they are compared up to there. */

static void
compare_cjson(document_t *d, const unsigned char *p, size_t len)
{
    cJSON     *root, *item;
    unsigned   i;
    member_t  *m;

    root = cJSON_ParseWithLength((const char *) p, len);

    if (root == NULL) {
        abort();
    }

    i = 0;

    for (item = root->child; item; item = item->next) {

        if (i == d->n) {
            abort();
        }

        m = &d->members[i++];
        m->name[m->name_len] = '\0';

        if (strcmp(item->string, (char *) m->name) != 0
            || m->string != cJSON_IsString(item))
        {
            abort();
        }

        if (m->string) {
            m->value[m->len] = '\0';

            if (strcmp(item->valuestring, (char *) m->value) != 0) {
                abort();
            }
        }
    }

    if (i != d->n) {
        abort();
    }

    cJSON_Delete(root);
}


/* cJSON knows no number of more than 63 characters. */

static int
long_number(const unsigned char *p, size_t len)
{
    size_t  i, n;

    for (i = 0, n = 0; i < len; i++) {
        n = (p[i] && strchr("+-.0123456789eE", p[i])) ? n + 1 : 0;

        if (n > 62) {
            return 1;
        }
    }

    return 0;
}


static void
release(document_t *d)
{
    while (d->n) {
        d->n--;
        free(d->members[d->n].name);
        free(d->members[d->n].value);
    }
}
