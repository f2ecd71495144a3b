// dt_blob - immutable bytes shared by reference count, across threads.
//
// The count is atomic; the bytes never change after the blob was handed on. A blob either carries
// its bytes or wraps memory of somebody else, returned to its owner by a function when the last
// reference goes (on whichever thread that happens).

#ifndef DT_BLOB_H
#define DT_BLOB_H

#include <stddef.h>
#include <stdint.h>

typedef struct dt_blob dt_blob_t;
typedef void (dt_blob_free_fn) (void *owner);

// Create a blob with room for `bytes`, one reference, content not set.
dt_blob_t *dt_blob_new (size_t bytes);

// Wrap memory owned elsewhere; free_fn (owner) is called once when the last reference goes.
dt_blob_t *dt_blob_wrap (void *data, size_t bytes, dt_blob_free_fn *free_fn, void *owner);

// Take one more reference; returns the blob.
dt_blob_t *dt_blob_ref (dt_blob_t *self);

// Drop a reference and null the pointer. Accepts NULL.
void dt_blob_unref (dt_blob_t **self_p);

// The bytes. To be written only by the creator before the blob is handed on.
uint8_t *dt_blob_data (const dt_blob_t *self);

// How many bytes.
size_t dt_blob_bytes (const dt_blob_t *self);

#endif // DT_BLOB_H
