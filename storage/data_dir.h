// data_dir - a node's data directory: whose it is, who uses it, where things are in it.
//
//     identity                     this file; written last when the directory is made
//     groups/<group id>/log/       log_store.h
//     groups/<group id>/snapshots/ snapshot_store.h
//     groups/<group id>/hard_state hard_state.h
//
// A node that lost its disk must not start as if it had never voted [DISK-13]: an empty directory
// is only taken when the caller says that the node is new. Every refusal is logged with the
// directory, what was found, what was expected and what to do. Pure: I/O through the vfs, whose
// root is the data directory; it may suspend the calling fiber.

#ifndef DATA_DIR_H
#define DATA_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_env.h"
#include "storage/vfs.h"

enum {
    DATA_DIR_VERSION = 2, // 1: without directory id
    DATA_DIR_IDENTITY_BYTES = 64,
    DATA_DIR_PATH_BYTES = 64, // longest path of a group's directory or file, with its zero
};

#define DATA_DIR_IDENTITY_NAME "identity"

typedef struct data_dir data_dir_t;

typedef struct {
    vfs_t *vfs;          // borrowed; its root is the data directory. Locked until it is freed
    const dt_env_t *env; // borrowed
    const char *name;    // of the data directory, for log lines; copied
    uint64_t cluster_id; // who opens it
    uint32_t node_id;
    bool is_new; // the node has never run: an empty directory is initialised
} data_dir_options_t;

// What the identity file says.
typedef struct {
    uint64_t cluster_id;
    uint32_t node_id;
    uint32_t version;
    uint64_t created_ms; // wall clock
    uint64_t id;         // of the directory, not 0: one that is lost never comes back under it.
                         // Random; of a version 1 file derived from the rest of it
} data_dir_identity_t;

// Lock the directory and open it, or initialise it if it is empty and the node new (a directory
// that is this node's already is opened then too). DT_ERR_IN_USE: another process has it.
// DT_ERR_NOT_FOUND: it is empty and the node not new. DT_ERR_FOREIGN: of another cluster or node,
// or not empty and without identity. DT_ERR_NEWER_FORMAT. DT_ERR_CORRUPT: the identity file is
// damaged. DT_ERR_IO, DT_ERR_NO_SPACE, DT_ERR_PERMISSION. Nothing is modified when it fails, but
// for an initialisation under way, which the next open takes up.
int data_dir_open (const data_dir_options_t *options, data_dir_t **self);

// Free it; the lock goes with the vfs. Accepts NULL.
void data_dir_close (data_dir_t **self_p);

const data_dir_identity_t *data_dir_identity (const data_dir_t *self);

// Read the identity only, without lock (offline tools). Errors as above; not logged, *why (static
// text) says what is wrong.
int data_dir_read_identity (vfs_t *vfs, data_dir_identity_t *identity, const char **why);

// Encode an identity, and decode and verify one: DT_ERR_CORRUPT, DT_ERR_NEWER_FORMAT with *why.
void data_dir_identity_encode (const data_dir_identity_t *identity,
                               uint8_t data[DATA_DIR_IDENTITY_BYTES]);
int data_dir_identity_decode (const uint8_t *data, size_t bytes, data_dir_identity_t *identity,
                              const char **why);

// The paths of a group, for a buffer of DATA_DIR_PATH_BYTES.
void data_dir_group_path (char *path, uint32_t group_id);
void data_dir_log_path (char *path, uint32_t group_id);
void data_dir_snapshots_path (char *path, uint32_t group_id);
void data_dir_hard_state_path (char *path, uint32_t group_id);

// Whether the group's directory is there. Complete or not: a group is complete once it has a hard
// state. Negative: DT_ERR_IO.
int data_dir_has_group (data_dir_t *self, uint32_t group_id, bool *has);

// Make the group's directory (log/ and snapshots/ are made by their stores), durably. 0 if it is
// there already.
int data_dir_add_group (data_dir_t *self, uint32_t group_id);

// Remove a group with all it has, durably: it is gone wholly or not at all. Its files must be
// closed. DT_ERR_NOT_FOUND. An interrupted removal is finished by the next data_dir_open.
int data_dir_remove_group (data_dir_t *self, uint32_t group_id);

// The ids of the groups on disk, ascending: fills up to max and returns how many there are;
// negative: DT_ERR_IO. vfs: that of the data directory.
int data_dir_groups (vfs_t *vfs, uint32_t *ids, uint32_t max);

#endif // DATA_DIR_H
