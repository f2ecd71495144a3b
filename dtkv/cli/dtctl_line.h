// dtctl_line - the lines of a batch file. Pure.
//
//     line    = [ words ] [ comment ]           an empty line and a comment do nothing
//     words   = "put" key value / "rm" key / "get" key
//     comment = "#" ...                         where a word could begin
//     word    = 1*( bare / single / double )    pieces without a blank between them are one word
//     bare    = any bytes but blank, tab, quotes, backslash
//     single  = "'" any bytes but "'" "'"       taken as they are
//     double  = '"' bytes, with escapes '"'     \\ \" \n \r \t \0 \xNN
//
// A value may be empty ('' or ""), a line ends at a newline, a carriage return before it is
// dropped.

#ifndef DTCTL_LINE_H
#define DTCTL_LINE_H

#include <stddef.h>

#include "base/dt_buffer.h"

typedef enum {
    DTCTL_LINE_NOTHING,
    DTCTL_LINE_PUT,
    DTCTL_LINE_REMOVE,
    DTCTL_LINE_GET,
} dtctl_line_verb_t;

typedef struct {
    dtctl_line_verb_t verb;
    size_t key_at; // the words lie in `words`, key first
    size_t key_bytes;
    size_t value_at;
    size_t value_bytes;
} dtctl_line_t;

// Read one line (without or with its newline). Appends the key and value, unescaped, to `words` and
// says where. DT_ERR_INVALID: *problem is a static text that says what is wrong and *column (from
// 1) where; `words` is as it was.
int dtctl_line_parse (const void *data, size_t bytes, dt_buffer_t *words, dtctl_line_t *line,
                      const char **problem, size_t *column);

#endif // DTCTL_LINE_H
