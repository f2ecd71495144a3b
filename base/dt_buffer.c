#include "base/dt_buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"

enum { CAPACITY_MIN = 64 };

void dt_buffer_init (dt_buffer_t *self)
{
    *self = (dt_buffer_t){0};
}

void dt_buffer_deinit (dt_buffer_t *self)
{
    free (self->data);
    *self = (dt_buffer_t){0};
}

void dt_buffer_grow (dt_buffer_t *self, size_t bytes)
{
    dt_assert (bytes <= SIZE_MAX / 2 - self->bytes);
    size_t needed = self->bytes + bytes;
    size_t capacity = self->capacity ? self->capacity : CAPACITY_MIN;
    while (capacity < needed) {
        capacity *= 2;
    }
    if (capacity != self->capacity || !self->data) {
        self->data = dt_realloc (self->data, capacity);
        self->capacity = capacity;
    }
}

void dt_buffer_printf (dt_buffer_t *self, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    int bytes = vsnprintf (NULL, 0, format, arguments);
    va_end (arguments);
    dt_assert (bytes >= 0);
    char *place = (char *) dt_buffer_reserve (self, (size_t) bytes + 1);
    va_start (arguments, format);
    vsnprintf (place, (size_t) bytes + 1, format, arguments);
    va_end (arguments);
    self->bytes += (size_t) bytes;
}

uint8_t *dt_buffer_detach (dt_buffer_t *self, size_t *bytes)
{
    uint8_t *data = self->data;
    *bytes = self->bytes;
    *self = (dt_buffer_t){0};
    return data;
}
