// dtctl_export - the command export: a subtree into a directory of the file system.
//
// What the store holds is not trusted here: a name never leads out of the target. Every file is
// created below the target's descriptor, one directory after the other, without following links.

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dtkv/cli/dtctl.h"
#include "dtkv/cli/dtctl_path.h"
#include "dtkv/cli/dtctl_progress.h"
#include "dtkv/cli/dtctl_text.h"

typedef struct {
    dtctl_t *dtctl;
    int root_fd;
    bool skip_links;
    dt_buffer_t parent; // segments of the directory that parent_fd is
    int parent_fd;      // -1: none
    dt_buffer_t name;   // of the current entry, ends with NUL
    dtctl_progress_t progress;
    uint64_t files;
    uint64_t links;
    uint64_t directories;
    uint64_t bytes;
    uint64_t skipped;
    int disk_error; // errno of a failure that others would share (disk full), 0: none
} s_export_t;

static void s_skip (s_export_t *self, dt_bytes_t key, const char *why)
{
    dt_buffer_t name = {0};
    dtctl_text_escape (&name, key.data, key.bytes);
    dtctl_progress_clear (&self->progress);
    dtctl_complain ("skipped %.*s: %s", (int) name.bytes, (char *) name.data, why);
    dt_buffer_deinit (&name);
    self->skipped++;
}

// Skip an entry for the reason errno holds.
static void s_skip_errno (s_export_t *self, dt_bytes_t key)
{
    int error = errno;
    bool in_the_way = error == ELOOP || error == ENOTDIR || error == EISDIR || error == ENOTEMPTY;
    if (error == ENOSPC || error == EDQUOT || error == EIO || error == EROFS) {
        self->disk_error = error;
    }
    s_skip (self, key, in_the_way ? "something else of this name is in the way" : strerror (error));
}

// Decode a segment into self->name. False if no file can have the name.
static bool s_decode (s_export_t *self, const char *segment, size_t bytes, bool *is_link)
{
    dt_buffer_clear (&self->name);
    if (dtctl_path_decode (&self->name, segment, bytes, is_link) != 0) {
        return false;
    }
    dt_buffer_append (&self->name, "", 1);
    return true;
}

