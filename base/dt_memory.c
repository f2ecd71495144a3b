#include "base/dt_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"

void *dt_malloc (size_t bytes)
{
    void *memory = malloc (bytes ? bytes : 1);
    dt_assert (memory);
    return memory;
}

void *dt_zalloc (size_t count, size_t bytes)
{
    void *memory = calloc (count ? count : 1, bytes ? bytes : 1);
    dt_assert (memory);
    return memory;
}

void *dt_malloc_aligned (size_t alignment, size_t bytes)
{
    void *memory = NULL;
    int rc = posix_memalign (&memory, alignment, bytes ? bytes : 1);
    dt_assert (rc == 0);
    return memory;
}

void *dt_realloc (void *memory, size_t bytes)
{
    void *grown = realloc (memory, bytes ? bytes : 1);
    dt_assert (grown);
    return grown;
}

char *dt_strdup (const char *text)
{
    return dt_memdup (text, strlen (text) + 1);
}

void *dt_memdup (const void *data, size_t bytes)
{
    void *copy = dt_malloc (bytes);
    if (bytes) {
        memcpy (copy, data, bytes);
    }
    return copy;
}
