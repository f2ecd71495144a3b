// The reader and the writer of msgpack against msgpack-c, which knows the format from elsewhere.

#include <check.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_buffer.h"
#include "base/dt_random.h"
#include "transport/msgpack_cursor.h"
#include "transport/msgpack_writer.h"

// A boundary-loving random length or number.
static uint64_t s_number (dt_random_t *random)
{
    static const uint64_t edges[] = {
        0,     1,     31,         32,         127,     128,     255,        256,
        65535, 65536, 4294967295, 4294967296, 1 << 20, 1 << 30, UINT64_MAX, UINT64_MAX - 1};
    switch (dt_random_below (random, 3)) {
    case 0:
        return edges[dt_random_below (random, sizeof edges / sizeof *edges)];
    case 1:
        return dt_random_below (random, 300);
    default:
        return dt_random_next (random) >> dt_random_below (random, 64);
    }
}

static size_t s_length (dt_random_t *random)
{
    static const size_t edges[] = {0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536};
    if (dt_random_below (random, 20) == 0) {
        return edges[dt_random_below (random, sizeof edges / sizeof *edges)];
    }
    return (size_t) dt_random_below (random, 40);
}

static uint8_t s_junk[70000];

// Build one random object twice: by msgpack-c and by our writer.
static void s_build (dt_random_t *random, msgpack_packer *packer, dt_buffer_t *buffer,
                     unsigned depth)
{
    size_t count;
    uint64_t number;
    switch (dt_random_below (random, depth ? 7 : 5)) {
    case 0:
        msgpack_pack_nil (packer);
        msgpack_write_nil (buffer);
        return;
    case 1:
        number = dt_random_below (random, 2);
        number ? msgpack_pack_true (packer) : msgpack_pack_false (packer);
        msgpack_write_bool (buffer, number);
        return;
    case 2:
        number = s_number (random);
        msgpack_pack_uint64 (packer, number);
        msgpack_write_uint (buffer, number);
        return;
    case 3:
        count = s_length (random);
        msgpack_pack_bin (packer, count);
        msgpack_pack_bin_body (packer, s_junk, count);
        msgpack_write_bin (buffer, s_junk, (uint32_t) count);
        return;
    case 4:
        count = s_length (random);
        msgpack_pack_str (packer, count);
        msgpack_pack_str_body (packer, s_junk, count);
        msgpack_write_str (buffer, s_junk, (uint32_t) count);
        return;
    case 5:
        count = (size_t) dt_random_below (random, dt_random_below (random, 10) ? 5 : 20);
        msgpack_pack_array (packer, count);
        msgpack_write_array (buffer, (uint32_t) count);
        for (size_t i = 0; i < count; i++) {
            s_build (random, packer, buffer, depth - 1);
        }
        return;
    default:
        count = (size_t) dt_random_below (random, dt_random_below (random, 10) ? 4 : 20);
        msgpack_pack_map (packer, count);
        msgpack_write_map (buffer, (uint32_t) count);
        for (size_t i = 0; i < 2 * count; i++) {
            s_build (random, packer, buffer, depth - 1);
        }
    }
}

