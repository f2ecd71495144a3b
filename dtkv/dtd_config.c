#include "dtkv/dtd_config.h"

#include <ctype.h>
#include <czmq.h>
#include <errno.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/dtd_members.h"

extern char **environ;

enum { FILE_BYTES_MAX = 64 * 1024, VALUE_BYTES_MAX = 8192 };

typedef enum {
    KIND_TEXT,
    KIND_NUMBER,
    KIND_SIZE,
    KIND_DURATION,
    KIND_CHOICE,
    KIND_GROUPS
} s_kind_t;

typedef enum { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG } s_source_t;

typedef struct {
    const char *name; // as flag and as key in the file
    s_kind_t kind;
    const char *preset;         // default, in the same words a user would use
    uint64_t low, high;         // bounds of a number, size (bytes) or duration (ms)
    const char *const *choices; // of KIND_CHOICE, NULL-ended
    const char *help;
} s_setting_t;

static const char *const s_placements[] = {"auto", "compact", "spread", NULL};
static const char *const s_disks[] = {"auto", "io_uring", "thread", NULL};
static const char *const s_no_yes[] = {"no", "yes", NULL};
static const char *const s_levels[] = {"debug", "info", "warn", "error", NULL};

enum {
    SET_DATA_DIR,
    SET_SERVICE,
    SET_REPLICATE,
    SET_MEMBERS,
    SET_OBSERVERS,
    SET_JOIN,
    SET_ELECTION_TIMEOUT,
    SET_HEARTBEAT,
    SET_READ_LEASE,
    SET_NODE_ID,
    SET_CLUSTER_ID,
    SET_GROUPS,
    SET_PLACEMENT,
    SET_DISK,
    SET_SEGMENT_BYTES,
    SET_SNAPSHOT_AFTER,
    SET_IN_FLIGHT_MAX,
    SET_SESSIONS_MAX,
    SET_MAX_CLIENTS,
    SET_STOP_TIMEOUT,
    SET_LOG_LEVEL,
    SET_LOG_FILE,
    SET_PID_FILE,
    SETTINGS
};

#define KIB UINT64_C (1024)
#define MIB (1024 * KIB)

