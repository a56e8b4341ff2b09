
/*
 * The JSON push parser: an automaton that is fed octets, with a stack of the
 * open arrays and objects and, for duplicates, the names of their members.
 * What it keeps between two feeds is in the caller's imagegram_json_t; pieces
 * it delivers point into what is being fed and are valid during the call.
 *
 * Knows no nginx type.
 */

#include <string.h>

#include "imagegram_json.h"


/* those from MINUS on are inside a number */

typedef enum {
    IMAGEGRAM_JSON_START = 0,
    IMAGEGRAM_JSON_FIRST_NAME,      /* behind '{' */
    IMAGEGRAM_JSON_NEXT_NAME,       /* behind ',' */
    IMAGEGRAM_JSON_COLON,
    IMAGEGRAM_JSON_FIRST_VALUE,     /* behind '[' */
    IMAGEGRAM_JSON_VALUE,
    IMAGEGRAM_JSON_AFTER_VALUE,
    IMAGEGRAM_JSON_DONE,

    IMAGEGRAM_JSON_IN_LITERAL,
    IMAGEGRAM_JSON_IN_STRING,

    IMAGEGRAM_JSON_MINUS,
    IMAGEGRAM_JSON_ZERO,
    IMAGEGRAM_JSON_INTEGER,
    IMAGEGRAM_JSON_POINT,
    IMAGEGRAM_JSON_FRACTION,
    IMAGEGRAM_JSON_E,
    IMAGEGRAM_JSON_SIGN,
    IMAGEGRAM_JSON_EXPONENT
} imagegram_json_state_e;


static imagegram_reason_e imagegram_json_token(imagegram_json_t *j,
    unsigned char ch);
static imagegram_reason_e imagegram_json_start(imagegram_json_t *j,
    unsigned char ch);
static imagegram_reason_e imagegram_json_value(imagegram_json_t *j,
    unsigned char ch);
static imagegram_reason_e imagegram_json_after_value(imagegram_json_t *j,
    unsigned char ch);
static imagegram_reason_e imagegram_json_open(imagegram_json_t *j,
    unsigned char ch);
static imagegram_reason_e imagegram_json_close(imagegram_json_t *j,
    unsigned char ch);
static imagegram_reason_e imagegram_json_literal(imagegram_json_t *j,
    unsigned char ch);
static imagegram_reason_e imagegram_json_number(imagegram_json_t *j,
    const unsigned char **pos);
static unsigned imagegram_json_number_next(unsigned state, unsigned char ch);
static imagegram_reason_e imagegram_json_string(imagegram_json_t *j,
    const unsigned char **pos, const unsigned char *last);
static imagegram_reason_e imagegram_json_piece(imagegram_json_t *j,
    const imagegram_json_piece_t *piece);
static imagegram_reason_e imagegram_json_name(imagegram_json_t *j);


void
imagegram_json_init(imagegram_json_t *j, const imagegram_json_handlers_t *h,
    void *data)
{
    memset(j, 0, offsetof(imagegram_json_t, members));

    j->handlers = h;
    j->data = data;
}


imagegram_reason_e
imagegram_json_feed(imagegram_json_t *j, const unsigned char *p, size_t len)
{
    imagegram_reason_e    rc;
    const unsigned char  *last;

    last = p + len;

    while (p < last) {

        switch (j->state) {

        case IMAGEGRAM_JSON_IN_STRING:
            rc = imagegram_json_string(j, &p, last);
            break;

        case IMAGEGRAM_JSON_IN_LITERAL:
            rc = imagegram_json_literal(j, *p++);
            break;

        default:
            if (j->state >= IMAGEGRAM_JSON_MINUS) {
                rc = imagegram_json_number(j, &p);

            } else {
                rc = imagegram_json_token(j, *p++);
            }
        }

        if (rc != IMAGEGRAM_OK) {
            return rc;
        }
    }

    return IMAGEGRAM_OK;
}


imagegram_reason_e
imagegram_json_end(imagegram_json_t *j)
{
    return (j->state == IMAGEGRAM_JSON_DONE) ? IMAGEGRAM_OK : IMAGEGRAM_JSON;
}


static imagegram_reason_e
imagegram_json_token(imagegram_json_t *j, unsigned char ch)
{
    if (ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r') {
        return IMAGEGRAM_OK;
    }

    switch (j->state) {

    case IMAGEGRAM_JSON_START:
        return imagegram_json_start(j, ch);

    case IMAGEGRAM_JSON_FIRST_NAME:
        if (ch == '}') {
            return imagegram_json_close(j, ch);
        }

        /* fall through */

    case IMAGEGRAM_JSON_NEXT_NAME:
        if (ch != '"') {
            return IMAGEGRAM_JSON;
        }

        j->in_name = 1;
        j->state = IMAGEGRAM_JSON_IN_STRING;
        return IMAGEGRAM_OK;

    case IMAGEGRAM_JSON_COLON:
        j->state = IMAGEGRAM_JSON_VALUE;
        return (ch == ':') ? IMAGEGRAM_OK : IMAGEGRAM_JSON;

    case IMAGEGRAM_JSON_FIRST_VALUE:
        if (ch == ']') {
            return imagegram_json_close(j, ch);
        }

        /* fall through */

    case IMAGEGRAM_JSON_VALUE:
        return imagegram_json_value(j, ch);

    case IMAGEGRAM_JSON_AFTER_VALUE:
        return imagegram_json_after_value(j, ch);

    default: /* IMAGEGRAM_JSON_DONE */
        return IMAGEGRAM_JSON_TRAILING;
    }
}