// Read an object by the cursor and compare it with what msgpack-c unpacked.
static void s_compare (msgpack_cursor_t *cursor, const msgpack_object *object)
{
    msgpack_slice_t slice;
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        ck_assert_int_eq (msgpack_cursor_kind (cursor), MSGPACK_KIND_NIL);
        ck_assert (msgpack_cursor_take_nil (cursor));
        return;
    case MSGPACK_OBJECT_BOOLEAN:
        ck_assert_int_eq (msgpack_cursor_kind (cursor), MSGPACK_KIND_BOOL);
        ck_assert_int_eq (msgpack_cursor_bool (cursor), object->via.boolean);
        return;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        ck_assert_int_eq (msgpack_cursor_kind (cursor), MSGPACK_KIND_UINT);
        ck_assert_uint_eq (msgpack_cursor_uint (cursor), object->via.u64);
        return;
    case MSGPACK_OBJECT_BIN:
    case MSGPACK_OBJECT_STR:
        ck_assert_int_eq (msgpack_cursor_kind (cursor), MSGPACK_KIND_BYTES);
        slice = msgpack_cursor_bytes (cursor);
        ck_assert_int_eq (cursor->rc, 0);
        ck_assert_uint_eq (slice.bytes, object->via.bin.size);
        ck_assert (!slice.bytes || !memcmp (slice.data, object->via.bin.ptr, slice.bytes));
        return;
    case MSGPACK_OBJECT_ARRAY:
        ck_assert_int_eq (msgpack_cursor_kind (cursor), MSGPACK_KIND_ARRAY);
        ck_assert_uint_eq (msgpack_cursor_array (cursor), object->via.array.size);
        for (uint32_t i = 0; i < object->via.array.size; i++) {
            s_compare (cursor, object->via.array.ptr + i);
        }
        return;
    case MSGPACK_OBJECT_MAP:
        ck_assert_int_eq (msgpack_cursor_kind (cursor), MSGPACK_KIND_MAP);
        ck_assert_uint_eq (msgpack_cursor_map (cursor), object->via.map.size);
        for (uint32_t i = 0; i < object->via.map.size; i++) {
            s_compare (cursor, &object->via.map.ptr[i].key);
            s_compare (cursor, &object->via.map.ptr[i].val);
        }
        return;
    default:
        ck_abort_msg ("unexpected type");
    }
}

// One random object of at most 8 levels: our bytes equal msgpack-c's, the cursor reads what
// msgpack-c unpacks, one skip takes exactly the object, and every truncation is refused.
static void s_check_random (uint64_t seed)
{
    dt_random_t random;
    dt_random_init (&random, seed);
    msgpack_sbuffer packed;
    msgpack_sbuffer_init (&packed);
    msgpack_packer packer;
    msgpack_packer_init (&packer, &packed, msgpack_sbuffer_write);
    dt_buffer_t ours = {0};
    s_build (&random, &packer, &ours, MSGPACK_DEPTH_MAX);
    ck_assert_uint_eq (ours.bytes, packed.size);
    ck_assert_mem_eq (ours.data, packed.data, packed.size);

    msgpack_unpacked unpacked;
    msgpack_unpacked_init (&unpacked);
    size_t off = 0;
    ck_assert_int_eq (msgpack_unpack_next (&unpacked, (char *) ours.data, ours.bytes, &off),
                      MSGPACK_UNPACK_SUCCESS);
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, ours.data, ours.bytes);
    s_compare (&cursor, &unpacked.data);
    ck_assert (msgpack_cursor_finished (&cursor));
    msgpack_unpacked_destroy (&unpacked);

    msgpack_cursor_init (&cursor, ours.data, ours.bytes);
    msgpack_cursor_skip (&cursor, MSGPACK_DEPTH_MAX);
    ck_assert (msgpack_cursor_finished (&cursor));
    size_t step = 1 + ours.bytes / 500;
    for (size_t bytes = 0; bytes < ours.bytes; bytes += step) {
        uint8_t *part = malloc (bytes + 1); // its own block, so that a read beyond it is seen
        memcpy (part, ours.data, bytes);
        part = realloc (part, bytes ? bytes : 1);
        msgpack_cursor_init (&cursor, part, bytes);
        msgpack_cursor_skip (&cursor, MSGPACK_DEPTH_MAX);
        ck_assert_int_eq (cursor.rc, DT_ERR_MALFORMED);
        free (part);
    }
    dt_buffer_deinit (&ours);
    msgpack_sbuffer_destroy (&packed);
}

START_TEST (random_objects_read_and_write_as_msgpack_c_does)
{
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        s_check_random (seed);
    }
}
END_TEST

static int s_skip (const void *data, size_t bytes, unsigned depth)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, data, bytes);
    msgpack_cursor_skip (&cursor, depth);
    return cursor.rc;
}

START_TEST (skip_accepts_eight_levels_and_refuses_nine)
{
    uint8_t nested[9] = {0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x01};
    ck_assert_int_eq (s_skip (nested, 9, 8), 0);
    ck_assert_int_eq (s_skip (nested, 9, 7), DT_ERR_MALFORMED);
    nested[8] = 0x90;
    ck_assert_int_eq (s_skip (nested, 9, 8), DT_ERR_MALFORMED);
    ck_assert_int_eq (s_skip ("\x90", 1, 0), DT_ERR_MALFORMED);
    ck_assert_int_eq (s_skip ("\x01", 1, 0), 0);
}
END_TEST

