// peer_queue - messages that wait to be packed into frames for one node. Pure.
//
// Two runs in the order of sending, one for each channel. Bounded in bytes; over the bound the
// newest message of the lowest class goes: bulk first, then messages with a second part (appends
// with entries), last those without (votes, heartbeats, answers) [ZMQ-6]. The newest, because what
// raft pipelines is of use only without gaps.

#ifndef PEER_QUEUE_H
#define PEER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/peer_message.h"

enum {
    PEER_FRAME_BYTES_WANTED = 1024 * 1024, // a frame takes no further message from here on
};

// Messages in the order of sending; NULL where one was dropped.
typedef struct {
    peer_message_t **items; // owned, each too
    size_t head;            // of the oldest; items is a ring
    size_t count;           // places in use
    size_t capacity;        // a power of two
} peer_run_t;

typedef struct {
    peer_run_t runs[PEER_CHANNELS]; // by peer_channel_t
    size_t bytes;                   // memory of all messages
    size_t bytes_max;               //
    size_t messages;                // in both runs
    size_t payloads;                // messages of PEER_CONTROL with a second part
    uint64_t dropped;               // since init
} peer_queue_t;

void peer_queue_init (peer_queue_t *self, size_t bytes_max);
void peer_queue_deinit (peer_queue_t *self);

// Add a message; owned from here on. It, or others instead, may be dropped at once; a message over
// PEER_BODY_BYTES_MAX always is.
void peer_queue_push (peer_queue_t *self, peer_message_t *message);

// Append the oldest messages of a channel to a frame, as parts, and free them: until the frame has
// PEER_FRAME_BYTES_WANTED, at least one if any waits. Returns how many.
size_t peer_queue_pack (peer_queue_t *self, peer_channel_t channel, dt_buffer_t *frame);

// Drop all messages.
void peer_queue_drop_all (peer_queue_t *self);

// Assert what must hold.
void peer_queue_check (const peer_queue_t *self);

#endif // PEER_QUEUE_H
