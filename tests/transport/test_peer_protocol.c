// Frames between nodes: docs/PEER_PROTOCOL.md against the codec, and bytes that lie.

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/transport/document.h"
#include "tests/transport/vector.h"
#include "transport/msgpack_writer.h"
#include "transport/peer_message.h"
#include "transport/peer_protocol.h"

static const peer_header_t s_header = {
    .cluster_id = 77, .from = 1, .to = 2, .boot_id = UINT64_MAX, .epoch = 9};

static void s_check_table (const char *title, const document_row_t *code, int code_count)
{
    document_row_t rows[16];
    char *text = document_read ("PEER_PROTOCOL.md");
    int count = document_table (text, title, 0, 1, rows, 16);
    document_compare (rows, count, code, code_count);
    free (text);
}

#define ROW(NAME, number, name) {number, name},

START_TEST (kinds_and_codes_are_those_of_the_document)
{
    static const document_row_t kinds[] = {PEER_LINK_TABLE (ROW)};
    s_check_table ("part", kinds, sizeof kinds / sizeof *kinds);
    static const document_row_t codes[] = {PEER_REFUSAL_TABLE (ROW)};
    s_check_table ("refusal", codes, sizeof codes / sizeof *codes);
#define CHECK_NAME(NAME, number, name) ck_assert_str_eq (peer_refusal_name (number), name);
    PEER_REFUSAL_TABLE (CHECK_NAME)
    ck_assert_str_eq (peer_refusal_name (99), "unknown");
}
END_TEST

// --- test vectors --------------------------------------------------------------------------------

// Print the objects of a frame, and behind each part's header its body.
static void s_print (const vector_t *vector, dt_buffer_t *out)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, vector->frame.data, vector->frame.bytes);
    vector_print (out, &cursor);
    while (msgpack_cursor_left (&cursor)) {
        dt_buffer_printf (out, " | ");
        msgpack_cursor_t again = cursor;
        vector_print (out, &cursor);
        ck_assert_uint_ge (msgpack_cursor_array (&again), 4);
        for (int i = 0; i < 3; i++) {
            msgpack_cursor_uint (&again);
        }
        msgpack_slice_t body = {cursor.place, (size_t) msgpack_cursor_uint (&again)};
        dt_buffer_printf (out, " ");
        vector_print_bytes (out, body, '\'');
        cursor.place += body.bytes;
    }
    dt_buffer_append (out, "", 1);
}

static void s_check_frame (const vector_t *vector, bool same)
{
    peer_frame_t frame;
    peer_part_t part;
    dt_buffer_t written = {0};
    ck_assert_int_eq (peer_frame_read (&frame, vector->frame.data, vector->frame.bytes), 0);
    peer_header_write (&written, &frame.header);
    int rc;
    while ((rc = peer_frame_next (&frame, &part)) == 1) {
        if (part.group == 0) {
            peer_link_write (&written, part.kind, peer_link_nonce (&part));
        } else {
            peer_part_write (&written, part.group, part.kind, part.term, part.bytes);
            dt_buffer_append (&written, part.data, part.bytes);
        }
    }
    ck_assert_int_eq (rc, 0);
    bool equal = written.bytes == vector->frame.bytes &&
                 memcmp (written.data, vector->frame.data, written.bytes) == 0;
    ck_assert_msg (equal == same, "%s: written differently, or not", vector->name);
    dt_buffer_deinit (&written);
}

static void s_check_refusal (const vector_t *vector)
{
    peer_refusal_t refusal;
    ck_assert_int_eq (peer_refusal_read (vector->frame.data, vector->frame.bytes, &refusal), 0);
    char text[PEER_REFUSAL_TEXT_BYTES_MAX + 1] = {0};
    memcpy (text, refusal.text.data, refusal.text.bytes);
    dt_buffer_t written = {0};
    peer_refusal_write (&written, (peer_refusal_code_t) refusal.code, text, refusal.expected);
    ck_assert_uint_eq (written.bytes, vector->frame.bytes);
    ck_assert_mem_eq (written.data, vector->frame.data, written.bytes);
    dt_buffer_deinit (&written);
}

static int s_read_all (const uint8_t *data, size_t bytes)
{
    peer_frame_t frame;
    peer_part_t part;
    int rc = peer_frame_read (&frame, data, bytes);
    while (rc >= 0 && (rc = peer_frame_next (&frame, &part)) == 1) {
    }
    return rc;
}

static void s_check_vector (const vector_t *vector)
{
    if (strcmp (vector->kind, "malformed") == 0 || strcmp (vector->kind, "version") == 0) {
        int expected = vector->kind[0] == 'v' ? DT_ERR_PROTOCOL_VERSION : DT_ERR_MALFORMED;
        ck_assert_msg (s_read_all (vector->frame.data, vector->frame.bytes) == expected, "%s",
                       vector->name);
        return;
    }
    dt_buffer_t out = {0};
    s_print (vector, &out);
    ck_assert_str_eq ((char *) out.data, vector->read);
    dt_buffer_deinit (&out);
    if (strcmp (vector->kind, "refusal") == 0) {
        s_check_refusal (vector);
    } else {
        bool written = strcmp (vector->kind, "frame") == 0;
        ck_assert_msg (written || strcmp (vector->kind, "accepted") == 0, "%s", vector->kind);
        s_check_frame (vector, written);
    }
}