static const s_setting_t s_settings[SETTINGS] = {
    [SET_DATA_DIR] = {"data-dir", KIND_TEXT, "./data", 1, 0, NULL,
                      "directory of everything the node keeps; made if it is missing"},
    [SET_SERVICE] =
        {"service", KIND_TEXT, "tcp://127.0.0.1:9332", 1, 0, NULL,
         "endpoint for clients; tcp://*:9332 serves every network: only on trusted ones"},
    [SET_REPLICATE] = {"replicate", KIND_TEXT, "", 0, 0, NULL,
                       "endpoint for other nodes, like tcp://10.0.0.1:9331; empty: there are none"},
    [SET_MEMBERS] = {"members", KIND_TEXT, "", 0, 0, NULL,
                     "voters a new group begins with: 1=PEER,SERVICE 2=PEER,SERVICE ...; "
                     "empty: this node alone"},
    [SET_OBSERVERS] = {"observers", KIND_TEXT, "", 0, 0, NULL,
                       "observers a new group begins with, in the same form"},
    [SET_JOIN] = {"join", KIND_CHOICE, "no", 0, 0, s_no_yes,
                  "yes: this node begins nothing and waits until the cluster of `members` adds it"},
    [SET_ELECTION_TIMEOUT] = {"election-time", KIND_DURATION, "1s", 50, 60000, NULL,
                              "silence of a leader after which another is elected, at least"},
    [SET_HEARTBEAT] = {"heartbeat", KIND_DURATION, "100ms", 5, 6000, NULL,
                       "how often a leader shows that it lives"},
    [SET_READ_LEASE] = {"read-lease", KIND_CHOICE, "yes", 0, 0, s_no_yes,
                        "no: linearizable reads always ask a quorum"},
    [SET_NODE_ID] = {"node-id", KIND_NUMBER, "1", 1, UINT32_MAX, NULL, "number of this node"},
    [SET_CLUSTER_ID] = {"cluster-id", KIND_NUMBER, "0", 0, UINT64_MAX, NULL,
                        "number of the cluster; 0: drawn when the data directory is made"},
    [SET_GROUPS] = {"groups", KIND_GROUPS, "1", 1, UINT32_MAX, NULL,
                    "raft groups of this node, separated by commas; the first is the default one"},
    [SET_PLACEMENT] = {"placement", KIND_CHOICE, "auto", 0, 0, s_placements,
                       "compact: all actors on one thread; spread: one thread a subsystem"},
    [SET_DISK] = {"disk", KIND_CHOICE, "auto", 0, 0, s_disks,
                  "how the log reaches the disk; auto: io_uring where the kernel lets us"},
    [SET_SEGMENT_BYTES] = {"segment-size", KIND_SIZE, "64MiB", 64 * KIB, 1024 * MIB, NULL,
                           "size of one log file, a multiple of 4KiB"},
    [SET_SNAPSHOT_AFTER] = {"snapshot-after", KIND_SIZE, "512MiB", 64 * KIB, 1024 * 1024 * MIB,
                            NULL, "log written since the last snapshot before the next is taken"},
    [SET_IN_FLIGHT_MAX] = {"in-flight-max", KIND_NUMBER, "200000", 1, 10000000, NULL,
                           "requests accepted and not yet answered; more are answered BUSY"},
    [SET_SESSIONS_MAX] = {"sessions-max", KIND_NUMBER, "100000", 1, 1000000, NULL,
                          "sessions of a group"},
    [SET_MAX_CLIENTS] = {"max-clients", KIND_NUMBER, "10000", 1, 100000, NULL,
                         "connections to make room for (open files)"},
    [SET_STOP_TIMEOUT] = {"stop-timeout", KIND_DURATION, "30s", 100, 600000, NULL,
                          "how long an orderly stop may take"},
    [SET_LOG_LEVEL] = {"log-level", KIND_CHOICE, "info", 0, 0, s_levels,
                       "least level that is logged"},
    [SET_LOG_FILE] = {"log-file", KIND_TEXT, "", 0, 0, NULL,
                      "where log lines go; empty: standard error"},
    [SET_PID_FILE] = {"pid-file", KIND_TEXT, "", 0, 0, NULL, "file to write the process id to"},
};

// The text of each setting and where it came from; the last one set wins.
typedef struct dtd_config_texts {
    char *values[SETTINGS];
    s_source_t sources[SETTINGS];
} s_texts_t;

static int s_usage (const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    fprintf (stderr, "dtd: ");
    vfprintf (stderr, format, arguments);
    fprintf (stderr, "\n");
    va_end (arguments);
    return DT_ERR_USAGE;
}

static int s_find (const char *name, size_t bytes)
{
    for (int i = 0; i < SETTINGS; i++) {
        if (strlen (s_settings[i].name) == bytes &&
            strncmp (s_settings[i].name, name, bytes) == 0) {
            return i;
        }
    }
    return -1;
}

static int s_set (s_texts_t *texts, int at, const char *value, s_source_t source)
{
    if (strlen (value) > VALUE_BYTES_MAX) {
        return s_usage ("%s: the value is over %d bytes", s_settings[at].name, VALUE_BYTES_MAX);
    }
    free (texts->values[at]);
    texts->values[at] = dt_strdup (value);
    texts->sources[at] = source;
    return 0;
}

// --- sources -------------------------------------------------------------------------------------

