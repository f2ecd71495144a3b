// raft_machine - what a state machine has to do to be replicated.
//
// A table of functions. The machine actor calls them from one fiber, never two at a time; none may
// wait. `check` alone is called from other threads and must look at its arguments only.
// DtKV's is dtkv/dtkv_machine.h.

#ifndef RAFT_MACHINE_H
#define RAFT_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "storage/log_entry.h"

typedef struct raft_machine raft_machine_t;
typedef struct raft_machine_snapshot raft_machine_snapshot_t;

// Send a reply of a stream: to the client that opened it (bytes as given with the request), under
// that request's id. Code and index as of any reply; the body is one msgpack object.
typedef void (raft_machine_send_fn) (void *context, const uint8_t *client, size_t client_bytes,
                                     uint64_t request_id, int code, uint64_t index,
                                     const uint8_t *body, size_t bytes);

typedef struct {
    // Look at a request before it is proposed or read. 0: *writes says whether it goes through the
    // log. Otherwise the code to refuse it with (>= 0 of the machine, < 0 a DT_ERR_*); *text may be
    // set to a static text that names the limit and the remedy.
    int (*check) (const raft_machine_t *self, uint32_t operation, const uint8_t *body, size_t bytes,
                  bool *writes, const char **text);

    // Carry out one committed entry of any type, in index order, deterministically. Returns the
    // reply's code and appends its body (one msgpack object) for a COMMAND; *index is preset to the
    // entry's and may be set to the index the reply is to name.
    int (*apply) (raft_machine_t *self, const log_entry_t *entry, dt_buffer_t *body,
                  uint64_t *index);

    // Answer a read. Returns the reply's code and appends its body.
    int (*read) (raft_machine_t *self, uint16_t operation, const uint8_t *body, size_t bytes,
                 dt_buffer_t *reply);

    // Index of the last entry applied or restored.
    uint64_t (*applied) (const raft_machine_t *self);

    // Digest of the state as of `applied`.
    uint64_t (*digest) (const raft_machine_t *self);

    // The cluster time at which something ends by itself, and a CLOCK entry should be applied;
    // UINT64_MAX: nothing does.
    uint64_t (*due_ms) (const raft_machine_t *self);

    // Append pairs of msgpack str and value to a status map; returns how many.
    uint32_t (*status) (const raft_machine_t *self, dt_buffer_t *map);

    // Begin a snapshot of the state as it is now, in constant time. Entries go on being applied
    // while it is read. At most one at a time.
    raft_machine_snapshot_t *(*snapshot_begin) (raft_machine_t *self);
    // Append about bytes_max of it (at least something); *done: that was the end.
    void (*snapshot_next) (raft_machine_snapshot_t *snapshot, size_t bytes_max, dt_buffer_t *out,
                           bool *done);
    // End it, read to the end or not. Nulls the pointer.
    void (*snapshot_end) (raft_machine_snapshot_t **snapshot_p);

    // Replace the state by a snapshot's: begin, its bytes in any pieces, finish. DT_ERR_CORRUPT,
    // DT_ERR_NEWER_FORMAT: the state is undefined and the machine is not used any more.
    int (*restore_begin) (raft_machine_t *self);
    int (*restore_feed) (raft_machine_t *self, const uint8_t *data, size_t bytes);
    int (*restore_finish) (raft_machine_t *self);

    // Streams: requests that are answered many times. All four are NULL if there are none.
    // Does this read belong to streams? Then it is given to stream_request.
    bool (*is_stream) (const raft_machine_t *self, uint16_t operation);
    // Answer it once, as `read` does. The client is named by bytes that are equal for all requests
    // of its connection.
    int (*stream_request) (raft_machine_t *self, const uint8_t *client, size_t client_bytes,
                           uint64_t request_id, uint16_t operation, const uint8_t *body,
                           size_t bytes, uint64_t now_ms, dt_buffer_t *reply);
    // Called after entries and requests and at *deadline_ms (UINT64_MAX: never), when replies are on
    // their way: send what is due, bounded work. True: there is more.
    bool (*stream_push) (raft_machine_t *self, uint64_t now_ms, raft_machine_send_fn *send,
                         void *context, uint64_t *deadline_ms);
    // End all streams with a code: the node stops.
    void (*stream_end) (raft_machine_t *self, int code, raft_machine_send_fn *send, void *context);

    // Free the machine.
    void (*destroy) (raft_machine_t *self);
} raft_machine_ops_t;

struct raft_machine {
    const raft_machine_ops_t *ops;
};

#endif // RAFT_MACHINE_H
