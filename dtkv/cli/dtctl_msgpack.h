// dtctl_msgpack - a msgpack object as JSON. Pure.

#ifndef DTCTL_MSGPACK_H
#define DTCTL_MSGPACK_H

#include <stddef.h>

#include "base/dt_buffer.h"

// Append one msgpack object as JSON: str and bin as a string if they are UTF-8, else as
// {"base64":...}; keys of maps as strings; numbers above 2^53 as strings. What cannot be read, and
// objects more than 8 deep, become null.
void dtctl_msgpack_json (dt_buffer_t *out, const void *data, size_t bytes);

#endif // DTCTL_MSGPACK_H
