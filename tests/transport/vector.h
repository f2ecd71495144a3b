// vector - the test vectors of the protocol documents, read and printed.

#ifndef VECTOR_H
#define VECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "transport/msgpack_cursor.h"

typedef struct {
    char name[64];
    char kind[16];
    dt_buffer_t frame; // owned
    char read[2048];   // what the document says stands in it
    uint64_t id;
    bool delimiter; // a slash stood before the bytes
} vector_t;

// Read the next vector of a document; false at its end. The caller frees vector->frame.
bool vector_next (char **text, vector_t *vector);

// Print one object, or bytes, in diagnostic notation.
void vector_print (dt_buffer_t *out, msgpack_cursor_t *cursor);
void vector_print_bytes (dt_buffer_t *out, msgpack_slice_t slice, char quote);

#endif // VECTOR_H
