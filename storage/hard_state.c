// Format of the file, little-endian: two slots of 4096 bytes. The slot of the newest value has the
// higher generation; the next value goes to the other one. A slot holds the same copy twice, at 0
// and at 2048, in one write: a rotten sector alone never takes the newest vote away. A copy:
//
//     0  u64 magic       "DTHARDST"
//     8  u32 version
//    12  u32 crc         crc32c of the copy's 96 bytes with these four zero
//    16  u64 cluster_id
//    24  u32 group_id
//    28  u32 node_id
//    32  u64 generation  from 1; odd in the second slot
//    40  u64 term
//    48  u64 commit
//    56  u32 vote
//    60  u32 zero
//    64  u64 repair_until
//    72  zeros to 96
//
// Version 2 is written only while repair_until is not 0, which version 1 did not know.

#include "storage/hard_state.h"

#include <endian.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_crc32c.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"

#define HARD_STATE_MAGIC 0x5453445241485444ull // "DTHARDST"

enum {
    HARD_STATE_VERSION = 2,
    SLOT_BYTES = 4096,
    COPY_BYTES = 96,
    COPY_DISTANCE = 2048,
    FILE_BYTES = 2 * SLOT_BYTES,
};

typedef struct {
    uint64_t magic;
    uint32_t version;
    uint32_t crc;
    uint64_t cluster_id;
    uint32_t group_id;
    uint32_t node_id;
    uint64_t generation;
    uint64_t term;
    uint64_t commit;
    uint32_t vote;
    uint32_t zero;
    uint64_t repair_until;
    uint64_t zeros[3];
} disk_copy_t;

_Static_assert(sizeof (disk_copy_t) == COPY_BYTES, "no padding");
_Static_assert(offsetof (disk_copy_t, crc) == 12, "crc");
_Static_assert(offsetof (disk_copy_t, vote) == 56, "vote");
_Static_assert(offsetof (disk_copy_t, repair_until) == 64, "repair_until");

struct hard_state {
    vfs_t *vfs;
    const dt_env_t *env;
    char *path; // owned
    storage_identity_t identity;
    vfs_file_t *file; // owned
    hard_state_value_t value;
    uint64_t generation; // of the value
    bool putting;        // a put is in progress
    int failed;          // DT_ERR_DISK_FAILED after an error
};

// --- format --------------------------------------------------------------------------------------

static uint32_t s_crc (const uint8_t *copy)
{
    static const uint8_t zeros[4];
    uint32_t crc = dt_crc32c (0, copy, offsetof (disk_copy_t, crc));
    crc = dt_crc32c (crc, zeros, sizeof zeros);
    size_t rest = offsetof (disk_copy_t, crc) + sizeof zeros;
    return dt_crc32c (crc, copy + rest, COPY_BYTES - rest);
}

static void s_encode (const storage_identity_t *identity, const hard_state_value_t *value,
                      uint64_t generation, uint8_t *slot)
{
    disk_copy_t disk = {
        .magic = htole64 (HARD_STATE_MAGIC),
        .version = htole32 (value->repair_until ? HARD_STATE_VERSION : 1),
        .cluster_id = htole64 (identity->cluster_id),
        .group_id = htole32 (identity->group_id),
        .node_id = htole32 (identity->node_id),
        .generation = htole64 (generation),
        .term = htole64 (value->term),
        .commit = htole64 (value->commit),
        .vote = htole32 (value->vote),
        .repair_until = htole64 (value->repair_until),
    };
    memset (slot, 0, SLOT_BYTES);
    memcpy (slot, &disk, sizeof disk);
    disk.crc = htole32 (s_crc (slot));
    memcpy (slot, &disk, sizeof disk);
    memcpy (slot + COPY_DISTANCE, &disk, sizeof disk);
}

// What the copies of a file say.
typedef struct {
    uint64_t generation; // of the newest good copy; 0: there is none
    hard_state_value_t value;
    int bad; // slots of which no copy is good, though something was written
    int rc;  // DT_ERR_FOREIGN, DT_ERR_NEWER_FORMAT; 0
} verdict_t;

