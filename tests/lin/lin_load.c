// lin_load - load a cluster and write the history of it.
//
// usage: lin_load --endpoints tcp://a:1,tcp://b:2 --out FILE [--clients 6] [--seconds 5] [--keys 4]
// [--directory lin]
//                 [--rate 150] [--timeout-ms 3000] [--final-ms 30000] [--seed 1]
//
// Each client is a thread with a session of its own that prefers another endpoint and asks one
// thing at a time. After the last of them, one reads all keys: that settles what happened to writes
// without an answer. Prints one line of counts. Exit code: 0 the history is written, 1 it is not,
// 2 wrong usage, 3 a node answered what no store answers.

#include "tests/lin/lin_load.h"

#include <getopt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool s_number (const char *text, uint64_t max, uint64_t *number)
{
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    *number = strtoull (text, &end, 10);
    return *end == 0 && *number <= max;
}

static bool s_small (const char *name, const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t number;
    if (!s_number (text, max, &number) || number < min) {
        fprintf (stderr, "lin_load: --%s %s: give a number from %u to %u\n", name, text, min, max);
        return false;
    }
    *out = (uint32_t) number;
    return true;
}

static bool s_endpoints (load_options_t *options, const char *text)
{
    options->endpoint_count = 0;
    while (*text) {
        size_t bytes = strcspn (text, ",");
        if (bytes == 0 || bytes >= sizeof options->endpoints[0] ||
            options->endpoint_count == LOAD_ENDPOINTS_MAX) {
            fprintf (stderr, "lin_load: --endpoints: 1 to %d of at most 127 bytes, with commas\n",
                     LOAD_ENDPOINTS_MAX);
            return false;
        }
        memcpy (options->endpoints[options->endpoint_count], text, bytes);
        options->endpoints[options->endpoint_count++][bytes] = 0;
        text += bytes + (text[bytes] == ',');
    }
    return true;
}

static bool s_option (load_options_t *options, int option, const char *name, const char *text)
{
    switch (option) {
    case 'e':
        return s_endpoints (options, text);
    case 'o':
        options->out = text;
        return true;
    case 'd':
        options->directory = text;
        return strlen (text) > 0 && strlen (text) <= LOAD_DIRECTORY_BYTES_MAX;
    case 'c':
        return s_small (name, text, 1, LOAD_CLIENTS_MAX, &options->clients);
    case 's':
        return s_small (name, text, 1, LOAD_SECONDS_MAX, &options->seconds);
    case 'k':
        return s_small (name, text, 1, LOAD_KEYS_MAX, &options->keys);
    case 'r':
        return s_small (name, text, 1, LOAD_RATE_MAX, &options->rate);
    case 't':
        return s_small (name, text, 10, LOAD_TIMEOUT_MS_MAX, &options->timeout_ms);
    case 'f':
        return s_small (name, text, 0, LOAD_TIMEOUT_MS_MAX, &options->final_ms);
    case 'S':
        return s_number (text, UINT64_MAX, &options->seed);
    default:
        return false;
    }
}

static bool s_options (load_options_t *options, int argc, char **argv)
{
    static const struct option names[] = {{"endpoints", 1, NULL, 'e'}, {"out", 1, NULL, 'o'},
                                          {"clients", 1, NULL, 'c'},   {"seconds", 1, NULL, 's'},
                                          {"keys", 1, NULL, 'k'},      {"rate", 1, NULL, 'r'},
                                          {"seed", 1, NULL, 'S'},      {"timeout-ms", 1, NULL, 't'},
                                          {"final-ms", 1, NULL, 'f'},  {"directory", 1, NULL, 'd'},
                                          {NULL, 0, NULL, 0}};
    int which = 0;
    for (int option; (option = getopt_long (argc, argv, "", names, &which)) != -1;) {
        if (!s_option (options, option, option == '?' ? "" : names[which].name, optarg)) {
            return false;
        }
    }
    return optind == argc && options->endpoint_count > 0 && options->out;
}

static void s_pause (uint64_t ns)
{
    struct timespec time = {.tv_sec = (time_t) (ns / 1000000000), .tv_nsec = ns % 1000000000};
    nanosleep (&time, NULL);
}

