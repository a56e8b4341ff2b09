
/*
 * What the tests of parsers share: results in TAP, and what a handler was told,
 * as a text.
 */

#ifndef _IMAGEGRAM_UNIT_H_INCLUDED_
#define _IMAGEGRAM_UNIT_H_INCLUDED_


#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define bytes(s)  s, sizeof(s) - 1


typedef struct {
    size_t  len;
    int     open;           /* the value of a member has begun */
    char    text[65536];
} record_t;


static unsigned  tests, failures;


static inline void
ok(int good, const char *what, size_t i)
{
    printf("%s %u - %s, case %zu\n", good ? "ok" : "not ok", ++tests, what,
           i);

    failures += !good;
}


/* Gives main()'s status. */

static inline int
done(void)
{
    printf("1..%u\n", tests);

    return failures ? 1 : 0;
}


/* Leaves room for a NUL. */

static inline void
add(record_t *r, const void *p, size_t len)
{
    if (len >= sizeof(r->text) - r->len) {
        abort();
    }

    memcpy(r->text + r->len, p, len);
    r->len += len;
}


/* Gives the length of n times s. */

static inline size_t
repeat(char *dst, const char *s, size_t n)
{
    size_t  i, len;

    len = strlen(s);

    for (i = 0; i < n; i++) {
        memcpy(dst + i * len, s, len);
    }

    return n * len;
}


#endif /* _IMAGEGRAM_UNIT_H_INCLUDED_ */
