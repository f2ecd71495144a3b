// Every number and name in the tables of docs/PROTOCOL.md is the code's, and the other way round.
// The codes below 64 are the store's; tests/dtkv compares those.

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "tests/transport/document.h"
#include "transport/protocol.h"
#include "transport/protocol_hello.h"

#define CHECK_TABLE(title, number_column, name_column, ...)                                        \
    do {                                                                                           \
        static const document_row_t code[] = {__VA_ARGS__};                                        \
        document_row_t rows[64];                                                                   \
        char *text = document_read ("PROTOCOL.md");                                                \
        int count = document_table (text, title, number_column, name_column, rows, 64);            \
        document_compare (rows, count, code, sizeof code / sizeof *code);                          \
        free (text);                                                                               \
    } while (0)

#define ROW_NAMED(NAME, number, name) {number, name},
#define ROW_UPPER(NAME, number)       {number, #NAME},

START_TEST (operations_are_those_of_the_document)
{
    CHECK_TABLE ("operation", 0, 1, PROTOCOL_OPERATION_TABLE (ROW_NAMED));
}
END_TEST

START_TEST (request_flags_are_those_of_the_document)
{
    char *text = document_read ("PROTOCOL.md");
    char *flags = strstr (text, "Request flags");
    ck_assert_ptr_nonnull (flags);
    static const document_row_t code[] = {PROTOCOL_FLAG_TABLE (ROW_UPPER)};
    document_row_t rows[64];
    int count = document_table (flags, "name", 0, 1, rows, 64);
    document_compare (rows, count, code, sizeof code / sizeof *code);
    free (text);
}
END_TEST

START_TEST (option_and_extra_keys_are_those_of_the_document)
{
    CHECK_TABLE ("header", 0, 1, PROTOCOL_HEADER_TABLE (ROW_NAMED));
    CHECK_TABLE ("option", 0, 2, PROTOCOL_OPTION_TABLE (ROW_NAMED));
    CHECK_TABLE ("extra", 0, 3, PROTOCOL_EXTRA_TABLE (ROW_NAMED));
}
END_TEST

START_TEST (limits_are_those_of_the_document)
{
    CHECK_TABLE ("limit", 1, 0, PROTOCOL_LIMIT_TABLE (ROW_NAMED));
}
END_TEST

START_TEST (error_codes_are_those_of_the_document)
{
    char *text = document_read ("PROTOCOL.md");
    char *codes = strstr (text, "Codes from 64 on");
    ck_assert_ptr_nonnull (codes);
    document_row_t rows[64];
    int count = document_table (codes, "name", 0, 1, rows, 64);
    int expected = 0;
#define CHECK_CODE(NAME, wire, sentence)                                                           \
    if (wire < 128) {                                                                              \
        ck_assert_int_lt (expected, count);                                                        \
        ck_assert_int_eq (rows[expected].number, wire);                                            \
        ck_assert_str_eq (rows[expected].name, #NAME);                                             \
        ck_assert_str_eq (dt_error_name (-wire), #NAME);                                           \
        expected++;                                                                                \
    }
    DT_ERROR_TABLE (CHECK_CODE)
    ck_assert_int_eq (count, expected);
    free (text);
}
END_TEST

START_TEST (hello_limits_and_status_names_are_in_the_document)
{
    char *text = document_read ("PROTOCOL.md");
#define CHECK_LIMIT(member) ck_assert_ptr_nonnull (strstr (text, "`" #member "`"));
    PROTOCOL_HELLO_LIMIT_TABLE (CHECK_LIMIT)
    char *status = strstr (text, "- **status**");
    ck_assert_ptr_nonnull (status);
    document_row_t rows[64];
    int count = document_table (status, "name", 1, 0, rows, 64);
    int expected = 0;
#define CHECK_STATUS(NAME, label)                                                                  \
    ck_assert_str_eq (protocol_status_name (PROTOCOL_STATUS_##NAME), label);                       \
    ck_assert_int_lt (expected, count);                                                            \
    ck_assert_str_eq (rows[expected++].name, label);
    PROTOCOL_STATUS_TABLE (CHECK_STATUS)
    ck_assert_int_eq (count, expected);
    free (text);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("protocol_document");
    TCase *tests = tcase_create ("protocol_document");
    tcase_add_test (tests, operations_are_those_of_the_document);
    tcase_add_test (tests, request_flags_are_those_of_the_document);
    tcase_add_test (tests, option_and_extra_keys_are_those_of_the_document);
    tcase_add_test (tests, limits_are_those_of_the_document);
    tcase_add_test (tests, error_codes_are_those_of_the_document);
    tcase_add_test (tests, hello_limits_and_status_names_are_in_the_document);
    suite_add_tcase (suite, tests);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? 1 : 0;
}
