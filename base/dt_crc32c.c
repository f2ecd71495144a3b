#include "base/dt_crc32c.h"

#include <isa-l.h>
#include <limits.h>

uint32_t dt_crc32c (uint32_t crc, const void *data, size_t bytes)
{
    // ISA-L takes an int length and leaves both inversions to the caller.
    unsigned char *place = (unsigned char *) (uintptr_t) data;
    uint32_t state = ~crc;
    while (bytes > 0) {
        int run = bytes > INT_MAX ? INT_MAX : (int) bytes;
        state = crc32_iscsi (place, run, state);
        place += run;
        bytes -= (size_t) run;
    }
    return ~state;
}
