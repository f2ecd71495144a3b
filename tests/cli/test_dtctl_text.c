#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "dtkv/cli/dtctl_msgpack.h"
#include "dtkv/cli/dtctl_parse.h"
#include "dtkv/cli/dtctl_text.h"

typedef void (s_append_fn) (dt_buffer_t *out, const void *data, size_t bytes);

static void s_expect (s_append_fn *append, const char *data, size_t bytes, const char *text)
{
    dt_buffer_t out = {0};
    append (&out, data, bytes);
    dt_buffer_append (&out, "", 1);
    ck_assert_str_eq ((char *) out.data, text);
    dt_buffer_deinit (&out);
}

START_TEST (utf8_is_told_from_what_only_looks_like_it)
{
    static const char *const good[] = {"",
                                       "abc",
                                       "\xc3\xa9",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x99\x82",
                                       "\xed\x9f\xbf",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",         "\xc3",         "\xc0\xaf",
                                      "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xff",         "a\xc3(",       "\xf0\x8f\xbf\xbf"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert (dtctl_text_is_utf8 (good[i], strlen (good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert (!dtctl_text_is_utf8 (bad[i], strlen (bad[i])));
    }
}
END_TEST

START_TEST (escaped_bytes_stay_on_one_line_and_cannot_steer_a_terminal)
{
    s_expect (dtctl_text_escape, "a\n\r\t\\\"", 6, "a\\n\\r\\t\\\\\"");
    s_expect (dtctl_text_escape, "\0\x1b[31m\x7f", 7, "\\x00\\x1b[31m\\x7f");
    s_expect (dtctl_text_escape, "\xc3\xa9\xff\xc2\x9b", 5, "\xc3\xa9\\xff\\xc2\\x9b");
    s_expect (dtctl_text_quote, "a\"b", 3, "\"a\\\"b\"");
}
END_TEST

START_TEST (base64_gives_the_vectors_of_its_rfc)
{
    static const char *const expected[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                           "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t bytes = 0; bytes <= 6; bytes++) {
        s_expect (dtctl_text_base64, "foobar", bytes, expected[bytes]);
    }
}
END_TEST

START_TEST (hex_gives_two_digits_for_each_byte)
{
    s_expect (dtctl_text_hex, "\0\x0f\xa0\xff", 4, "000fa0ff");
}
END_TEST

START_TEST (json_strings_escape_what_json_wants_escaped)
{
    s_expect (dtctl_text_json, "a\"\\\n\x01\x7f\xc3\xa9", 8,
              "\"a\\\"\\\\\\u000a\\u0001\\u007f\xc3\xa9\"");
}
END_TEST

START_TEST (times_are_civil_dates_across_leap_years)
{
    static const struct {
        uint64_t time_ms;
        const char *text;
    } cases[] = {
        {0, "-"},
        {1, "1970-01-01T00:00:00.001Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {951868799999, "2000-02-29T23:59:59.999Z"},
        {1709251199123, "2024-02-29T23:59:59.123Z"},
        {1735689599000, "2024-12-31T23:59:59.000Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dt_buffer_t out = {0};
        dtctl_text_time (&out, cases[i].time_ms);
        dt_buffer_append (&out, "", 1);
        ck_assert_str_eq ((char *) out.data, cases[i].text);
        dt_buffer_deinit (&out);
    }
}
END_TEST

START_TEST (the_nearest_word_is_found_and_a_far_one_is_not_offered)
{
    static const char *const words[] = {"put", "parents", "timeout", "ping", NULL};
    ck_assert_str_eq (dtctl_text_nearest ("parent", words), "parents");
    ck_assert_str_eq (dtctl_text_nearest ("tiemout", words), "timeout");
    ck_assert_str_eq (dtctl_text_nearest ("pnig", words), "ping");
    ck_assert_ptr_null (dtctl_text_nearest ("frobnicate", words));
    ck_assert_ptr_null (dtctl_text_nearest ("xyz", words));
    ck_assert_uint_eq (dtctl_text_distance ("kitten", "sitting"), 3);
    ck_assert_uint_eq (dtctl_text_distance ("", "abc"), 3);
}
END_TEST

START_TEST (durations_need_a_unit_and_may_have_a_fraction)
{
    static const struct {
        const char *text;
        uint64_t duration_ms;
    } good[] = {{"0", 0},       {"500ms", 500},  {"5s", 5000},     {"1.5s", 1500},
                {"2m", 120000}, {"1h", 3600000}, {"1d", 86400000}, {"0.001s", 1}};
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "-5s",
                                      "5 s",
                                      "5S",
                                      "1.s",
                                      ".5s",
                                      "1.0000001s",
                                      "99999999999999999999s",
                                      "20000000000000000d",
                                      "1e3s",
                                      "0x5s"};
    uint64_t value;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_int_eq (dtctl_parse_duration (good[i].text, &value), 0);
        ck_assert_uint_eq (value, good[i].duration_ms);
    }
    value = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg (dtctl_parse_duration (bad[i], &value) == DT_ERR_INVALID, "%s", bad[i]);
    }
    ck_assert_uint_eq (value, 77);
}
END_TEST

START_TEST (sizes_know_binary_and_decimal_units)
{
    uint64_t value;
    ck_assert_int_eq (dtctl_parse_size ("17", &value), 0);
    ck_assert_uint_eq (value, 17);
    ck_assert_int_eq (dtctl_parse_size ("64KiB", &value), 0);
    ck_assert_uint_eq (value, 65536);
    ck_assert_int_eq (dtctl_parse_size ("1.5MiB", &value), 0);
    ck_assert_uint_eq (value, 1572864);
    ck_assert_int_eq (dtctl_parse_size ("10MB", &value), 0);
    ck_assert_uint_eq (value, 10000000);
    ck_assert_int_eq (dtctl_parse_size ("5mib", &value), DT_ERR_INVALID);
    ck_assert_int_eq (dtctl_parse_size ("18446744073709551615KiB", &value), DT_ERR_INVALID);
}
END_TEST

START_TEST (numbers_hold_their_maximum)
{
    uint64_t value;
    ck_assert_int_eq (dtctl_parse_number ("18446744073709551615", UINT64_MAX, &value), 0);
    ck_assert_uint_eq (value, UINT64_MAX);
    ck_assert_int_eq (dtctl_parse_number ("18446744073709551616", UINT64_MAX, &value),
                      DT_ERR_INVALID);
    ck_assert_int_eq (dtctl_parse_number ("7", 7, &value), 0);
    ck_assert_int_eq (dtctl_parse_number ("8", 7, &value), DT_ERR_INVALID);
    ck_assert_int_eq (dtctl_parse_number ("5", 0, &value), DT_ERR_INVALID);
    ck_assert_int_eq (dtctl_parse_number ("7 ", 9, &value), DT_ERR_INVALID);
}
END_TEST

START_TEST (msgpack_of_every_kind_becomes_json)
{
    static const struct {
        const char *data;
        size_t bytes;
        const char *json;
    } cases[] = {
        {"\xc0", 1, "null"},
        {"\xc3", 1, "true"},
        {"\x07", 1, "7"},
        {"\xff", 1, "-1"},
        {"\xd0\x80", 2, "-128"},
        {"\xd1\xff\x00", 3, "-256"},
        {"\xd3\x7f\xff\xff\xff\xff\xff\xff\xff", 9, "\"9223372036854775807\""},
        {"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9, "\"-9223372036854775808\""},
        {"\xcf\x00\x20\x00\x00\x00\x00\x00\x00", 9, "9007199254740992"},
        {"\xcf\x00\x20\x00\x00\x00\x00\x00\x01", 9, "\"9007199254740993\""},
        {"\xca\x3f\xc0\x00\x00", 5, "1.5"},
        {"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", 9, "1.5"},
        {"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", 9, "null"},
        {"\xa2hi", 3, "\"hi\""},
        {"\xc4\x01\xff", 3, "{\"base64\":\"/w==\"}"},
        {"\x92\x01\xa1x", 4, "[1,\"x\"]"},
        {"\x82\xa1"
         "a\x01\x02\x90",
         6, "{\"a\":1,\"2\":[]}"},
        {"\x92\x01", 2, "null"},                                  // cut off
        {"\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01", 10, "null"}, // nine deep
        {"", 0, "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s_expect (dtctl_msgpack_json, cases[i].data, cases[i].bytes, cases[i].json);
    }
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("text");
    tcase_add_test (tcase, utf8_is_told_from_what_only_looks_like_it);
    tcase_add_test (tcase, escaped_bytes_stay_on_one_line_and_cannot_steer_a_terminal);
    tcase_add_test (tcase, base64_gives_the_vectors_of_its_rfc);
    tcase_add_test (tcase, hex_gives_two_digits_for_each_byte);
    tcase_add_test (tcase, json_strings_escape_what_json_wants_escaped);
    tcase_add_test (tcase, times_are_civil_dates_across_leap_years);
    tcase_add_test (tcase, the_nearest_word_is_found_and_a_far_one_is_not_offered);
    tcase_add_test (tcase, durations_need_a_unit_and_may_have_a_fraction);
    tcase_add_test (tcase, sizes_know_binary_and_decimal_units);
    tcase_add_test (tcase, numbers_hold_their_maximum);
    tcase_add_test (tcase, msgpack_of_every_kind_becomes_json);
    Suite *suite = suite_create ("dtctl_text");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
