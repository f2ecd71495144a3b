// raft_print - batches to propose, and effects and states as text, for the tests of the core.

#ifndef RAFT_PRINT_H
#define RAFT_PRINT_H

#include "base/dt_buffer.h"
#include "raft/core/raft_core.h"

// A batch of commands with payloads of `payload_bytes` zero bytes each.
log_batch_t *raft_print_batch (uint32_t count, uint32_t payload_bytes);

// One line per effect, each indented by two spaces.
void raft_print_effects (dt_buffer_t *text, const raft_effects_t *effects);

// One line "  = ..." with what raft_core_status says.
void raft_print_status (dt_buffer_t *text, const raft_core_t *core, const raft_effects_t *effects);

#endif // RAFT_PRINT_H