START_TEST (skip_takes_floats_and_negatives_but_they_cannot_be_read)
{
    static const char *objects[] = {"\xca\1\2\3\4", "\xff", "\xd0\x80", "\xd1\x80\1"};
    static const size_t sizes[] = {5, 1, 2, 3};
    for (int i = 0; i < 4; i++) {
        msgpack_cursor_t cursor;
        ck_assert_int_eq (s_skip (objects[i], sizes[i], 1), 0);
        msgpack_cursor_init (&cursor, objects[i], sizes[i]);
        ck_assert_uint_eq (msgpack_cursor_uint (&cursor), 0);
        ck_assert_int_eq (cursor.rc, DT_ERR_MALFORMED);
    }
}
END_TEST

START_TEST (integers_of_either_sign_come_back_in_their_smallest_encoding)
{
    static const struct {
        int64_t value;
        size_t bytes;
    } cases[] = {
        {0, 1},         {127, 1},         {128, 2},          {-1, 1},        {-32, 1},
        {-33, 2},       {INT8_MIN, 2},    {INT8_MIN - 1, 3}, {INT16_MIN, 3}, {INT16_MIN - 1, 5},
        {INT32_MIN, 5}, {-2147483649, 9}, {INT64_MIN, 9},    {INT64_MAX, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dt_buffer_t packed = {0};
        msgpack_cursor_t cursor;
        msgpack_write_int (&packed, cases[i].value);
        ck_assert_uint_eq (packed.bytes, cases[i].bytes);
        msgpack_cursor_init (&cursor, packed.data, packed.bytes);
        ck_assert_int_eq (msgpack_cursor_int (&cursor), cases[i].value);
        ck_assert (msgpack_cursor_finished (&cursor));
        msgpack_cursor_init (&cursor, packed.data, packed.bytes - 1);
        msgpack_cursor_int (&cursor);
        ck_assert_int_eq (cursor.rc, DT_ERR_MALFORMED);
        dt_buffer_deinit (&packed);
    }
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, "\xcf\x80\0\0\0\0\0\0\0", 9);
    msgpack_cursor_int (&cursor);
    ck_assert_int_eq (cursor.rc, DT_ERR_MALFORMED);
}
END_TEST

START_TEST (signed_encodings_are_read_unless_negative)
{
    static const char *objects[] = {"\xd0\x7f", "\xd1\x7f\1", "\xd2\x7f\0\0\1",
                                    "\xd3\0\0\0\0\0\0\0\5"};
    static const size_t sizes[] = {2, 3, 5, 9};
    static const uint64_t values[] = {0x7f, 0x7f01, 0x7f000001, 5};
    for (int i = 0; i < 4; i++) {
        msgpack_cursor_t cursor;
        msgpack_cursor_init (&cursor, objects[i], sizes[i]);
        ck_assert_int_eq (msgpack_cursor_kind (&cursor), MSGPACK_KIND_UINT);
        ck_assert_uint_eq (msgpack_cursor_uint (&cursor), values[i]);
        ck_assert (msgpack_cursor_finished (&cursor));
        msgpack_cursor_init (&cursor, objects[i], sizes[i] - 1);
        ck_assert_uint_eq (msgpack_cursor_uint (&cursor), 0);
        ck_assert_int_eq (cursor.rc, DT_ERR_MALFORMED);
    }
}
END_TEST

START_TEST (ext_objects_and_c1_are_refused)
{
    static const uint8_t types[] = {0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8};
    uint8_t object[64] = {0};
    for (size_t i = 0; i < sizeof types; i++) {
        object[0] = types[i];
        ck_assert_int_eq (s_skip (object, sizeof object, 8), DT_ERR_MALFORMED);
        msgpack_cursor_t cursor;
        msgpack_cursor_init (&cursor, object, sizeof object);
        ck_assert_int_eq (msgpack_cursor_kind (&cursor), MSGPACK_KIND_NONE);
    }
}
END_TEST

