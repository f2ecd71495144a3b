// Codes, operations and flags of the store are those of docs/PROTOCOL.md and of the protocol's
// codec.

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dtkv/core/dtkv_operation.h"
#include "dtkv/core/dtkv_result.h"
#include "tests/transport/document.h"
#include "transport/protocol.h"

START_TEST (every_code_stands_in_the_document_with_its_name)
{
    char *text = document_read ("PROTOCOL.md");
    char *place = strstr (text, "## 6. Codes");
    ck_assert_ptr_nonnull (place);
    char *end = strstr (place, "Codes from 64 on");
    ck_assert_ptr_nonnull (end);
    *end = 0;
    bool found[DTKV_RESULT_COUNT] = {false};
    char *line;
    while (document_line (&place, &line)) {
        char *cells[8];
        int count = document_cells (line, cells, 8);
        for (int i = 0; i + 1 < count; i += 2) {
            char *after;
            long code = strtol (cells[i], &after, 10);
            if (after == cells[i]) {
                continue; // the table's head and rule
            }
            ck_assert_int_lt (code, DTKV_RESULT_COUNT);
            ck_assert_str_eq (cells[i + 1], dtkv_result_name ((int) code));
            found[code] = true;
        }
    }
    for (int i = 0; i < DTKV_RESULT_COUNT; i++) {
        ck_assert_msg (found[i], "code %d is not in the document", i);
    }
    free (text);
}
END_TEST

START_TEST (operations_have_the_protocols_numbers_and_names)
{
#define SAME(name, number, text, writes)                                                           \
    ck_assert_int_eq (DTKV_OP_##name, PROTOCOL_##name);                                            \
    ck_assert_str_eq (dtkv_operation_name (number), protocol_operation_name (number));
    DTKV_OPERATION_TABLE (SAME)
#undef SAME
}
END_TEST

START_TEST (flags_have_the_protocols_bits)
{
#define SAME(name, bit) ck_assert_int_eq (DTKV_FLAG_##name, PROTOCOL_FLAG_##name);
    PROTOCOL_FLAG_TABLE (SAME)
#undef SAME
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("document");
    tcase_add_test (tcase, every_code_stands_in_the_document_with_its_name);
    tcase_add_test (tcase, operations_have_the_protocols_numbers_and_names);
    tcase_add_test (tcase, flags_have_the_protocols_bits);
    Suite *suite = suite_create ("dtkv_document");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