// Open the directory `name` in folder_fd, creating it. -1 and errno if something else is there.
static int s_enter (int folder_fd, const char *name)
{
    if (mkdirat (folder_fd, name, 0777) != 0 && errno != EEXIST) {
        return -1;
    }
    return openat (folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void s_leave (s_export_t *self)
{
    if (self->parent_fd >= 0 && self->parent_fd != self->root_fd) {
        close (self->parent_fd);
    }
    self->parent_fd = -1;
}

// Make parent_fd the directory with these segments. False, after saying so, if that cannot be.
static bool s_enter_parent (s_export_t *self, dt_bytes_t key, size_t parent_bytes)
{
    if (self->parent_fd >= 0 && self->parent.bytes == parent_bytes &&
        (parent_bytes == 0 || memcmp (self->parent.data, key.data, parent_bytes) == 0)) {
        return true;
    }
    s_leave (self);
    int fd = self->root_fd;
    const char *place = key.data;
    const char *end = place + parent_bytes;
    while (place < end) {
        const char *dot = memchr (place, '.', (size_t) (end - place));
        const char *stop = dot ? dot : end;
        bool is_link = false;
        bool fits = s_decode (self, place, (size_t) (stop - place), &is_link) && !is_link;
        int next = fits ? s_enter (fd, (char *) self->name.data) : -1;
        int error = errno;
        if (fd != self->root_fd) {
            close (fd);
        }
        if (next < 0) {
            errno = error;
            if (fits) {
                s_skip_errno (self, key);
            } else {
                s_skip (self, key, "its directory's name cannot be a file's");
            }
            return false;
        }
        fd = next;
        place = stop + (dot != NULL);
    }
    self->parent_fd = fd;
    dt_buffer_clear (&self->parent);
    dt_buffer_append (&self->parent, key.data, parent_bytes);
    return true;
}

// Write bytes to a new file. False and errno if that fails.
static bool s_write_new (int folder_fd, const char *name, dt_bytes_t value)
{
    int fd = openat (folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) {
        return false;
    }
    size_t done = 0;
    bool good = true;
    while (good && done < value.bytes) {
        ssize_t wrote = write (fd, (const char *) value.data + done, value.bytes - done);
        good = wrote >= 0 || errno == EINTR;
        done += wrote > 0 ? (size_t) wrote : 0;
    }
    int error = errno;
    if (close (fd) != 0 && good) {
        return false;
    }
    errno = error;
    return good;
}

static bool s_link_new (int folder_fd, const char *name, dt_bytes_t target)
{
    char text[4096];
    if (target.bytes == 0 || target.bytes >= sizeof text || memchr (target.data, 0, target.bytes)) {
        errno = EINVAL;
        return false;
    }
    memcpy (text, target.data, target.bytes);
    text[target.bytes] = 0;
    return symlinkat (text, folder_fd, name) == 0;
}

// Create a file or a link beside its place and move it there, so that what was there is replaced
// whole and never written through.
static bool s_create (s_export_t *self, dt_bytes_t value, bool is_link)
{
    char draft[64];
    snprintf (draft, sizeof draft, ".dtctl-%ld-%" PRIu64, (long) getpid (), self->files);
    unlinkat (self->parent_fd, draft, 0);
    bool good = is_link ? s_link_new (self->parent_fd, draft, value)
                        : s_write_new (self->parent_fd, draft, value);
    good =
        good && renameat (self->parent_fd, draft, self->parent_fd, (char *) self->name.data) == 0;
    if (!good) {
        int error = errno;
        unlinkat (self->parent_fd, draft, 0);
        errno = error;
    }
    return good;
}

static void s_take (s_export_t *self, const dt_list_item_t *item)
{
    dt_bytes_t key = item->name;
    const char *text = key.data;
    const char *dot = key.bytes ? memrchr (text, '.', key.bytes) : NULL;
    size_t parent_bytes = dot ? (size_t) (dot - text) : 0;
    size_t skip = dot ? parent_bytes + 1 : 0;
    bool directory = (item->node.flags & DT_NODE_DIRECTORY) != 0;
    bool is_link = false;
    if (!s_enter_parent (self, key, parent_bytes)) {
        return;
    }
    if (!s_decode (self, text + skip, key.bytes - skip, &is_link) || (is_link && directory)) {
        s_skip (self, key, "no file can have this name; dtctl get reads it");
        return;
    }
    if (directory) {
        int fd = s_enter (self->parent_fd, (char *) self->name.data);
        if (fd < 0) {
            s_skip_errno (self, key);
            return;
        }
        close (fd);
        self->directories++;
        return;
    }
    if (is_link && self->skip_links) {
        s_skip (self, key, "a symbolic link");
        return;
    }
    if (!s_create (self, item->node.value, is_link)) {
        s_skip_errno (self, key);
        return;
    }
    self->files += !is_link;
    self->links += is_link;
    self->bytes += item->node.value.bytes;
}

static int s_run (s_export_t *self, dt_bytes_t path)
{
    dt_call_options_t options = dtctl_call_options (self->dtctl, DT_RECURSIVE);
    dt_list_t *list = dt_list_open (self->dtctl->client, path, 0, &options);
    dt_list_item_t item;
    int code = DT_SUCCESS;
    int rc = 0;
    dtctl_progress_init (&self->progress, "exported");
    dtctl_catch_signals ();
    while (!self->disk_error && !dtctl_interrupted () &&
           (code = dt_list_next (list, &item)) == DT_SUCCESS) {
        s_take (self, &item);
        dtctl_progress_show (&self->progress, self->files, self->bytes);
    }
    dtctl_progress_clear (&self->progress);
    if (self->disk_error) {
        dtctl_complain ("export: stopped: %s", strerror (self->disk_error));
        rc = DTCTL_EXIT_ERROR;
    } else if (dtctl_interrupted ()) {
        dtctl_complain ("export: interrupted; run the same command again to complete it");
        rc = DTCTL_EXIT_SIGNAL;
    } else if (!dt_list_done (list) && code == DT_PARENT_NOT_DIR) {
        dtctl_complain ("export %.*s: this is a value, no directory; dtctl get reads it",
                        (int) path.bytes, (const char *) path.data);
        rc = DTCTL_EXIT_PRECONDITION;
    } else if (!dt_list_done (list)) {
        rc = dtctl_fail ("export", path, code, dt_list_result (list));
    }
    dt_list_close (&list);
    return rc;
}

static void s_report (s_export_t *self)
{
    dtctl_output_t *out = self->dtctl->out;
    dt_buffer_t size = {0};
    dtctl_text_size (&size, self->bytes);
    dtctl_output_simple (
        out, "exported %" PRIu64 " files, %" PRIu64 " links, %" PRIu64 " directories, %.*s",
        self->files, self->links, self->directories, (int) size.bytes, (char *) size.data);
    if (self->skipped > 0) {
        dtctl_output_simple (out, "; %" PRIu64 " skipped", self->skipped);
    }
    dtctl_output_simple (out, "\n");
    dtctl_output_begin (out);
    dtctl_output_number (out, "files", self->files);
    dtctl_output_number (out, "links", self->links);
    dtctl_output_number (out, "directories", self->directories);
    dtctl_output_number (out, "bytes", self->bytes);
    dtctl_output_number (out, "skipped", self->skipped);
    dtctl_output_end (out);
    dt_buffer_deinit (&size);
}

// Make sure there is a directory to export, before one is created for it.
static int s_check_source (dtctl_t *dtctl, dt_bytes_t path)
{
    dt_call_options_t options = dtctl_call_options (dtctl, DT_COUNT_ONLY);
    dt_result_t *result;
    int code = dt_client_list (dtctl->client, path, NULL, &options, &result);
    int rc = 0;
    if (code == DT_PARENT_NOT_DIR) {
        dtctl_complain ("export %.*s: this is a value, no directory; dtctl get reads it",
                        (int) path.bytes, (const char *) path.data);
        rc = DTCTL_EXIT_PRECONDITION;
    } else if (!dt_code_is_success (code)) {
        rc = dtctl_fail ("export", path, code, result);
    }
    dt_result_free (&result);
    return rc;
}

int dtctl_export (dtctl_t *dtctl)
{
    s_export_t self = {.dtctl = dtctl, .parent_fd = -1};
    const char *links = dtctl_args_value (&dtctl->args, "links");
    const char *target = dtctl->args.arguments[1];
    dt_bytes_t path;
    if (links && strcmp (links, "keep") != 0 && strcmp (links, "skip") != 0) {
        return dtctl_usage (dtctl, "--links %s: give keep or skip", links);
    }
    self.skip_links = links && strcmp (links, "skip") == 0;
    int rc = dtctl_connect (dtctl);
    if (rc == 0) {
        rc = dtctl_take_path (dtctl, dtctl->args.arguments[0], true, &path);
    }
    if (rc == 0) {
        rc = s_check_source (dtctl, path);
    }
    if (rc != 0) {
        return rc;
    }
    bool made = mkdir (target, 0777) == 0 || errno == EEXIST;
    self.root_fd = made ? open (target, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (self.root_fd < 0) {
        dtctl_complain ("cannot export to %s: %s", target, strerror (errno));
        return DTCTL_EXIT_ERROR;
    }
    rc = s_run (&self, path);
    s_report (&self);
    s_leave (&self);
    if (syncfs (self.root_fd) != 0 && rc == 0) {
        dtctl_complain ("cannot write %s to its disk: %s", target, strerror (errno));
        rc = DTCTL_EXIT_ERROR;
    }
    close (self.root_fd);
    dt_buffer_deinit (&self.parent);
    dt_buffer_deinit (&self.name);
    if (rc == 0 && self.skipped && !dtctl_args_has (&dtctl->args, "skip-ok")) {
        rc = DTCTL_EXIT_ERROR;
    }
    return rc;
}
