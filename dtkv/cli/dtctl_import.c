// dtctl_import - the command import: a directory of the file system into the tree.
//
// The main thread walks, reads files and submits writes; the client's I/O thread counts the
// answers. Many writes are in flight and may be carried out in any order, so each creates the
// directories above it. Every write may be done again, which makes a second run complete a first
// one.

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/dt_memory.h"
#include "dtkv/cli/dtctl.h"
#include "dtkv/cli/dtctl_parse.h"
#include "dtkv/cli/dtctl_path.h"
#include "dtkv/cli/dtctl_progress.h"
#include "dtkv/cli/dtctl_text.h"
#include "dtkv/cli/dtctl_walk.h"

enum { S_REFUSALS_PRINTED = 20 };

// What the answers gave; written by the I/O thread, under the lock.
typedef struct {
    uint64_t keys;        // acknowledged
    uint64_t directories; // acknowledged, there before or not
    uint64_t bytes;       // of acknowledged values
    uint64_t refused;     // answered with something that lies with this key
    uint64_t unknown;     // may have happened or not
    uint64_t unserved;    // certainly not carried out, the node could not
    uint64_t ended;       // all of these
    int stop_exit;        // why no more should be submitted: exit code, 0: go on
} s_counts_t;

typedef struct {
    dtctl_t *dtctl;
    char *root;      // absolute path of the source
    dt_bytes_t to;   // path of the target in the tree
    bool follow;     // links count as what they lead to
    bool skip_links; // links are left out
    uint64_t file_bytes_max;
    dt_buffer_t key;   // of the current entry
    dt_buffer_t value; // of the current entry
    dtctl_progress_t progress;
    uint64_t submitted;
    uint64_t skipped;
    int refused_exit; // exit code of the first refusal
    FILE *acked;      // log of acknowledged keys, NULL: none
    bool acked_failed;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    s_counts_t counts;
} s_import_t;

// A write in flight.
typedef struct {
    s_import_t *import;
    uint64_t bytes; // of the value
    bool directory;
    size_t key_bytes;
    char key[];
} s_write_t;

// Answers
// ------------------------------------------------------------------------------------------

// A key that was not written for a reason of its own; the others go on.
static void s_refused (s_import_t *self, const s_write_t *write, const dt_result_t *result)
{
    self->counts.refused++;
    if (self->counts.refused <= S_REFUSALS_PRINTED) {
        dtctl_progress_clear (&self->progress);
        dtctl_fail ("import", dt_bytes (write->key, write->key_bytes), result->code, result);
    } else if (self->counts.refused == S_REFUSALS_PRINTED + 1) {
        dtctl_complain ("import: more keys were refused, which are only counted");
    }
    if (!self->refused_exit) {
        self->refused_exit = dtctl_exit_of (result->code, result->outcome);
    }
}

// The node is gone, full or unwilling: all the others would fare alike.
static void s_stopped (s_import_t *self, const s_write_t *write, const dt_result_t *result)
{
    int exit_code = dtctl_exit_of (result->code, result->outcome);
    self->counts.unknown += exit_code == DTCTL_EXIT_UNKNOWN;
    self->counts.unserved += exit_code != DTCTL_EXIT_UNKNOWN;
    if (!self->counts.stop_exit) {
        dtctl_progress_clear (&self->progress);
        dtctl_fail ("import", dt_bytes (write->key, write->key_bytes), result->code, result);
        self->counts.stop_exit = exit_code;
    }
}

static void s_acknowledged (s_import_t *self, const s_write_t *write)
{
    self->counts.keys += !write->directory;
    self->counts.directories += write->directory;
    self->counts.bytes += write->bytes;
    if (self->acked && !write->directory) {
        dt_buffer_t line = {0};
        dtctl_text_escape (&line, write->key, write->key_bytes);
        dt_buffer_append (&line, "\n", 1);
        self->acked_failed |= fwrite (line.data, 1, line.bytes, self->acked) != line.bytes;
        dt_buffer_deinit (&line);
    }
}

static void s_answered (void *user, const dt_result_t *result)
{
    s_write_t *write = user;
    s_import_t *self = write->import;
    pthread_mutex_lock (&self->lock);
    if (dt_code_is_success (result->code) || (write->directory && result->code == DT_DIR_EXISTS)) {
        s_acknowledged (self, write);
    } else {
        switch (dtctl_exit_of (result->code, result->outcome)) {
        case DTCTL_EXIT_UNAVAILABLE:
        case DTCTL_EXIT_UNKNOWN:
        case DTCTL_EXIT_DENIED:
        case DTCTL_EXIT_CORRUPT:
            s_stopped (self, write, result);
            break;
        default:
            if (result->code == DT_NO_SPACE) {
                s_stopped (self, write, result);
            } else {
                s_refused (self, write, result);
            }
        }
    }
    self->counts.ended++;
    pthread_cond_signal (&self->changed);
    pthread_mutex_unlock (&self->lock);
    free (write);
}

