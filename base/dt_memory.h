// dt_memory - allocation that aborts when memory is out.
//
// Sizes are bounded by the callers (queues, batches, messages all have limits), so running out
// means the machine is misconfigured and the process restarts from its disk. Free with free ().

#ifndef DT_MEMORY_H
#define DT_MEMORY_H

#include <stddef.h>

// Allocate bytes, uninitialised. Never returns NULL; bytes may be 0.
void *dt_malloc (size_t bytes) __attribute__ ((malloc, returns_nonnull));

// Allocate count * bytes, zeroed. Never returns NULL.
void *dt_zalloc (size_t count, size_t bytes) __attribute__ ((malloc, returns_nonnull));

// Allocate bytes at a multiple of `alignment`, a power of two of at least 8; uninitialised.
void *dt_malloc_aligned (size_t alignment, size_t bytes) __attribute__ ((malloc, returns_nonnull));

// Resize an allocation; memory may be NULL. Never returns NULL.
void *dt_realloc (void *memory, size_t bytes) __attribute__ ((returns_nonnull));

// Copy a string. Never returns NULL.
char *dt_strdup (const char *text) __attribute__ ((malloc, returns_nonnull));

// Copy bytes. Never returns NULL.
void *dt_memdup (const void *data, size_t bytes) __attribute__ ((malloc, returns_nonnull));

#endif // DT_MEMORY_H
