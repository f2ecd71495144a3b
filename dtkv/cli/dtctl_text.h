// dtctl_text - bytes made readable, for terminals, logs and JSON. Pure.

#ifndef DTCTL_TEXT_H
#define DTCTL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"

// True if the bytes are well-formed UTF-8 [RFC 3629]: no surrogates, no overlong forms.
bool dtctl_text_is_utf8 (const void *data, size_t bytes);

// Append bytes so that they stand on one line and can be told apart: printable characters as they
// are, \\ \n \r \t as in C, everything else (control characters, bytes that are no UTF-8) as \xNN.
// dtctl_line_parse reads it back inside double quotes.
void dtctl_text_escape (dt_buffer_t *out, const void *data, size_t bytes);

// Append bytes as dtctl_text_escape does, in double quotes and with \" for a double quote.
void dtctl_text_quote (dt_buffer_t *out, const void *data, size_t bytes);

// Append two lower-case hexadecimal digits per byte.
void dtctl_text_hex (dt_buffer_t *out, const void *data, size_t bytes);

// Append base64 with padding [RFC 4648 4].
void dtctl_text_base64 (dt_buffer_t *out, const void *data, size_t bytes);

// Append well-formed UTF-8 as a JSON string, with its quotes [RFC 8259 7].
void dtctl_text_json (dt_buffer_t *out, const void *data, size_t bytes);

// Append milliseconds since 1970 as 2026-01-31T23:59:59.999Z; "-" for 0.
void dtctl_text_time (dt_buffer_t *out, uint64_t time_ms);

// Append a number of bytes for people: 17 B, 1.5 KiB, 20.0 MiB.
void dtctl_text_size (dt_buffer_t *out, uint64_t bytes);

// How many characters of a terminal the UTF-8 bytes take, one for each code point.
size_t dtctl_text_width (const void *data, size_t bytes);

// How many single-character edits lead from one word to the other (case is one).
size_t dtctl_text_distance (const char *one, const char *other);

// The candidate nearest to a mistyped word, NULL if none is near. Ends at a NULL candidate.
const char *dtctl_text_nearest (const char *word, const char *const *candidates);

#endif // DTCTL_TEXT_H
