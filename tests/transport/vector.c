#include "tests/transport/vector.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/transport/document.h"

static void s_take_hex (vector_t *vector, const char *text)
{
    for (; *text; text++) {
        unsigned byte;
        if (*text == '/') {
            ck_assert_uint_eq (vector->frame.bytes, 0);
            vector->delimiter = true;
        } else if (*text != ' ') {
            ck_assert_msg (isxdigit (text[0]) && isxdigit (text[1]), "%s: hex", vector->name);
            ck_assert_int_eq (sscanf (text++, "%2x", &byte), 1);
            dt_buffer_append (&vector->frame, &(uint8_t){(uint8_t) byte}, 1);
        }
    }
}

static void s_take_line (vector_t *vector, const char *line)
{
    const char *value = line + strcspn (line, " ");
    value += strspn (value, " ");
    if (strncmp (line, "name: ", 6) == 0) {
        snprintf (vector->name, sizeof vector->name, "%s", value);
    } else if (strncmp (line, "kind: ", 6) == 0) {
        snprintf (vector->kind, sizeof vector->kind, "%s", value);
    } else if (strncmp (line, "read: ", 6) == 0) {
        snprintf (vector->read, sizeof vector->read, "%s", value);
    } else if (strncmp (line, "id: ", 4) == 0) {
        vector->id = strtoull (value, NULL, 10);
    } else {
        ck_assert_msg (line[0] == ' ' || strncmp (line, "hex:", 4) == 0, "not known: %s", line);
        s_take_hex (vector, value);
    }
}

bool vector_next (char **text, vector_t *vector)
{
    char *line;
    do {
        if (!document_line (text, &line)) {
            return false;
        }
    } while (strcmp (line, "```vector") != 0);
    memset (vector, 0, sizeof *vector);
    while (document_line (text, &line) && strcmp (line, "```") != 0) {
        s_take_line (vector, line);
    }
    ck_assert_msg (vector->name[0] && vector->kind[0], "a vector without name or kind");
    return true;
}

void vector_print_bytes (dt_buffer_t *out, msgpack_slice_t slice, char quote)
{
    bool plain = true;
    for (size_t i = 0; i < slice.bytes; i++) {
        plain = plain && isprint (slice.data[i]) && !strchr ("'\"\\", slice.data[i]);
    }
    if (plain) {
        dt_buffer_printf (out, "%c%.*s%c", quote, (int) slice.bytes, (const char *) slice.data,
                          quote);
        return;
    }
    dt_buffer_printf (out, "h'");
    for (size_t i = 0; i < slice.bytes; i++) {
        dt_buffer_printf (out, "%02x", slice.data[i]);
    }
    dt_buffer_printf (out, "'");
}

void vector_print (dt_buffer_t *out, msgpack_cursor_t *cursor)
{
    uint8_t type = cursor->place < cursor->end ? *cursor->place : 0xc1;
    uint32_t count;
    switch (msgpack_cursor_kind (cursor)) {
    case MSGPACK_KIND_NIL:
        ck_assert (msgpack_cursor_take_nil (cursor));
        dt_buffer_printf (out, "nil");
        return;
    case MSGPACK_KIND_BOOL:
        dt_buffer_printf (out, msgpack_cursor_bool (cursor) ? "true" : "false");
        return;
    case MSGPACK_KIND_UINT:
        dt_buffer_printf (out, "%llu", (unsigned long long) msgpack_cursor_uint (cursor));
        return;
    case MSGPACK_KIND_BYTES:
        vector_print_bytes (out, msgpack_cursor_bytes (cursor),
                            type >= 0xc4 && type <= 0xc6 ? '\'' : '"');
        return;
    case MSGPACK_KIND_ARRAY:
        dt_buffer_printf (out, "[");
        count = msgpack_cursor_array (cursor);
        for (uint32_t i = 0; i < count; i++) {
            dt_buffer_printf (out, i ? ", " : "");
            vector_print (out, cursor);
        }
        dt_buffer_printf (out, "]");
        return;
    case MSGPACK_KIND_MAP:
        dt_buffer_printf (out, "{");
        count = msgpack_cursor_map (cursor);
        for (uint32_t i = 0; i < count; i++) {
            dt_buffer_printf (out, i ? ", " : "");
            vector_print (out, cursor);
            dt_buffer_printf (out, ": ");
            vector_print (out, cursor);
        }
        dt_buffer_printf (out, "}");
        return;
    default:
        ck_abort_msg ("not printable: %02x", type);
    }
}
