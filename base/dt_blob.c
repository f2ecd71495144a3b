#include "base/dt_blob.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"

struct dt_blob {
    atomic_uint references;   // freed when it falls to 0
    size_t bytes;             // length of data
    uint8_t *data;            // own or foreign memory
    dt_blob_free_fn *free_fn; // NULL for own memory
    void *owner;              // argument of free_fn
    uint8_t own[];            // own memory
};

dt_blob_t *dt_blob_new (size_t bytes)
{
    dt_blob_t *self = dt_malloc (sizeof *self + bytes);
    atomic_init (&self->references, 1);
    self->bytes = bytes;
    self->data = self->own;
    self->free_fn = NULL;
    self->owner = NULL;
    return self;
}

dt_blob_t *dt_blob_wrap (void *data, size_t bytes, dt_blob_free_fn *free_fn, void *owner)
{
    dt_assert (free_fn);
    dt_blob_t *self = dt_blob_new (0);
    self->bytes = bytes;
    self->data = data;
    self->free_fn = free_fn;
    self->owner = owner;
    return self;
}

dt_blob_t *dt_blob_ref (dt_blob_t *self)
{
    atomic_fetch_add_explicit (&self->references, 1, memory_order_relaxed);
    return self;
}

void dt_blob_unref (dt_blob_t **self_p)
{
    dt_blob_t *self = *self_p;
    *self_p = NULL;
    if (!self || atomic_fetch_sub_explicit (&self->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (self->free_fn) {
        self->free_fn (self->owner);
    }
    free (self);
}

uint8_t *dt_blob_data (const dt_blob_t *self)
{
    return self->data;
}

size_t dt_blob_bytes (const dt_blob_t *self)
{
    return self->bytes;
}
