// Requests, replies, hello and status: what is written is read back, and what is not well formed
// is refused with the id it can be blamed on.

#include <check.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_random.h"
#include "transport/protocol_hello.h"
#include "transport/protocol_reply.h"
#include "transport/protocol_request.h"

#define HEX(text) ((const uint8_t *) (text)), sizeof (text) - 1

static msgpack_slice_t s_slice (const char *text)
{
    return (msgpack_slice_t){(const uint8_t *) text, strlen (text)};
}

static void s_check_slice (msgpack_slice_t slice, const char *text)
{
    ck_assert_ptr_nonnull (slice.data);
    ck_assert_uint_eq (slice.bytes, strlen (text));
    ck_assert_int_eq (memcmp (slice.data, text, slice.bytes), 0);
}

// Read one frame that must be refused after `good` requests; returns the refused id.
static uint64_t s_refused (const uint8_t *data, size_t bytes, int good)
{
    uint8_t *copy = malloc (bytes ? bytes : 1);
    if (bytes) {
        memcpy (copy, data, bytes);
    }
    protocol_frame_t frame;
    protocol_request_t request;
    protocol_frame_init (&frame, copy, bytes);
    for (int i = 0; i < good; i++) {
        ck_assert_int_eq (protocol_frame_next (&frame, &request), 1);
    }
    ck_assert_int_eq (protocol_frame_next (&frame, &request), DT_ERR_MALFORMED);
    uint64_t id = request.id;
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 0);
    free (copy);
    return id;
}

START_TEST (request_without_options_gets_defaults)
{
    protocol_frame_t frame;
    protocol_request_t request;
    protocol_frame_init (&frame, HEX ("\x95\x07\x06\x00\x00\x92\xc4\x01k\xc4\x01v"));
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 1);
    ck_assert_uint_eq (request.id, 7);
    ck_assert_uint_eq (request.operation, PROTOCOL_PUT);
    ck_assert_uint_eq (request.group, 0);
    ck_assert_uint_eq (request.timeout_ms, PROTOCOL_TIMEOUT_MS_DEFAULT);
    ck_assert_uint_eq (request.body.bytes, 7);
    ck_assert_uint_eq (request.session_id, 0);
    ck_assert_uint_eq (request.session_seq, 0);
    ck_assert_uint_eq (request.read_mode, PROTOCOL_READ_LINEARIZABLE);
    ck_assert (!request.want_digest);
    ck_assert_ptr_null (request.trace.data);
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 0);
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 0);
}
END_TEST

START_TEST (timeout_is_cut_at_its_limit)
{
    protocol_frame_t frame;
    protocol_request_t request;
    protocol_frame_init (&frame, HEX ("\x95\x01\x01\x00\xce\xff\xff\xff\xff\xc0"
                                      "\x95\x02\x01\x00\xce\x00\x09\x27\xc0\xc0"));
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 1);
    ck_assert_uint_eq (request.timeout_ms, PROTOCOL_TIMEOUT_MS_MAX);
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 1);
    ck_assert_uint_eq (request.timeout_ms, 600000);
}
END_TEST

START_TEST (header_gives_defaults_that_options_override)
{
    dt_buffer_t buffer = {0};
    protocol_header_write (&buffer, 11, 22, 33);
    protocol_request_t plain = {.id = 1, .operation = PROTOCOL_PUT, .session_seq = 40};
    protocol_request_write (&buffer, &plain);
    protocol_request_t acked = {.id = 2, .session_ack = 34};
    protocol_request_write (&buffer, &acked);
    protocol_request_t other = {.id = 3, .session_id = 23, .session_seq = 1};
    protocol_request_write (&buffer, &other);

    protocol_frame_t frame;
    protocol_request_t request;
    protocol_frame_init (&frame, buffer.data, buffer.bytes);
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 1);
    ck_assert_uint_eq (request.client_id, 11);
    ck_assert_uint_eq (request.session_id, 22);
    ck_assert_uint_eq (request.session_ack, 33);
    ck_assert_uint_eq (request.session_seq, 40);
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 1);
    ck_assert_uint_eq (request.session_id, 22);
    ck_assert_uint_eq (request.session_ack, 34);
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 1);
    ck_assert_uint_eq (request.client_id, 11);
    ck_assert_uint_eq (request.session_id, 23);
    ck_assert_uint_eq (request.session_ack, 0); // the header's ack is of the header's session
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 0);
    dt_buffer_deinit (&buffer);
}
END_TEST

