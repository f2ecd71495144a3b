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

// What stands in a segment from some place on.
typedef struct {
    uint64_t nonzero_end; // after the last byte that is not zero
    uint64_t proven;      // highest synced_index of the record headers; never lowered
    uint64_t highest;     // highest index of them; never lowered
    uint64_t highest_end; // where the last of these records ends; never lowered
} log_survey_t;

// Look at everything behind `from`, wherever record headers can be read.
int log_recovery_survey (log_recovery_t *self, vfs_file_t *file, const log_segment_t *segment,
                         uint64_t from, log_survey_t *survey);

// The log is CORRUPT: note in the report up to where it may lack entries.
void log_recovery_bound (log_recovery_t *self);

// The log is CORRUPT and to be repaired: keep what is sound.
void log_recovery_cut (log_recovery_t *self);

// The records of the last segment ended at run->position with this result: CLEAN, TORN or CORRUPT?
int log_recovery_judge_tail (log_recovery_t *self, log_segment_t *segment, const log_run_t *run,
                             log_run_result_t result, vfs_file_t *file);

// The records are sound; do they fit to the snapshot and to what is known durable?
int log_recovery_check_bounds (log_recovery_t *self);

#endif // LOG_RECOVERY_INTERNAL_H
