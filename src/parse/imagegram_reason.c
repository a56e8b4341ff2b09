
/*
 * The tables behind imagegram_reason.h.  Static, nothing is owned.
 *
 * Knows no nginx type.
 */

#include "imagegram_reason.h"


static const struct {
    int          status;
    const char  *text;
} imagegram_reasons[] = {

#define IMAGEGRAM_REASON_ROW(name, status, text)  { status, text },

    IMAGEGRAM_REASONS(IMAGEGRAM_REASON_ROW)

#undef IMAGEGRAM_REASON_ROW
};


int
imagegram_reason_status(unsigned reason)
{
    if (reason >= IMAGEGRAM_REASON_MAX) {
        reason = IMAGEGRAM_INTERNAL;
    }

    return imagegram_reasons[reason].status;
}


const char *
imagegram_reason_text(unsigned reason)
{
    if (reason >= IMAGEGRAM_REASON_MAX) {
        reason = IMAGEGRAM_INTERNAL;
    }

    return imagegram_reasons[reason].text;
}