static int s_read_file (s_texts_t *texts, const char *path)
{
    FILE *file = fopen (path, "rb");
    if (!file) {
        return s_usage ("cannot read configuration file %s: %s", path, strerror (errno));
    }
    char *text = dt_malloc (FILE_BYTES_MAX + 1);
    size_t bytes = fread (text, 1, FILE_BYTES_MAX + 1, file);
    fclose (file);
    int rc = 0;
    if (bytes > FILE_BYTES_MAX) {
        rc = s_usage ("configuration file %s is over %d bytes", path, FILE_BYTES_MAX);
    }
    for (size_t i = 0; rc == 0 && i < bytes; i++) {
        unsigned char c = (unsigned char) text[i];
        if (c == 0 || (c < ' ' && c != '\n' && c != '\r' && c != '\t')) {
            rc = s_usage ("configuration file %s is no text: byte %zu is 0x%02x", path, i, c);
        }
    }
    zconfig_t *root = NULL;
    if (rc == 0) {
        zchunk_t *chunk = zchunk_new (text, bytes);
        root = zconfig_chunk_load (chunk);
        zchunk_destroy (&chunk);
        if (!root) {
            rc = s_usage ("configuration file %s is not ZPL; write lines like: data-dir = ./data",
                          path);
        }
    }
    free (text);
    for (zconfig_t *item = root ? zconfig_child (root) : NULL; rc == 0 && item;
         item = zconfig_next (item)) {
        const char *name = zconfig_name (item);
        int at = s_find (name, strlen (name));
        if (at < 0 || zconfig_child (item)) {
            rc = s_usage ("%s: unknown key '%s'; dtd --help lists the settings", path, name);
        } else {
            rc = s_set (texts, at, zconfig_value (item) ? zconfig_value (item) : "", SOURCE_FILE);
        }
    }
    zconfig_destroy (&root);
    return rc;
}

static int s_read_environment (s_texts_t *texts, const char **config_file)
{
    for (char **variable = environ; *variable; variable++) {
        if (strncmp (*variable, "DTD_", 4) != 0) {
            continue;
        }
        const char *value = strchr (*variable, '=');
        size_t bytes = value ? (size_t) (value - *variable) - 4 : 0;
        char name[64];
        if (!value || bytes >= sizeof name) {
            return s_usage ("unknown environment variable %s", *variable);
        }
        for (size_t i = 0; i < bytes; i++) {
            char c = (*variable)[4 + i];
            name[i] = c == '_' ? '-' : (char) tolower ((unsigned char) c);
        }
        name[bytes] = 0;
        if (strcmp (name, "config") == 0) {
            *config_file = value + 1;
            continue;
        }
        int at = s_find (name, bytes);
        if (at < 0) {
            return s_usage ("unknown environment variable DTD_%.*s; dtd --help lists the settings",
                            (int) bytes, *variable + 4);
        }
        int rc = s_set (texts, at, value + 1, SOURCE_ENVIRONMENT);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static bool s_read_switch (dtd_config_t *self, const char *flag)
{
    const struct {
        const char *name;
        bool *target;
    } switches[] = {
        {"check-config", &self->check_config},
        {"print-config", &self->print_config},
        {"help", &self->help},
        {"version", &self->version},
    };
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        if (strcmp (flag, switches[i].name) == 0) {
            *switches[i].target = true;
            return true;
        }
    }
    return false;
}

static int s_read_flags (dtd_config_t *self, s_texts_t *texts, int argc, char **argv,
                         const char **config_file)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp (argv[i], "--", 2) != 0) {
            return s_usage ("unexpected argument '%s'; see dtd --help", argv[i]);
        }
        const char *flag = argv[i] + 2;
        if (s_read_switch (self, flag)) {
            continue;
        }
        const char *equals = strchr (flag, '=');
        size_t bytes = equals ? (size_t) (equals - flag) : strlen (flag);
        bool is_config = bytes == 6 && strncmp (flag, "config", 6) == 0;
        int at = s_find (flag, bytes);
        if (at < 0 && !is_config) {
            return s_usage ("unknown flag '%s'; dtd --help lists the settings", argv[i]);
        }
        if (!equals && i + 1 == argc) {
            return s_usage ("--%s needs a value", flag);
        }
        const char *value = equals ? equals + 1 : argv[++i];
        if (is_config) {
            *config_file = value;
        } else {
            int rc = s_set (texts, at, value, SOURCE_FLAG);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

// Read one source over another: what a stronger source has set stays.
static int s_read_file_below (s_texts_t *texts, const char *path)
{
    s_texts_t file = {0};
    int rc = s_read_file (&file, path);
    for (int i = 0; i < SETTINGS; i++) {
        if (rc == 0 && file.values[i] && !texts->values[i]) {
            texts->values[i] = file.values[i];
            texts->sources[i] = SOURCE_FILE;
        } else {
            free (file.values[i]);
        }
    }
    return rc;
}

// --- values --------------------------------------------------------------------------------------

typedef struct {
    const char *suffix;
    uint64_t factor;
} s_unit_t;

static const s_unit_t s_size_units[] = {
    {"", 1}, {"KiB", KIB}, {"MiB", MIB}, {"GiB", 1024 * MIB}, {NULL, 0}};
static const s_unit_t s_duration_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {NULL, 0}};
static const s_unit_t s_number_units[] = {{"", 1}, {NULL, 0}};