START_TEST (every_vector_of_the_document_holds)
{
    char *document = document_read ("PEER_PROTOCOL.md");
    char *text = document;
    vector_t vector;
    int count = 0;
    while (vector_next (&text, &vector)) {
        s_check_vector (&vector);
        dt_buffer_deinit (&vector.frame);
        count++;
    }
    ck_assert_int_ge (count, 15);
    free (document);
}
END_TEST

// --- bytes that lie ------------------------------------------------------------------------------

START_TEST (a_frame_cut_anywhere_is_read_up_to_there_or_refused)
{
    dt_buffer_t frame = {0};
    peer_header_write (&frame, &s_header);
    size_t header = frame.bytes;
    peer_part_write (&frame, 1, 3, UINT64_MAX, 5);
    dt_buffer_append (&frame, "hello", 5);
    for (size_t bytes = 0; bytes < frame.bytes; bytes++) {
        uint8_t *cut = malloc (bytes ? bytes : 1); // so that a byte read behind it is seen
        memcpy (cut, frame.data, bytes);
        ck_assert_int_eq (s_read_all (cut, bytes), bytes == header ? 0 : DT_ERR_MALFORMED);
        free (cut);
    }
    ck_assert_int_eq (s_read_all (frame.data, frame.bytes), 0);
    dt_buffer_deinit (&frame);
}
END_TEST

START_TEST (a_body_over_the_limit_is_malformed)
{
    dt_buffer_t frame = {0};
    peer_header_write (&frame, &s_header);
    peer_part_write (&frame, 1, 3, 1, PEER_BODY_BYTES_MAX);
    size_t header = frame.bytes;
    memset (dt_buffer_reserve (&frame, PEER_BODY_BYTES_MAX + 1), 0, PEER_BODY_BYTES_MAX + 1);
    frame.bytes += PEER_BODY_BYTES_MAX;
    ck_assert_int_eq (s_read_all (frame.data, frame.bytes), 0);
    frame.bytes++;
    frame.data[header - 1]++; // the lowest byte of the length
    ck_assert_int_eq (s_read_all (frame.data, frame.bytes), DT_ERR_MALFORMED);
    dt_buffer_deinit (&frame);
}
END_TEST

START_TEST (headers_fit_their_bounds)
{
    dt_buffer_t frame = {0};
    peer_header_t header = {UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT64_MAX, UINT64_MAX};
    peer_header_write (&frame, &header);
    ck_assert_uint_le (frame.bytes, PEER_HEADER_BYTES_MAX);
    dt_buffer_clear (&frame);
    peer_part_write (&frame, UINT32_MAX, UINT8_MAX, UINT64_MAX, PEER_BODY_BYTES_MAX);
    ck_assert_uint_le (frame.bytes, PEER_PART_HEADER_BYTES_MAX);
    dt_buffer_deinit (&frame);
}
END_TEST

START_TEST (a_refusal_cuts_its_text_when_written_and_refuses_a_longer_one_when_read)
{
    char text[PEER_REFUSAL_TEXT_BYTES_MAX + 2];
    memset (text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    dt_buffer_t frame = {0};
    peer_refusal_t refusal;
    peer_refusal_write (&frame, PEER_REFUSAL_CLUSTER, text, 5);
    ck_assert_int_eq (peer_refusal_read (frame.data, frame.bytes, &refusal), 0);
    ck_assert_uint_eq (refusal.text.bytes, PEER_REFUSAL_TEXT_BYTES_MAX);
    ck_assert_uint_eq (refusal.expected, 5);
    dt_buffer_clear (&frame);
    msgpack_write_array (&frame, 4);
    msgpack_write_uint (&frame, 1);
    msgpack_write_uint (&frame, 2);
    msgpack_write_str (&frame, text, PEER_REFUSAL_TEXT_BYTES_MAX + 1);
    msgpack_write_uint (&frame, 5);
    ck_assert_int_eq (peer_refusal_read (frame.data, frame.bytes, &refusal), DT_ERR_MALFORMED);
    dt_buffer_deinit (&frame);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("peer_protocol");
    TCase *tests = tcase_create ("peer_protocol");
    tcase_add_test (tests, kinds_and_codes_are_those_of_the_document);
    tcase_add_test (tests, every_vector_of_the_document_holds);
    tcase_add_test (tests, a_frame_cut_anywhere_is_read_up_to_there_or_refused);
    tcase_add_test (tests, a_body_over_the_limit_is_malformed);
    tcase_add_test (tests, headers_fit_their_bounds);
    tcase_add_test (tests, a_refusal_cuts_its_text_when_written_and_refuses_a_longer_one_when_read);
    suite_add_tcase (suite, tests);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? 1 : 0;
}
