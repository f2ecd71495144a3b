#include "dtkv/node/node_config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/node/node_members.h"

enum { VALUE_BYTES_MAX = 8192 };

typedef enum {
    KIND_TEXT,
    KIND_NUMBER,
    KIND_SIZE,
    KIND_DURATION,
    KIND_CHOICE,
    KIND_GROUPS
} s_kind_t;

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
    SET_HISTORY_BYTES_MAX,
    SET_WATCHES_MAX,
    SET_MAX_CLIENTS,
    SET_STOP_TIMEOUT,
    SET_LOG_LEVEL,
    SET_LOG_FILE,
    SET_PID_FILE,
    SETTINGS
};

_Static_assert((int) SETTINGS == NODE_SETTINGS, "NODE_SETTINGS counts the table");

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
    [SET_HISTORY_BYTES_MAX] = {"history-bytes-max", KIND_SIZE, "16MiB", 0, 1024 * 1024 * MIB, NULL,
                               "memory for the last changes of a group, which watches are served "
                               "from; 0: none, and no watches"},
    [SET_WATCHES_MAX] = {"watches-max", KIND_NUMBER, "1000000", 0, 100000000, NULL,
                         "watches of a group on this node"},
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

int node_complain (node_complaint_t *why, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (why->text, sizeof why->text, format, arguments);
    va_end (arguments);
    return DT_ERR_USAGE;
}

int node_setting_find (const char *name, size_t bytes)
{
    for (int i = 0; i < SETTINGS; i++) {
        if (strlen (s_settings[i].name) == bytes &&
            strncmp (s_settings[i].name, name, bytes) == 0) {
            return i;
        }
    }
    return -1;
}

int node_setting_set (node_texts_t *texts, int at, const char *value, node_source_t source,
                      node_complaint_t *why)
{
    if (strlen (value) > VALUE_BYTES_MAX) {
        return node_complain (why, "%s: the value is over %d bytes", s_settings[at].name,
                              VALUE_BYTES_MAX);
    }
    free (texts->values[at]);
    texts->values[at] = dt_strdup (value);
    texts->sources[at] = source;
    return 0;
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
                           const char *example, uint64_t *number, node_complaint_t *why)
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
        return node_complain (why, "%s: '%s' is not a value like %s", setting->name, text, example);
    }
    if (value > UINT64_MAX / factor || value * factor < setting->low ||
        value * factor > setting->high) {
        return node_complain (why, "%s: %s is outside of %llu .. %llu", setting->name, text,
                              (unsigned long long) setting->low,
                              (unsigned long long) setting->high);
    }
    *number = value * factor;
    return 0;
}

static int s_parse_choice (const s_setting_t *setting, const char *text, int *choice,
                           node_complaint_t *why)
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
    return node_complain (why, "%s: '%s' is none of: %s", setting->name, text, list);
}

static int s_parse_groups (node_config_t *self, const s_setting_t *setting, const char *text,
                           node_complaint_t *why)
{
    char *copy = dt_strdup (text);
    char *place = copy;
    char *part;
    int rc = 0;
    while (rc == 0 && (part = strsep (&place, ","))) {
        uint64_t id = 0;
        rc = s_parse_number (setting, part, s_number_units, "1 or 1,2,3", &id, why);
        for (size_t i = 0; rc == 0 && i < self->groups_count; i++) {
            if (self->groups[i] == id) {
                rc = node_complain (why, "groups: %s stands there twice", part);
            }
        }
        if (rc == 0 && self->groups_count == NODE_GROUPS_MAX) {
            rc = node_complain (why, "groups: more than %d", NODE_GROUPS_MAX);
        }
        if (rc == 0) {
            self->groups[self->groups_count++] = (uint32_t) id;
        }
    }
    free (copy);
    return rc;
}

static int s_add_members (node_config_t *self, const node_texts_t *texts, int at,
                          node_complaint_t *why)
{
    const char *place = NULL;
    const char *reason = NULL;
    int rc =
        node_members_parse (texts->values[at], at == SET_OBSERVERS, self->members, &place, &reason);
    return rc == 0 ? 0 : node_complain (why, "%s: '%.60s': %s", s_settings[at].name, place, reason);
}

