// node_config - the settings of a node: one table of names, bounds, defaults and help.
//
// Settings come as texts, from wherever (dtd_config.h: flags, environment, file; dt_server.h: the
// application), and are read all at once. Sizes take KiB, MiB, GiB; durations ms, s, m.

#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_env.h"
#include "raft/core/raft_config.h"

enum { NODE_GROUPS_MAX = 64 };

typedef enum {
    NODE_PLACEMENT_AUTO,    // compact on up to 4 processors, spread on more
    NODE_PLACEMENT_COMPACT, // all actors on one host
    NODE_PLACEMENT_SPREAD,  // each subsystem on a host of its own
} node_placement_t;

typedef enum {
    NODE_DISK_AUTO,     // io_uring where the kernel lets us, else a helper thread
    NODE_DISK_IO_URING, // the same, for those who want to say so
    NODE_DISK_THREAD,   // a helper thread
} node_disk_t;

typedef struct {
    char *data_dir;         // owned; directory of everything the node keeps
    char *service;          // owned; endpoint for clients
    char *replicate;        // owned; endpoint for other nodes; "": there are none
    raft_config_t *members; // owned; what a new group begins with; no voters: join
    bool join;              // begin nothing, wait to be added
    uint32_t election_timeout_ms;
    uint32_t heartbeat_ms;
    bool read_lease;                  // leaders answer reads by their lease
    char *log_file;                   // owned; "": standard error
    char *pid_file;                   // owned; "": none
    uint32_t node_id;                 // from 1
    uint64_t cluster_id;              // 0: drawn when the data directory is made
    uint32_t groups[NODE_GROUPS_MAX]; // ids, the first is the default group of requests
    size_t groups_count;              // at least 1
    node_placement_t placement;
    node_disk_t disk;
    uint64_t segment_bytes;        // of a log file
    uint64_t snapshot_after_bytes; // of log
    uint64_t in_flight_max;        // requests
    uint64_t sessions_max;         // of a group
    uint64_t history_bytes_max;    // of a group; 0: none, and no watches
    uint64_t watches_max;          // of a group
    uint64_t stop_timeout_ms;      // for an orderly stop
    uint64_t max_clients;          // connections the node makes room for
    dt_log_level_t log_level;
} node_config_t;

enum { NODE_SETTINGS = 25 };

// Where a setting came from; the order of strength.
typedef enum {
    NODE_SOURCE_DEFAULT,
    NODE_SOURCE_FILE,
    NODE_SOURCE_ENVIRONMENT,
    NODE_SOURCE_FLAG,
} node_source_t;

// The settings as given. All zero: none is.
typedef struct {
    char *values[NODE_SETTINGS]; // owned; NULL: not given
    node_source_t sources[NODE_SETTINGS];
} node_texts_t;

// What is wrong, with the remedy.
typedef struct {
    char text[512];
} node_complaint_t;

// Write down a complaint. Returns DT_ERR_USAGE.
int node_complain (node_complaint_t *why, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

// The number of a setting, 0 .. NODE_SETTINGS - 1; -1: there is none of that name.
int node_setting_find (const char *name, size_t bytes);
const char *node_setting_name (int at);
const char *node_setting_help (int at);
const char *node_setting_preset (int at); // its default

// Set a text; the last one set wins. DT_ERR_USAGE: it is too long.
int node_setting_set (node_texts_t *texts, int at, const char *value, node_source_t source,
                      node_complaint_t *why);

// Fill up the texts with defaults and read them. DT_ERR_USAGE: *why says what is wrong. deinit in
// any case.
int node_config_load (node_config_t *self, node_texts_t *texts, node_complaint_t *why);
void node_config_deinit (node_config_t *self);
void node_texts_deinit (node_texts_t *self);

#endif // NODE_CONFIG_H