static imagegram_reason_e
imagegram_json_start(imagegram_json_t *j, unsigned char ch)
{
    if (ch == '{') {
        return imagegram_json_open(j, ch);
    }

    /* it may well go on as another kind of value, which no one wants to see */

    if (ch != '\0' && strchr("[\"-0123456789tfn", ch)) {
        return IMAGEGRAM_JSON_OBJECT;
    }

    return IMAGEGRAM_JSON;
}


static imagegram_reason_e
imagegram_json_value(imagegram_json_t *j, unsigned char ch)
{
    unsigned                  outermost;
    imagegram_reason_e        rc;
    imagegram_json_member_t  *m;

    outermost = (j->depth == 1);
    rc = IMAGEGRAM_OK;

    switch (ch) {

    case '"':
        j->state = IMAGEGRAM_JSON_IN_STRING;
        return IMAGEGRAM_OK;

    case '{':
    case '[':
        rc = imagegram_json_open(j, ch);
        break;

    case 't':
        j->literal = "rue";
        j->state = IMAGEGRAM_JSON_IN_LITERAL;
        break;

    case 'f':
        j->literal = "alse";
        j->state = IMAGEGRAM_JSON_IN_LITERAL;
        break;

    case 'n':
        j->literal = "ull";
        j->state = IMAGEGRAM_JSON_IN_LITERAL;
        break;

    case '-':
        j->state = IMAGEGRAM_JSON_MINUS;
        break;

    default:
        j->state = imagegram_json_number_next(IMAGEGRAM_JSON_MINUS, ch);

        if (j->state == IMAGEGRAM_JSON_AFTER_VALUE) {
            return IMAGEGRAM_JSON;
        }
    }

    if (rc == IMAGEGRAM_OK && outermost) {
        m = &j->members[j->members_len - 1];
        rc = j->handlers->other(j->data, j->names + m->offset, m->len);
    }

    return rc;
}


