// dtutl - what the parts of the offline tool share. Only dtutl*.c include it.

#ifndef DTUTL_H
#define DTUTL_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/dt_env.h"
#include "storage/data_dir.h"
#include "storage/storage_identity.h"
#include "storage/vfs.h"

enum {
    DTUTL_SCHEMA = 1, // of the JSON lines
};

typedef enum {
    DTUTL_OK = 0,
    DTUTL_FAILED = 1,    // the disk, permissions, a newer format
    DTUTL_USAGE = 2,     // wrong command line
    DTUTL_NOT_FOUND = 3, // no such directory, group or file
    DTUTL_CORRUPT = 9,   // what was looked at is damaged, incomplete or of somebody else
    DTUTL_IN_USE = 10,   // a process has the directory
} dtutl_exit_t;

typedef struct {
    vfs_t base;
    vfs_t *under;         // borrowed
    bool hide_indexes;    // index files are not found: everything is read from the segments
    bool progress;        // show on stderr how much was read
    const char *doing;    // for the progress line
    uint64_t bytes_read;  // since the last end of a progress line
    uint64_t bytes_shown; // of them, as last shown; 0: no line was begun
} dtutl_vfs_t;

typedef struct {
    bool verify;          // else dump
    bool json;            // else simple
    const char *what;     // the part asked for
    const char *data_dir; // as given
    bool one_group;       // only `group`
    uint32_t group;
    uint64_t from; // first and last entry of a dump of a log
    uint64_t to;
    dt_env_t env;
    dtutl_vfs_t vfs;              // read-only view of the data directory
    data_dir_identity_t identity; // if identity_rc is 0
    int identity_rc;
    const char *identity_why; // if it is not
    dtutl_exit_t result;      // the worst so far
} dtutl_t;

// dtutl_vfs.c

// A view of a disk on which every change fails with DT_ERR_PERMISSION, opening for writing opens
// for reading, and a sync does nothing.
void dtutl_vfs_init (dtutl_vfs_t *self, vfs_t *under);

// End the progress line, if one was shown.
void dtutl_vfs_end_progress (dtutl_vfs_t *self);

// dtutl_output.c

// Print one object as a line and free it.
void dtutl_emit (const dtutl_t *self, json_t *object);

// An object {"kind": kind}, with "group" if group is not NULL.
json_t *dtutl_object (const char *kind, const uint32_t *group);

// Add members: 64-bit words that are no counts as 16 hexadecimal digits; bytes as "<name>_base64"
// and, if they are UTF-8, as "<name>" too.
void dtutl_add_number (json_t *object, const char *name, uint64_t value);
void dtutl_add_hex (json_t *object, const char *name, uint64_t value);
void dtutl_add_text (json_t *object, const char *name, const char *value);
void dtutl_add_bytes (json_t *object, const char *name, const uint8_t *data, size_t bytes);

// Add "ok" and, if rc is not 0, "error" and "why" (may be NULL), and note the exit code.
void dtutl_add_result (dtutl_t *self, json_t *object, int rc, const char *why);

// Note an error for the exit code.
void dtutl_note (dtutl_t *self, int rc);

// Whose the files of a group must be.
storage_identity_t dtutl_identity (const dtutl_t *self, uint32_t group);

// dtutl_state.c

void dtutl_show_identity (dtutl_t *self);
void dtutl_show_hard_state (dtutl_t *self, uint32_t group);
void dtutl_show_snapshots (dtutl_t *self, uint32_t group);

// dtutl_log.c

void dtutl_verify_log (dtutl_t *self, uint32_t group);
void dtutl_dump_log (dtutl_t *self, uint32_t group);

// A segment file, as its header describes it.
typedef struct {
    uint64_t seq;
    int rc;          // of reading the header
    const char *why; // if rc is DT_ERR_CORRUPT or DT_ERR_NEWER_FORMAT
    bool live;       // belongs to the log
    uint64_t end;    // live: another segment goes on from this entry; UINT64_MAX: it is the last
    uint64_t bytes;  // of the file
    uint32_t crc;    // of the header
    storage_identity_t identity;
    uint64_t prev_seq;
    uint64_t first_index;
    uint64_t prev_term;
    uint64_t created_ms;
    uint32_t prev_chain;
    uint32_t salt;
    uint32_t segment_bytes;
    uint32_t flags;
} dtutl_segment_t;

// List the segments of a log, ascending; *segments is freed by the caller.
int dtutl_segments (dtutl_t *self, const char *directory, dtutl_segment_t **segments,
                    size_t *count);

// dtutl_index.c

void dtutl_show_index (dtutl_t *self, uint32_t group);

#endif // DTUTL_H
