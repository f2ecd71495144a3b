// log_harness - a log store on a simulated disk beside a naive twin that knows what it must hold.

#ifndef LOG_HARNESS_H
#define LOG_HARNESS_H

#include "base/dt_buffer.h"
#include "base/dt_random.h"
#include "storage/log_store.h"
#include "storage/vfs_sim.h"
#include "tests/storage/vfs_fault.h"

enum {
    LOG_TWIN_MAX = 64 * 1024, // highest index a test may use
};

// What an entry must be: its content follows from index, term and this word.
typedef struct {
    uint64_t term;
    uint64_t word;
    uint32_t payload_bytes;
} log_twin_entry_t;

typedef struct {
    dt_env_t env;
    uint64_t entropy;
    char last_log[1024];  // newest line of warning level or above
    vfs_sim_disk_t *disk; // owned
    vfs_sim_t *mount;     // owned
    vfs_fault_t fault;    // on the mount; the store's vfs
    log_store_options_t options;
    log_store_t *store;  // NULL: closed
    log_report_t report; // of the last open
    dt_random_t random;
    log_twin_entry_t *twin; // by index; owned
    uint64_t last;          // appended
    uint64_t base;          // index before the first entry that must be there
    uint64_t base_term;
} log_harness_t;

// A store on an empty disk with segments of 64 KiB; not opened yet.
void log_harness_init (log_harness_t *self, uint64_t seed);
void log_harness_deinit (log_harness_t *self);

// Open, expecting success; and close.
void log_harness_open (log_harness_t *self);
void log_harness_close (log_harness_t *self);

// Open, expecting this error.
void log_harness_refuse (log_harness_t *self, int rc);

// Cut the power or kill the process, then mount anew. The store is gone; the twin is untouched.
void log_harness_crash (log_harness_t *self);
void log_harness_kill (log_harness_t *self);

// A batch of new random entries after `after`, noted in the twin. One reference.
log_batch_t *log_harness_batch (log_harness_t *self, uint64_t after, uint32_t count, uint64_t term,
                                uint32_t payload_max);

// Append that many random entries; expects success.
void log_harness_append (log_harness_t *self, uint32_t count, uint64_t term, uint32_t payload_max);

// Flush, expecting success and everything durable.
void log_harness_flush (log_harness_t *self);

// Truncate store and twin; expects success.
void log_harness_truncate (log_harness_t *self, uint64_t from);

// Read everything durable and compare it with the twin; also the terms.
void log_harness_verify (log_harness_t *self);

// Is this entry what the twin says?
void log_harness_check_entry (const log_harness_t *self, const log_entry_t *entry);

// Files, past the fault vfs: content, overwrite (synced), names with a suffix.
void log_harness_read_file (log_harness_t *self, const char *path, dt_buffer_t *content);
void log_harness_write_file (log_harness_t *self, const char *path, uint64_t offset,
                             const void *data, size_t bytes);
uint32_t log_harness_count_files (log_harness_t *self, const char *suffix);

// The path of a segment.
const char *log_harness_segment (uint64_t seq);

#endif // LOG_HARNESS_H
