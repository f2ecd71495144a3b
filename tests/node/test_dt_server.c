#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dtkv/client/dt_client.h"
#include "dtkv/node/dt_server.h"

enum { WAIT_MS = 30000, NODES = 3 };

// libzmq is not built with the sanitizer, which does not see how it hands messages over.
const char *__tsan_default_options (void);
const char *__tsan_default_options (void)
{
    return "ignore_noninstrumented_modules=1";
}

static char s_place[64];

static int s_unlink (const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void) status;
    (void) kind;
    (void) where;
    return remove (path);
}

static void s_set_up (void)
{
    strcpy (s_place, "/tmp/dt-node-XXXXXX");
    ck_assert_ptr_nonnull (mkdtemp (s_place));
}

static void s_tear_down (void)
{
    nftw (s_place, s_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static void s_count (void *argument, dt_server_log_level_t level, const char *line)
{
    (void) level;
    (void) line;
    __atomic_add_fetch ((int *) argument, 1, __ATOMIC_RELAXED);
}

// Start a node of its own in a directory below the test's.
static int s_start (dt_server_t **node, const char *name, char *error, size_t error_bytes)
{
    char directory[128];
    char service[160];
    snprintf (directory, sizeof directory, "%s/%s", s_place, name);
    snprintf (service, sizeof service, "ipc://@%s", directory);
    const dt_server_setting_t settings[] = {{"data-dir", directory}, {"service", service}};
    return dt_server_start (node, &(dt_server_options_t){.settings = settings, .settings_count = 2},
                            error, error_bytes);
}

static dt_client_t *s_open (const char *endpoints)
{
    dt_client_options_t options;
    dt_client_options_init (&options);
    options.endpoints = endpoints;
    options.timeout_ms = options.connect_timeout_ms = WAIT_MS;
    dt_client_t *client;
    char error[200] = "";
    int code = dt_client_open (&client, &options, error, sizeof error);
    ck_assert_msg (code == DT_SUCCESS, "%d: %s", code, error);
    return client;
}

static void s_put (const char *endpoints, const char *key, const char *value)
{
    dt_client_t *client = s_open (endpoints);
    int code = dt_client_put (client, dt_text (key), dt_text (value), NULL, NULL);
    ck_assert_msg (dt_code_is_success (code), "put %s: %s", key, dt_code_text (code));
    dt_client_close (&client);
}

static void s_expect (const char *endpoints, const char *key, const char *value)
{
    dt_client_t *client = s_open (endpoints);
    dt_result_t *result = NULL;
    int code = dt_client_get (client, dt_text (key), NULL, &result);
    ck_assert_msg (dt_code_is_success (code), "get %s: %s", key, dt_code_text (code));
    dt_node_t found;
    ck_assert (dt_result_node (result, &found));
    ck_assert_uint_eq (found.value.bytes, strlen (value));
    ck_assert_mem_eq (found.value.data, value, strlen (value));
    dt_result_free (&result);
    dt_client_close (&client);
}

START_TEST (node_serves_the_process_it_is_in_and_keeps_its_data)
{
    dt_server_t *node;
    for (int life = 0; life < 2; life++) {
        ck_assert_int_eq (s_start (&node, "a", NULL, 0), 0);
        ck_assert_int_eq (dt_server_wait_ready (node, WAIT_MS), 0);
        ck_assert (dt_server_is_ready (node));
        ck_assert_int_eq (dt_server_check (node), 0);
        if (life == 0) {
            s_put (dt_server_endpoint (node), "color", "blue");
        }
        s_expect (dt_server_endpoint (node), "color", "blue");
        ck_assert_int_eq (dt_server_stop (&node, WAIT_MS), 0);
        ck_assert_ptr_null (node);
    }
}
END_TEST

START_TEST (two_nodes_of_one_process_do_not_share_data)
{
    dt_server_t *a;
    dt_server_t *b;
    ck_assert_int_eq (s_start (&a, "a", NULL, 0), 0);
    ck_assert_int_eq (s_start (&b, "b", NULL, 0), 0);
    ck_assert_int_eq (dt_server_wait_ready (a, WAIT_MS), 0);
    ck_assert_int_eq (dt_server_wait_ready (b, WAIT_MS), 0);
    s_put (dt_server_endpoint (a), "who", "a");
    s_put (dt_server_endpoint (b), "who", "b");
    s_expect (dt_server_endpoint (a), "who", "a");
    ck_assert_int_eq (dt_server_stop (&a, WAIT_MS), 0);
    s_expect (dt_server_endpoint (b), "who", "b");
    ck_assert_int_eq (dt_server_stop (&b, WAIT_MS), 0);
}
END_TEST

START_TEST (three_nodes_of_one_process_are_a_cluster)
{
    char members[1024] = "";
    char peers[NODES][128], services[NODES][128], directories[NODES][128];
    char endpoints[512] = "";
    for (int i = 0; i < NODES; i++) {
        snprintf (directories[i], sizeof directories[i], "%s/%d", s_place, i + 1);
        snprintf (peers[i], sizeof peers[i], "ipc://@%s-peer-%d", s_place, i + 1);
        snprintf (services[i], sizeof services[i], "ipc://@%s-service-%d", s_place, i + 1);
        size_t used = strlen (members);
        snprintf (members + used, sizeof members - used, "%s%d=%s,%s", i ? " " : "", i + 1,
                  peers[i], services[i]);
        used = strlen (endpoints);
        snprintf (endpoints + used, sizeof endpoints - used, "%s%s", i ? "," : "", services[i]);
    }
    dt_server_t *nodes[NODES];
    for (int i = 0; i < NODES; i++) {
        char id[2] = {(char) ('1' + i), 0};
        const dt_server_setting_t settings[] = {
            {"node-id", id},        {"cluster-id", "5"},     {"data-dir", directories[i]},
            {"members", members},   {"replicate", peers[i]}, {"service", services[i]},
            {"heartbeat", "100ms"}, {"election-time", "1s"},
        };
        char error[300] = "";
        int rc = dt_server_start (&nodes[i], &(dt_server_options_t){settings, 8, NULL, NULL}, error,
                                  sizeof error);
        ck_assert_msg (rc == 0, "node %d: %s", i + 1, error);
    }
    for (int i = 0; i < NODES; i++) {
        ck_assert_int_eq (dt_server_wait_ready (nodes[i], WAIT_MS), 0);
    }
    s_put (endpoints, "shared", "yes");
    for (int i = 0; i < NODES; i++) {
        s_expect (services[i], "shared", "yes"); // each answers itself
    }
    ck_assert_int_eq (dt_server_stop (&nodes[0], WAIT_MS), 0);
    s_put (endpoints, "shared", "still");
    s_expect (services[1], "shared", "still");
    for (int i = 1; i < NODES; i++) {
        ck_assert_int_eq (dt_server_stop (&nodes[i], WAIT_MS), 0);
    }
}
END_TEST

START_TEST (log_goes_to_the_application)
{
    int lines = 0;
    char directory[128];
    snprintf (directory, sizeof directory, "%s/logged", s_place);
    const dt_server_setting_t settings[] = {{"data-dir", directory},
                                            {"service", "tcp://127.0.0.1:*"}};
    dt_server_t *node;
    ck_assert_int_eq (
        dt_server_start (&node, &(dt_server_options_t){settings, 2, s_count, &lines}, NULL, 0), 0);
    ck_assert_ptr_nonnull (strstr (dt_server_endpoint (node), "tcp://127.0.0.1:"));
    ck_assert_int_eq (dt_server_wait_ready (node, WAIT_MS), 0);
    ck_assert_int_eq (dt_server_stop (&node, WAIT_MS), 0);
    ck_assert_int_gt (lines, 0);
}
END_TEST

START_TEST (wrong_settings_are_named)
{
    const struct {
        dt_server_setting_t setting;
        const char *said;
    } cases[] = {
        {{"data-dirr", "x"}, "data-dirr"},     {{"data-dir", NULL}, "data-dir"},
        {{NULL, "x"}, "no such setting"},      {{"segment-size", "12"}, "segment-size"},
        {{"heartbeat", "900ms"}, "heartbeat"}, {{"members", "1=tcp://127.0.0.1:1"}, "members"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_server_t *node;
        char error[300] = "";
        dt_server_options_t options = {.settings = &cases[i].setting, .settings_count = 1};
        ck_assert_int_eq (dt_server_start (&node, &options, error, sizeof error), DT_SERVER_USAGE);
        ck_assert_ptr_null (node);
        ck_assert_msg (strstr (error, cases[i].said) != NULL, "case %zu: %s", i, error);
    }
}
END_TEST

START_TEST (directory_in_use_is_refused_and_said)
{
    dt_server_t *node;
    dt_server_t *second;
    char error[300] = "";
    ck_assert_int_eq (s_start (&node, "a", NULL, 0), 0);
    ck_assert_int_eq (s_start (&second, "a", error, sizeof error), DT_SERVER_IN_USE);
    ck_assert_msg (strstr (error, s_place) != NULL, "%s", error);
    ck_assert_int_eq (dt_server_wait_ready (node, WAIT_MS), 0);
    ck_assert_int_eq (dt_server_stop (&node, WAIT_MS), 0);
}
END_TEST

// Flip a bit in every log file of a node's first group.
static int s_rot (const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void) where;
    const char *dot = strrchr (path, '.');
    if (kind == FTW_F && dot && strcmp (dot, ".log") == 0 && status->st_size > 5000) {
        FILE *file = fopen (path, "r+b");
        ck_assert_ptr_nonnull (file);
        fseek (file, 4096 + 50, SEEK_SET);
        int byte = fgetc (file);
        fseek (file, 4096 + 50, SEEK_SET);
        fputc (byte ^ 4, file);
        fclose (file);
    }
    return 0;
}

START_TEST (rotten_log_is_reported_and_the_process_lives)
{
    dt_server_t *node;
    ck_assert_int_eq (s_start (&node, "a", NULL, 0), 0);
    ck_assert_int_eq (dt_server_wait_ready (node, WAIT_MS), 0);
    for (int i = 0; i < 20; i++) {
        s_put (dt_server_endpoint (node), "key", "value");
    }
    ck_assert_int_eq (dt_server_stop (&node, WAIT_MS), 0);
    nftw (s_place, s_rot, 16, FTW_PHYS);
    ck_assert_int_eq (s_start (&node, "a", NULL, 0), 0);
    ck_assert_int_eq (dt_server_wait_ready (node, WAIT_MS), DT_SERVER_CORRUPT);
    ck_assert_int_eq (dt_server_stop (&node, WAIT_MS), 0);
    ck_assert_int_eq (s_start (&node, "b", NULL, 0), 0); // others are not concerned
    ck_assert_int_eq (dt_server_wait_ready (node, WAIT_MS), 0);
    ck_assert_int_eq (dt_server_stop (&node, WAIT_MS), 0);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("dt_server");
    TCase *tcase = tcase_create ("nodes");
    tcase_add_checked_fixture (tcase, s_set_up, s_tear_down);
    tcase_set_timeout (tcase, 60);
    tcase_add_test (tcase, node_serves_the_process_it_is_in_and_keeps_its_data);
    tcase_add_test (tcase, two_nodes_of_one_process_do_not_share_data);
    tcase_add_test (tcase, three_nodes_of_one_process_are_a_cluster);
    tcase_add_test (tcase, log_goes_to_the_application);
    tcase_add_test (tcase, wrong_settings_are_named);
    tcase_add_test (tcase, directory_in_use_is_refused_and_said);
    tcase_add_test (tcase, rotten_log_is_reported_and_the_process_lives);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