static s_counts_t s_counts (s_import_t *self)
{
    pthread_mutex_lock (&self->lock);
    s_counts_t counts = self->counts;
    dtctl_progress_show (&self->progress, counts.keys, counts.bytes);
    pthread_mutex_unlock (&self->lock);
    return counts;
}

// Wait until every write in flight has its answer; the client ends each at its time limit.
static void s_drain (s_import_t *self)
{
    pthread_mutex_lock (&self->lock);
    while (self->counts.ended < self->submitted) {
        struct timespec until;
        clock_gettime (CLOCK_REALTIME, &until);
        until.tv_nsec += 200000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait (&self->changed, &self->lock, &until);
        dtctl_progress_show (&self->progress, self->counts.keys, self->counts.bytes);
    }
    dtctl_progress_clear (&self->progress);
    pthread_mutex_unlock (&self->lock);
}

// Entries
// ------------------------------------------------------------------------------------------

static void s_skip (s_import_t *self, const char *path, const char *why)
{
    dt_buffer_t name = {0};
    dtctl_text_escape (&name, path, strlen (path));
    pthread_mutex_lock (&self->lock);
    dtctl_progress_clear (&self->progress);
    dtctl_complain ("skipped %.*s: %s", (int) name.bytes, (char *) name.data, why);
    pthread_mutex_unlock (&self->lock);
    dt_buffer_deinit (&name);
    self->skipped++;
}

// Make the key of an entry in self->key. False, after saying so, if the node would not take it.
static bool s_make_key (s_import_t *self, const dtctl_walk_entry_t *entry)
{
    const dt_limits_t *limits = &self->dtctl->limits;
    char why[128];
    dt_buffer_clear (&self->key);
    dt_buffer_append (&self->key, self->to.data, self->to.bytes);
    for (const char *place = entry->path; *place;) {
        size_t bytes = strcspn (place, "/");
        bool last = place[bytes] == 0;
        if (self->key.bytes > 0) {
            dt_buffer_append (&self->key, ".", 1);
        }
        dtctl_path_encode (&self->key, place, bytes, last && entry->kind == DTCTL_WALK_LINK);
        place += bytes + !last;
    }
    switch (dtctl_path_check (self->key.data, self->key.bytes, limits->key_bytes_max,
                              limits->depth_max)) {
    case DTCTL_PATH_TOO_LONG:
        snprintf (why, sizeof why, "its key would have %zu bytes, the node allows %" PRIu64,
                  self->key.bytes, limits->key_bytes_max);
        break;
    case DTCTL_PATH_TOO_DEEP:
        snprintf (why, sizeof why, "its key would have %zu segments, the node allows %" PRIu64,
                  dtctl_path_depth (self->key.data, self->key.bytes), limits->depth_max);
        break;
    default:
        return true;
    }
    s_skip (self, entry->path, why);
    return false;
}

// Skip a file that is too large. exact: bytes is its size, not only what was read of it.
static bool s_too_large (s_import_t *self, const char *path, uint64_t bytes, bool exact)
{
    char why[128];
    snprintf (why, sizeof why, "it has %s%" PRIu64 " bytes, a value may have %" PRIu64,
              exact ? "" : "at least ", bytes, self->file_bytes_max);
    s_skip (self, path, why);
    return false;
}

// Read a file into self->value. False, after saying so, if it cannot be a value.
static bool s_read_file (s_import_t *self, const dtctl_walk_entry_t *entry)
{
    dt_buffer_clear (&self->value);
    if (entry->bytes > self->file_bytes_max) {
        return s_too_large (self, entry->path, entry->bytes, true);
    }
    // Not blocking, in case a pipe took the place of the file meanwhile.
    int fd =
        openat (entry->folder_fd, entry->name,
                O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (self->follow ? 0 : O_NOFOLLOW));
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && self->value.bytes <= self->file_bytes_max) {
        size_t room = self->file_bytes_max + 1 - self->value.bytes;
        room = room < 256 * 1024 ? room : 256 * 1024;
        got = read (fd, dt_buffer_reserve (&self->value, room), room);
        self->value.bytes += got > 0 ? (size_t) got : 0;
    }
    int error = errno;
    if (fd >= 0) {
        close (fd);
    }
    if (got < 0) {
        s_skip (self, entry->path, strerror (error));
        return false;
    }
    return self->value.bytes <= self->file_bytes_max ||
           s_too_large (self, entry->path, self->value.bytes, false);
}

