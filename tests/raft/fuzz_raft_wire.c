// fuzz_raft_wire - hostile bytes as messages between nodes: first byte the kind, the rest the body.
// What is read must be written so that it reads the same.

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "raft/raft_wire.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

static peer_message_t *s_received (uint8_t kind, const uint8_t *data, size_t bytes)
{
    peer_message_t *peer = peer_message_new ();
    peer->kind = kind;
    peer->node_id = 2;
    peer->term = 7;
    peer->blob = dt_blob_new (bytes);
    if (bytes > 0) {
        memcpy (dt_blob_data (peer->blob), data, bytes);
    }
    peer->data = dt_blob_data (peer->blob);
    peer->bytes = bytes;
    return peer;
}

static void s_check_again (raft_message_t *message, uint8_t kind)
{
    raft_wire_cache_t cache = {0};
    message->to = 2;
    peer_message_t *written = raft_wire_encode (&cache, 1, message);
    dt_buffer_append (&written->head, written->data, written->bytes);
    peer_message_t *peer = s_received (kind, written->head.data, written->head.bytes);
    raft_message_t *again = NULL;
    int rc = raft_wire_decode (peer, 1, &again);
    dt_assert (rc == 0);
    dt_assert (again->kind == message->kind);
    dt_assert (strcmp (again->from_peer, message->from_peer) == 0);
    if (kind == RAFT_MESSAGE_APPEND) {
        dt_assert (again->append.prev_index == message->append.prev_index);
        dt_assert (!again->append.batch == !message->append.batch);
        dt_assert (again->append.last == message->append.last);
    }
    if (kind == RAFT_MESSAGE_APPEND_REPLY) {
        dt_assert (again->append_reply.match == message->append_reply.match);
        dt_assert (again->append_reply.runs_count == message->append_reply.runs_count);
    }
    raft_message_destroy (&again);
    peer_message_destroy (&peer);
    peer_message_destroy (&written);
    raft_wire_cache_deinit (&cache);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    if (bytes == 0) {
        return 0;
    }
    peer_message_t *peer = s_received (data[0], data + 1, bytes - 1);
    raft_message_t *message = NULL;
    int rc = raft_wire_decode (peer, 1, &message);
    dt_assert (rc == 0 || rc == DT_ERR_MALFORMED);
    if (rc == 0) {
        s_check_again (message, data[0]);
    }
    raft_message_destroy (&message);
    peer_message_destroy (&peer);
    return 0;
}
