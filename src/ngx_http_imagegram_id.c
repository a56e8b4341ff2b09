
/*
 * PostIDs and CommentIDs.
 */

#include <uuid/uuid.h>

#include "ngx_http_imagegram_id.h"


void
ngx_http_imagegram_id_create(u_char *id)
{
    char    text[UUID_STR_LEN];
    uuid_t  uuid;

    uuid_generate_random(uuid);
    uuid_unparse_lower(uuid, text);

    ngx_memcpy(id, text, UUID_STR_LEN - 1);
}
