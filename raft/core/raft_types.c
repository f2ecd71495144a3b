#include "raft/core/raft_types.h"

#include "base/dt_assert.h"
#include "raft/core/raft_effects.h"
#include "raft/core/raft_event.h"

const char *raft_role_name (raft_role_t role)
{
    switch (role) {
    case RAFT_FOLLOWER:
        return "follower";
    case RAFT_CANDIDATE:
        return "candidate";
    case RAFT_LEADER:
        return "leader";
    case RAFT_FAILED:
        return "failed";
    }
    dt_unreachable ();
}

const char *raft_event_name (raft_event_kind_t kind)
{
    static const char *const names[RAFT_EVENT_KINDS] = {
        [RAFT_EVENT_START] = "start",
        [RAFT_EVENT_TICK] = "tick",
        [RAFT_EVENT_PROPOSE] = "propose",
        [RAFT_EVENT_HARD_STATE_DURABLE] = "hard_state_durable",
        [RAFT_EVENT_APPENDED] = "appended",
        [RAFT_EVENT_APPLIED] = "applied",
        [RAFT_EVENT_READ] = "read",
        [RAFT_EVENT_SNAPSHOT_TAKE] = "snapshot_take",
        [RAFT_EVENT_SNAPSHOT_SAVED] = "snapshot_saved",
        [RAFT_EVENT_SNAPSHOT_FAILED] = "snapshot_failed",
        [RAFT_EVENT_DISK_FULL] = "disk_full",
        [RAFT_EVENT_DISK_STALLED] = "disk_stalled",
        [RAFT_EVENT_DISK_FAILED] = "disk_failed",
        [RAFT_EVENT_MESSAGE] = "message",
        [RAFT_EVENT_PEER_REACHED] = "peer_reached",
        [RAFT_EVENT_FETCHED] = "fetched",
        [RAFT_EVENT_SNAPSHOT_SENT] = "snapshot_sent",
        [RAFT_EVENT_SNAPSHOT_RECEIVED] = "snapshot_received",
        [RAFT_EVENT_SNAPSHOT_INSTALLED] = "snapshot_installed",
        [RAFT_EVENT_CONFIG_CHANGE] = "config_change",
        [RAFT_EVENT_TRANSFER] = "transfer",
        [RAFT_EVENT_STOP] = "stop",
    };
    dt_assert ((unsigned) kind < RAFT_EVENT_KINDS);
    return names[kind];
}

const char *raft_effect_name (raft_effect_kind_t kind)
{
    static const char *const names[RAFT_EFFECT_KINDS] = {
        [RAFT_EFFECT_PERSIST] = "persist",
        [RAFT_EFFECT_TRUNCATE] = "truncate",
        [RAFT_EFFECT_APPEND] = "append",
        [RAFT_EFFECT_APPLY] = "apply",
        [RAFT_EFFECT_REFUSE] = "refuse",
        [RAFT_EFFECT_READ] = "read",
        [RAFT_EFFECT_SEND] = "send",
        [RAFT_EFFECT_FETCH] = "fetch",
        [RAFT_EFFECT_SNAPSHOT_SEND] = "snapshot_send",
        [RAFT_EFFECT_SNAPSHOT_CANCEL] = "snapshot_cancel",
        [RAFT_EFFECT_INSTALL] = "install",
        [RAFT_EFFECT_REPAIRED] = "repaired",
        [RAFT_EFFECT_CONFIG] = "config",
        [RAFT_EFFECT_CONFIG_ANSWER] = "config_answer",
        [RAFT_EFFECT_TRANSFER_ANSWER] = "transfer_answer",
        [RAFT_EFFECT_SNAPSHOT] = "snapshot",
        [RAFT_EFFECT_SNAPSHOT_ANSWER] = "snapshot_answer",
        [RAFT_EFFECT_COMPACT] = "compact",
        [RAFT_EFFECT_STATUS] = "status",
        [RAFT_EFFECT_DRAINED] = "drained",
    };
    dt_assert ((unsigned) kind < RAFT_EFFECT_KINDS);
    return names[kind];
}
