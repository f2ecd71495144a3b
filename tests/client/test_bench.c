// The load generator: its histogram, and a run of each kind against the fake node.

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/dt_random.h"
#include "dtkv/bench/dtbench_probe.h"
#include "dtkv/bench/dtbench_process.h"
#include "dtkv/bench/dtbench_work.h"
#include "tests/client/client_fixture.h"

START_TEST (bucket_holds_its_value_within_two_percent)
{
    dt_random_t random;
    dt_random_init (&random, 7);
    for (int i = 0; i < 100000; i++) {
        uint64_t value = dt_random_next (&random) >> (24 + dt_random_below (&random, 40));
        uint32_t bucket = dtbench_histogram_bucket (value);
        ck_assert_uint_lt (bucket, DTBENCH_HISTOGRAM_BUCKETS);
        uint64_t end = dtbench_histogram_bucket_end (bucket);
        ck_assert_uint_ge (end, value);
        ck_assert_uint_le (end - value, value / 50);
        ck_assert (bucket == 0 || dtbench_histogram_bucket_end (bucket - 1) < value);
    }
    ck_assert_uint_lt (dtbench_histogram_bucket (UINT64_MAX), DTBENCH_HISTOGRAM_BUCKETS);
}
END_TEST

START_TEST (quantiles_of_a_thousand_values)
{
    dtbench_histogram_t *one = calloc (1, sizeof *one), *two = calloc (1, sizeof *two);
    ck_assert_uint_eq (dtbench_histogram_quantile (one, 0.5), 0);
    for (uint64_t i = 1; i <= 1000; i++) {
        dtbench_histogram_add (i % 2 ? one : two, i * 1000);
    }
    dtbench_histogram_merge (one, two);
    ck_assert_uint_eq (one->count, 1000);
    ck_assert_uint_eq (one->max, 1000000);
    uint64_t median = dtbench_histogram_quantile (one, 0.5);
    ck_assert (median >= 500000 && median <= 510000);
    uint64_t high = dtbench_histogram_quantile (one, 0.99);
    ck_assert (high >= 990000 && high <= 1000000);
    ck_assert_uint_eq (dtbench_histogram_quantile (one, 1.0), 1000000);
    free (one);
    free (two);
}
END_TEST

static dtbench_histogram_t latencies;
static uint64_t failures[DTBENCH_CODES];

static dtbench_options_t s_options (fake_server_t *server)
{
    char *arguments[] = {"dtbench", NULL};
    dtbench_options_t options;
    optind = 0;
    ck_assert_int_eq (dtbench_options_parse (&options, 1, arguments), 0);
    options.endpoint = fake_server_endpoint (server);
    options.key_count = 50;
    options.pending_max = 20;
    return options;
}

static uint64_t s_failed (void)
{
    uint64_t failed = 0;
    for (int code = 0; code < DTBENCH_CODES; code++) {
        failed += failures[code];
    }
    return failed;
}

// Run until the node saw some requests of the operation in the measured phase.
static void s_run (const dtbench_options_t *options, fake_server_t *server)
{
    uint32_t operation = options->get ? DT_OPERATION_GET : DT_OPERATION_PUT;
    dtbench_work_t *work = dtbench_work_new (options);
    ck_assert_ptr_nonnull (work);
    dtbench_work_start (work);
    ck_assert (fake_server_wait (server, operation, 200));
    dtbench_work_measure (work);
    ck_assert (fake_server_wait (server, operation, fake_server_count (server, operation) + 200));
    dtbench_work_stop (work);
    dtbench_work_collect (work, &latencies, failures);
    ck_assert_uint_eq (dtbench_work_done (work), fake_server_count (server, operation));
    dtbench_work_destroy (&work);
}

