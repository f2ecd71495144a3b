// node - one node of a cluster, whole: its data directory, its threads, its ports, its groups.
//
// What dtd (a process) and dt_server.h (an application's) have in common.

#ifndef NODE_H
#define NODE_H

#include "base/dt_env.h"
#include "dtkv/node/node_config.h"

#define NODE_VERSION "0.1.0"

typedef struct node node_t;

// Start a node: it recovers and takes part from then on. config and env outlive it.
// actor_system_init_process was called before. Errors are logged with what is wrong and the remedy.
// DT_ERR_IN_USE: data directory or endpoint. DT_ERR_FOREIGN, DT_ERR_CORRUPT, DT_ERR_NEWER_FORMAT:
// the directory. DT_ERR_PERMISSION, DT_ERR_INVALID, DT_ERR_IO.
int node_start (node_t **self_p, const node_config_t *config, const dt_env_t *env);

// All groups have a leader, here or elsewhere. Any thread.
bool node_ready (const node_t *self);

// Where clients reach it, wildcards resolved.
const char *node_endpoint (const node_t *self);

// To be called about once a second: logs threads that hang. The error of a part that failed (then
// the node is of no use any more: stop it), or 0.
int node_watch (node_t *self);

// Stop in order: what was accepted is answered; frees the node and nulls the pointer.
// DT_ERR_TIMEOUT: not everything has ended in time, what has not is logged; the node is still
// there, to be asked again or left to the end of the process. Everything acknowledged is on the
// disk.
int node_stop (node_t **self_p, uint64_t timeout_ms);

#endif // NODE_H