// Take one copy of a slot into account. False: it is not good.
static bool s_decode (const storage_identity_t *identity, const uint8_t *copy, unsigned slot,
                      verdict_t *verdict)
{
    disk_copy_t disk;
    memcpy (&disk, copy, sizeof disk);
    if (le64toh (disk.magic) != HARD_STATE_MAGIC || le32toh (disk.crc) != s_crc (copy)) {
        return false;
    }
    if (le32toh (disk.version) > HARD_STATE_VERSION) {
        verdict->rc = DT_ERR_NEWER_FORMAT;
        return true;
    }
    if (le64toh (disk.cluster_id) != identity->cluster_id ||
        le32toh (disk.group_id) != identity->group_id ||
        le32toh (disk.node_id) != identity->node_id) {
        verdict->rc = verdict->rc ? verdict->rc : DT_ERR_FOREIGN;
        return true;
    }
    uint64_t generation = le64toh (disk.generation);
    if (generation % 2 != slot || generation == 0 || generation == UINT64_MAX) {
        return false; // of the other slot: a misdirected write
    }
    if (generation > verdict->generation) {
        verdict->generation = generation;
        verdict->value = (hard_state_value_t){
            .term = le64toh (disk.term),
            .vote = le32toh (disk.vote),
            .commit = le64toh (disk.commit),
            .repair_until = le64toh (disk.repair_until),
        };
    }
    return true;
}

static bool s_all_zero (const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (data[i]) {
            return false;
        }
    }
    return true;
}

static verdict_t s_judge (const storage_identity_t *identity, const uint8_t *content)
{
    verdict_t verdict = {0};
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *slot = content + i * SLOT_BYTES;
        bool first = s_decode (identity, slot, i, &verdict);
        bool second = s_decode (identity, slot + COPY_DISTANCE, i, &verdict);
        if (!first && !second && !s_all_zero (slot, SLOT_BYTES)) {
            verdict.bad++;
        }
    }
    return verdict;
}

// --- the object ----------------------------------------------------------------------------------

static hard_state_t *s_new (const hard_state_options_t *options, vfs_file_t *file,
                            const hard_state_value_t *value, uint64_t generation)
{
    hard_state_t *self = dt_zalloc (1, sizeof *self);
    self->vfs = options->vfs;
    self->env = options->env;
    self->path = dt_strdup (options->path);
    self->identity = options->identity;
    self->file = file;
    self->value = *value;
    self->generation = generation;
    return self;
}

static int s_sync_parent (vfs_t *vfs, const char *path)
{
    const char *slash = strrchr (path, '/');
    if (!slash) {
        return vfs->ops->sync_directory (vfs, ".");
    }
    char *parent = dt_strdup (path);
    parent[slash - path] = 0;
    int rc = vfs->ops->sync_directory (vfs, parent);
    free (parent);
    return rc;
}

static bool s_exists (vfs_t *vfs, const char *path, int *rc)
{
    vfs_file_t *file;
    *rc = vfs->ops->open (vfs, path, VFS_READ, &file);
    if (*rc == 0) {
        *rc = file->ops->close (file);
        return true;
    }
    *rc = *rc == DT_ERR_NOT_FOUND ? 0 : *rc;
    return false;
}

// Write the whole content of a new file and make it durable, name excepted.
static int s_fill (vfs_file_t *file, const hard_state_options_t *options,
                   const hard_state_value_t *value)
{
    uint8_t *content = dt_zalloc (1, FILE_BYTES);
    s_encode (&options->identity, value, 1, content + SLOT_BYTES);
    int rc = file->ops->allocate (file, FILE_BYTES);
    if (rc == 0) {
        rc = file->ops->write_sync (file, content, FILE_BYTES, 0);
    }
    free (content);
    return rc;
}

int hard_state_create (const hard_state_options_t *options, const hard_state_value_t *value,
                       hard_state_t **self)
{
    vfs_t *vfs = options->vfs;
    int rc;
    if (s_exists (vfs, options->path, &rc)) {
        return rc ? rc : DT_ERR_EXISTS;
    }
    if (rc) {
        return rc;
    }
    size_t bytes = strlen (options->path) + sizeof ".tmp";
    char *temporary = dt_malloc (bytes);
    snprintf (temporary, bytes, "%s.tmp", options->path);
    vfs_file_t *file = NULL;
    rc = vfs->ops->open (vfs, temporary, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &file);
    if (rc == 0) {
        rc = s_fill (file, options, value);
        if (rc == 0) {
            rc = vfs->ops->rename (vfs, temporary, options->path);
        }
        if (rc == 0) {
            rc = s_sync_parent (vfs, options->path);
        }
        if (rc) {
            (void) file->ops->close (file);
        }
    }
    free (temporary);
    if (rc == 0) {
        *self = s_new (options, file, value, 1);
    }
    return rc;
}

