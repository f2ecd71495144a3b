// log_recovery_internal - what the files of log_recovery share: log_recovery.c scans,
// log_recovery_verdict.c says what a scan's findings mean, log_recovery_repair.c writes.

#ifndef LOG_RECOVERY_INTERNAL_H
#define LOG_RECOVERY_INTERNAL_H

#include "storage/log_recovery.h"

enum {
    LOG_RECOVERY_WINDOW_BYTES = 1024 * 1024,
};

// Open a segment's file.
int log_recovery_open_segment (log_recovery_t *self, uint64_t seq, int flags, vfs_file_t **file);

// Bring at least run->need bytes from run->position on into the window.
int log_recovery_load_window (log_recovery_t *self, vfs_file_t *file, uint64_t seq, log_run_t *run);

// Note in the report where something was found and what it is.
void log_recovery_place (log_recovery_t *self, uint64_t seq, uint64_t offset, uint64_t index,
                         const char *why);

// The log is CORRUPT there: note and log it. Returns DT_ERR_CORRUPT.
int log_recovery_corrupt (log_recovery_t *self, uint64_t seq, uint64_t offset, uint64_t index,
                          const char *why);

// The records of the last segment ended at run->position with this result: CLEAN, TORN or CORRUPT?
int log_recovery_judge_tail (log_recovery_t *self, log_segment_t *segment, const log_run_t *run,
                             log_run_result_t result, vfs_file_t *file);

// The records are sound; do they fit to the snapshot and to what is known durable?
int log_recovery_check_bounds (log_recovery_t *self);

#endif // LOG_RECOVERY_INTERNAL_H
