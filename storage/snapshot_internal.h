// snapshot_internal - what the files of the snapshot store share. Only snapshot_*.c include it.

#ifndef SNAPSHOT_INTERNAL_H
#define SNAPSHOT_INTERNAL_H

#include "storage/snapshot_store.h"

enum {
    SNAPSHOT_PATH_BYTES = 512,
    SNAPSHOT_KNOWN_MAX = 64, // verdicts remembered
};

typedef struct {
    uint64_t index;
    uint64_t term;
    bool sound;
} snapshot_verdict_t;

struct snapshot_store {
    vfs_t *vfs;
    const dt_env_t *env;
    char *directory; // owned
    storage_identity_t identity;
    bool readonly;
    int failed;                                   // 0 or DT_ERR_DISK_FAILED, for ever
    uint32_t users;                               // writers and readers
    uint32_t readers;                             // of them
    uint64_t writer_number;                       // for names of temporary files
    snapshot_verdict_t known[SNAPSHOT_KNOWN_MAX]; // what was verified, in no order
    uint32_t known_count;
};

// The path of a snapshot. suffix: ".snapshot", or another.
void snapshot_path (const snapshot_store_t *store, uint64_t index, uint64_t term,
                    const char *suffix, char path[SNAPSHOT_PATH_BYTES]);

// Note the result of verifying a snapshot.
void snapshot_note (snapshot_store_t *store, uint64_t index, uint64_t term, bool sound);

// A call that changes the disk failed: log it and return what the caller gets; anything but
// DT_ERR_NO_SPACE is final for the store.
int snapshot_disk_error (snapshot_store_t *store, int rc, const char *call, const char *path);

// Open and check header and trailer of the file at `path` that must hold (index, term). report is
// filled on an error.
int snapshot_reader_open_path (snapshot_store_t *store, const char *path, uint64_t index,
                               uint64_t term, snapshot_reader_t **self, snapshot_report_t *report);

// Read the file at `path` to its end, verifying everything.
int snapshot_verify_path (snapshot_store_t *store, const char *path, uint64_t index, uint64_t term,
                          snapshot_info_t *info, snapshot_report_t *report);

#endif // SNAPSHOT_INTERNAL_H