// Read a link's target into self->value.
static bool s_read_link (s_import_t *self, const dtctl_walk_entry_t *entry)
{
    char target[PATH_MAX + 1];
    ssize_t bytes = readlinkat (entry->folder_fd, entry->name, target, PATH_MAX);
    if (bytes < 0) {
        s_skip (self, entry->path, strerror (errno));
        return false;
    }
    target[bytes] = 0;
    dt_buffer_clear (&self->value);
    dtctl_path_link_target (&self->value, self->root, entry->folder, target);
    return true;
}

// Submit the current key, with the current value or as a directory. False if no more should be.
static bool s_submit (s_import_t *self, bool directory)
{
    s_write_t *write = dt_malloc (sizeof *write + self->key.bytes);
    write->import = self;
    write->bytes = directory ? 0 : self->value.bytes;
    write->directory = directory;
    write->key_bytes = self->key.bytes;
    memcpy (write->key, self->key.data, self->key.bytes);
    dt_bytes_t key = dt_bytes (self->key.data, self->key.bytes);
    dt_call_options_t options = dtctl_call_options (self->dtctl, DT_PARENTS);
    int code = directory
                   ? dt_client_mkdir_async (self->dtctl->client, key, &options, s_answered, write)
                   : dt_client_put_async (self->dtctl->client, key,
                                          dt_bytes (self->value.data, self->value.bytes), &options,
                                          s_answered, write);
    if (code == DT_SUCCESS) {
        self->submitted++;
        return true;
    }
    dt_result_t result = {.code = code, .outcome = DT_OUTCOME_NOT_DONE};
    pthread_mutex_lock (&self->lock);
    s_stopped (self, write, &result);
    pthread_mutex_unlock (&self->lock);
    free (write);
    return false;
}

// Take one entry of the walk. False if no more should be taken.
static bool s_take (s_import_t *self, const dtctl_walk_entry_t *entry)
{
    switch (entry->kind) {
    case DTCTL_WALK_FILE:
        return !s_make_key (self, entry) || !s_read_file (self, entry) || s_submit (self, false);
    case DTCTL_WALK_DIRECTORY:
        return !s_make_key (self, entry) || s_submit (self, true);
    case DTCTL_WALK_LINK:
        if (self->skip_links) {
            s_skip (self, entry->path, "a symbolic link");
            return true;
        }
        return !s_make_key (self, entry) || !s_read_link (self, entry) || s_submit (self, false);
    case DTCTL_WALK_OTHER:
        s_skip (self, entry->path, "a device, socket or pipe");
        return true;
    case DTCTL_WALK_LOOP:
        s_skip (self, entry->path, "a link to a directory that it stands in");
        return true;
    case DTCTL_WALK_FAILED:
        s_skip (self, entry->path, strerror (entry->error));
        return true;
    }
    return true;
}

// The command
// --------------------------------------------------------------------------------------

static int s_take_options (s_import_t *self)
{
    dtctl_t *dtctl = self->dtctl;
    const char *links = dtctl_args_value (&dtctl->args, "links");
    const char *size = dtctl_args_value (&dtctl->args, "max-file-size");
    if (links && strcmp (links, "keep") != 0 && strcmp (links, "follow") != 0 &&
        strcmp (links, "skip") != 0) {
        return dtctl_usage (dtctl, "--links %s: give keep, follow or skip", links);
    }
    self->follow = links && strcmp (links, "follow") == 0;
    self->skip_links = links && strcmp (links, "skip") == 0;
    self->file_bytes_max = UINT64_MAX - 1;
    if (size && dtctl_parse_size (size, &self->file_bytes_max) != 0) {
        return dtctl_usage (dtctl, "--max-file-size %s: give a size such as 64KiB", size);
    }
    int rc = dtctl_connect (dtctl);
    if (rc == 0) {
        rc = dtctl_take_path (dtctl, dtctl_args_value (&dtctl->args, "to"), true, &self->to);
    }
    if (self->file_bytes_max > dtctl->limits.value_bytes_max) {
        self->file_bytes_max = dtctl->limits.value_bytes_max;
    }
    return rc;
}

