// raft_trace - one-line trace events of the core.
//
// Lines read "group <id>: <what happened> key=value ..."; tests compare them, actors print them.

#ifndef RAFT_TRACE_H
#define RAFT_TRACE_H

#include "raft/core/raft_core.h"

enum {
    RAFT_TRACE_BYTES_MAX = 240, // longer lines are cut
};

// Trace a line if somebody listens at its level.
void raft_trace (const raft_core_t *self, dt_log_level_t level, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

#endif // RAFT_TRACE_H
