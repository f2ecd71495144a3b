// dtctl_output - records on standard output: simple lines, a table, or JSON.
//
// A command describes each result once as a record of named fields and writes its simple form with
// dtctl_output_simple; which of the two is heard depends on the format.
//
//     simple   lines made by the command; stable, for people and for scripts
//     table    one row per record, printed when all are known
//     json     one object per record and line; "schema":1 comes first
//
// In JSON, bytes are an object {"base64":...} with "text" too if they are UTF-8 (with hex:
// {"hex":...}), and whole numbers above 2^53 are strings, since most readers would round them.

#ifndef DTCTL_OUTPUT_H
#define DTCTL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"

typedef enum {
    DTCTL_FORMAT_SIMPLE,
    DTCTL_FORMAT_TABLE,
    DTCTL_FORMAT_JSON,
} dtctl_format_t;

typedef struct dtctl_output dtctl_output_t;

// Create an output to a file descriptor. hex: bytes are shown as hexadecimal digits.
dtctl_output_t *dtctl_output_new (int fd, dtctl_format_t format, bool hex);

// Write what is left and free the output. Returns 0, or DT_ERR_IO if anything could not be written
// (then errno of the first failure is in *error, which may be NULL). Accepts NULL.
int dtctl_output_destroy (dtctl_output_t **self_p, int *error);

// Write out what is complete, so that it is seen before more is waited for. Not for tables.
void dtctl_output_flush (dtctl_output_t *self);

dtctl_format_t dtctl_output_format (const dtctl_output_t *self);

// Add text to the simple form. Nothing happens in other formats.
void dtctl_output_simple (dtctl_output_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

// Add bytes to the simple form, escaped to stay on one line, or as hexadecimal digits.
void dtctl_output_simple_bytes (dtctl_output_t *self, const void *data, size_t bytes);

// Add bytes to the simple form as they are.
void dtctl_output_simple_raw (dtctl_output_t *self, const void *data, size_t bytes);

// Begin and end a record; fields come in between. Nothing happens in the simple format. All records
// of one table should have the same fields in the same order.
void dtctl_output_begin (dtctl_output_t *self);
void dtctl_output_end (dtctl_output_t *self);

// Fields. `name` is ASCII; a table shows it in capitals.
void dtctl_output_number (dtctl_output_t *self, const char *name, uint64_t value);
void dtctl_output_signed (dtctl_output_t *self, const char *name, int64_t value);
void dtctl_output_real (dtctl_output_t *self, const char *name, double value);
void dtctl_output_bool (dtctl_output_t *self, const char *name, bool value);
void dtctl_output_null (dtctl_output_t *self, const char *name);
void dtctl_output_text (dtctl_output_t *self, const char *name, const char *value);
void dtctl_output_bytes (dtctl_output_t *self, const char *name, const void *data, size_t bytes);
// Milliseconds since 1970: a number in JSON, its name with _ms behind; a date in a table.
void dtctl_output_time (dtctl_output_t *self, const char *name, uint64_t time_ms);
// JSON made elsewhere; a table shows it as it is.
void dtctl_output_json (dtctl_output_t *self, const char *name, const void *json, size_t bytes);

// Append a number, or bytes, as JSON the way records do.
void dtctl_output_json_number (dt_buffer_t *out, uint64_t value);
void dtctl_output_json_bytes (dt_buffer_t *out, const void *data, size_t bytes, bool hex);

#endif // DTCTL_OUTPUT_H
