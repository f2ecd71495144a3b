// Every test vector of docs/PROTOCOL.md against the codec: what it says is what is read, and what
// is written from what was read are the same bytes.

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_buffer.h"
#include "tests/transport/document.h"
#include "tests/transport/vector.h"
#include "transport/protocol_hello.h"
#include "transport/protocol_reply.h"
#include "transport/protocol_request.h"

static void s_check_reading (const vector_t *vector)
{
    dt_buffer_t out = {0};
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, vector->frame.data, vector->frame.bytes);
    while (msgpack_cursor_left (&cursor)) {
        dt_buffer_printf (&out, out.bytes ? " | " : "");
        vector_print (&out, &cursor);
    }
    ck_assert_msg (cursor.rc == 0, "%s: malformed", vector->name);
    dt_buffer_append (&out, "", 1);
    ck_assert_msg (strcmp ((char *) out.data, vector->read) == 0, "%s reads\n%s\nand not\n%s",
                   vector->name, (char *) out.data, vector->read);
    dt_buffer_deinit (&out);
}

static void s_check_same (const vector_t *vector, const dt_buffer_t *written)
{
    ck_assert_msg (written->bytes == vector->frame.bytes &&
                       memcmp (written->data, vector->frame.data, written->bytes) == 0,
                   "%s: written differently", vector->name);
}

static void s_check_hello (const vector_t *vector, msgpack_slice_t body)
{
    protocol_hello_request_t hello;
    dt_buffer_t written = {0};
    ck_assert_int_eq (protocol_hello_request_read (body, &hello), 0);
    protocol_hello_request_write (&written, &hello);
    ck_assert_msg (written.bytes == body.bytes && !memcmp (written.data, body.data, body.bytes),
                   "%s: hello written differently", vector->name);
    dt_buffer_deinit (&written);
}

static void s_check_hello_reply (const vector_t *vector, msgpack_slice_t body)
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

static void s_check_request (const vector_t *vector, bool same)
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

static void s_check_reply (const vector_t *vector)
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

static void s_check_refused (const vector_t *vector)
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

static void s_check (const vector_t *vector)
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
    char *document = document_read ("PROTOCOL.md");
    char *text = document;
    vector_t vector;
    int count = 0;
    while (vector_next (&text, &vector)) {
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
    char *document = document_read ("PROTOCOL.md");
    char *text = document;
    vector_t vector;
    bool seen[256] = {false};
    while (vector_next (&text, &vector)) {
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