static int s_open (s_import_t *self, dtctl_walk_t **walk)
{
    const char *folder = self->dtctl->args.arguments[0];
    const char *acked = dtctl_args_value (&self->dtctl->args, "acked-log");
    self->root = realpath (folder, NULL);
    *walk = self->root ? dtctl_walk_new (self->root, self->follow) : NULL;
    if (!*walk) {
        dtctl_complain ("cannot import %s: %s", folder, strerror (errno));
        return errno == ENOENT ? DTCTL_EXIT_NOT_FOUND : DTCTL_EXIT_ERROR;
    }
    if (strcmp (self->root, "/") == 0) {
        self->root[0] = 0;
    }
    self->acked = acked ? fopen (acked, "ae") : NULL;
    if (acked && !self->acked) {
        dtctl_complain ("cannot write %s: %s", acked, strerror (errno));
        return DTCTL_EXIT_ERROR;
    }
    if (self->acked) {
        // A line is in the file as soon as its key is acknowledged.
        setvbuf (self->acked, NULL, _IOLBF, 64 * 1024);
    }
    return 0;
}

static void s_report (s_import_t *self)
{
    const s_counts_t *counts = &self->counts;
    dtctl_output_t *out = self->dtctl->out;
    dt_buffer_t size = {0};
    dtctl_text_size (&size, counts->bytes);
    dtctl_output_simple (out, "imported %" PRIu64 " keys, %" PRIu64 " directories, %.*s",
                         counts->keys, counts->directories, (int) size.bytes, (char *) size.data);
    if (self->skipped + counts->refused > 0) {
        dtctl_output_simple (out, "; %" PRIu64 " skipped, %" PRIu64 " refused", self->skipped,
                             counts->refused);
    }
    dtctl_output_simple (out, "\n");
    dtctl_output_begin (out);
    dtctl_output_number (out, "keys", counts->keys);
    dtctl_output_number (out, "directories", counts->directories);
    dtctl_output_number (out, "bytes", counts->bytes);
    dtctl_output_number (out, "skipped", self->skipped);
    dtctl_output_number (out, "refused", counts->refused);
    dtctl_output_number (out, "unknown", counts->unknown);
    dtctl_output_number (out, "unserved", counts->unserved);
    dtctl_output_end (out);
    dt_buffer_deinit (&size);
}

static int s_exit (s_import_t *self)
{
    const s_counts_t *counts = &self->counts;
    if (counts->stop_exit || dtctl_interrupted ()) {
        dtctl_complain ("import: %s after %" PRIu64 " acknowledged keys; %" PRIu64
                        " writes may or may not have happened, %" PRIu64 " did not",
                        dtctl_interrupted () ? "interrupted" : "stopped", counts->keys,
                        counts->unknown, counts->unserved);
        dtctl_complain ("run the same command again to complete it");
        return dtctl_interrupted () ? DTCTL_EXIT_SIGNAL
               : counts->unknown    ? DTCTL_EXIT_UNKNOWN
                                    : counts->stop_exit;
    }
    if (self->acked_failed) {
        dtctl_complain ("import: the log of acknowledged keys could not be written");
        return DTCTL_EXIT_ERROR;
    }
    if (counts->refused) {
        return self->refused_exit;
    }
    return self->skipped && !dtctl_args_has (&self->dtctl->args, "skip-ok") ? DTCTL_EXIT_ERROR
                                                                            : DTCTL_EXIT_OK;
}

static void s_run (s_import_t *self, dtctl_walk_t *walk)
{
    dtctl_walk_entry_t entry;
    dtctl_progress_init (&self->progress, "imported");
    dtctl_catch_signals ();
    bool going = true;
    if (self->to.bytes > 0) {
        // Even an empty source leaves its directory.
        dt_buffer_append (&self->key, self->to.data, self->to.bytes);
        going = s_submit (self, true);
    }
    while (going && !dtctl_interrupted () && dtctl_walk_next (walk, &entry)) {
        going = s_take (self, &entry) && s_counts (self).stop_exit == 0;
    }
    s_drain (self);
}

int dtctl_import (dtctl_t *dtctl)
{
    s_import_t self = {.dtctl = dtctl};
    dtctl_walk_t *walk = NULL;
    pthread_mutex_init (&self.lock, NULL);
    pthread_cond_init (&self.changed, NULL);
    int rc = s_take_options (&self);
    if (rc == 0) {
        rc = s_open (&self, &walk);
    }
    if (rc == 0) {
        s_run (&self, walk);
        if (self.acked && fclose (self.acked) != 0) {
            self.acked_failed = true;
        }
        s_report (&self);
        rc = s_exit (&self);
    }
    dtctl_walk_destroy (&walk);
    free (self.root);
    dt_buffer_deinit (&self.key);
    dt_buffer_deinit (&self.value);
    pthread_cond_destroy (&self.changed);
    pthread_mutex_destroy (&self.lock);
    return rc;
}
