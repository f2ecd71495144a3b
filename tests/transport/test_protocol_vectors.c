// Every test vector of docs/PROTOCOL.md against the codec: what it says is what is read, and what
// is written from what was read are the same bytes.

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_buffer.h"
#include "tests/transport/document.h"
#include "transport/protocol_hello.h"
#include "transport/protocol_reply.h"
#include "transport/protocol_request.h"

typedef struct {
    char name[64];
    char kind[16];
    dt_buffer_t frame;
    char read[2048];
    uint64_t id;
    bool delimiter; // a slash stood before the bytes
} s_vector_t;

static void s_take_hex (s_vector_t *vector, const char *text)
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

static void s_take_line (s_vector_t *vector, const char *line)
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
        ck_assert_msg (line[0] == ' ' || strncmp (line, "hex: ", 5) == 0, "not known: %s", line);
        s_take_hex (vector, value);
    }
}

// Read the next vector of the document; false at its end.
static bool s_next (char **text, s_vector_t *vector)
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

static void s_print_bytes (dt_buffer_t *out, msgpack_slice_t slice, char quote)
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

// Print one object in diagnostic notation.
static void s_print (dt_buffer_t *out, msgpack_cursor_t *cursor)
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
        s_print_bytes (out, msgpack_cursor_bytes (cursor),
                       type >= 0xc4 && type <= 0xc6 ? '\'' : '"');
        return;
    case MSGPACK_KIND_ARRAY:
        dt_buffer_printf (out, "[");
        count = msgpack_cursor_array (cursor);
        for (uint32_t i = 0; i < count; i++) {
            dt_buffer_printf (out, i ? ", " : "");
            s_print (out, cursor);
        }
        dt_buffer_printf (out, "]");
        return;
    case MSGPACK_KIND_MAP:
        dt_buffer_printf (out, "{");
        count = msgpack_cursor_map (cursor);
        for (uint32_t i = 0; i < count; i++) {
            dt_buffer_printf (out, i ? ", " : "");
            s_print (out, cursor);
            dt_buffer_printf (out, ": ");
            s_print (out, cursor);
        }
        dt_buffer_printf (out, "}");
        return;
    default:
        ck_abort_msg ("not printable: %02x", type);
    }
}

static void s_check_reading (const s_vector_t *vector)
{
    dt_buffer_t out = {0};
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, vector->frame.data, vector->frame.bytes);
    while (msgpack_cursor_left (&cursor)) {
        dt_buffer_printf (&out, out.bytes ? " | " : "");
        s_print (&out, &cursor);
    }
    ck_assert_msg (cursor.rc == 0, "%s: malformed", vector->name);
    dt_buffer_append (&out, "", 1);
    ck_assert_msg (strcmp ((char *) out.data, vector->read) == 0, "%s reads\n%s\nand not\n%s",
                   vector->name, (char *) out.data, vector->read);
    dt_buffer_deinit (&out);
}

static void s_check_same (const s_vector_t *vector, const dt_buffer_t *written)
{
    ck_assert_msg (written->bytes == vector->frame.bytes &&
                       memcmp (written->data, vector->frame.data, written->bytes) == 0,
                   "%s: written differently", vector->name);
}

static void s_check_hello (const s_vector_t *vector, msgpack_slice_t body)
{
    protocol_hello_request_t hello;
    dt_buffer_t written = {0};
    ck_assert_int_eq (protocol_hello_request_read (body, &hello), 0);
    protocol_hello_request_write (&written, &hello);
    ck_assert_msg (written.bytes == body.bytes && !memcmp (written.data, body.data, body.bytes),
                   "%s: hello written differently", vector->name);
    dt_buffer_deinit (&written);
}

static void s_check_hello_reply (const s_vector_t *vector, msgpack_slice_t body)
{
    protocol_hello_reply_t hello;
    uint32_t groups[8];
    dt_buffer_t written = {0};
    ck_assert_int_eq (protocol_hello_reply_read (body, &hello, groups, 8), 0);
    protocol_hello_reply_write (&written, &hello);
    ck_assert_msg (written.bytes == body.bytes && !memcmp (written.data, body.data, body.bytes),
                   "%s: hello reply written differently", vector->name);
    dt_buffer_deinit (&written);
}

// Write a request again as its frame had it: without what came from the header.
static void s_rewrite (dt_buffer_t *written, const protocol_frame_t *frame,
                       protocol_request_t request)
{
    if (request.session_id == frame->session_id) {
        request.session_id = 0;
        if (request.session_ack == frame->session_ack) {
            request.session_ack = 0;
        }
    }
    protocol_request_write (written, &request);
}

