// dt_env_posix - the real clock, the kernel's randomness, log lines on a file descriptor.

#ifndef DT_ENV_POSIX_H
#define DT_ENV_POSIX_H

#include "base/dt_env.h"

// Fill env with the real twin. Lines go to file descriptor `fd` as
// "2026-01-31T12:00:00.000Z level line", one write each, at level `level` and above.
void dt_env_posix_init (dt_env_t *env, int fd, dt_log_level_t level);

#endif // DT_ENV_POSIX_H
