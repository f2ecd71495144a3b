#include "dtkv/bench/dtbench_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char s_help[] =
    "usage: dtbench [run] [options]     measure a node or cluster\n"
    "       dtbench probe [options]     measure the machine: raw echo and disk\n"
    "\n"
    "  --endpoint LIST     tcp://host:port, several with commas (tcp://127.0.0.1:9332)\n"
    "  --group N           raft group; 0: the node's first (0)\n"
    "  --op put|get        (put)\n"
    "  --value-size N      bytes (256)\n"
    "  --key-count N       keys benchmark.key0 .. (10000)\n"
    "  --max-pending N     requests in flight, over all clients (2000)\n"
    "  --clients N         client objects, a connection and an I/O thread each (1)\n"
    "  --async | --sync    callbacks, or a thread per request (async)\n"
    "  --threads N         threads of --sync (1)\n"
    "  --rate R            open loop: R requests a second, timed from when they were due\n"
    "  --plain             one request per message over a plain DEALER\n"
    "  --session           writes are exactly once\n"
    "  --duration S        seconds measured (10)\n"
    "  --warmup S          seconds before (3)\n"
    "  --timeout MS        of a request (5000)\n"
    "  --preload N         write N keys first; gets write --key-count keys without it\n"
    "  --no-preload        write none, for gets of what is there\n"
    "  --seed N            of the choice of keys (1)\n"
    "  --pid PID           the node's process, for its CPU and memory\n"
    "  --probe             run the probe first and print ratios\n"
    "  --probe-seconds S   length of each part of the probe (3)\n"
    "  --dir DIR           where the probe writes (.)\n"
    "  --json              one JSON object on stdout\n"
    "\n"
    "Exit code: 0, 1 if any request failed, 2 for wrong usage, 3 if no node answers.\n";

enum {
    OPTION_ENDPOINT = 256,
    OPTION_GROUP,
    OPTION_OP,
    OPTION_VALUE_SIZE,
    OPTION_KEY_COUNT,
    OPTION_MAX_PENDING,
    OPTION_CLIENTS,
    OPTION_ASYNC,
    OPTION_SYNC,
    OPTION_THREADS,
    OPTION_RATE,
    OPTION_PLAIN,
    OPTION_SESSION,
    OPTION_DURATION,
    OPTION_WARMUP,
    OPTION_TIMEOUT,
    OPTION_PRELOAD,
    OPTION_NO_PRELOAD,
    OPTION_SEED,
    OPTION_PID,
    OPTION_PROBE,
    OPTION_PROBE_SECONDS,
    OPTION_DIR,
    OPTION_JSON,
    OPTION_HELP,
};

static const struct option s_options[] = {
    {"endpoint", required_argument, NULL, OPTION_ENDPOINT},
    {"group", required_argument, NULL, OPTION_GROUP},
    {"op", required_argument, NULL, OPTION_OP},
    {"value-size", required_argument, NULL, OPTION_VALUE_SIZE},
    {"key-count", required_argument, NULL, OPTION_KEY_COUNT},
    {"max-pending", required_argument, NULL, OPTION_MAX_PENDING},
    {"clients", required_argument, NULL, OPTION_CLIENTS},
    {"async", no_argument, NULL, OPTION_ASYNC},
    {"sync", no_argument, NULL, OPTION_SYNC},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"plain", no_argument, NULL, OPTION_PLAIN},
    {"session", no_argument, NULL, OPTION_SESSION},
    {"duration", required_argument, NULL, OPTION_DURATION},
    {"warmup", required_argument, NULL, OPTION_WARMUP},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"preload", required_argument, NULL, OPTION_PRELOAD},
    {"no-preload", no_argument, NULL, OPTION_NO_PRELOAD},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"pid", required_argument, NULL, OPTION_PID},
    {"probe", no_argument, NULL, OPTION_PROBE},
    {"probe-seconds", required_argument, NULL, OPTION_PROBE_SECONDS},
    {"dir", required_argument, NULL, OPTION_DIR},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

// Read a number between two bounds.
static bool s_number (const char *text, double low, double high, double *value)
{
    char *end;
    errno = 0;
    *value = strtod (text, &end);
    return !errno && end != text && *end == 0 && *value >= low && *value <= high;
}

static bool s_uint (const char *text, uint32_t low, uint32_t high, uint32_t *value)
{
    double number;
    if (!s_number (text, low, high, &number) || number != (double) (uint32_t) number) {
        return false;
    }
    *value = (uint32_t) number;
    return true;
}

static bool s_seed (const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull (text, &end, 0);
    return !errno && end != text && *end == 0;
}