START_TEST (frames_without_a_request_are_refused)
{
    ck_assert_uint_eq (s_refused (NULL, 0, 0), 0);
    ck_assert_uint_eq (s_refused (HEX ("\x80"), 0), 0);
    ck_assert_uint_eq (s_refused (HEX ("\x81\x01\x05"), 0), 0);
}
END_TEST

START_TEST (requests_before_a_malformed_one_are_read_and_it_is_named)
{
    ck_assert_uint_eq (s_refused (HEX ("\x95\x01\x01\x00\x00\xc0\x95\x09\x01\x00\x00\xa1"), 1), 9);
    ck_assert_uint_eq (s_refused (HEX ("\x95\x01\x01\x00\x00\xc0\xc1"), 1), 0);
}
END_TEST

START_TEST (what_is_not_of_the_right_kind_is_refused)
{
    ck_assert_uint_eq (s_refused (HEX ("\x94\x08\x01\x00\x00"), 0), 8);         // no body
    ck_assert_uint_eq (s_refused (HEX ("\x95\x08\x01\x00\x00\x01"), 0), 8);     // body a number
    ck_assert_uint_eq (s_refused (HEX ("\x95\x08\x01\x00\x00\x80"), 0), 8);     // body a map
    ck_assert_uint_eq (s_refused (HEX ("\x95\x08\x01\xd0\x81\x00\xc0"), 0), 8); // negative
    ck_assert_uint_eq (s_refused (HEX ("\x95\x08\xa1x\x00\x00\xc0"), 0), 8);    // str
    ck_assert_uint_eq (s_refused (HEX ("\x95\xa1x\x01\x00\x00\xc0"), 0), 0);    // id a str
    ck_assert_uint_eq (s_refused (HEX ("\x90\x95\x08\x01\x00\x00\xc0"), 0), 0); // empty array
    ck_assert_uint_eq (s_refused (HEX ("\x96\x08\x01\x00\x00\xc0\x90"), 0), 8); // options array
    ck_assert_uint_eq (s_refused (HEX ("\x96\x08\x01\x00\x00\xc0\x81\x05\x03"), 0), 8); // read mode
    ck_assert_uint_eq (s_refused (HEX ("\x96\x08\x01\x00\x00\xc0\x81\x06\x01"), 0), 8); // not bool
    ck_assert_uint_eq (s_refused (HEX ("\x96\x08\x01\x00\x00\xc0\x82\x04\x03\x04\x03"), 0),
                       8); // a key twice
    ck_assert_uint_eq (s_refused (HEX ("\x82\x01\x03\x01\x03\x95\x08\x01\x00\x00\xc0"), 0), 0);
    ck_assert_uint_eq (
        s_refused (HEX ("\x95\x08\xcf\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0"), 0), 8);
}
END_TEST

START_TEST (trace_of_65_bytes_is_refused_and_of_64_taken)
{
    uint8_t data[80] = {0x96, 8, 1, 0, 0, 0xc0, 0x81, 7, 0xc4, 65};
    ck_assert_uint_eq (s_refused (data, 10 + 65, 0), 8);
    data[9] = 64;
    protocol_frame_t frame;
    protocol_request_t request;
    protocol_frame_init (&frame, data, 10 + 64);
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 1);
    ck_assert_uint_eq (request.trace.bytes, 64);
}
END_TEST