static int s_parse_number (const s_setting_t *setting, const char *text, const s_unit_t *units,
                           const char *example, uint64_t *number)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull (text, &end, 10);
    uint64_t factor = 0;
    for (const s_unit_t *unit = units; unit->suffix; unit++) {
        if (strcmp (end, unit->suffix) == 0) {
            factor = unit->factor;
        }
    }
    if (end == text || !isdigit ((unsigned char) text[0]) || errno != 0 || factor == 0) {
        return s_usage ("%s: '%s' is not a value like %s", setting->name, text, example);
    }
    if (value > UINT64_MAX / factor || value * factor < setting->low ||
        value * factor > setting->high) {
        return s_usage ("%s: %s is outside of %llu .. %llu", setting->name, text,
                        (unsigned long long) setting->low, (unsigned long long) setting->high);
    }
    *number = value * factor;
    return 0;
}

static int s_parse_choice (const s_setting_t *setting, const char *text, int *choice)
{
    for (int i = 0; setting->choices[i]; i++) {
        if (strcmp (setting->choices[i], text) == 0) {
            *choice = i;
            return 0;
        }
    }
    char list[256] = "";
    for (int i = 0; setting->choices[i]; i++) {
        size_t used = strlen (list);
        snprintf (list + used, sizeof list - used, "%s%s", i ? ", " : "", setting->choices[i]);
    }
    return s_usage ("%s: '%s' is none of: %s", setting->name, text, list);
}

static int s_parse_groups (dtd_config_t *self, const s_setting_t *setting, const char *text)
{
    char *copy = dt_strdup (text);
    char *place = copy;
    char *part;
    int rc = 0;
    while (rc == 0 && (part = strsep (&place, ","))) {
        uint64_t id = 0;
        rc = s_parse_number (setting, part, s_number_units, "1 or 1,2,3", &id);
        for (size_t i = 0; rc == 0 && i < self->groups_count; i++) {
            if (self->groups[i] == id) {
                rc = s_usage ("groups: %s stands there twice", part);
            }
        }
        if (rc == 0 && self->groups_count == DTD_GROUPS_MAX) {
            rc = s_usage ("groups: more than %d", DTD_GROUPS_MAX);
        }
        if (rc == 0) {
            self->groups[self->groups_count++] = (uint32_t) id;
        }
    }
    free (copy);
    return rc;
}

static int s_add_members (dtd_config_t *self, const s_texts_t *texts, int at)
{
    const char *place = NULL;
    const char *why = NULL;
    int rc =
        dtd_members_parse (texts->values[at], at == SET_OBSERVERS, self->members, &place, &why);
    return rc == 0 ? 0 : s_usage ("%s: '%.60s': %s", s_settings[at].name, place, why);
}

