// log_spare - segment files made ready ahead of use, and used ones kept for recycling.
//
// A spare is `<number>.tmp` in the log's directory. It is *ready* once it has its full size in real
// blocks, is all zeros and synced [DISK-4]; only a ready spare ever becomes a segment, by rename.
// Whatever a *.tmp file contains at start, it is zeroed again before use.

#ifndef LOG_SPARE_H
#define LOG_SPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dt_env.h"
#include "storage/vfs.h"

enum {
    LOG_SPARES_MAX = 64,
};

typedef struct {
    vfs_t *vfs;             // borrowed
    const dt_env_t *env;    // borrowed
    const char *directory;  // borrowed
    uint32_t segment_bytes; // of every ready spare
    uint32_t max;           // spares kept, ready or not; at most LOG_SPARES_MAX
    uint64_t next_number;   // above every number in use
    uint32_t used_count;
    uint64_t used[LOG_SPARES_MAX]; // numbers of files to be zeroed before use
    uint32_t ready_count;
    struct {
        uint64_t number;
        vfs_file_t *file; // open for writing
    } ready[LOG_SPARES_MAX];
} log_spares_t;

void log_spares_init (log_spares_t *self, vfs_t *vfs, const dt_env_t *env, const char *directory,
                      uint32_t segment_bytes, uint32_t max);

// Close the ready files. They stay on the disk and are found at the next start.
void log_spares_deinit (log_spares_t *self);

// Name a file of a number found at start as a used spare.
// False: there are enough; the caller removes it.
bool log_spares_found (log_spares_t *self, uint64_t number);

// Take the file at `path` out of use: rename it to a used spare if one more is wanted, else unlink
// it. A renamed file is added by log_spares_found (*number) after the caller made the directory
// durable: zeroing a file that a crash gives back its old name would look like damage. *number is 0
// when it was unlinked.
int log_spares_retire (log_spares_t *self, const char *path, uint64_t *number);

// Make one more ready spare, from a used one if there is one. Suspends between chunks; other
// calls may come in between. DT_ERR_NO_SPACE leaves no half-made file.
int log_spares_make (log_spares_t *self);

// Take a ready spare: its number (for log_spare_path) and its open file, owned by the caller.
// False: none is ready.
bool log_spares_take (log_spares_t *self, uint64_t *number, vfs_file_t **file);

#endif // LOG_SPARE_H