START_TEST (unknown_keys_elements_and_operations_are_read_over)
{
    protocol_frame_t frame;
    protocol_request_t request;
    // A header with keys 9 and "x", a request of 8 elements, options with a key 50 and a key nil.
    protocol_frame_init (&frame, HEX ("\x83\x09\x91\x01\xa1x\xc3\x01\x05"
                                      "\x98\x02\xcd\x01\x00\x00\x00\x90"
                                      "\x83\x32\xca\0\0\0\0\xc0\x01\x04\x0c\x93\x01\x02\x03\xff"));
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 1);
    ck_assert_uint_eq (request.client_id, 5);
    ck_assert_uint_eq (request.operation, 256);
    ck_assert_uint_eq (request.min_index, 12);
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 0);
}
END_TEST

START_TEST (body_may_nest_seven_deep_inside_its_request)
{
    uint8_t data[16] = {0x95, 3, 1, 0, 0, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x90};
    protocol_frame_t frame;
    protocol_request_t request;
    protocol_frame_init (&frame, data, 12);
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 1);
    data[11] = 0x91;
    data[12] = 0x90;
    ck_assert_uint_eq (s_refused (data, 13, 0), 3);
}
END_TEST

static uint64_t s_number (dt_random_t *random)
{
    return dt_random_below (random, 3) ? dt_random_next (random) >> dt_random_below (random, 64)
                                       : 0;
}

static const uint8_t s_body[] = {0x92, 0xc4, 0x01, 'k', 0xc4, 0x01, 'v'};
static const uint8_t s_trace[PROTOCOL_TRACE_BYTES_MAX] = "trace";

static void s_random_request (dt_random_t *random, protocol_request_t *request)
{
    *request = (protocol_request_t){
        .id = s_number (random),
        .operation = (uint32_t) s_number (random),
        .group = (uint32_t) s_number (random),
        .timeout_ms = (uint32_t) dt_random_below (random, PROTOCOL_TIMEOUT_MS_MAX) + 1,
        .session_id = s_number (random),
        .session_seq = s_number (random),
        .session_ack = s_number (random),
        .min_index = s_number (random),
        .read_mode = (uint32_t) dt_random_below (random, 3),
        .want_digest = dt_random_below (random, 2),
        .body = {s_body, sizeof s_body},
    };
    if (dt_random_below (random, 2)) {
        request->trace = (msgpack_slice_t){s_trace, dt_random_below (random, sizeof s_trace + 1)};
    }
}

static void s_check_request (const protocol_request_t *request, const protocol_request_t *other)
{
    ck_assert_uint_eq (request->id, other->id);
    ck_assert_uint_eq (request->operation, other->operation);
    ck_assert_uint_eq (request->group, other->group);
    ck_assert_uint_eq (request->timeout_ms, other->timeout_ms);
    ck_assert_uint_eq (request->session_id, other->session_id);
    ck_assert_uint_eq (request->session_seq, other->session_seq);
    ck_assert_uint_eq (request->session_ack, other->session_ack);
    ck_assert_uint_eq (request->min_index, other->min_index);
    ck_assert_uint_eq (request->read_mode, other->read_mode);
    ck_assert_int_eq (request->want_digest, other->want_digest);
    ck_assert_int_eq (!request->trace.data, !other->trace.data);
    ck_assert_uint_eq (request->trace.bytes, other->trace.bytes);
    ck_assert_uint_eq (request->body.bytes, other->body.bytes);
    ck_assert_mem_eq (request->body.data, other->body.data, other->body.bytes);
}

