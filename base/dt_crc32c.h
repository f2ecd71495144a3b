// dt_crc32c - CRC-32C (Castagnoli), as in RFC 3720, by ISA-L.
//
// To chain runs, pass the result of the one before as `crc`; start with 0.

#ifndef DT_CRC32C_H
#define DT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

// Extend crc by the bytes of data. dt_crc32c (0, "123456789", 9) is 0xe3069283.
uint32_t dt_crc32c (uint32_t crc, const void *data, size_t bytes);

#endif // DT_CRC32C_H
