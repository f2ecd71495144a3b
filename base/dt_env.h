// dt_env - what pure code may know of the world outside: time, chance and a place for log lines.
//
// A table of functions with a real twin (dt_env_posix.h) and a simulated one. Disk and network
// have tables of their own (storage/vfs.h, transport/transport_port.h).

#ifndef DT_ENV_H
#define DT_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    DT_LOG_DEBUG,
    DT_LOG_INFO,
    DT_LOG_WARN,
    DT_LOG_ERROR,
} dt_log_level_t;

enum { DT_ENV_LARGE_BYTES = 2 * 1024 * 1024 };

typedef struct dt_env dt_env_t;

struct dt_env {
    // Nanoseconds of a clock that never jumps and never runs backwards; origin unspecified.
    int64_t (*now_ns) (const dt_env_t *self);
    // Milliseconds since 1970 of the wall clock. Informational only: it may jump.
    int64_t (*wall_ms) (const dt_env_t *self);
    // 64 unpredictable bits: seeds, ids.
    uint64_t (*entropy) (const dt_env_t *self);
    // Take one log line without newline. May be called from any thread.
    void (*log) (const dt_env_t *self, dt_log_level_t level, const char *line);
    // Memory that is going to be written to a disk in large pieces: `memory` at a multiple of
    // DT_ENV_LARGE_BYTES, `bytes` too, nothing in it yet. Advice; NULL: none is taken.
    void (*advise_large) (const dt_env_t *self, void *memory, size_t bytes);
    dt_log_level_t log_level; // lines below it are not formatted
    void *context;            // of the implementation
};

// Log a line "part: message", printf-style; lines over 1000 bytes are cut.
void dt_log (const dt_env_t *env, dt_log_level_t level, const char *part, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));

#define dt_log_debug(env, part, ...) dt_log (env, DT_LOG_DEBUG, part, __VA_ARGS__)
#define dt_log_info(env, part, ...)  dt_log (env, DT_LOG_INFO, part, __VA_ARGS__)
#define dt_log_warn(env, part, ...)  dt_log (env, DT_LOG_WARN, part, __VA_ARGS__)
#define dt_log_error(env, part, ...) dt_log (env, DT_LOG_ERROR, part, __VA_ARGS__)

// The name of a level in lower case, and back. False: no such level.
const char *dt_log_level_name (dt_log_level_t level);
bool dt_log_level_parse (const char *text, dt_log_level_t *level);

#endif // DT_ENV_H
