// Reads: which entry an answer must have seen, and when the machine may give it.
//
// A leader that is the only voter needs neither a lease nor a round with a quorum: nobody else can
// have committed anything. It still waits until an entry of its own term is committed [RAFT-11].

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_trace.h"

static void s_answer (void *request, int rc, raft_index_t index, raft_effects_t *effects)
{
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_READ);
    effect->read.request = request;
    effect->read.rc = rc;
    effect->read.index = rc == 0 ? index : 0;
}

static void s_wait (raft_core_t *self, const raft_event_t *event, raft_index_t index)
{
    raft_reads_t *reads = &self->reads;
    if (reads->count == reads->capacity) {
        reads->capacity = reads->capacity ? reads->capacity * 2 : 16;
        reads->items = dt_realloc (reads->items, reads->capacity * sizeof reads->items[0]);
    }
    reads->items[reads->count++] = (raft_pending_read_t){
        .request = event->read.request, .index = index, .deadline_ns = event->read.deadline_ns};
    if (index < reads->lowest_index) {
        reads->lowest_index = index;
    }
    if (event->read.deadline_ns < reads->nearest_deadline_ns) {
        reads->nearest_deadline_ns = event->read.deadline_ns;
    }
}

// Whether the machine has, or gets before the answer, everything up to an index.
static bool s_is_served (const raft_core_t *self, raft_index_t index)
{
    return index <= (raft_commit_replays (self) ? self->applied : self->handed);
}

// 0 and the lowest index the answer must have seen, or why the read is refused.
static int s_read_index (const raft_core_t *self, raft_read_mode_t mode, raft_index_t *index,
                         const char **why)
{
    if (self->role == RAFT_FAILED) {
        *why = "the disk failed";
        return self->failed_rc;
    }
    if (self->stopping) {
        *why = "stopping";
        return DT_ERR_STOPPING;
    }
    if (mode == RAFT_READ_STALE) {
        *index = 0;
        return 0;
    }
    if (self->role != RAFT_LEADER) {
        *why = self->role == RAFT_CANDIDATE ? "campaigning" : "not leader";
        return self->role == RAFT_CANDIDATE ? DT_ERR_NOT_READY : DT_ERR_NOT_LEADER;
    }
    *index = self->commit > self->own_first ? self->commit : self->own_first;
    return 0;
}

void raft_read (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    raft_index_t index = 0;
    const char *why = NULL;
    int rc = s_read_index (self, event->read.mode, &index, &why);
    if (index < event->read.min_index) {
        index = event->read.min_index;
    }
    if (rc == 0 && event->read.deadline_ns <= self->now_ns) {
        rc = DT_ERR_TIMEOUT;
        why = "too late when it came";
    } else if (rc == 0 && s_is_served (self, index)) {
        s_answer (event->read.request, 0, index, effects);
        return;
    } else if (rc == 0 && self->reads.count >= self->options.reads_max) {
        rc = DT_ERR_BUSY;
        why = "reads_max";
    }
    if (rc == 0) {
        s_wait (self, event, index);
        return;
    }
    raft_trace (self, DT_LOG_DEBUG, "refuse read rc=%s mode=%d min_index=%lu: %s",
                dt_error_name (rc), (int) event->read.mode, event->read.min_index, why);
    s_answer (event->read.request, rc, 0, effects);
}

// 0: the read goes on waiting; 1: it is served; else the error to answer with.
static int s_judge (const raft_core_t *self, const raft_pending_read_t *read)
{
    if (s_is_served (self, read->index)) {
        return 1;
    }
    return read->deadline_ns <= self->now_ns ? DT_ERR_TIMEOUT : 0;
}

// Keep a read in its place among those that go on waiting.
static void s_keep (raft_reads_t *reads, const raft_pending_read_t *read)
{
    raft_pending_read_t kept = *read;
    reads->items[reads->count++] = kept;
    if (kept.index < reads->lowest_index) {
        reads->lowest_index = kept.index;
    }
    if (kept.deadline_ns < reads->nearest_deadline_ns) {
        reads->nearest_deadline_ns = kept.deadline_ns;
    }
}

// Begin to sort out the reads; returns how many there were.
static uint32_t s_sort_out (raft_reads_t *reads)
{
    uint32_t count = reads->count;
    reads->count = 0;
    reads->lowest_index = UINT64_MAX;
    reads->nearest_deadline_ns = RAFT_NEVER_NS;
    return count;
}

void raft_read_settle (raft_core_t *self, raft_effects_t *effects)
{
    raft_reads_t *reads = &self->reads;
    if (reads->count == 0 ||
        (!s_is_served (self, reads->lowest_index) && reads->nearest_deadline_ns > self->now_ns)) {
        return;
    }
    uint32_t count = s_sort_out (reads);
    for (uint32_t i = 0; i < count; i++) {
        const raft_pending_read_t *read = &reads->items[i];
        int verdict = s_judge (self, read);
        if (verdict == 0) {
            s_keep (reads, read);
            continue;
        }
        if (verdict < 0) {
            raft_trace (self, DT_LOG_DEBUG, "refuse read rc=%s: entry %lu was not applied in time",
                        dt_error_name (verdict), read->index);
        }
        s_answer (read->request, verdict < 0 ? verdict : 0, read->index, effects);
    }
}

void raft_read_fail (raft_core_t *self, raft_index_t index, int rc, raft_effects_t *effects)
{
    raft_reads_t *reads = &self->reads;
    uint32_t count = s_sort_out (reads);
    for (uint32_t i = 0; i < count; i++) {
        const raft_pending_read_t *read = &reads->items[i];
        if (read->index <= index) {
            s_keep (reads, read);
            continue;
        }
        raft_trace (self, DT_LOG_DEBUG, "refuse read rc=%s: it waited for entry %lu",
                    dt_error_name (rc), read->index);
        s_answer (read->request, rc, 0, effects);
    }
}
