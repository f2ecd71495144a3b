// dt_buffer - a growable run of bytes, reused across uses.
//
// A plain embedded value. Grows by doubling; never shrinks until deinit.

#ifndef DT_BUFFER_H
#define DT_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t *data;   // owned; NULL until first use
    size_t bytes;    // used
    size_t capacity; // allocated
} dt_buffer_t;

// Make an empty buffer. A zeroed dt_buffer_t is one too.
void dt_buffer_init (dt_buffer_t *self);

// Free the memory and make the buffer empty.
void dt_buffer_deinit (dt_buffer_t *self);

// Grow so that at least `bytes` more fit.
void dt_buffer_grow (dt_buffer_t *self, size_t bytes);

// Make room for `bytes` more and return where they go. dt_buffer_t.bytes is not changed.
static inline uint8_t *dt_buffer_reserve (dt_buffer_t *self, size_t bytes)
{
    if (__builtin_expect (self->capacity - self->bytes < bytes, 0)) {
        dt_buffer_grow (self, bytes);
    }
    return self->data + self->bytes;
}

// Append bytes. data may be NULL when bytes is 0.
static inline void dt_buffer_append (dt_buffer_t *self, const void *data, size_t bytes)
{
    if (bytes == 0) {
        return;
    }
    memcpy (dt_buffer_reserve (self, bytes), data, bytes);
    self->bytes += bytes;
}

// Append formatted text without a terminating zero.
void dt_buffer_printf (dt_buffer_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

// Forget the content, keep the memory.
static inline void dt_buffer_clear (dt_buffer_t *self)
{
    self->bytes = 0;
}

// Hand the memory to the caller, who frees it with free (); the buffer becomes empty.
// NULL when nothing was ever reserved.
uint8_t *dt_buffer_detach (dt_buffer_t *self, size_t *bytes);

#endif // DT_BUFFER_H