static void *s_run (void *argument)
{
    load_client_t *self = argument;
    const load_options_t *options = self->shared->options;
    uint64_t end = self->shared->end_ns;
    while (load_now_ns () < end && load_client_open (self, options->timeout_ms) != DT_SUCCESS) {
        s_pause (20000000);
    }
    uint64_t period = 1000000000u / options->rate;
    size_t ops_max = LIN_OPS_MAX / (options->clients + 1) - LOAD_KEYS_MAX;
    while (self->client && load_now_ns () < end && self->history.count < ops_max &&
           !self->problem) {
        load_client_step (self);
        s_pause (dt_random_below (&self->random, 2 * period) + 1);
    }
    dt_client_close (&self->client);
    return NULL;
}

// What is known in the end, asked until it is answered.
static void s_final (load_client_t *self)
{
    uint32_t final_ms = self->shared->options->final_ms;
    if (final_ms && load_client_open (self, final_ms) == DT_SUCCESS) {
        load_client_read_all (self);
        dt_client_close (&self->client);
    }
}

static void s_count (const lin_history_t *history)
{
    size_t answered = 0, none = 0, unknown = 0, writes = 0;
    for (size_t i = 0; i < history->count; i++) {
        const lin_op_t *op = &history->ops[i];
        none += op->outcome == LIN_NONE;
        unknown += op->outcome == LIN_UNKNOWN;
        bool done = op->outcome != LIN_NONE && op->outcome != LIN_UNKNOWN;
        answered += done;
        writes += done && !lin_op_is_read (op);
    }
    printf ("answered=%zu writes=%zu none=%zu unknown=%zu\n", answered, writes, none, unknown);
}

static int s_save (load_client_t *clients, uint32_t count, const load_options_t *options)
{
    lin_history_t all;
    load_history_init (&all, options->keys);
    int rc = 0;
    for (uint32_t i = 0; i < count && !rc; i++) {
        const lin_history_t *one = &clients[i].history;
        for (size_t j = 0; j < one->count && !rc; j++) {
            const char *why;
            rc = lin_history_add (&all, &one->ops[j], one->items + one->ops[j].item_at, &why);
        }
    }
    FILE *out = rc ? NULL : fopen (options->out, "w");
    if (out) {
        fprintf (out, "# lin_load, seed %llu\n", (unsigned long long) options->seed);
        lin_history_print (&all, out);
        rc = ferror (out);
        rc |= fclose (out);
    }
    s_count (&all);
    lin_history_deinit (&all);
    if (!out || rc) {
        fprintf (stderr, "lin_load: cannot write %s, or too many operations\n", options->out);
        return 1;
    }
    return 0;
}

static int s_load (const load_options_t *options)
{
    load_shared_t shared = {.options = options, .next_value = 1};
    shared.end_ns = load_now_ns () + (uint64_t) options->seconds * 1000000000u;
    static load_client_t clients[LOAD_CLIENTS_MAX + 1];
    pthread_t threads[LOAD_CLIENTS_MAX];
    uint32_t started = 0;
    for (uint32_t i = 0; i <= options->clients; i++) {
        clients[i] = (load_client_t){.shared = &shared, .number = i + 1};
        clients[i].node = 1 + i % options->endpoint_count;
        dt_random_init (&clients[i].random, options->seed * 1000 + i);
        load_history_init (&clients[i].history, options->keys);
    }
    while (started < options->clients &&
           pthread_create (&threads[started], NULL, s_run, &clients[started]) == 0) {
        started++;
    }
    for (uint32_t i = 0; i < started; i++) {
        pthread_join (threads[i], NULL);
    }
    s_final (&clients[options->clients]);
    int code = s_save (clients, options->clients + 1, options);
    for (uint32_t i = 0; i <= options->clients; i++) {
        if (clients[i].problem) {
            fprintf (stderr, "lin_load: client %u was given %s\n", i + 1, clients[i].problem);
            code = 3;
        }
        lin_history_deinit (&clients[i].history);
    }
    return code;
}

int main (int argc, char **argv)
{
    load_options_t options = {.clients = 6,
                              .keys = 4,
                              .seconds = 5,
                              .rate = 150,
                              .timeout_ms = 3000,
                              .final_ms = 30000,
                              .directory = "lin",
                              .seed = 1};
    if (!s_options (&options, argc, argv)) {
        fprintf (stderr, "usage: lin_load --endpoints tcp://a:1,tcp://b:2 --out FILE [--clients 6] "
                         "[--seconds 5] [--keys 4] [--rate 150] [--timeout-ms 3000] "
                         "[--final-ms 30000] [--directory lin] [--seed 1]\n");
        return 2;
    }
    return s_load (&options);
}
