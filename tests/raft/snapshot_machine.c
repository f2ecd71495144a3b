#include "tests/raft/snapshot_machine.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_crc32c.h"
#include "base/dt_memory.h"
#include "base/dt_random.h"
#include "storage/storage_bytes.h"

typedef struct {
    raft_machine_t machine;
    dt_buffer_t state;    // 8 bytes of index, unless it is shorter, and anything
    dt_buffer_t restored; // being restored
    uint64_t applied;     //
    size_t read;          // of the snapshot being read
} s_machine_t;

static s_machine_t *s_of (const raft_machine_t *self)
{
    return (s_machine_t *) self;
}

void snapshot_machine_fill (uint64_t index, uint8_t *data, size_t bytes)
{
    dt_random_t random;
    dt_random_init (&random, index);
    for (size_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t) (i % 8 ? data[i - 1] * 5u + 1 : dt_random_next (&random));
    }
    if (bytes >= 8) {
        bytes_put_u64 (data, index);
    }
}

uint64_t snapshot_machine_digest_of (const uint8_t *data, size_t bytes)
{
    return (uint64_t) bytes << 32 | dt_crc32c (0, data, bytes);
}

static uint64_t s_applied (const raft_machine_t *self)
{
    return s_of (self)->applied;
}

static uint64_t s_digest (const raft_machine_t *self)
{
    return snapshot_machine_digest_of (s_of (self)->state.data, s_of (self)->state.bytes);
}

static raft_machine_snapshot_t *s_snapshot_begin (raft_machine_t *self)
{
    s_of (self)->read = 0;
    return (raft_machine_snapshot_t *) self;
}

static void s_snapshot_next (raft_machine_snapshot_t *snapshot, size_t bytes_max, dt_buffer_t *out,
                             bool *done)
{
    s_machine_t *self = (s_machine_t *) snapshot;
    size_t left = self->state.bytes - self->read;
    size_t bytes = left < bytes_max ? left : bytes_max;
    dt_buffer_append (out, self->state.data + self->read, bytes);
    self->read += bytes;
    *done = self->read == self->state.bytes;
}

static void s_snapshot_end (raft_machine_snapshot_t **snapshot_p)
{
    *snapshot_p = NULL;
}

static int s_restore_begin (raft_machine_t *self)
{
    dt_buffer_clear (&s_of (self)->restored);
    return 0;
}

static int s_restore_feed (raft_machine_t *self, const uint8_t *data, size_t bytes)
{
    dt_buffer_append (&s_of (self)->restored, data, bytes);
    return 0;
}

static int s_restore_finish (raft_machine_t *base)
{
    s_machine_t *self = s_of (base);
    dt_buffer_clear (&self->state);
    dt_buffer_append (&self->state, self->restored.data, self->restored.bytes);
    self->applied = self->state.bytes >= 8 ? bytes_get_u64 (self->state.data) : 0;
    return 0;
}

static void s_destroy (raft_machine_t *self)
{
    dt_buffer_deinit (&s_of (self)->state);
    dt_buffer_deinit (&s_of (self)->restored);
    free (self);
}

static const raft_machine_ops_t s_ops = {
    .applied = s_applied,
    .digest = s_digest,
    .snapshot_begin = s_snapshot_begin,
    .snapshot_next = s_snapshot_next,
    .snapshot_end = s_snapshot_end,
    .restore_begin = s_restore_begin,
    .restore_feed = s_restore_feed,
    .restore_finish = s_restore_finish,
    .destroy = s_destroy,
};

raft_machine_t *snapshot_machine_new (void)
{
    s_machine_t *self = dt_zalloc (1, sizeof *self);
    self->machine.ops = &s_ops;
    return &self->machine;
}

void snapshot_machine_advance (raft_machine_t *base, uint64_t index)
{
    s_machine_t *self = s_of (base);
    dt_assert (index >= self->applied);
    self->applied = index;
    if (self->state.bytes < 8) {
        dt_buffer_clear (&self->state);
        dt_buffer_reserve (&self->state, 8);
        self->state.bytes = 8;
    }
    bytes_put_u64 (self->state.data, index);
}
