// dtkv_store_private - the store's insides, for dtkv_store.c, dtkv_snapshot.c and dtkv_restore.c.

#ifndef DTKV_STORE_PRIVATE_H
#define DTKV_STORE_PRIVATE_H

#include "dtkv/core/dtkv_session.h"
#include "dtkv/core/dtkv_snapshot.h"
#include "dtkv/core/dtkv_store.h"
#include "dtkv/core/dtkv_tree.h"

struct dtkv_store {
    dtkv_limits_t limits;
    dtkv_tree_t tree;
    dtkv_sessions_t sessions;
    dtkv_history_t history;
    uint64_t applied_index;
    uint64_t cluster_time_ms;
    dtkv_snapshot_t *snapshot; // borrowed: the one under way, or NULL
};

#endif // DTKV_STORE_PRIVATE_H