static void s_check_request (const s_vector_t *vector, bool same)
{
    protocol_frame_t frame;
    protocol_request_t request;
    dt_buffer_t written = {0};
    protocol_frame_init (&frame, vector->frame.data, vector->frame.bytes);
    if (frame.client_id) {
        protocol_header_write (&written, frame.client_id, frame.session_id, frame.session_ack);
    }
    int rc, count = 0;
    while ((rc = protocol_frame_next (&frame, &request)) == 1) {
        count++;
        ck_assert_uint_gt (request.id, 0);
        ck_assert_uint_gt (request.timeout_ms, 0);
        if (request.operation == PROTOCOL_HELLO) {
            s_check_hello (vector, request.body);
        }
        s_rewrite (&written, &frame, request);
    }
    ck_assert_msg (rc == 0 && count > 0, "%s: refused", vector->name);
    if (same) {
        s_check_same (vector, &written);
    }
    dt_buffer_deinit (&written);
}

static void s_check_reply (const s_vector_t *vector)
{
    msgpack_cursor_t cursor;
    protocol_reply_t reply;
    dt_buffer_t written = {0};
    msgpack_cursor_init (&cursor, vector->frame.data, vector->frame.bytes);
    int rc;
    while ((rc = protocol_reply_next (&cursor, &reply)) == 1) {
        if (strcmp (vector->name, "hello-reply") == 0) {
            s_check_hello_reply (vector, reply.body);
        }
        protocol_reply_write (&written, &reply);
    }
    ck_assert_msg (rc == 0, "%s: refused", vector->name);
    s_check_same (vector, &written);
    dt_buffer_deinit (&written);
}

static void s_check_refused (const s_vector_t *vector)
{
    protocol_frame_t frame;
    protocol_request_t request;
    protocol_frame_init (&frame, vector->frame.data, vector->frame.bytes);
    int rc;
    do {
        rc = protocol_frame_next (&frame, &request);
    } while (rc == 1);
    ck_assert_msg (rc == DT_ERR_MALFORMED, "%s: taken", vector->name);
    ck_assert_uint_eq (request.id, vector->id);
}

static void s_check (const s_vector_t *vector)
{
    ck_assert_int_eq (vector->delimiter, strcmp (vector->kind, "message") == 0);
    if (strcmp (vector->kind, "refused") == 0) {
        s_check_refused (vector);
        return;
    }
    s_check_reading (vector);
    if (strcmp (vector->kind, "reply") == 0) {
        s_check_reply (vector);
        return;
    }
    bool accepted = strcmp (vector->kind, "accepted") == 0;
    ck_assert_msg (accepted || strcmp (vector->kind, "request") == 0 || vector->delimiter,
                   "%s: kind %s", vector->name, vector->kind);
    s_check_request (vector, !accepted);
}

START_TEST (every_vector_holds_in_both_directions)
{
    char *document = document_read ();
    char *text = document;
    s_vector_t vector;
    int count = 0;
    while (s_next (&text, &vector)) {
        s_check (&vector);
        dt_buffer_deinit (&vector.frame);
        count++;
    }
    ck_assert_int_ge (count, 60);
    free (document);
}
END_TEST

START_TEST (every_operation_has_a_vector)
{
    char *document = document_read ();
    char *text = document;
    s_vector_t vector;
    bool seen[256] = {false};
    while (s_next (&text, &vector)) {
        if (strcmp (vector.kind, "request") == 0) {
            protocol_frame_t frame;
            protocol_request_t request;
            protocol_frame_init (&frame, vector.frame.data, vector.frame.bytes);
            ck_assert_int_eq (protocol_frame_next (&frame, &request), 1);
            seen[request.operation & 255] = true;
        }
        dt_buffer_deinit (&vector.frame);
    }
#define CHECK_SEEN(NAME, number, name) ck_assert_msg (seen[number], "no vector for %s", name);
    PROTOCOL_OPERATION_TABLE (CHECK_SEEN)
    free (document);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("protocol_vectors");
    TCase *tests = tcase_create ("protocol_vectors");
    tcase_add_test (tests, every_vector_holds_in_both_directions);
    tcase_add_test (tests, every_operation_has_a_vector);
    suite_add_tcase (suite, tests);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? 1 : 0;
}
