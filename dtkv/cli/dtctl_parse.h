// dtctl_parse - numbers, durations and sizes as people write them. Pure.
//
// All return 0 and set the output, or DT_ERR_INVALID and leave it alone.

#ifndef DTCTL_PARSE_H
#define DTCTL_PARSE_H

#include <stdint.h>

// Digits only, at most max.
int dtctl_parse_number (const char *text, uint64_t max, uint64_t *number);

// 500ms, 5s, 1.5s, 2m, 1h, 1d. The unit is asked for; a bare 0 is allowed.
int dtctl_parse_duration (const char *text, uint64_t *duration_ms);

// 17, 17B, 64KiB, 1.5MiB, 2GiB (powers of 1024), 10kB, 10MB, 1GB (powers of 1000).
int dtctl_parse_size (const char *text, uint64_t *bytes);

#endif // DTCTL_PARSE_H
