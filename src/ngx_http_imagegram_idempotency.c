
/*
 * Idempotency keys: what they are for.
 */

#include "ngx_http_imagegram.h"
#include "ngx_http_imagegram_hash.h"
#include "ngx_http_imagegram_header.h"
#include "ngx_http_imagegram_idempotency.h"
#include "ngx_http_imagegram_problem.h"
#include "parse/imagegram_idempotency.h"

#include <ngx_sha1.h>


static void ngx_http_imagegram_idempotency_add(ngx_sha1_t *sha1,
    ngx_str_t *text);
static u_char *ngx_http_imagegram_idempotency_hex(ngx_sha1_t *sha1, u_char *p);


ngx_int_t
ngx_http_imagegram_idempotency_init(ngx_http_request_t *r,
    ngx_http_imagegram_idempotency_t *idem)
{
    u_char                    *p;
    ngx_str_t                 *key;
    ngx_sha1_t                 sha1;
    ngx_http_imagegram_ctx_t  *ctx;

    key = ngx_http_imagegram_get_header(r, "Idempotency-Key");

    if (key == NULL) {
        return NGX_OK;
    }

    if (!imagegram_idempotency_valid(key->data, key->len)) {
        return ngx_http_imagegram_problem(r, NGX_HTTP_BAD_REQUEST,
                 "Idempotency-Key is not of 1 to 255 visible characters");
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_imagegram_module);

    ngx_sha1_init(&sha1);
    ngx_http_imagegram_idempotency_add(&sha1, &ctx->user);
    ngx_http_imagegram_idempotency_add(&sha1, &r->method_name);
    ngx_http_imagegram_idempotency_add(&sha1, &r->uri);
    ngx_http_imagegram_idempotency_add(&sha1, key);

    p = ngx_cpymem(idem->record, "idem:", sizeof("idem:") - 1);
    *ngx_http_imagegram_idempotency_hex(&sha1, p) = '\0';

    idem->given = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_idempotency_hash(ngx_http_imagegram_idempotency_t *idem,
    ngx_str_t *author, ngx_str_t *body, ngx_fd_t fd)
{
    ngx_sha1_t       sha1;
    ngx_file_info_t  fi;

    ngx_sha1_init(&sha1);
    ngx_http_imagegram_idempotency_add(&sha1, author);
    ngx_http_imagegram_idempotency_add(&sha1, body);

    if (fd != NGX_INVALID_FILE
        && (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR
            || ngx_http_imagegram_hash_file(&sha1, fd, 0, ngx_file_size(&fi))
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    (void) ngx_http_imagegram_idempotency_hex(&sha1, idem->hash);

    return NGX_OK;
}


ngx_int_t
ngx_http_imagegram_idempotency_running(ngx_http_request_t *r)
{
    return ngx_http_imagegram_problem(r, NGX_HTTP_CONFLICT,
                        "a request with this Idempotency-Key is still running");
}


ngx_int_t
ngx_http_imagegram_idempotency_other(ngx_http_request_t *r)
{
    return ngx_http_imagegram_problem(r, NGX_HTTP_UNPROCESSABLE,
                        "this Idempotency-Key was used for other content");
}


/* With its length, so that no two lists of texts look the same. */

static void
ngx_http_imagegram_idempotency_add(ngx_sha1_t *sha1, ngx_str_t *text)
{
    uint64_t  len;

    len = text->len;

    ngx_sha1_update(sha1, &len, sizeof(len));
    ngx_sha1_update(sha1, text->data, text->len);
}


static u_char *
ngx_http_imagegram_idempotency_hex(ngx_sha1_t *sha1, u_char *p)
{
    u_char  digest[NGX_HTTP_IMAGEGRAM_IDEMPOTENCY_HASH / 2];

    ngx_sha1_final(digest, sha1);

    return ngx_hex_dump(p, digest, sizeof(digest));
}
