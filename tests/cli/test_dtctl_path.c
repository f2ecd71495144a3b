#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "dtkv/cli/dtctl_path.h"

// Compare a buffer with a string.
static void s_expect (const dt_buffer_t *buffer, const char *text)
{
    ck_assert_uint_eq (buffer->bytes, strlen (text));
    ck_assert_mem_eq (buffer->data, text, buffer->bytes);
}

START_TEST (every_byte_of_a_file_name_survives_encoding_and_decoding)
{
    for (int byte = 1; byte < 256; byte++) {
        // Alone, and between others.
        for (int form = 0; form < 2; form++) {
            char name[4] = {form ? 'a' : (char) byte, (char) byte, form ? 'z' : (char) byte, 0};
            size_t bytes = form ? 3 : 1;
            dt_buffer_t segment = {0};
            dt_buffer_t back = {0};
            bool is_link = true;
            if (byte == '/' || (byte == '.' && !form)) {
                continue;
            }
            dtctl_path_encode (&segment, name, bytes, false);
            ck_assert_ptr_null (memchr (segment.data, '.', segment.bytes));
            ck_assert_int_eq (dtctl_path_decode (&back, segment.data, segment.bytes, &is_link), 0);
            ck_assert (!is_link);
            ck_assert_uint_eq (back.bytes, bytes);
            ck_assert_mem_eq (back.data, name, bytes);
            dt_buffer_deinit (&segment);
            dt_buffer_deinit (&back);
        }
    }
}
END_TEST

START_TEST (dots_and_percents_are_encoded_and_nothing_else)
{
    dt_buffer_t out = {0};
    dtctl_path_encode (&out, ".a b%2.conf", 11, false);
    s_expect (&out, "%2Ea b%252%2Econf");
    dt_buffer_deinit (&out);
}
END_TEST

START_TEST (a_link_is_told_from_a_file_whose_name_ends_alike)
{
    dt_buffer_t link = {0};
    dt_buffer_t file = {0};
    dt_buffer_t name = {0};
    bool is_link;
    dtctl_path_encode (&link, "up", 2, true);
    s_expect (&link, "up%@");
    dtctl_path_encode (&file, "up%@", 4, false);
    s_expect (&file, "up%25@");
    ck_assert_int_eq (dtctl_path_decode (&name, link.data, link.bytes, &is_link), 0);
    ck_assert (is_link);
    s_expect (&name, "up");
    dt_buffer_clear (&name);
    ck_assert_int_eq (dtctl_path_decode (&name, file.data, file.bytes, &is_link), 0);
    ck_assert (!is_link);
    s_expect (&name, "up%@");
    dt_buffer_deinit (&link);
    dt_buffer_deinit (&file);
    dt_buffer_deinit (&name);
}
END_TEST

START_TEST (segments_that_no_file_can_have_are_refused_and_leave_no_trace)
{
    static const struct {
        const char *text;
        size_t bytes;
    } cases[] = {
        {"", 0},     {"%2E", 3},   {"%2E%2E", 6}, {"a/b", 3},     {"/", 1},
        {"a\0b", 3}, {"%", 1},     {"%2", 2},     {"%2e", 3},     {"%41", 3},
        {"100%", 4}, {"a.b", 3},   {"%@", 2},     {"%@a", 3},     {"%2E%@", 5},
        {"%2F", 3},  {"a%2Fb", 5}, {"%00", 3},    {"%25@%@@", 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dt_buffer_t out = {0};
        bool is_link = false;
        dt_buffer_append (&out, "kept", 4);
        ck_assert_msg (dtctl_path_decode (&out, cases[i].text, cases[i].bytes, &is_link) ==
                           DT_ERR_INVALID,
                       "'%s' was taken", cases[i].text);
        s_expect (&out, "kept");
        dt_buffer_deinit (&out);
    }
}
END_TEST

START_TEST (three_dots_are_a_file_name_like_any_other)
{
    dt_buffer_t out = {0};
    bool is_link;
    ck_assert_int_eq (dtctl_path_decode (&out, "%2E%2E%2E", 9, &is_link), 0);
    s_expect (&out, "...");
    dt_buffer_deinit (&out);
}
END_TEST

START_TEST (empty_segments_are_noticed_wherever_they_stand)
{
    static const char *const bad[] = {".a", "a.", "a..b", "..", "..."};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq (dtctl_path_check (bad[i], strlen (bad[i]), 0, 0),
                          DTCTL_PATH_EMPTY_SEGMENT);
    }
    ck_assert_int_eq (dtctl_path_check ("", 0, 0, 0), DTCTL_PATH_OK);
    ck_assert_int_eq (dtctl_path_check (".", 1, 0, 0), DTCTL_PATH_OK);
    ck_assert_int_eq (dtctl_path_check ("a.b.c", 5, 0, 0), DTCTL_PATH_OK);
}
END_TEST

START_TEST (limits_hold_at_the_last_byte_and_segment_allowed)
{
    ck_assert_int_eq (dtctl_path_check ("a.b.c", 5, 5, 3), DTCTL_PATH_OK);
    ck_assert_int_eq (dtctl_path_check ("a.b.c", 5, 4, 3), DTCTL_PATH_TOO_LONG);
    ck_assert_int_eq (dtctl_path_check ("a.b.c", 5, 5, 2), DTCTL_PATH_TOO_DEEP);
}
END_TEST

START_TEST (links_keep_their_target_inside_the_tree_and_get_an_absolute_one_outside)
{
    static const struct {
        const char *root, *folder, *target, *expected;
    } cases[] = {
        {"/etc", "", "passwd", "passwd"},
        {"/etc", "a/b", "../../passwd", "../../passwd"},
        {"/etc", "a", "../../usr/lib/os-release", "/usr/lib/os-release"},
        {"/etc", "", "../etc/passwd", "/etc/passwd"},
        {"/etc", "a", "/opt/x", "/opt/x"},
        {"/etc", "", "../../../../x", "/x"},
        {"/etc", "", "..", "/"},
        {"", "a", "../../x", "/x"},
        {"/etc", "a", ".././/b/", ".././/b/"},
        {"/srv/tree", "", "../trees/x", "/srv/trees/x"},
        {"/srv/tree", "a", "..", ".."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dt_buffer_t out = {0};
        dtctl_path_link_target (&out, cases[i].root, cases[i].folder, cases[i].target);
        s_expect (&out, cases[i].expected);
        dt_buffer_deinit (&out);
    }
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("path");
    tcase_add_test (tcase, every_byte_of_a_file_name_survives_encoding_and_decoding);
    tcase_add_test (tcase, dots_and_percents_are_encoded_and_nothing_else);
    tcase_add_test (tcase, a_link_is_told_from_a_file_whose_name_ends_alike);
    tcase_add_test (tcase, segments_that_no_file_can_have_are_refused_and_leave_no_trace);
    tcase_add_test (tcase, three_dots_are_a_file_name_like_any_other);
    tcase_add_test (tcase, empty_segments_are_noticed_wherever_they_stand);
    tcase_add_test (tcase, limits_hold_at_the_last_byte_and_segment_allowed);
    tcase_add_test (tcase, links_keep_their_target_inside_the_tree_and_get_an_absolute_one_outside);
    Suite *suite = suite_create ("dtctl_path");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