START_TEST (errors_stay)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, "\x05\x06", 2);
    ck_assert_uint_eq (msgpack_cursor_uint_max (&cursor, 4), 0);
    ck_assert_uint_eq (msgpack_cursor_uint (&cursor), 0);
    ck_assert (!msgpack_cursor_take_nil (&cursor));
    ck_assert (msgpack_cursor_bytes (&cursor).data == NULL);
    ck_assert_uint_eq (msgpack_cursor_array (&cursor), 0);
    ck_assert_uint_eq (msgpack_cursor_map (&cursor), 0);
    ck_assert (!msgpack_cursor_bool (&cursor));
    ck_assert (msgpack_cursor_object (&cursor, 8).data == NULL);
    ck_assert_int_eq (cursor.rc, DT_ERR_MALFORMED);
    ck_assert (!msgpack_cursor_finished (&cursor));
}
END_TEST

// Resident memory in KiB.
static long s_rss_kib (void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen ("/proc/self/statm", "r");
    ck_assert_int_eq (fscanf (file, "%ld %ld", &pages, &resident), 2);
    fclose (file);
    return resident * 4;
}

START_TEST (bombs_are_refused_or_skipped_without_memory)
{
    // The shapes that made msgpack-c reserve gigabytes: huge counts, nested huge counts, an array
    // of millions of small objects, deep nesting, and a huge map.
    size_t count = 4 << 20;
    uint8_t *array = malloc (count + 5);
    memset (array, 1, count + 5);
    long before = s_rss_kib ();
    ck_assert_int_eq (s_skip ("\xdd\x03\xff\xff\xff", 5, 8), DT_ERR_MALFORMED);
    uint8_t nested[155];
    for (int i = 0; i < 31; i++) {
        memcpy (nested + 5 * i, "\xdd\x00\x10\x00\x00", 5);
    }
    ck_assert_int_eq (s_skip (nested, sizeof nested, 8), DT_ERR_MALFORMED);
    ck_assert_int_eq (s_skip ("\xdf\xff\xff\xff\xff", 5, 8), DT_ERR_MALFORMED);
    ck_assert_int_eq (s_skip ("\xc6\xff\xff\xff\xff", 5, 8), DT_ERR_MALFORMED);

    memcpy (array, "\xdd\x00\x40\x00\x00", 5);
    ck_assert_int_eq (s_skip (array, count + 5, 8), 0);
    memset (array, 0x91, count);
    ck_assert_int_eq (s_skip (array, count, 8), DT_ERR_MALFORMED);
    ck_assert_int_lt (s_rss_kib () - before, 4 * 1024);
    free (array);
}
END_TEST

START_TEST (counts_beyond_the_bytes_left_are_refused_by_the_readers)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, "\x92\x01", 2);
    msgpack_cursor_array (&cursor);
    ck_assert_int_eq (cursor.rc, DT_ERR_MALFORMED);
    msgpack_cursor_init (&cursor, "\x81\x01", 2);
    msgpack_cursor_map (&cursor);
    ck_assert_int_eq (cursor.rc, DT_ERR_MALFORMED);
    msgpack_cursor_init (&cursor, "\x80", 1);
    ck_assert_uint_eq (msgpack_cursor_map (&cursor), 0);
    ck_assert (msgpack_cursor_finished (&cursor));
    msgpack_cursor_init (&cursor, "\x90", 1);
    ck_assert_uint_eq (msgpack_cursor_array (&cursor), 0);
    ck_assert (msgpack_cursor_finished (&cursor));
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("msgpack");
    TCase *tests = tcase_create ("msgpack");
    tcase_set_timeout (tests, 60);
    tcase_add_test (tests, random_objects_read_and_write_as_msgpack_c_does);
    tcase_add_test (tests, skip_accepts_eight_levels_and_refuses_nine);
    tcase_add_test (tests, skip_takes_floats_and_negatives_but_they_cannot_be_read);
    tcase_add_test (tests, integers_of_either_sign_come_back_in_their_smallest_encoding);
    tcase_add_test (tests, signed_encodings_are_read_unless_negative);
    tcase_add_test (tests, ext_objects_and_c1_are_refused);
    tcase_add_test (tests, errors_stay);
    tcase_add_test (tests, bombs_are_refused_or_skipped_without_memory);
    tcase_add_test (tests, counts_beyond_the_bytes_left_are_refused_by_the_readers);
    suite_add_tcase (suite, tests);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? 1 : 0;
}