START_TEST (random_requests_come_back_as_written_and_no_truncation_passes)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        dt_random_t random;
        dt_random_init (&random, seed);
        protocol_request_t written[4];
        dt_buffer_t buffer = {0};
        size_t ends[4];
        for (int i = 0; i < 4; i++) {
            s_random_request (&random, &written[i]);
            protocol_request_write (&buffer, &written[i]);
            ends[i] = buffer.bytes;
        }
        for (size_t bytes = 0; bytes <= buffer.bytes; bytes++) {
            uint8_t *part = malloc (bytes ? bytes : 1);
            memcpy (part, buffer.data, bytes);
            protocol_frame_t frame;
            protocol_request_t request;
            protocol_frame_init (&frame, part, bytes);
            size_t end = 0;
            int rc, count = 0;
            while ((rc = protocol_frame_next (&frame, &request)) == 1) {
                s_check_request (&request, &written[count]);
                end = ends[count++];
            }
            ck_assert_int_eq (rc, end == bytes && bytes ? 0 : DT_ERR_MALFORMED);
            free (part);
        }
        dt_buffer_deinit (&buffer);
    }
}
END_TEST

START_TEST (requests_packed_by_msgpack_c_are_read)
{
    msgpack_sbuffer packed;
    msgpack_sbuffer_init (&packed);
    msgpack_packer packer;
    msgpack_packer_init (&packer, &packed, msgpack_sbuffer_write);
    msgpack_pack_array (&packer, 6);
    msgpack_pack_uint64 (&packer, UINT64_MAX);
    msgpack_pack_uint32 (&packer, PROTOCOL_GET);
    msgpack_pack_uint32 (&packer, 70000);
    msgpack_pack_uint32 (&packer, 1000);
    msgpack_pack_array (&packer, 1);
    msgpack_pack_str (&packer, 3);
    msgpack_pack_str_body (&packer, "a.b", 3);
    msgpack_pack_map (&packer, 2);
    msgpack_pack_uint32 (&packer, PROTOCOL_OPTION_WANT_DIGEST);
    msgpack_pack_true (&packer);
    msgpack_pack_uint32 (&packer, PROTOCOL_OPTION_TRACE);
    msgpack_pack_str (&packer, 2);
    msgpack_pack_str_body (&packer, "tr", 2);

    protocol_frame_t frame;
    protocol_request_t request;
    protocol_frame_init (&frame, packed.data, packed.size);
    ck_assert_int_eq (protocol_frame_next (&frame, &request), 1);
    ck_assert_uint_eq (request.id, UINT64_MAX);
    ck_assert_uint_eq (request.group, 70000);
    ck_assert (request.want_digest);
    s_check_slice (request.trace, "tr");
    msgpack_cursor_t body;
    msgpack_cursor_init (&body, request.body.data, request.body.bytes);
    ck_assert_uint_eq (msgpack_cursor_array (&body), 1);
    s_check_slice (msgpack_cursor_bytes (&body), "a.b");
    ck_assert (msgpack_cursor_finished (&body));
    msgpack_sbuffer_destroy (&packed);
}
END_TEST

START_TEST (replies_come_back_as_written_and_no_truncation_passes)
{
    protocol_reply_t written = {
        .id = 300,
        .code = 68,
        .index = UINT64_MAX,
        .body = {s_body, sizeof s_body},
        .has_digest = true,
        .digest = 0x123456789abcdef0,
        .leader_node_id = 3,
        .message = s_slice ("ask the leader"),
        .leader_address = s_slice ("tcp://10.0.0.3:9332"),
        .trace = s_slice ("tr"),
    };
    dt_buffer_t buffer = {0};
    protocol_reply_write_plain (&buffer, 1, 0, 5, NULL, 0);
    size_t first = buffer.bytes;
    protocol_reply_write (&buffer, &written);
    for (size_t bytes = 0; bytes < buffer.bytes; bytes++) {
        msgpack_cursor_t cursor;
        protocol_reply_t reply;
        int rc;
        msgpack_cursor_init (&cursor, buffer.data, bytes);
        do {
            rc = protocol_reply_next (&cursor, &reply);
        } while (rc == 1);
        ck_assert_int_eq (rc, bytes == 0 || bytes == first ? 0 : DT_ERR_MALFORMED);
    }
    msgpack_cursor_t cursor;
    protocol_reply_t reply;
    msgpack_cursor_init (&cursor, buffer.data, buffer.bytes);
    ck_assert_int_eq (protocol_reply_next (&cursor, &reply), 1);
    ck_assert_uint_eq (reply.id, 1);
    ck_assert_uint_eq (reply.index, 5);
    ck_assert_uint_eq (*reply.body.data, 0xc0);
    ck_assert_uint_eq (reply.body.bytes, 1);
    ck_assert (!reply.has_digest);
    ck_assert_int_eq (protocol_reply_next (&cursor, &reply), 1);
    ck_assert_uint_eq (reply.id, 300);
    ck_assert_uint_eq (reply.code, 68);
    ck_assert_uint_eq (reply.index, UINT64_MAX);
    ck_assert_uint_eq (reply.body.bytes, sizeof s_body);
    ck_assert (reply.has_digest);
    ck_assert_uint_eq (reply.digest, 0x123456789abcdef0);
    ck_assert_uint_eq (reply.leader_node_id, 3);
    s_check_slice (reply.message, "ask the leader");
    s_check_slice (reply.leader_address, "tcp://10.0.0.3:9332");
    s_check_slice (reply.trace, "tr");
    ck_assert_int_eq (protocol_reply_next (&cursor, &reply), 0);
    dt_buffer_deinit (&buffer);
}
END_TEST