static imagegram_reason_e
imagegram_json_after_value(imagegram_json_t *j, unsigned char ch)
{
    if (ch != ',') {
        return imagegram_json_close(j, ch);
    }

    j->state = j->levels[j->depth - 1].object ? IMAGEGRAM_JSON_NEXT_NAME
                                              : IMAGEGRAM_JSON_VALUE;
    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_json_open(imagegram_json_t *j, unsigned char ch)
{
    imagegram_json_level_t  *level;

    if (j->depth == IMAGEGRAM_JSON_DEPTH) {
        return IMAGEGRAM_JSON_LIMIT;
    }

    level = &j->levels[j->depth++];

    level->object = (ch == '{');
    level->members = j->members_len;
    level->names_len = j->names_len;

    j->state = level->object ? IMAGEGRAM_JSON_FIRST_NAME
                             : IMAGEGRAM_JSON_FIRST_VALUE;
    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_json_close(imagegram_json_t *j, unsigned char ch)
{
    imagegram_json_level_t  *level;

    level = &j->levels[j->depth - 1];

    if (ch != (level->object ? '}' : ']')) {
        return IMAGEGRAM_JSON;
    }

    j->members_len = level->members;
    j->names_len = level->names_len;
    j->depth--;

    j->state = j->depth ? IMAGEGRAM_JSON_AFTER_VALUE : IMAGEGRAM_JSON_DONE;

    return IMAGEGRAM_OK;
}


static imagegram_reason_e
imagegram_json_literal(imagegram_json_t *j, unsigned char ch)
{
    if (ch != (unsigned char) *j->literal++) {
        return IMAGEGRAM_JSON;
    }

    if (*j->literal == '\0') {
        j->state = IMAGEGRAM_JSON_AFTER_VALUE;
    }

    return IMAGEGRAM_OK;
}


/* Leaves the octet that ends the number to the next state. */

static imagegram_reason_e
imagegram_json_number(imagegram_json_t *j, const unsigned char **pos)
{
    unsigned  next;

    next = imagegram_json_number_next(j->state, **pos);

    if (next != IMAGEGRAM_JSON_AFTER_VALUE) {
        (*pos)++;

    } else if (j->state != IMAGEGRAM_JSON_ZERO
               && j->state != IMAGEGRAM_JSON_INTEGER
               && j->state != IMAGEGRAM_JSON_FRACTION
               && j->state != IMAGEGRAM_JSON_EXPONENT)
    {
        return IMAGEGRAM_JSON;
    }

    j->state = next;

    return IMAGEGRAM_OK;
}


/* Gives AFTER_VALUE where ch does not go on with the number. */

static unsigned
imagegram_json_number_next(unsigned state, unsigned char ch)
{
    unsigned  digit;

    digit = (ch >= '0' && ch <= '9');

    switch (state) {

    case IMAGEGRAM_JSON_MINUS:
        if (ch == '0') {
            return IMAGEGRAM_JSON_ZERO;
        }

        /* fall through */

    case IMAGEGRAM_JSON_INTEGER:
        if (digit) {
            return IMAGEGRAM_JSON_INTEGER;
        }

        if (state == IMAGEGRAM_JSON_MINUS) {
            return IMAGEGRAM_JSON_AFTER_VALUE;
        }

        /* fall through */

    case IMAGEGRAM_JSON_ZERO:
        if (ch == '.') {
            return IMAGEGRAM_JSON_POINT;
        }

        return (ch == 'e' || ch == 'E') ? IMAGEGRAM_JSON_E
                                        : IMAGEGRAM_JSON_AFTER_VALUE;

    case IMAGEGRAM_JSON_FRACTION:
        if (ch == 'e' || ch == 'E') {
            return IMAGEGRAM_JSON_E;
        }

        /* fall through */

    case IMAGEGRAM_JSON_POINT:
        return digit ? IMAGEGRAM_JSON_FRACTION : IMAGEGRAM_JSON_AFTER_VALUE;

    case IMAGEGRAM_JSON_E:
        if (ch == '+' || ch == '-') {
            return IMAGEGRAM_JSON_SIGN;
        }

        /* fall through */

    default: /* IMAGEGRAM_JSON_SIGN, IMAGEGRAM_JSON_EXPONENT */
        return digit ? IMAGEGRAM_JSON_EXPONENT : IMAGEGRAM_JSON_AFTER_VALUE;
    }
}


static imagegram_reason_e
imagegram_json_string(imagegram_json_t *j, const unsigned char **pos,
    const unsigned char *last)
{
    imagegram_reason_e      rc, err;
    imagegram_json_piece_t  piece;

    rc = imagegram_json_string_next(&j->string, pos, last, &piece);

    /* the piece comes before what is wrong behind it, however it was fed */

    if (piece.len || piece.last) {
        err = imagegram_json_piece(j, &piece);

        if (err != IMAGEGRAM_OK) {
            return err;
        }
    }

    if (!piece.last) {
        return rc;
    }

    j->state = IMAGEGRAM_JSON_AFTER_VALUE;

    return j->in_name ? imagegram_json_name(j) : IMAGEGRAM_OK;
}


/* Takes a piece of a name or a value; a value deeper inside is dropped. */

static imagegram_reason_e
imagegram_json_piece(imagegram_json_t *j, const imagegram_json_piece_t *piece)
{
    imagegram_json_member_t  *m;

    if (j->in_name) {

        if (piece->len > IMAGEGRAM_JSON_NAMES - j->names_len) {
            return IMAGEGRAM_JSON_LIMIT;
        }

        memcpy(j->names + j->names_len, piece->data, piece->len);
        j->names_len += piece->len;

        return IMAGEGRAM_OK;
    }

    if (j->depth > 1) {
        return IMAGEGRAM_OK;
    }

    m = &j->members[j->members_len - 1];

    return j->handlers->string(j->data, j->names + m->offset, m->len,
                               piece->data, piece->len, piece->last);
}


/*
 * The name that ends here must be the only such one in its object.  The limit
 * on members keeps this quadratic search short.
 */

static imagegram_reason_e
imagegram_json_name(imagegram_json_t *j)
{
    size_t                    i;
    imagegram_json_member_t  *m, *other;
    imagegram_json_level_t   *level;

    if (j->members_len == IMAGEGRAM_JSON_MEMBERS) {
        return IMAGEGRAM_JSON_LIMIT;
    }

    level = &j->levels[j->depth - 1];
    m = &j->members[j->members_len];

    m->offset = level->names_len;

    if (j->members_len > level->members) {
        m->offset = m[-1].offset + m[-1].len;
    }

    m->len = j->names_len - m->offset;
    m->hash = 2166136261;

    for (i = m->offset; i < j->names_len; i++) {
        m->hash = (m->hash ^ (unsigned char) j->names[i]) * 16777619;
    }

    for (other = &j->members[level->members]; other < m; other++) {

        if (other->hash == m->hash && other->len == m->len
            && memcmp(j->names + other->offset, j->names + m->offset, m->len)
               == 0)
        {
            return IMAGEGRAM_JSON_DUPLICATE;
        }
    }

    j->members_len++;
    j->in_name = 0;
    j->state = IMAGEGRAM_JSON_COLON;

    return IMAGEGRAM_OK;
}
