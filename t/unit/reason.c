
/*
 * Reasons: their statuses and texts.
 */

#include "imagegram_reason.h"
#include "unit.h"


static void test_reasons(void);


int
main(void)
{
    test_reasons();

    return done();
}


static void
test_reasons(void)
{
    ok(imagegram_reason_status(IMAGEGRAM_OK) == 200, "status of OK", 0);
    ok(imagegram_reason_status(IMAGEGRAM_FORMAT) == 415, "status of FORMAT",
       0);
    ok(imagegram_reason_status(IMAGEGRAM_DISK_FULL) == 507,
       "status of the last reason", 0);
    ok(imagegram_reason_status(IMAGEGRAM_REASON_MAX) == 503,
       "status out of range", 0);
    ok(imagegram_reason_text(4000000000u)
       == imagegram_reason_text(IMAGEGRAM_INTERNAL), "text out of range", 0);
}
