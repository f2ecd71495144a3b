#include "storage/log_entry.h"

#include <stdlib.h>

#include "base/dt_memory.h"

log_batch_t *log_batch_new (uint32_t capacity)
{
    log_batch_t *self = dt_malloc (sizeof *self + capacity * sizeof self->entries[0]);
    atomic_init (&self->references, 1);
    self->count = 0;
    self->capacity = capacity;
    self->blob = NULL;
    self->origin = NULL;
    self->origin_free = NULL;
    return self;
}

log_batch_t *log_batch_ref (log_batch_t *self)
{
    atomic_fetch_add_explicit (&self->references, 1, memory_order_relaxed);
    return self;
}

void log_batch_unref (log_batch_t **self_p)
{
    log_batch_t *self = *self_p;
    *self_p = NULL;
    if (!self || atomic_fetch_sub_explicit (&self->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (self->origin) {
        self->origin_free (self->origin);
    }
    dt_blob_unref (&self->blob);
    free (self);
}

size_t log_batch_payload_bytes (const log_batch_t *self)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        bytes += self->entries[i].payload_bytes;
    }
    return bytes;
}
