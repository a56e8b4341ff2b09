
/*
 * Why a request was refused, as a number: parsers and the converter say it,
 * the worker turns it into a problem document (RFC 9457), the command line of
 * imagegram-convert into one line.  A number and not a string, because what a
 * converter child says is a stranger's word.
 *
 * Knows no nginx type.
 */

#ifndef _IMAGEGRAM_REASON_H_INCLUDED_
#define _IMAGEGRAM_REASON_H_INCLUDED_


/* name, HTTP status, text: completes "author ..." where a field is at fault */

#define IMAGEGRAM_REASONS(X)                                                  \
    X(OK,               200, "is fine")                                       \
                                                                              \
    X(MULTIPART,        400, "the multipart body is malformed")               \
    X(JSON,             400, "the JSON body is malformed")                    \
    X(JSON_TRAILING,    400, "there is something behind the JSON value")      \
    X(JSON_DUPLICATE,   400, "a member name of the JSON body occurs twice")   \
    X(JSON_UTF8,        400, "the JSON body is not valid UTF-8")              \
    X(JSON_LIMIT,       400, "the JSON body is nested too deeply or has too " \
                             "many members")                                  \
    X(JSON_OBJECT,      400, "the JSON body is not an object")                \
                                                                              \
    X(IMAGE_SIZE,       413, "the image is too large")                        \
    X(FORMAT,           415, "is not a PNG, JPEG or BMP image")               \
                                                                              \
    X(MISSING,          422, "is missing")                                    \
    X(EMPTY,            422, "is empty")                                      \
    X(TWICE,            422, "is given more than once")                       \
    X(NOT_STRING,       422, "is not a string")                               \
    X(LONG,             422, "is too long")                                   \
    X(UTF8,             422, "is not valid UTF-8")                            \
    X(CONTROL,          422, "contains a control character")                  \
    X(BASE64,           422, "is not valid base64")                           \
    X(DIMENSIONS,       422, "declares too many pixels")                      \
    X(COMPLEXITY,       422, "declares more than can be decoded in bounded "  \
                             "time and memory")                               \
    X(DECODE,           422, "cannot be decoded")                             \
    X(TIME,             422, "takes too long to convert")                     \
    X(MEMORY,           422, "needs too much memory to convert")              \
                                                                              \
    X(CRASH,            503, "the image could not be converted")              \
    X(LOST,             503, "the image could not be converted")              \
    X(INTERNAL,         503, "the image could not be converted")              \
    X(DISK_FULL,        507, "there is no room on the disk")


typedef enum {
#define IMAGEGRAM_REASON_ENUM(name, status, text)  IMAGEGRAM_##name,
    IMAGEGRAM_REASONS(IMAGEGRAM_REASON_ENUM)
#undef IMAGEGRAM_REASON_ENUM
    IMAGEGRAM_REASON_MAX
} imagegram_reason_e;


/* the fields of a post that can be at fault */

typedef enum {
    IMAGEGRAM_FIELD_AUTHOR = 0,
    IMAGEGRAM_FIELD_BODY,
    IMAGEGRAM_FIELD_IMAGE,
    IMAGEGRAM_FIELD_MAX
} imagegram_field_e;


/* The HTTP status of a reason; 503 for a number out of range. */
int imagegram_reason_status(unsigned reason);

/* Its text, a static string; that of INTERNAL for a number out of range. */
const char *imagegram_reason_text(unsigned reason);


#endif /* _IMAGEGRAM_REASON_H_INCLUDED_ */