// Who begins a new group: the members named, or this node alone.
static int s_convert_cluster (dtd_config_t *self, const s_texts_t *texts, const uint64_t *numbers,
                              const int *choices)
{
    self->node_id = (uint32_t) numbers[SET_NODE_ID];
    self->cluster_id = numbers[SET_CLUSTER_ID];
    self->replicate = dt_strdup (texts->values[SET_REPLICATE]);
    self->join = choices[SET_JOIN] == 1;
    self->election_timeout_ms = (uint32_t) numbers[SET_ELECTION_TIMEOUT];
    self->heartbeat_ms = (uint32_t) numbers[SET_HEARTBEAT];
    self->read_lease = choices[SET_READ_LEASE] == 1;
    self->members = dt_zalloc (1, sizeof *self->members);
    if (self->heartbeat_ms * 3 > self->election_timeout_ms) {
        return s_usage ("heartbeat: at most a third of election-time, or a lost one elects another "
                        "leader");
    }
    int rc = s_add_members (self, texts, SET_MEMBERS);
    if (rc == 0) {
        rc = s_add_members (self, texts, SET_OBSERVERS);
    }
    if (rc != 0) {
        return rc;
    }
    bool named = self->members->voters.count > 0;
    if (!named && self->members->observers.count > 0) {
        return s_usage ("observers: name the voters too, by members");
    }
    if (self->join && !named) {
        return s_usage ("join: name nodes of the cluster to join, by members");
    }
    if (self->join && raft_config_is_member (self->members, self->node_id)) {
        return s_usage (
            "join: node %u (node-id) is named among the members; a node that joins is none "
            "yet",
            self->node_id);
    }
    if ((named || self->join) && !*self->replicate) {
        return s_usage ("replicate: give this node an endpoint for other nodes, like "
                        "tcp://127.0.0.1:9331");
    }
    if ((named || self->join) && self->cluster_id == 0) {
        return s_usage ("cluster-id: give all nodes of a cluster the same number, not 0");
    }
    if (named && !self->join && !raft_config_is_member (self->members, self->node_id)) {
        return s_usage ("members: node %u (node-id) is not among them", self->node_id);
    }
    if (!named && !self->join) {
        raft_node_info_t me = {.id = self->node_id};
        raft_node_list_add (&self->members->voters, self->node_id);
        if (*self->replicate && strlen (self->replicate) <= RAFT_ENDPOINT_BYTES_MAX &&
            strlen (texts->values[SET_SERVICE]) <= RAFT_ENDPOINT_BYTES_MAX) {
            strcpy (me.peer, self->replicate);
            strcpy (me.service, texts->values[SET_SERVICE]);
            raft_config_describe (self->members, &me);
        }
    }
    return 0;
}

static int s_convert (dtd_config_t *self, const s_texts_t *texts)
{
    uint64_t numbers[SETTINGS] = {0};
    int choices[SETTINGS] = {0};
    for (int i = 0; i < SETTINGS; i++) {
        const s_setting_t *setting = &s_settings[i];
        const char *text = texts->values[i];
        int rc = 0;
        switch (setting->kind) {
        case KIND_TEXT:
            if (setting->low && !*text) {
                rc = s_usage ("%s must not be empty", setting->name);
            }
            break;
        case KIND_NUMBER:
            rc = s_parse_number (setting, text, s_number_units, setting->preset, &numbers[i]);
            break;
        case KIND_SIZE:
            rc = s_parse_number (setting, text, s_size_units, setting->preset, &numbers[i]);
            break;
        case KIND_DURATION:
            rc = s_parse_number (setting, text, s_duration_units, setting->preset, &numbers[i]);
            break;
        case KIND_CHOICE:
            rc = s_parse_choice (setting, text, &choices[i]);
            break;
        case KIND_GROUPS:
            rc = s_parse_groups (self, setting, text);
            break;
        }
        if (rc != 0) {
            return rc;
        }
    }
    if (numbers[SET_SEGMENT_BYTES] % 4096 != 0) {
        return s_usage ("segment-size must be a multiple of 4KiB");
    }
    int rc = s_convert_cluster (self, texts, numbers, choices);
    if (rc != 0) {
        return rc;
    }
    self->data_dir = dt_strdup (texts->values[SET_DATA_DIR]);
    self->service = dt_strdup (texts->values[SET_SERVICE]);
    self->log_file = dt_strdup (texts->values[SET_LOG_FILE]);
    self->pid_file = dt_strdup (texts->values[SET_PID_FILE]);
    self->placement = (dtd_placement_t) choices[SET_PLACEMENT];
    self->disk = (dtd_disk_t) choices[SET_DISK];
    self->segment_bytes = numbers[SET_SEGMENT_BYTES];
    self->snapshot_after_bytes = numbers[SET_SNAPSHOT_AFTER];
    self->in_flight_max = numbers[SET_IN_FLIGHT_MAX];
    self->sessions_max = numbers[SET_SESSIONS_MAX];
    self->max_clients = numbers[SET_MAX_CLIENTS];
    self->stop_timeout_ms = numbers[SET_STOP_TIMEOUT];
    self->log_level = (dt_log_level_t) choices[SET_LOG_LEVEL];
    return 0;
}