START_TEST (every_mode_completes_what_it_sends)
{
    for (int mode = 0; mode < 6; mode++) {
        fake_server_t *server = fake_server_new (1);
        dtbench_options_t options = s_options (server);
        options.get = mode % 2;
        options.sync = mode == 2;
        options.threads = 3;
        options.plain = mode == 3 || mode == 4;
        options.rate = mode == 5 ? 2000 : 0;
        options.clients = mode == 0 ? 2 : 1;
        s_run (&options, server);
        ck_assert_uint_eq (s_failed (), 0);
        ck_assert_uint_gt (latencies.count, 0);
        fake_server_destroy (&server);
    }
}
END_TEST

START_TEST (failures_are_counted_by_code)
{
    fake_server_t *server = fake_server_new (1);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_CODE,
                                            .code = DT_DENIED,
                                            .operation = DT_OPERATION_PUT,
                                            .times = 7});
    dtbench_options_t options = s_options (server);
    s_run (&options, server);
    ck_assert_uint_eq (failures[DT_DENIED], 7);
    ck_assert_uint_eq (s_failed (), 7);
    fake_server_destroy (&server);
}
END_TEST

START_TEST (value_of_another_size_is_a_failure)
{
    fake_server_t *server = fake_server_new (1);
    dtbench_options_t options = s_options (server);
    options.get = true;
    dtbench_work_t *work = dtbench_work_new (&options); // writes the keys
    dtbench_work_destroy (&work);
    options.no_preload = true;
    options.value_bytes = 255;
    s_run (&options, server);
    ck_assert_uint_gt (failures[DTBENCH_CODE_WRONG_VALUE], 0);
    ck_assert_uint_eq (latencies.count, 0);
    fake_server_destroy (&server);
}
END_TEST

START_TEST (content_of_another_key_is_found)
{
    fake_server_t *server = fake_server_new (1);
    dtbench_options_t options = s_options (server);
    options.get = options.no_preload = true;
    dt_client_options_t client_options = fixture_options (server, NULL);
    dt_client_t *client = fixture_open (&client_options);
    uint8_t value[256 + 8];
    dtbench_fill_value (&options, 1000, value);
    for (int key = 0; key < 50; key++) {
        char path[40];
        snprintf (path, sizeof path, "benchmark.key%d", key);
        ck_assert_int_eq (dt_client_put (client, dt_text (path), dt_bytes (value, 256), NULL, NULL),
                          0);
    }
    dt_client_close (&client);
    s_run (&options, server);
    ck_assert_uint_gt (failures[DTBENCH_CODE_WRONG_VALUE], 0);
    fake_server_destroy (&server);
}
END_TEST

START_TEST (probe_measures_echo_and_disk)
{
    char directory[] = "/tmp/dtbench-XXXXXX";
    ck_assert_ptr_nonnull (mkdtemp (directory));
    dtbench_probe_t probe = {0};
    ck_assert_int_eq (dtbench_probe_run (&probe, directory, 0.2), 0);
    ck_assert (probe.echo_rate > 0);
    ck_assert (probe.echo_one_rate > 0);
    ck_assert (probe.echo_one_us > 0);
    ck_assert (probe.fdatasync_us > 0);
    ck_assert_int_eq (rmdir (directory), 0); // nothing is left in it
    ck_assert_int_eq (dtbench_probe_run (&probe, directory, 0.1), -1);
}
END_TEST

START_TEST (usage_of_this_process_is_read)
{
    dtbench_usage_t usage;
    ck_assert (dtbench_process_usage (0, &usage));
    ck_assert (usage.rss_bytes > 0);
    ck_assert (usage.rss_bytes_max >= usage.rss_bytes);
    ck_assert (dtbench_process_usage (getpid (), &usage));
    ck_assert (!dtbench_process_usage (INT32_MAX, &usage));
}
END_TEST

int main (void)
{
    const TTest *tests[] = {bucket_holds_its_value_within_two_percent,
                            quantiles_of_a_thousand_values,
                            every_mode_completes_what_it_sends,
                            failures_are_counted_by_code,
                            value_of_another_size_is_a_failure,
                            content_of_another_key_is_found,
                            probe_measures_echo_and_disk,
                            usage_of_this_process_is_read};
    return fixture_run ("bench", tests, sizeof tests / sizeof *tests);
}
