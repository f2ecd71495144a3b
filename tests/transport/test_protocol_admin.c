#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "transport/protocol_admin.h"

static msgpack_slice_t s_slice (const dt_buffer_t *buffer)
{
    return (msgpack_slice_t){buffer->data, buffer->bytes};
}

static protocol_change_t s_change (void)
{
    protocol_change_t change = {.flags = PROTOCOL_CHANGE_FORCE, .members_count = 1};
    change.voters = (protocol_ids_t){3, {1, 2, 3}};
    change.observers = (protocol_ids_t){1, {9}};
    change.members[0].id = 9;
    strcpy (change.members[0].peer, "tcp://10.0.0.9:9331");
    strcpy (change.members[0].service, "tcp://10.0.0.9:9332");
    return change;
}

START_TEST (change_survives_its_bytes)
{
    protocol_change_t change = s_change ();
    protocol_change_t read;
    dt_buffer_t body = {0};
    protocol_change_write (&body, &change);
    ck_assert_int_eq (protocol_change_read (s_slice (&body), &read), 0);
    ck_assert_mem_eq (&read, &change, sizeof change);
    dt_buffer_deinit (&body);
}
END_TEST

START_TEST (change_cut_anywhere_is_refused)
{
    protocol_change_t change = s_change ();
    protocol_change_t read;
    dt_buffer_t body = {0};
    protocol_change_write (&body, &change);
    for (size_t bytes = 0; bytes < body.bytes; bytes++) {
        ck_assert_int_eq (protocol_change_read ((msgpack_slice_t){body.data, bytes}, &read),
                          DT_ERR_MALFORMED);
    }
    dt_buffer_deinit (&body);
}
END_TEST

START_TEST (list_of_33_is_refused)
{
    dt_buffer_t body = {0};
    uint8_t head[] = {0x93, 0xdc, 0, 33};
    dt_buffer_append (&body, head, sizeof head);
    for (int i = 0; i < 33 + 2; i++) {
        dt_buffer_append (&body, "\x90", 1);
    }
    protocol_change_t read;
    ck_assert_int_eq (protocol_change_read (s_slice (&body), &read), DT_ERR_MALFORMED);
    dt_buffer_deinit (&body);
}
END_TEST

START_TEST (endpoint_of_96_bytes_is_refused)
{
    protocol_change_t change = s_change ();
    protocol_change_t read;
    memset (change.members[0].peer, 'x', PROTOCOL_ENDPOINT_BYTES_MAX);
    dt_buffer_t body = {0};
    protocol_change_write (&body, &change);
    ck_assert_int_eq (protocol_change_read (s_slice (&body), &read), 0);
    dt_buffer_deinit (&body);
    uint8_t long_one[] = {0x93, 0x90, 0x90, 0x91, 0x93, 1, 0xd9, 96};
    dt_buffer_append (&body, long_one, sizeof long_one);
    for (int i = 0; i < 96; i++) {
        dt_buffer_append (&body, "x", 1);
    }
    dt_buffer_append (&body, "\xa0", 1);
    ck_assert_int_eq (protocol_change_read (s_slice (&body), &read), DT_ERR_MALFORMED);
    dt_buffer_deinit (&body);
}
END_TEST

START_TEST (config_survives_its_bytes_and_unknown_names)
{
    protocol_config_t *config = calloc (1, sizeof *config);
    protocol_config_t *read = calloc (1, sizeof *read);
    config->index = 70;
    config->leader = 2;
    config->joint = true;
    config->voters = (protocol_ids_t){2, {1, 2}};
    config->next_voters = (protocol_ids_t){1, {2}};
    config->members_count = 2;
    config->members[0].id = 1;
    strcpy (config->members[0].service, "tcp://a:1");
    config->members[1].id = 2;
    config->members[1].followed = true;
    config->members[1].active = true;
    strcpy (config->members[1].state, "pipeline");
    config->members[1].match = 69;
    dt_buffer_t body = {0};
    protocol_config_write (&body, config);
    ck_assert_int_eq (protocol_config_read (s_slice (&body), read), 0);
    ck_assert_mem_eq (read, config, sizeof *read);
    body.data[0] = 0x8b; // one pair more
    dt_buffer_append (&body, "\xa5later\x91\xc0", 8);
    ck_assert_int_eq (protocol_config_read (s_slice (&body), read), 0);
    ck_assert_mem_eq (read, config, sizeof *read);
    dt_buffer_deinit (&body);
    free (config);
    free (read);
}
END_TEST

START_TEST (number_may_be_missing)
{
    uint64_t number = 7;
    ck_assert_int_eq (protocol_number_read ((msgpack_slice_t){NULL, 0}, &number), 0);
    ck_assert_uint_eq (number, 0);
    ck_assert_int_eq (
        protocol_number_read ((msgpack_slice_t){(const uint8_t *) "\xc0", 1}, &number), 0);
    ck_assert_int_eq (
        protocol_number_read ((msgpack_slice_t){(const uint8_t *) "\x92\x05\xc0", 3}, &number), 0);
    ck_assert_uint_eq (number, 5);
    ck_assert_int_eq (
        protocol_number_read ((msgpack_slice_t){(const uint8_t *) "\x91\xa0", 2}, &number),
        DT_ERR_MALFORMED);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("protocol_admin");
    TCase *tcase = tcase_create ("bodies");
    tcase_add_test (tcase, change_survives_its_bytes);
    tcase_add_test (tcase, change_cut_anywhere_is_refused);
    tcase_add_test (tcase, list_of_33_is_refused);
    tcase_add_test (tcase, endpoint_of_96_bytes_is_refused);
    tcase_add_test (tcase, config_survives_its_bytes_and_unknown_names);
    tcase_add_test (tcase, number_may_be_missing);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
