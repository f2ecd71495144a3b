// hard_state - the few words a raft group must never forget: term and vote.
//
// Kept in one preallocated file of two slots that are written in turn, each with a checksum and a
// generation [DISK-6]. A crash in a write leaves the other slot. Pure: all I/O goes through the
// vfs.

#ifndef HARD_STATE_H
#define HARD_STATE_H

#include <stdint.h>

#include "base/dt_env.h"
#include "storage/storage_identity.h"
#include "storage/vfs.h"

typedef struct {
    uint64_t term;         // current term; never decreases
    uint32_t vote;         // node voted for in it; 0: none
    uint64_t commit;       // an index known to be committed; a hint, may be behind [DISK-12]
    uint64_t repair_until; // not 0: the log lost entries that it may have acknowledged, up to this
                           // one (UINT64_MAX: unknown), and they are not back yet [DISK-12]
} hard_state_value_t;

typedef struct {
    vfs_t *vfs;                  // borrowed for the life of the object
    const dt_env_t *env;         // borrowed; for log lines
    const char *path;            // of the file, in an existing directory; copied
    storage_identity_t identity; // whose it must be
} hard_state_options_t;

typedef struct hard_state hard_state_t;

// Create the file with a value (zeroed: a new member) and open it. When it returns 0 the file and
// its directory entry are durable. DT_ERR_EXISTS: there is one already, even a damaged one.
int hard_state_create (const hard_state_options_t *options, const hard_state_value_t *value,
                       hard_state_t **self);

// Open the file and read the newest value. What was read is synced before this returns [DISK-9].
// DT_ERR_NOT_FOUND: no file. DT_ERR_CORRUPT: no slot can be trusted, or the file is short: the node
// must not vote under this id again [DISK-13]. DT_ERR_FOREIGN: of another cluster, group or node.
// DT_ERR_NEWER_FORMAT. Each is logged with the path; nothing is modified.
int hard_state_open (const hard_state_options_t *options, hard_state_t **self,
                     hard_state_value_t *value);

// Read the newest value without modifying anything (offline tools); errors as hard_state_open. The
// value need not be durable. generation may be NULL.
int hard_state_inspect (const hard_state_options_t *options, hard_state_value_t *value,
                        uint64_t *generation);

// Close. Accepts NULL; nulls the pointer. Every value put before is durable already.
void hard_state_close (hard_state_t **self_p);

// Replace the value; durable when it returns 0. May suspend; one call at a time (asserted). The
// term must not decrease, nor the vote change within a term once cast (asserted).
// Any error is final [DISK-10]: this and every later call returns DT_ERR_DISK_FAILED.
int hard_state_put (hard_state_t *self, const hard_state_value_t *value);

// The last durable value.
hard_state_value_t hard_state_get (const hard_state_t *self);

// Writes counted since the file was created.
uint64_t hard_state_generation (const hard_state_t *self);

// 0, or DT_ERR_DISK_FAILED after an error of put.
int hard_state_failed (const hard_state_t *self);

#endif // HARD_STATE_H