static bool s_set_flag (dtbench_options_t *self, int option)
{
    switch (option) {
    case OPTION_ASYNC:
        self->sync = false;
        return true;
    case OPTION_SYNC:
        self->sync = true;
        return true;
    case OPTION_PLAIN:
        self->plain = true;
        return true;
    case OPTION_SESSION:
        self->session = true;
        return true;
    case OPTION_NO_PRELOAD:
        self->no_preload = true;
        return true;
    case OPTION_PROBE:
        self->probe = true;
        return true;
    case OPTION_JSON:
        self->json = true;
        return true;
    default:
        return false;
    }
}

static bool s_set (dtbench_options_t *self, int option, const char *value)
{
    uint32_t number = 0;
    bool well;
    switch (option) {
    case OPTION_ENDPOINT:
        self->endpoint = value;
        return true;
    case OPTION_DIR:
        self->directory = value;
        return true;
    case OPTION_OP:
        self->get = strcmp (value, "get") == 0;
        return self->get || strcmp (value, "put") == 0;
    case OPTION_GROUP:
        return s_uint (value, 0, UINT32_MAX, &self->group);
    case OPTION_VALUE_SIZE:
        return s_uint (value, 0, 1 << 20, &self->value_bytes);
    case OPTION_KEY_COUNT:
        return s_uint (value, 1, 1000000000, &self->key_count);
    case OPTION_MAX_PENDING:
        return s_uint (value, 1, 1000000, &self->pending_max);
    case OPTION_CLIENTS:
        return s_uint (value, 1, 1000, &self->clients);
    case OPTION_THREADS:
        return s_uint (value, 1, 10000, &self->threads);
    case OPTION_RATE:
        return s_number (value, 1, 1e8, &self->rate);
    case OPTION_DURATION:
        return s_number (value, 0.1, 1e6, &self->duration_s);
    case OPTION_WARMUP:
        return s_number (value, 0, 1e6, &self->warmup_s);
    case OPTION_TIMEOUT:
        return s_uint (value, 1, 600000, &self->timeout_ms);
    case OPTION_PRELOAD:
        return s_uint (value, 1, 1000000000, &self->preload);
    case OPTION_SEED:
        return s_seed (value, &self->seed);
    case OPTION_PID:
        well = s_uint (value, 1, INT32_MAX, &number);
        self->pid = (int) number;
        return well;
    case OPTION_PROBE_SECONDS:
        return s_number (value, 0.1, 1000, &self->probe_s);
    default:
        return false;
    }
}

static int s_check (const dtbench_options_t *self)
{
    if (self->sync && (self->rate > 0 || self->plain)) {
        fprintf (stderr, "dtbench: --sync excludes --rate and --plain\n");
        return -1;
    }
    if (self->plain && (self->rate > 0 || self->session)) {
        fprintf (stderr, "dtbench: --plain excludes --rate and --session\n");
        return -1;
    }
    if (self->plain && strchr (self->endpoint, ',')) {
        fprintf (stderr, "dtbench: --plain takes one endpoint, the leader's\n");
        return -1;
    }
    if (self->pending_max < self->clients) {
        fprintf (stderr, "dtbench: --max-pending is below --clients\n");
        return -1;
    }
    return 0;
}

int dtbench_options_parse (dtbench_options_t *self, int argc, char **argv)
{
    *self = (dtbench_options_t){.endpoint = "tcp://127.0.0.1:9332",
                                .value_bytes = 256,
                                .key_count = 10000,
                                .pending_max = 2000,
                                .clients = 1,
                                .threads = 1,
                                .duration_s = 10,
                                .warmup_s = 3,
                                .timeout_ms = 5000,
                                .seed = 1,
                                .directory = ".",
                                .probe_s = 3};
    int option, place;
    while ((option = getopt_long (argc, argv, "h", s_options, &place)) != -1) {
        if (option == OPTION_HELP || option == 'h') {
            fputs (s_help, stdout);
            return 1;
        }
        if (option == '?') {
            return -1;
        }
        if (!s_set_flag (self, option) && !s_set (self, option, optarg)) {
            fprintf (stderr, "dtbench: --%s: wrong value \"%s\"\n", s_options[place].name, optarg);
            return -1;
        }
    }
    for (; optind < argc; optind++) {
        if (strcmp (argv[optind], "probe") == 0) {
            self->probe = self->probe_only = true;
        } else if (strcmp (argv[optind], "run")) {
            fprintf (stderr, "dtbench: no command \"%s\"; see --help\n", argv[optind]);
            return -1;
        }
    }
    return s_check (self);
}
