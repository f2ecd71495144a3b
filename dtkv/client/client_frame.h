// client_frame - frames of requests, encoded where libzmq sends them from.
//
// Requests are written once, into an arena, and stay there until they are answered: libzmq sends
// the arena's memory without copying it, and a request that has to be sent again is copied from it.
//
//     arena: | frame head | header | request | request | ... | frame head | header | ...
//
// A frame is open while requests are added, then closed, then sent. Each arena is freed by the last
// of its users: the lane that fills it, frames with unanswered requests, messages held by libzmq
// (whose thread may be the one). Frames are otherwise owned by one thread at a time.

#ifndef CLIENT_FRAME_H
#define CLIENT_FRAME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CLIENT_ARENA_BYTES_MIN = 16 * 1024,
    CLIENT_ARENA_BYTES_MAX = 256 * 1024, // and so the size of a frame, unless one request is larger
    CLIENT_HEADER_BYTES = 11,            // frame header with the client id
    CLIENT_HEADER_SESSION_BYTES = 31,    // and session id and acknowledgement
};

typedef struct {
    atomic_uint references;
    size_t capacity; // of data
    size_t used;
    uint8_t *data;
} client_arena_t;

// Requests that may share a frame: what the frame's header and its destination depend on.
typedef struct {
    uint64_t principal; // 0: the client itself
    uint32_t group;     // as asked: 0 is the node's first
    bool session;       // writes under the client's session
    bool again;         // of these, attempts after the first
} client_key_t;

// Whose a frame is. Moves forward only; from TAKEN on it is the I/O thread's.
typedef enum {
    FRAME_FILLING, // a submitting thread's, under the client's lock
    FRAME_TAKEN,   // the I/O thread's, waits to be sent (or is being filled by it)
    FRAME_SENT,
} client_frame_state_t;

typedef struct client_frame client_frame_t;

struct client_frame {
    client_arena_t *arena;
    client_frame_t *next; // in a queue of closed frames
    client_key_t key;
    uint64_t session_id;      // in the header when it was sent; 0: none
    uint64_t first;           // session numbers of its requests, in order; 0: none
    uint64_t last;            //
    uint32_t bytes;           // of data
    uint32_t requests;        // not yet answered, and one while the frame was not sent
    uint32_t link;            // where it was sent
    uint32_t link_epoch;      // and over which of its connections
    _Atomic (uint32_t) state; // client_frame_state_t
    uint8_t data[];
};

typedef struct {
    client_frame_t *first;
    client_frame_t *last;
} client_frame_queue_t;

// Where the frames of one key are filled.
typedef struct client_lane client_lane_t;

struct client_lane {
    client_key_t key;
    client_lane_t *next_dirty;   // in the list of lanes with something to send
    client_arena_t *arena;       // being filled; NULL before the first request
    client_frame_t *open;        // at the arena's end; NULL: none
    client_frame_queue_t closed; // full frames, in order
    client_lane_t *route;        // of a shared lane: the I/O thread's lane of the same key
    size_t arena_bytes;          // size of the next arena
    uint32_t link;               // of an I/O thread's lane: where its frames go
    bool dirty;                  // in the list
    bool own;                    // an I/O thread's lane
};

// Room for `bytes` of one request at the end of the lane's open frame; opens and closes frames
// as needed. Nothing changes in the frame until client_lane_commit. client_id goes into headers.
uint8_t *client_lane_reserve (client_lane_t *self, size_t bytes, uint64_t client_id);

// The request of `bytes` at the reserved place is written: count it in.
static inline void client_lane_commit (client_lane_t *self, size_t bytes)
{
    client_frame_t *frame = self->open;
    frame->bytes += (uint32_t) bytes;
    frame->arena->used += bytes;
    frame->requests++;
}

static inline client_frame_state_t client_frame_state (const client_frame_t *self)
{
    return (client_frame_state_t) atomic_load_explicit (&self->state, memory_order_relaxed);
}

static inline void client_frame_set_state (client_frame_t *self, client_frame_state_t state)
{
    atomic_store_explicit (&self->state, state, memory_order_relaxed);
}

// Close the open frame if it holds requests: it moves to the end of `closed`.
void client_lane_close (client_lane_t *self);

// Move all closed frames to the end of `queue`, another lane's.
void client_lane_take (client_lane_t *self, client_frame_queue_t *queue);

// Release what the lane fills. Its frames must have been taken.
void client_lane_deinit (client_lane_t *self);

void client_frame_queue_push (client_frame_queue_t *self, client_frame_t *frame);

// Remove and return the first frame, or NULL.
client_frame_t *client_frame_queue_pop (client_frame_queue_t *self);

// Write session and acknowledgement into the header. Not after the frame was sent.
void client_frame_set_session (client_frame_t *self, uint64_t session_id, uint64_t ack);

// One request of the frame is done with, or the frame itself was sent or dropped; frees the
// frame with the last of these.
void client_frame_release (client_frame_t *self);

// One user more, one user less, of an arena. Any thread.
void client_arena_ref (client_arena_t *self);
void client_arena_unref (client_arena_t *self);

#endif // CLIENT_FRAME_H