static int s_refuse (const hard_state_options_t *options, int rc, const char *why)
{
    dt_log_error (options->env, "hard state", "%s: %s: %s", options->path, dt_error_text (rc), why);
    return rc;
}

static int s_load (const hard_state_options_t *options, vfs_file_t *file, verdict_t *verdict)
{
    uint8_t *content = dt_malloc (FILE_BYTES);
    size_t got = 0;
    int rc = file->ops->read (file, content, FILE_BYTES, 0, &got);
    if (rc == 0 && got < FILE_BYTES) {
        rc = s_refuse (options, DT_ERR_CORRUPT, "the file is too short");
    }
    if (rc == 0) {
        *verdict = s_judge (&options->identity, content);
        if (verdict->rc == DT_ERR_NEWER_FORMAT) {
            rc = s_refuse (options, verdict->rc, "start the version that wrote it, or a later one");
        } else if (verdict->rc) {
            rc = s_refuse (options, verdict->rc, "its cluster, group or node is not this one");
        } else if (verdict->generation == 0) {
            rc = s_refuse (options, DT_ERR_CORRUPT,
                           "term and vote are lost; replace the node under a new id");
        } else if (verdict->bad) {
            dt_log_warn (options->env, "hard state",
                         "%s: a slot is damaged, an interrupted write; the other one is used",
                         options->path);
        }
    }
    free (content);
    return rc;
}

// Write a value with the next generation into the slot of the older one.
static int s_write (hard_state_t *self, const hard_state_value_t *value)
{
    uint8_t slot[SLOT_BYTES];
    uint64_t generation = self->generation + 1;
    s_encode (&self->identity, value, generation, slot);
    int rc =
        self->file->ops->write_sync (self->file, slot, sizeof slot, (generation % 2) * SLOT_BYTES);
    if (rc == 0) {
        self->value = *value;
        self->generation = generation;
        return 0;
    }
    self->failed = DT_ERR_DISK_FAILED;
    dt_log_error (self->env, "hard state", "%s: writing failed: %s; no vote is given any more",
                  self->path, dt_error_text (rc));
    return self->failed;
}

int hard_state_open (const hard_state_options_t *options, hard_state_t **self_p,
                     hard_state_value_t *value)
{
    vfs_t *vfs = options->vfs;
    vfs_file_t *file;
    int rc = vfs->ops->open (vfs, options->path, VFS_WRITE, &file);
    if (rc) {
        return rc;
    }
    verdict_t verdict;
    rc = s_load (options, file, &verdict);
    if (rc) {
        (void) file->ops->close (file);
        return rc;
    }
    hard_state_t *self = s_new (options, file, &verdict.value, verdict.generation);
    // What was read may have been in the page cache only: written anew, it is on the disk for sure.
    rc = s_write (self, &verdict.value);
    if (rc == 0) {
        rc = s_sync_parent (vfs, options->path);
    }
    if (rc) {
        hard_state_close (&self);
        return rc;
    }
    *value = self->value;
    *self_p = self;
    return 0;
}

int hard_state_inspect (const hard_state_options_t *options, hard_state_value_t *value,
                        uint64_t *generation)
{
    vfs_t *vfs = options->vfs;
    vfs_file_t *file;
    verdict_t verdict;
    int rc = vfs->ops->open (vfs, options->path, VFS_READ, &file);
    if (rc) {
        return rc;
    }
    rc = s_load (options, file, &verdict);
    (void) file->ops->close (file); // opened for reading: nothing can be lost
    if (rc) {
        return rc;
    }
    *value = verdict.value;
    if (generation) {
        *generation = verdict.generation;
    }
    return 0;
}

void hard_state_close (hard_state_t **self_p)
{
    hard_state_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    dt_assert (!self->putting);
    (void) self->file->ops->close (self->file); // everything is synced
    free (self->path);
    free (self);
}

int hard_state_put (hard_state_t *self, const hard_state_value_t *value)
{
    dt_assert (!self->putting);
    dt_assert (value->term >= self->value.term);
    dt_assert (value->term > self->value.term || self->value.vote == 0 ||
               value->vote == self->value.vote);
    if (self->failed) {
        return self->failed;
    }
    self->putting = true;
    int rc = s_write (self, value);
    self->putting = false;
    return rc;
}

hard_state_value_t hard_state_get (const hard_state_t *self)
{
    return self->value;
}

uint64_t hard_state_generation (const hard_state_t *self)
{
    return self->generation;
}

int hard_state_failed (const hard_state_t *self)
{
    return self->failed;
}
