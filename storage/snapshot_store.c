#include "storage/snapshot_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "storage/snapshot_internal.h"

enum { SHRINK_BYTES = 8 * 1024 * 1024 }; // given back at once

static const char s_suffix[] = ".snapshot";

enum {
    DIGITS = 20,
    NAME_BYTES = DIGITS + 1 + DIGITS + sizeof s_suffix,
};

void snapshot_path (const snapshot_store_t *store, uint64_t index, uint64_t term,
                    const char *suffix, char path[SNAPSHOT_PATH_BYTES])
{
    int bytes = snprintf (path, SNAPSHOT_PATH_BYTES, "%s/%020llu-%020llu%s", store->directory,
                          (unsigned long long) index, (unsigned long long) term, suffix);
    dt_assert (bytes < SNAPSHOT_PATH_BYTES);
}

static bool s_digits (const char *text, uint64_t *number)
{
    uint64_t value = 0;
    for (int i = 0; i < DIGITS; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t) (text[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *number = value;
    return true;
}

static bool s_parse_name (const char *name, uint64_t *index, uint64_t *term)
{
    return strlen (name) == NAME_BYTES - 1 && s_digits (name, index) && name[DIGITS] == '-' &&
           s_digits (name + DIGITS + 1, term) && strcmp (name + DIGITS + 1 + DIGITS, s_suffix) == 0;
}

int snapshot_disk_error (snapshot_store_t *store, int rc, const char *call, const char *path)
{
    if (rc == DT_ERR_NO_SPACE) {
        dt_log_warn (store->env, "snapshot", "group %u: no space to %s %s",
                     store->identity.group_id, call, path);
        return rc;
    }
    dt_log_error (store->env, "snapshot", "group %u: cannot %s %s: %s; no more is written here",
                  store->identity.group_id, call, path, dt_error_text (rc));
    store->failed = DT_ERR_DISK_FAILED;
    return store->failed;
}

void snapshot_note (snapshot_store_t *store, uint64_t index, uint64_t term, bool sound)
{
    for (uint32_t i = 0; i < store->known_count; i++) {
        if (store->known[i].index == index && store->known[i].term == term) {
            store->known[i].sound = sound;
            return;
        }
    }
    if (store->known_count == SNAPSHOT_KNOWN_MAX) {
        // Forgetting a verdict only keeps a file longer.
        store->known_count--;
        memmove (store->known, store->known + 1, store->known_count * sizeof *store->known);
    }
    store->known[store->known_count++] =
        (snapshot_verdict_t){.index = index, .term = term, .sound = sound};
}

static const snapshot_verdict_t *s_verdict (const snapshot_store_t *self,
                                            const snapshot_info_t *info)
{
    for (uint32_t i = 0; i < self->known_count; i++) {
        if (self->known[i].index == info->index && self->known[i].term == info->term) {
            return &self->known[i];
        }
    }
    return NULL;
}

// --- the directory -------------------------------------------------------------------------------

typedef struct {
    snapshot_info_t *snapshots; // owned
    uint32_t snapshot_count;
    char **leftovers; // owned: names of temporary files
    uint32_t leftover_count;
} listing_t;

static void s_found (void *argument, const char *name, bool is_directory)
{
    listing_t *listing = argument;
    snapshot_info_t info = {0};
    size_t bytes = strlen (name);
    if (is_directory) {
        return;
    }
    if (s_parse_name (name, &info.index, &info.term)) {
        listing->snapshots =
            dt_realloc (listing->snapshots, (listing->snapshot_count + 1) * sizeof info);
        listing->snapshots[listing->snapshot_count++] = info;
    } else if (bytes > 4 && strcmp (name + bytes - 4, ".tmp") == 0) {
        listing->leftovers =
            dt_realloc (listing->leftovers, (listing->leftover_count + 1) * sizeof (char *));
        listing->leftovers[listing->leftover_count++] = dt_strdup (name);
    }
}

static void s_listing_free (listing_t *listing)
{
    for (uint32_t i = 0; i < listing->leftover_count; i++) {
        free (listing->leftovers[i]);
    }
    free (listing->leftovers);
    free (listing->snapshots);
}

static int s_remove_leftovers (snapshot_store_t *self, const listing_t *listing)
{
    for (uint32_t i = 0; i < listing->leftover_count; i++) {
        char path[SNAPSHOT_PATH_BYTES];
        int bytes = snprintf (path, sizeof path, "%s/%s", self->directory, listing->leftovers[i]);
        dt_assert (bytes < (int) sizeof path);
        dt_log_info (self->env, "snapshot", "group %u: removing %s: it was never completed",
                     self->identity.group_id, path);
        int rc = self->vfs->ops->unlink (self->vfs, path);
        if (rc) {
            return snapshot_disk_error (self, rc, "remove", path);
        }
    }
    return 0;
}

// The directory that holds `path`, "" for the root.
static char *s_parent (const char *path)
{
    char *parent = dt_strdup (path);
    char *slash = strrchr (parent, '/');
    *(slash ? slash : parent) = 0;
    return parent;
}

static int s_make_directory (snapshot_store_t *self)
{
    char *parent = s_parent (self->directory);
    int rc = self->vfs->ops->mkdir (self->vfs, self->directory);
    if (rc == 0) {
        rc = self->vfs->ops->sync_directory (self->vfs, parent);
    }
    free (parent);
    return rc ? snapshot_disk_error (self, rc, "make", self->directory) : 0;
}

static snapshot_store_t *s_new (const snapshot_store_options_t *options, bool readonly)
{
    dt_assert (strlen (options->directory) + 2 * NAME_BYTES < SNAPSHOT_PATH_BYTES);
    snapshot_store_t *self = dt_zalloc (1, sizeof *self);
    self->vfs = options->vfs;
    self->env = options->env;
    self->directory = dt_strdup (options->directory);
    self->identity = options->identity;
    self->readonly = readonly;
    return self;
}

int snapshot_store_open (const snapshot_store_options_t *options, snapshot_store_t **self_p)
{
    snapshot_store_t *self = s_new (options, false);
    listing_t listing = {0};
    int rc = s_make_directory (self);
    if (rc == 0) {
        rc = self->vfs->ops->list (self->vfs, self->directory, s_found, &listing);
    }
    if (rc == 0) {
        rc = s_remove_leftovers (self, &listing);
    }
    // Also for a name that a killed process left in the cache only: it may be relied on from now.
    if (rc == 0) {
        rc = self->vfs->ops->sync_directory (self->vfs, self->directory);
        rc = rc ? snapshot_disk_error (self, rc, "sync", self->directory) : 0;
    }
    s_listing_free (&listing);
    if (rc) {
        snapshot_store_close (&self);
        return rc;
    }
    *self_p = self;
    return 0;
}

static void s_ignore (void *argument, const char *name, bool is_directory)
{
    (void) argument;
    (void) name;
    (void) is_directory;
}

int snapshot_store_open_readonly (const snapshot_store_options_t *options, snapshot_store_t **self)
{
    int rc = options->vfs->ops->list (options->vfs, options->directory, s_ignore, NULL);
    if (rc == 0) {
        *self = s_new (options, true);
    }
    return rc;
}

void snapshot_store_close (snapshot_store_t **self_p)
{
    snapshot_store_t *self = *self_p;
    if (!self) {
        return;
    }
    dt_assert (self->users == 0);
    free (self->directory);
    free (self);
    *self_p = NULL;
}

int snapshot_store_failed (const snapshot_store_t *self)
{
    return self->failed;
}

// --- finding -------------------------------------------------------------------------------------

static int s_newest_first (const void *a, const void *b)
{
    const snapshot_info_t *left = a;
    const snapshot_info_t *right = b;
    if (left->index != right->index) {
        return left->index < right->index ? 1 : -1;
    }
    return (left->term < right->term) - (left->term > right->term);
}

// All complete snapshots, newest first; the caller frees them.
static int s_snapshots (snapshot_store_t *self, snapshot_info_t **snapshots, uint32_t *count)
{
    listing_t listing = {0};
    int rc = self->vfs->ops->list (self->vfs, self->directory, s_found, &listing);
    if (rc == 0 && listing.snapshot_count) {
        qsort (listing.snapshots, listing.snapshot_count, sizeof *listing.snapshots,
               s_newest_first);
    }
    *snapshots = rc ? NULL : listing.snapshots;
    *count = rc ? 0 : listing.snapshot_count;
    if (rc == 0) {
        listing.snapshots = NULL;
    }
    s_listing_free (&listing);
    return rc;
}

int snapshot_store_list (snapshot_store_t *self, snapshot_info_t *infos, uint32_t max)
{
    snapshot_info_t *snapshots;
    uint32_t count;
    int rc = s_snapshots (self, &snapshots, &count);
    if (rc) {
        return rc;
    }
    for (uint32_t i = 0; i < count && i < max; i++) {
        infos[i] = snapshots[i];
    }
    free (snapshots);
    return (int) count;
}

int snapshot_store_verify (snapshot_store_t *self, uint64_t index, uint64_t term,
                           snapshot_info_t *info, snapshot_report_t *report)
{
    char path[SNAPSHOT_PATH_BYTES];
    snapshot_report_t unused;
    report = report ? report : &unused;
    memset (report, 0, sizeof *report);
    snapshot_path (self, index, term, s_suffix, path);
    int rc = snapshot_verify_path (self, path, index, term, info, report);
    report->snapshots = rc != DT_ERR_NOT_FOUND;
    report->damaged = rc == DT_ERR_CORRUPT || rc == DT_ERR_IO;
    if (rc == 0 || rc == DT_ERR_CORRUPT) {
        snapshot_note (self, index, term, rc == 0);
    }
    return rc;
}

static void s_merge (snapshot_report_t *all, const snapshot_report_t *one)
{
    uint32_t snapshots = all->snapshots + one->snapshots;
    uint32_t damaged = all->damaged + one->damaged;
    uint64_t bytes = all->bytes + one->bytes;
    if (all->damaged == 0) {
        *all = *one;
    }
    all->snapshots = snapshots;
    all->damaged = damaged;
    all->bytes = bytes;
}

int snapshot_store_newest (snapshot_store_t *self, snapshot_info_t *info, snapshot_report_t *report)
{
    snapshot_report_t all = {0};
    snapshot_info_t *snapshots;
    uint32_t count;
    int rc = s_snapshots (self, &snapshots, &count);
    if (rc == 0) {
        rc = DT_ERR_NOT_FOUND;
    }
    for (uint32_t i = 0; i < count; i++) {
        snapshot_report_t one;
        rc = snapshot_store_verify (self, snapshots[i].index, snapshots[i].term, info, &one);
        s_merge (&all, &one);
        if (rc != DT_ERR_CORRUPT && rc != DT_ERR_IO) {
            break;
        }
        rc = DT_ERR_CORRUPT;
        dt_log_error (self->env, "snapshot", "group %u: %s does not verify: %s (offset %llu); %s",
                      self->identity.group_id, one.file, one.why, (unsigned long long) one.offset,
                      i + 1 < count ? "trying the one before" : "there is no other");
    }
    free (snapshots);
    if (report) {
        *report = all;
    }
    return rc;
}

// --- removing ------------------------------------------------------------------------------------

// Give the blocks of a file back piece by piece: freeing a large file at once, on a file system
// that discards, would hold up the log's syncs for tens of milliseconds.
static int s_shrink (snapshot_store_t *self, const char *path)
{
    vfs_file_t *file;
    uint64_t bytes;
    int rc = self->vfs->ops->open (self->vfs, path, VFS_WRITE, &file);
    if (rc) {
        return rc;
    }
    rc = file->ops->size (file, &bytes);
    while (rc == 0 && bytes > SHRINK_BYTES) {
        bytes -= SHRINK_BYTES;
        rc = file->ops->truncate (file, bytes);
        if (rc == 0) {
            rc = file->ops->sync (file);
        }
    }
    int close_rc = file->ops->close (file);
    return rc ? rc : close_rc;
}

static int s_remove (snapshot_store_t *self, const snapshot_info_t *info)
{
    char path[SNAPSHOT_PATH_BYTES];
    char leftover[SNAPSHOT_PATH_BYTES];
    snapshot_path (self, info->index, info->term, s_suffix, path);
    snapshot_path (self, info->index, info->term, ".removed.tmp", leftover);
    dt_log_info (self->env, "snapshot", "group %u: removing %s", self->identity.group_id, path);
    // Under a name that is no snapshot's first, and durably so: a part of one must never look like
    // one.
    int rc = self->vfs->ops->rename (self->vfs, path, leftover);
    if (rc == 0) {
        rc = self->vfs->ops->sync_directory (self->vfs, self->directory);
    }
    // A reader may have this file open, and goes on to its end: then it is given back whole, when
    // the reader closes it.
    if (rc == 0 && self->readers == 0) {
        rc = s_shrink (self, leftover);
    }
    if (rc == 0) {
        rc = self->vfs->ops->unlink (self->vfs, leftover);
    }
    return rc ? snapshot_disk_error (self, rc, "remove", path) : 0;
}

// Decide which of `count` snapshots, newest first, go. Nothing goes unless a newer one is known to
// be sound.
static uint32_t s_choose (const snapshot_store_t *self, const snapshot_info_t *snapshots,
                          uint32_t count, uint32_t keep, bool *go)
{
    bool sound_before = false;
    uint32_t kept = 0;
    uint32_t chosen = 0;
    for (uint32_t i = 0; i < count; i++) {
        const snapshot_verdict_t *verdict = s_verdict (self, &snapshots[i]);
        bool bad = verdict && !verdict->sound;
        go[i] = sound_before && (bad || kept >= keep);
        kept += !bad && !go[i];
        chosen += go[i];
        sound_before = sound_before || (verdict && verdict->sound);
    }
    return chosen;
}

int snapshot_store_prune (snapshot_store_t *self, uint32_t keep, uint32_t *removed)
{
    snapshot_info_t *snapshots;
    uint32_t count;
    dt_assert (!self->readonly);
    dt_assert (keep > 0);
    if (self->failed) {
        return self->failed;
    }
    int rc = s_snapshots (self, &snapshots, &count);
    if (rc) {
        return rc;
    }
    bool *go = dt_zalloc (count, sizeof *go);
    uint32_t chosen = s_choose (self, snapshots, count, keep, go);
    for (uint32_t i = count; rc == 0 && i-- > 0;) { // the oldest first
        if (go[i]) {
            rc = s_remove (self, &snapshots[i]);
        }
    }
    if (rc == 0 && chosen) {
        rc = self->vfs->ops->sync_directory (self->vfs, self->directory);
        rc = rc ? snapshot_disk_error (self, rc, "sync", self->directory) : 0;
    }
    if (rc == 0 && removed) {
        *removed = chosen;
    }
    free (go);
    free (snapshots);
    return rc;
}
