#include "storage/log_spare.h"

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "storage/log_segment.h"

void log_spares_init (log_spares_t *self, vfs_t *vfs, const dt_env_t *env, const char *directory,
                      uint32_t segment_bytes, uint32_t max)
{
    dt_assert (max <= LOG_SPARES_MAX);
    *self = (log_spares_t){
        .vfs = vfs,
        .env = env,
        .directory = directory,
        .segment_bytes = segment_bytes,
        .max = max,
        .next_number = 1,
    };
}

void log_spares_deinit (log_spares_t *self)
{
    while (self->ready_count > 0) {
        vfs_file_t *file = self->ready[--self->ready_count].file;
        (void) file->ops->close (file); // nothing depends on its content
    }
    self->used_count = 0;
}

static bool s_wanted (const log_spares_t *self)
{
    return self->used_count + self->ready_count < self->max;
}

bool log_spares_found (log_spares_t *self, uint64_t number)
{
    if (number >= self->next_number) {
        self->next_number = number + 1;
    }
    if (!s_wanted (self)) {
        return false;
    }
    self->used[self->used_count++] = number;
    return true;
}

int log_spares_retire (log_spares_t *self, const char *path, uint64_t *number)
{
    *number = 0;
    if (!s_wanted (self)) {
        return self->vfs->ops->unlink (self->vfs, path);
    }
    char spare[LOG_PATH_BYTES];
    uint64_t next = self->next_number++;
    log_spare_path (spare, self->directory, next);
    int rc = self->vfs->ops->rename (self->vfs, path, spare);
    if (rc == 0) {
        *number = next;
    }
    return rc;
}

// Give an open file its size and content.
static int s_fill (const log_spares_t *self, vfs_file_t *file)
{
    uint64_t bytes;
    int rc = file->ops->size (file, &bytes);
    if (rc == 0 && bytes > self->segment_bytes) {
        rc = file->ops->truncate (file, self->segment_bytes);
    }
    if (rc == 0) {
        rc = file->ops->allocate (file, self->segment_bytes);
    }
    if (rc == 0) {
        rc = log_zero_fill (file, 0, self->segment_bytes);
    }
    if (rc == 0) {
        rc = file->ops->sync (file);
    }
    return rc;
}

int log_spares_make (log_spares_t *self)
{
    bool fresh = self->used_count == 0;
    uint64_t number = fresh ? self->next_number++ : self->used[--self->used_count];
    char path[LOG_PATH_BYTES];
    log_spare_path (path, self->directory, number);
    vfs_file_t *file;
    int flags = fresh ? VFS_WRITE | VFS_CREATE | VFS_TRUNCATE : VFS_WRITE;
    int rc = self->vfs->ops->open (self->vfs, path, flags, &file);
    if (rc) {
        return rc;
    }
    rc = s_fill (self, file);
    if (rc == 0 && self->ready_count == LOG_SPARES_MAX) {
        rc = DT_ERR_NO_SPACE; // cannot happen: at most two are made at a time
    }
    if (rc == 0) {
        self->ready[self->ready_count].number = number;
        self->ready[self->ready_count].file = file;
        self->ready_count++;
        return 0;
    }
    int close_rc = file->ops->close (file);
    if (rc != DT_ERR_NO_SPACE) {
        return rc;
    }
    // Give the space back, for the deletion that will make room, and try again from nothing later.
    dt_log_warn (self->env, "log", "no space for a segment of %u bytes (%s)", self->segment_bytes,
                 path);
    int unlink_rc = self->vfs->ops->unlink (self->vfs, path);
    return close_rc ? close_rc : unlink_rc ? unlink_rc : rc;
}

bool log_spares_take (log_spares_t *self, uint64_t *number, vfs_file_t **file)
{
    if (self->ready_count == 0) {
        return false;
    }
    self->ready_count--;
    *number = self->ready[self->ready_count].number;
    *file = self->ready[self->ready_count].file;
    return true;
}