// --- the whole -----------------------------------------------------------------------------------

int dtd_config_load (dtd_config_t *self, int argc, char **argv)
{
    *self = (dtd_config_t){0};
    s_texts_t *texts = dt_zalloc (1, sizeof *texts);
    self->texts = texts;
    const char *config_file = NULL;
    int rc = s_read_environment (texts, &config_file);
    if (rc == 0) {
        rc = s_read_flags (self, texts, argc, argv, &config_file);
    }
    if (rc == 0 && config_file) {
        rc = s_read_file_below (texts, config_file);
    }
    for (int i = 0; rc == 0 && i < SETTINGS; i++) {
        if (!texts->values[i]) {
            rc = s_set (texts, i, s_settings[i].preset, SOURCE_DEFAULT);
        }
    }
    return rc == 0 ? s_convert (self, texts) : rc;
}

void dtd_config_print (const dtd_config_t *self)
{
    static const char *const sources[] = {"default", "file", "environment", "flag"};
    for (int i = 0; i < SETTINGS; i++) {
        printf ("%-15s = %-32s # %s\n", s_settings[i].name, self->texts->values[i],
                sources[self->texts->sources[i]]);
    }
}

void dtd_config_help (void)
{
    printf (
        "usage: dtd [--config FILE] [--SETTING VALUE]...\n"
        "       dtd --check-config | --print-config | --help | --version\n\n"
        "Runs one node: keeps a tree of keys and values durably under data-dir and serves it to\n"
        "clients on ZeroMQ (docs/PROTOCOL.md). Stop it with SIGTERM: what it accepted is "
        "answered.\n\n"
        "A flag beats the environment (DTD_DATA_DIR for data-dir), that the file (ZPL: lines like\n"
        "`data-dir = /var/lib/dongting`), that the default.\n\nsettings:\n");
    for (int i = 0; i < SETTINGS; i++) {
        printf ("  --%-15s %s (%s%s)\n", s_settings[i].name, s_settings[i].help,
                *s_settings[i].preset ? "default " : "default: empty", s_settings[i].preset);
    }
    printf ("\nexamples:\n"
            "  dtd --data-dir /var/lib/dongting\n"
            "  dtd --config /etc/dongting/dtd.zpl --log-level debug\n"
            "  dtd --node-id 1 --cluster-id 7 --data-dir ./1 --replicate tcp://127.0.0.1:9331 \\\n"
            "      --members \"1=tcp://127.0.0.1:9331,tcp://127.0.0.1:9332 "
            "2=tcp://127.0.0.1:9341,tcp://127.0.0.1:9342 ...\"\n"
            "  DTD_SERVICE=tcp://127.0.0.1:7000 dtd --data-dir ./a --groups 1,2\n"
            "\nexit codes: 0 stopped in order, 1 failed, 2 usage or configuration, 9 data corrupt, "
            "10 in use\n");
}

void dtd_config_deinit (dtd_config_t *self)
{
    for (int i = 0; self->texts && i < SETTINGS; i++) {
        free (self->texts->values[i]);
    }
    free (self->texts);
    free (self->data_dir);
    free (self->service);
    free (self->replicate);
    free (self->members);
    free (self->log_file);
    free (self->pid_file);
    *self = (dtd_config_t){0};
}
