// log_recovery - reading a log back at start: what is there, is it sound, what is to be cut.
//
// Two steps. The scan modifies nothing and gives the verdict [DISK-12]:
//
//   The newest segment file (highest number) names the one it continues (prev_seq), and so on down:
//   these are live, all others are dead. Every record of a live segment is verified, up to the
//   place where its successor's header says it ends; anything wrong there is CORRUPT. Skipped are
//   only segments that the snapshot covers and that have a valid index file.
//
//   In the last segment the records go on until one is missing or invalid. If all that follows is
//   zero, the log is CLEAN. Else let D be the highest index that any record proves durable (its
//   synced_index; also of records behind the bad one, whose headers can still be trusted), that the
//   caller knows durable (durable_hint) or that precedes the segment. An entry <= D expected at the
//   bad place: CORRUPT. Else, if a sector of the bad record is still as it was before (zero): TORN.
//   Else it is SUSPECT, treated as CORRUPT: it may have been durable and rotted.
//
// A CORRUPT log is modified only if the caller asks to repair it from others: log_recovery_cut.c.
//
// The repair, for CLEAN, TORN and what is kept of a CORRUPT log, may be interrupted and repeated at
// any point: the torn tail is copied aside and zeroed (with what earlier repairs may have failed to
// zero on the medium, see log_recovery_repair.c), entries above D are written again and synced (a
// failed sync of the last life may have left them in the page cache only [DISK-9, 10]), the
// directory is synced, and only then what is dead is removed.

#ifndef LOG_RECOVERY_H
#define LOG_RECOVERY_H

#include "storage/log_index.h"
#include "storage/log_segment.h"
#include "storage/log_spare.h"
#include "storage/log_store.h"

// A live segment, as recovery found it and as the store keeps it.
typedef struct {
    log_segment_header_t header;
    uint64_t last_index; // last entry; header.first_index - 1: none
    uint64_t last_term;  // of it, or of the entry before the segment
    uint64_t end_offset; // after the last record that counts
    uint32_t end_chain;  // chain after it
    uint64_t file_bytes; // of the file
    vfs_file_t *file;    // open file or NULL; the current segment's is open for writing
    uint32_t pins;       // reads in progress that use the file
    bool index_saved;    // the index file is written, or not worth another try
    bool dropped;        // no longer of the log; freed with the last pin
} log_segment_t;

typedef struct {
    uint64_t *numbers; // owned, ascending
    size_t count;
    size_t capacity;
} log_numbers_t;

typedef struct {
    const log_store_options_t *options; // borrowed
    log_report_t *report;               // borrowed
    log_numbers_t logs;                 // numbers of all *.log files
    log_numbers_t indexes;              // of all *.idx files
    log_numbers_t spares;               // of all *.tmp files
    char **torn;                        // names of the *.torn files, oldest first; owned
    size_t torn_count;
    log_segment_t **segments; // live ones, oldest first; owned
    size_t segment_count;
    log_index_t index;   // of the live segments
    uint64_t proven;     // D
    uint64_t torn_from;  // TORN: to be zeroed in the last segment
    uint64_t torn_to;    // 0: nothing
    bool restart;        // the log is to start anew after the snapshot
    bool cut;            // it is to go on in a new segment after the last one's last entry
    size_t sound;        // segments scanned without finding anything wrong
    uint8_t *window;     // owned; what was read last
    size_t window_bytes; // its size
} log_recovery_t;

// Scan. Modifies nothing. DT_ERR_NOT_FOUND: there is no log (nor should there be one); otherwise as
// log_store_open. To be deinitialised in every case.
int log_recovery_scan (log_recovery_t *self, const log_store_options_t *options,
                       log_report_t *report);

// Repair after a scan that returned 0. Leaves the last segment open for writing.
int log_recovery_repair (log_recovery_t *self);

// Hand the *.tmp files to the spares. The directory must be durable.
void log_recovery_spares (log_recovery_t *self, log_spares_t *spares);

// Remove dead segments, index files without a segment, surplus torn files and the *.tmp files that
// the spares did not want. `live`: the segments that stay. The directory must be durable, and is
// not synced afterwards.
int log_recovery_sweep (log_recovery_t *self, log_segment_t *const *live, size_t live_count);

// Free what is still owned, closing files.
void log_recovery_deinit (log_recovery_t *self);

#endif // LOG_RECOVERY_H
