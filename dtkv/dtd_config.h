// dtd_config - the settings of a node: one table, four sources.
//
// A flag (--data-dir DIR) beats the environment (DTD_DATA_DIR), that beats the file (ZPL: data-dir
// = DIR), that beats the default. Unknown flags, unknown DTD_* variables and unknown keys are
// refused. Sizes take KiB, MiB, GiB; durations ms, s, m.

#ifndef DTD_CONFIG_H
#define DTD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_env.h"
#include "raft/core/raft_config.h"

enum { DTD_GROUPS_MAX = 64 };

typedef enum {
    DTD_PLACEMENT_AUTO,    // compact on up to 4 processors, spread on more
    DTD_PLACEMENT_COMPACT, // all actors on one host
    DTD_PLACEMENT_SPREAD,  // each subsystem on a host of its own
} dtd_placement_t;

typedef enum {
    DTD_DISK_AUTO,     // io_uring where the kernel lets us, else a helper thread
    DTD_DISK_IO_URING, // the same, for those who want to say so
    DTD_DISK_THREAD,   // a helper thread
} dtd_disk_t;

typedef struct {
    char *data_dir;         // owned; directory of everything the node keeps
    char *service;          // owned; endpoint for clients
    char *replicate;        // owned; endpoint for other nodes; "": there are none
    raft_config_t *members; // owned; what a new group begins with; no voters: join
    bool join;              // begin nothing, wait to be added
    uint32_t election_timeout_ms;
    uint32_t heartbeat_ms;
    bool read_lease;                 // leaders answer reads by their lease
    char *log_file;                  // owned; "": standard error
    char *pid_file;                  // owned; "": none
    uint32_t node_id;                // from 1
    uint64_t cluster_id;             // 0: drawn when the data directory is made
    uint32_t groups[DTD_GROUPS_MAX]; // ids, the first is the default group of requests
    size_t groups_count;             // at least 1
    dtd_placement_t placement;
    dtd_disk_t disk;
    uint64_t segment_bytes;        // of a log file
    uint64_t snapshot_after_bytes; // of log
    uint64_t in_flight_max;        // requests
    uint64_t sessions_max;         // of a group
    uint64_t stop_timeout_ms;      // for an orderly stop
    uint64_t max_clients;          // connections the node makes room for
    dt_log_level_t log_level;
    bool check_config;              // say whether the configuration is good and exit
    bool print_config;              // print it with its sources and exit
    bool help, version;             // print and exit
    struct dtd_config_texts *texts; // owned; each setting as given and its source
} dtd_config_t;

// Read all sources. DT_ERR_USAGE: something is wrong; said on standard error, with the remedy.
int dtd_config_load (dtd_config_t *self, int argc, char **argv);

// Print every setting, its value and where it came from.
void dtd_config_print (const dtd_config_t *self);

// Print the help text.
void dtd_config_help (void);

void dtd_config_deinit (dtd_config_t *self);

#endif // DTD_CONFIG_H
