// dt_server - nodes of Dongting inside an application.
//
// A node keeps its part of a replicated tree in a directory, takes part in its cluster, and serves
// clients: those of other processes, and the application's own (dt_client.h), which reach it
// without TCP if its `service` is an endpoint like ipc://@name. A process may have several nodes,
// each with a directory of its own.
//
// The library prints nothing, installs no signal handler, does not end the process for what a disk,
// a network or a peer does, and blocks all signals in its threads. Nodes do not survive fork.
//
//     const dt_server_setting_t settings[] = {{"data-dir", "/var/lib/app/tree"}, {"service",
//     "ipc://@app-tree"}}; dt_server_t *node; char error[512]; if (dt_server_start (&node,
//     &(dt_server_options_t){settings, 2, on_log, NULL}, error, sizeof error) != 0) ...
//     dt_server_wait_ready (node, 10000);
//     ... dt_client_open with endpoints = dt_server_endpoint (node) ...
//     dt_server_stop (&node, 30000);
//
// Link with `pkg-config --libs dongting-node`, or find_package (dongting-node) and dongting::node.

#ifndef DT_SERVER_H
#define DT_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef DT_PUBLIC
#define DT_PUBLIC __attribute__ ((visibility ("default")))
#endif

typedef struct dt_server dt_server_t;

// One setting, with the names and values of the program dtd (`dtd --help` lists them with their
// defaults and units:
// {"election-time", "500ms"}). log-file, pid-file and stop-timeout are the program's and mean
// nothing here.
typedef struct {
    const char *name;
    const char *value;
} dt_server_setting_t;

typedef enum {
    DT_SERVER_LOG_DEBUG,
    DT_SERVER_LOG_INFO,
    DT_SERVER_LOG_WARN,
    DT_SERVER_LOG_ERROR,
} dt_server_log_level_t;

// Takes one line, without newline, of the level that the setting log-level lets through. Called
// from threads of the node; must return soon and not call the node.
typedef void (dt_server_log_fn) (void *argument, dt_server_log_level_t level, const char *line);

typedef struct {
    const dt_server_setting_t *settings; // borrowed for the call
    size_t settings_count;
    dt_server_log_fn *log; // NULL: nothing is logged
    void *log_argument;
} dt_server_options_t;

// Errors. Numbers never change.
enum {
    DT_SERVER_OK = 0,
    DT_SERVER_TIMEOUT = -71, // not in time; the same can be asked again
    DT_SERVER_DISK_FAILED =
        -74, // a write or sync failed: the node is of no use until it is started on a good disk
    DT_SERVER_CORRUPT = -78,       // what is on the disk is damaged
    DT_SERVER_IO = -128,           // input or output failed
    DT_SERVER_IN_USE = -135,       // another node has the directory or an endpoint
    DT_SERVER_NEWER_FORMAT = -136, // a newer version wrote the directory
    DT_SERVER_FOREIGN = -137,      // the directory is another node's or cluster's
    DT_SERVER_PERMISSION = -139,   // the system refuses directory or endpoint
    DT_SERVER_USAGE = -141,        // a setting is unknown or wrong
};

// Start a node. On success *node_p is the caller's until dt_server_stop; it recovers in the
// background. Otherwise a negative error, *node_p is NULL, and `error` (may be NULL) says in at
// most error_bytes - 1 bytes what is wrong. Any thread; the first start of a process should come
// before it has other threads that read the environment (variables named ZSYS_* are taken out of
// it).
DT_PUBLIC int dt_server_start (dt_server_t **node_p, const dt_server_options_t *options,
                               char *error, size_t error_bytes);

// Every group has a leader, here or on another node. Any thread.
DT_PUBLIC bool dt_server_is_ready (const dt_server_t *node);

// Wait until it is ready, at most timeout_ms. DT_SERVER_TIMEOUT, or the error of a part that
// failed, as dt_server_check.
DT_PUBLIC int dt_server_wait_ready (dt_server_t *node, uint32_t timeout_ms);

// 0, or the error of a part that has failed: then the node serves no more, and is to be stopped.
// Logs threads that hang. To be called about once a second, from one thread at a time.
DT_PUBLIC int dt_server_check (dt_server_t *node);

// Where clients reach the node, wildcards resolved. Belongs to the node.
DT_PUBLIC const char *dt_server_endpoint (const dt_server_t *node);

// Stop in order: what was accepted is answered, files are closed, threads end; nulls the pointer.
// Accepts a NULL node. DT_SERVER_TIMEOUT: it has not ended yet, the node is still there; what was
// acknowledged is on the disk.
DT_PUBLIC int dt_server_stop (dt_server_t **node_p, uint32_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif // DT_SERVER_H