START_TEST (malformed_replies_are_refused)
{
    static const char *replies[] = {"\x93\x01\x00\x00",
                                    "\x94\x01\xff\x00\xc0",
                                    "\x01",
                                    "\xc1",
                                    "\x95\x01\x00\x00\xc0\xc0",
                                    "\x95\x01\x00\x00\xc0\x81\x01\xc0"};
    static const size_t sizes[] = {4, 5, 1, 1, 6, 8};
    for (int i = 0; i < 6; i++) {
        msgpack_cursor_t cursor;
        protocol_reply_t reply;
        msgpack_cursor_init (&cursor, replies[i], sizes[i]);
        ck_assert_int_eq (protocol_reply_next (&cursor, &reply), DT_ERR_MALFORMED);
        ck_assert_int_eq (protocol_reply_next (&cursor, &reply), DT_ERR_MALFORMED);
    }
}
END_TEST

START_TEST (hello_comes_back_as_written)
{
    dt_buffer_t buffer = {0};
    protocol_hello_request_t hello = {.version = 1, .client_name = s_slice ("demo")}, found;
    protocol_hello_request_write (&buffer, &hello);
    for (size_t bytes = 0; bytes < buffer.bytes; bytes++) {
        ck_assert_int_eq (
            protocol_hello_request_read ((msgpack_slice_t){buffer.data, bytes}, &found),
            DT_ERR_MALFORMED);
    }
    ck_assert_int_eq (
        protocol_hello_request_read ((msgpack_slice_t){buffer.data, buffer.bytes}, &found), 0);
    ck_assert_uint_eq (found.version, 1);
    s_check_slice (found.client_name, "demo");
    ck_assert_int_eq (protocol_hello_request_read ((msgpack_slice_t){HEX ("\x92\x01\x00")}, &found),
                      0);
    ck_assert_ptr_null (found.client_name.data);
    dt_buffer_deinit (&buffer);
}
END_TEST

START_TEST (hello_reply_comes_back_as_written)
{
    uint32_t groups[] = {1, 2, 70000};
    protocol_hello_reply_t hello = {
        .version = 1,
        .cluster_id = 99,
        .node_id = 2,
        .client_id = 0xfedcba9876543210,
        .limits = {.frame_bytes_max = 8388608, .in_flight_max = 10000, .depth_max = 8},
        .groups = groups,
        .group_count = 3,
        .server_version = s_slice ("0.1.0"),
    };
    dt_buffer_t buffer = {0};
    protocol_hello_reply_write (&buffer, &hello);
    protocol_hello_reply_t found;
    uint32_t room[2];
    for (size_t bytes = 0; bytes < buffer.bytes; bytes++) {
        ck_assert_int_eq (
            protocol_hello_reply_read ((msgpack_slice_t){buffer.data, bytes}, &found, room, 2),
            DT_ERR_MALFORMED);
    }
    msgpack_slice_t body = {buffer.data, buffer.bytes};
    ck_assert_int_eq (protocol_hello_reply_read (body, &found, room, 2), 0);
    ck_assert_uint_eq (found.cluster_id, 99);
    ck_assert_uint_eq (found.node_id, 2);
    ck_assert_uint_eq (found.client_id, 0xfedcba9876543210);
    ck_assert_mem_eq (&found.limits, &hello.limits, sizeof hello.limits);
    ck_assert_uint_eq (found.group_count, 3);
    ck_assert_uint_eq (room[0], 1);
    ck_assert_uint_eq (room[1], 2);
    s_check_slice (found.server_version, "0.1.0");
    dt_buffer_deinit (&buffer);
}
END_TEST

