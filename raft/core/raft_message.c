#include "raft/core/raft_message.h"

#include <stdlib.h>

#include "base/dt_memory.h"

raft_message_t *raft_message_new (raft_message_kind_t kind)
{
    raft_message_t *self = dt_zalloc (1, sizeof *self);
    self->kind = kind;
    return self;
}

void raft_message_destroy (raft_message_t **self_p)
{
    raft_message_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    if (self->kind == RAFT_MESSAGE_APPEND) {
        log_batch_unref (&self->append.batch);
    }
    free (self);
}

const char *raft_message_name (raft_message_kind_t kind)
{
    switch (kind) {
    case RAFT_MESSAGE_VOTE:
        return "vote";
    case RAFT_MESSAGE_VOTE_REPLY:
        return "vote_reply";
    case RAFT_MESSAGE_APPEND:
        return "append";
    case RAFT_MESSAGE_APPEND_REPLY:
        return "append_reply";
    case RAFT_MESSAGE_READ:
        return "read";
    case RAFT_MESSAGE_READ_REPLY:
        return "read_reply";
    case RAFT_MESSAGE_TRANSFER:
        return "transfer";
    case RAFT_MESSAGE_SNAPSHOT_CHUNK:
        return "snapshot_chunk";
    case RAFT_MESSAGE_SNAPSHOT_REPLY:
        return "snapshot_reply";
    }
    return "unknown";
}
