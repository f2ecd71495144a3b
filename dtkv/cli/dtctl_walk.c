#include "dtkv/cli/dtctl_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dt_buffer.h"
#include "base/dt_memory.h"

// A directory that is being read.
typedef struct {
    int fd;
    char **names; // sorted; owned, as are the strings
    size_t count;
    size_t next;
    size_t path_bytes; // how much of the path is this directory's
    dev_t device;
    ino_t inode;
} s_level_t;

struct dtctl_walk {
    bool follow;
    s_level_t *levels;
    size_t depth;
    size_t capacity;
    char *enter;        // directory to go into with the next call, NULL: none; points into a level
    dt_buffer_t path;   // of the current entry, ends with NUL
    dt_buffer_t folder; // of its directory, ends with NUL
};

static int s_compare (const void *one, const void *other)
{
    return strcmp (*(char *const *) one, *(char *const *) other);
}

static void s_level_close (s_level_t *level)
{
    for (size_t i = 0; i < level->count; i++) {
        free (level->names[i]);
    }
    free (level->names);
    close (level->fd);
}

// Read the names of an open directory, which the level owns from here on. errno or 0.
static int s_level_read (s_level_t *level)
{
    int fd = fcntl (level->fd, F_DUPFD_CLOEXEC, 0);
    DIR *folder = fd >= 0 ? fdopendir (fd) : NULL;
    if (!folder) {
        int error = errno;
        if (fd >= 0) {
            close (fd);
        }
        return error;
    }
    size_t capacity = 0;
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir (folder))) {
        if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0) {
            continue;
        }
        if (level->count == capacity) {
            capacity = capacity ? 2 * capacity : 32;
            level->names = dt_realloc (level->names, capacity * sizeof *level->names);
        }
        level->names[level->count++] = dt_strdup (entry->d_name);
        errno = 0;
    }
    int error = errno;
    closedir (folder);
    if (level->count > 0) {
        qsort (level->names, level->count, sizeof *level->names, s_compare);
    }
    return error;
}

// Open a directory as the next level. errno or 0.
static int s_push (dtctl_walk_t *self, int folder_fd, const char *name, bool follow)
{
    s_level_t level = {0};
    struct stat st;
    level.fd =
        openat (folder_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    if (level.fd < 0) {
        return errno;
    }
    int error = fstat (level.fd, &st) == 0 ? s_level_read (&level) : errno;
    if (error) {
        s_level_close (&level);
        return error;
    }
    level.device = st.st_dev;
    level.inode = st.st_ino;
    level.path_bytes = self->path.bytes ? self->path.bytes - 1 : 0;
    if (self->depth == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 16;
        self->levels = dt_realloc (self->levels, self->capacity * sizeof *self->levels);
    }
    self->levels[self->depth++] = level;
    return 0;
}

dtctl_walk_t *dtctl_walk_new (const char *root, bool follow)
{
    dtctl_walk_t *self = dt_zalloc (1, sizeof *self);
    self->follow = follow;
    int error = s_push (self, AT_FDCWD, root, true);
    if (error) {
        dtctl_walk_destroy (&self);
        errno = error;
    }
    return self;
}

void dtctl_walk_destroy (dtctl_walk_t **self_p)
{
    dtctl_walk_t *self = *self_p;
    if (!self) {
        return;
    }
    while (self->depth > 0) {
        s_level_close (&self->levels[--self->depth]);
    }
    free (self->levels);
    dt_buffer_deinit (&self->path);
    dt_buffer_deinit (&self->folder);
    free (self);
    *self_p = NULL;
}

// Set path and folder for a name in the current level.
static void s_set_path (dtctl_walk_t *self, const char *name)
{
    size_t bytes = self->levels[self->depth - 1].path_bytes;
    dt_buffer_clear (&self->folder);
    if (bytes > 0) {
        dt_buffer_append (&self->folder, self->path.data, bytes);
    }
    dt_buffer_append (&self->folder, "", 1);
    self->path.bytes = bytes;
    if (bytes > 0) {
        dt_buffer_append (&self->path, "/", 1);
    }
    dt_buffer_append (&self->path, name, strlen (name) + 1);
}

static bool s_is_loop (const dtctl_walk_t *self, const struct stat *st)
{
    for (size_t i = 0; i < self->depth; i++) {
        if (self->levels[i].device == st->st_dev && self->levels[i].inode == st->st_ino) {
            return true;
        }
    }
    return false;
}

// Find out what an entry is.
static void s_look (dtctl_walk_t *self, dtctl_walk_entry_t *entry)
{
    struct stat st;
    if (fstatat (entry->folder_fd, entry->name, &st, self->follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0) {
        entry->kind = DTCTL_WALK_FAILED;
        entry->error = errno;
        return;
    }
    entry->bytes = (uint64_t) st.st_size;
    entry->kind = S_ISREG (st.st_mode)   ? DTCTL_WALK_FILE
                  : S_ISDIR (st.st_mode) ? DTCTL_WALK_DIRECTORY
                  : S_ISLNK (st.st_mode) ? DTCTL_WALK_LINK
                                         : DTCTL_WALK_OTHER;
    if (entry->kind == DTCTL_WALK_DIRECTORY && self->follow && s_is_loop (self, &st)) {
        entry->kind = DTCTL_WALK_LOOP;
    }
}

bool dtctl_walk_next (dtctl_walk_t *self, dtctl_walk_entry_t *entry)
{
    *entry = (dtctl_walk_entry_t){0};
    if (self->enter) {
        const char *name = self->enter;
        self->enter = NULL;
        int fd = self->levels[self->depth - 1].fd;
        int error = s_push (self, fd, name, self->follow);
        if (error) {
            entry->kind = DTCTL_WALK_FAILED;
            entry->error = error;
            entry->folder_fd = fd;
            entry->name = name;
            entry->path = (char *) self->path.data;
            entry->folder = (char *) self->folder.data;
            return true;
        }
    }
    while (self->levels[self->depth - 1].next == self->levels[self->depth - 1].count) {
        if (self->depth == 1) {
            return false;
        }
        s_level_close (&self->levels[--self->depth]);
    }
    s_level_t *level = &self->levels[self->depth - 1];
    char *name = level->names[level->next++];
    s_set_path (self, name);
    entry->folder_fd = level->fd;
    entry->name = name;
    entry->path = (char *) self->path.data;
    entry->folder = (char *) self->folder.data;
    s_look (self, entry);
    self->enter = entry->kind == DTCTL_WALK_DIRECTORY ? name : NULL;
    return true;
}
