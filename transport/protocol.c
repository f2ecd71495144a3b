#include "transport/protocol.h"

#include <stddef.h>

const char *protocol_operation_name (uint32_t operation)
{
    switch (operation) {
#define PROTOCOL_OPERATION_CASE(NAME, number, name)                                                \
    case number:                                                                                   \
        return name;
        PROTOCOL_OPERATION_TABLE (PROTOCOL_OPERATION_CASE)
#undef PROTOCOL_OPERATION_CASE
    default:
        return NULL;
    }
}