// Who begins a new group: the members named, or this node alone.
static int s_convert_cluster (node_config_t *self, const node_texts_t *texts,
                              const uint64_t *numbers, const int *choices, node_complaint_t *why)
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
        return node_complain (
            why, "heartbeat: at most a third of election-time, or a lost one elects another "
                 "leader");
    }
    int rc = s_add_members (self, texts, SET_MEMBERS, why);
    if (rc == 0) {
        rc = s_add_members (self, texts, SET_OBSERVERS, why);
    }
    if (rc != 0) {
        return rc;
    }
    bool named = self->members->voters.count > 0;
    if (!named && self->members->observers.count > 0) {
        return node_complain (why, "observers: name the voters too, by members");
    }
    if (self->join && !named) {
        return node_complain (why, "join: name nodes of the cluster to join, by members");
    }
    if (self->join && raft_config_is_member (self->members, self->node_id)) {
        return node_complain (
            why,
            "join: node %u (node-id) is named among the members; a node that joins is none "
            "yet",
            self->node_id);
    }
    if ((named || self->join) && !*self->replicate) {
        return node_complain (why, "replicate: give this node an endpoint for other nodes, like "
                                   "tcp://127.0.0.1:9331");
    }
    if ((named || self->join) && self->cluster_id == 0) {
        return node_complain (why,
                              "cluster-id: give all nodes of a cluster the same number, not 0");
    }
    if (named && !self->join && !raft_config_is_member (self->members, self->node_id)) {
        return node_complain (why, "members: node %u (node-id) is not among them", self->node_id);
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

static int s_convert (node_config_t *self, const node_texts_t *texts, node_complaint_t *why)
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
                rc = node_complain (why, "%s must not be empty", setting->name);
            }
            break;
        case KIND_NUMBER:
            rc = s_parse_number (setting, text, s_number_units, setting->preset, &numbers[i], why);
            break;
        case KIND_SIZE:
            rc = s_parse_number (setting, text, s_size_units, setting->preset, &numbers[i], why);
            break;
        case KIND_DURATION:
            rc =
                s_parse_number (setting, text, s_duration_units, setting->preset, &numbers[i], why);
            break;
        case KIND_CHOICE:
            rc = s_parse_choice (setting, text, &choices[i], why);
            break;
        case KIND_GROUPS:
            rc = s_parse_groups (self, setting, text, why);
            break;
        }
        if (rc != 0) {
            return rc;
        }
    }
    if (numbers[SET_SEGMENT_BYTES] % 4096 != 0) {
        return node_complain (why, "segment-size must be a multiple of 4KiB");
    }
    int rc = s_convert_cluster (self, texts, numbers, choices, why);
    if (rc != 0) {
        return rc;
    }
    self->data_dir = dt_strdup (texts->values[SET_DATA_DIR]);
    self->service = dt_strdup (texts->values[SET_SERVICE]);
    self->log_file = dt_strdup (texts->values[SET_LOG_FILE]);
    self->pid_file = dt_strdup (texts->values[SET_PID_FILE]);
    self->placement = (node_placement_t) choices[SET_PLACEMENT];
    self->disk = (node_disk_t) choices[SET_DISK];
    self->segment_bytes = numbers[SET_SEGMENT_BYTES];
    self->snapshot_after_bytes = numbers[SET_SNAPSHOT_AFTER];
    self->in_flight_max = numbers[SET_IN_FLIGHT_MAX];
    self->sessions_max = numbers[SET_SESSIONS_MAX];
    self->history_bytes_max = numbers[SET_HISTORY_BYTES_MAX];
    self->watches_max = numbers[SET_WATCHES_MAX];
    self->max_clients = numbers[SET_MAX_CLIENTS];
    self->stop_timeout_ms = numbers[SET_STOP_TIMEOUT];
    self->log_level = (dt_log_level_t) choices[SET_LOG_LEVEL];
    return 0;
}

int node_config_load (node_config_t *self, node_texts_t *texts, node_complaint_t *why)
{
    *self = (node_config_t){0};
    int rc = 0;
    for (int i = 0; rc == 0 && i < SETTINGS; i++) {
        if (!texts->values[i]) {
            rc = node_setting_set (texts, i, s_settings[i].preset, NODE_SOURCE_DEFAULT, why);
        }
    }
    return rc == 0 ? s_convert (self, texts, why) : rc;
}

void node_config_deinit (node_config_t *self)
{
    free (self->data_dir);
    free (self->service);
    free (self->replicate);
    free (self->members);
    free (self->log_file);
    free (self->pid_file);
    *self = (node_config_t){0};
}

void node_texts_deinit (node_texts_t *self)
{
    for (int i = 0; i < SETTINGS; i++) {
        free (self->values[i]);
        self->values[i] = NULL;
    }
}

const char *node_setting_name (int at)
{
    return s_settings[at].name;
}

const char *node_setting_help (int at)
{
    return s_settings[at].help;
}

const char *node_setting_preset (int at)
{
    return s_settings[at].preset;
}