START_TEST (status_comes_back_as_written)
{
    dt_buffer_t buffer = {0};
    protocol_status_open (&buffer, 3);
    protocol_status_add_text (&buffer, "role", "leader");
    protocol_status_add_uint (&buffer, "term", 70);
    protocol_status_add_bool (&buffer, "ready", true);
    msgpack_cursor_t cursor;
    protocol_status_item_t item;
    ck_assert_int_eq (
        protocol_status_read_open (&cursor, (msgpack_slice_t){buffer.data, buffer.bytes}), 3);
    ck_assert_int_eq (protocol_status_read_next (&cursor, &item), 0);
    s_check_slice (item.name, "role");
    ck_assert_int_eq (item.kind, MSGPACK_KIND_BYTES);
    s_check_slice (item.text, "leader");
    ck_assert_int_eq (protocol_status_read_next (&cursor, &item), 0);
    ck_assert_int_eq (item.kind, MSGPACK_KIND_UINT);
    ck_assert_uint_eq (item.number, 70);
    ck_assert_int_eq (protocol_status_read_next (&cursor, &item), 0);
    ck_assert_int_eq (item.kind, MSGPACK_KIND_BOOL);
    ck_assert_uint_eq (item.number, 1);
    ck_assert_int_eq (protocol_status_read_next (&cursor, &item), DT_ERR_MALFORMED);
    dt_buffer_deinit (&buffer);
}
END_TEST

START_TEST (operations_have_their_names)
{
    ck_assert_str_eq (protocol_operation_name (PROTOCOL_COMPARE_AND_SET), "compare_and_set");
    ck_assert_ptr_null (protocol_operation_name (0));
    ck_assert_ptr_null (protocol_operation_name (3));
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("protocol");
    TCase *tests = tcase_create ("protocol");
    tcase_set_timeout (tests, 60);
    tcase_add_test (tests, request_without_options_gets_defaults);
    tcase_add_test (tests, timeout_is_cut_at_its_limit);
    tcase_add_test (tests, header_gives_defaults_that_options_override);
    tcase_add_test (tests, frames_without_a_request_are_refused);
    tcase_add_test (tests, requests_before_a_malformed_one_are_read_and_it_is_named);
    tcase_add_test (tests, what_is_not_of_the_right_kind_is_refused);
    tcase_add_test (tests, trace_of_65_bytes_is_refused_and_of_64_taken);
    tcase_add_test (tests, unknown_keys_elements_and_operations_are_read_over);
    tcase_add_test (tests, body_may_nest_seven_deep_inside_its_request);
    tcase_add_test (tests, random_requests_come_back_as_written_and_no_truncation_passes);
    tcase_add_test (tests, requests_packed_by_msgpack_c_are_read);
    tcase_add_test (tests, replies_come_back_as_written_and_no_truncation_passes);
    tcase_add_test (tests, malformed_replies_are_refused);
    tcase_add_test (tests, hello_comes_back_as_written);
    tcase_add_test (tests, hello_reply_comes_back_as_written);
    tcase_add_test (tests, status_comes_back_as_written);
    tcase_add_test (tests, operations_have_their_names);
    suite_add_tcase (suite, tests);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? 1 : 0;
}
