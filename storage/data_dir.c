#include "storage/data_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"

static const char s_identity_tmp[] = "identity.tmp";
static const char s_groups[] = "groups";
static const char s_removed[] = ".removed"; // end of the name of a group that is being removed

struct data_dir {
    vfs_t *vfs;
    const dt_env_t *env;
    char *name; // owned
    data_dir_identity_t identity;
};

static int s_write_identity (data_dir_t *self)
{
    vfs_t *vfs = self->vfs;
    vfs_file_t *file = NULL;
    uint8_t *data = dt_malloc (DATA_DIR_IDENTITY_BYTES);
    data_dir_identity_encode (&self->identity, data);
    int rc = vfs->ops->open (vfs, s_identity_tmp, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &file);
    if (rc == 0) {
        rc = file->ops->write_sync (file, data, DATA_DIR_IDENTITY_BYTES, 0);
        int closed = file->ops->close (file);
        rc = rc ? rc : closed;
    }
    if (rc == 0) {
        rc = vfs->ops->rename (vfs, s_identity_tmp, DATA_DIR_IDENTITY_NAME);
    }
    if (rc == 0) {
        rc = vfs->ops->sync_directory (vfs, "");
    }
    free (data);
    return rc;
}

// --- opening -------------------------------------------------------------------------------------

typedef struct {
    bool groups;    // the directory of the groups
    char other[64]; // one of the other names; "" if there is none
} content_t;

static void s_note_name (void *argument, const char *name, bool is_directory)
{
    content_t *content = argument;
    if (is_directory && strcmp (name, s_groups) == 0) {
        content->groups = true;
    } else if (strcmp (name, s_identity_tmp) != 0 && strcmp (name, "lost+found") != 0) {
        snprintf (content->other, sizeof content->other, "%s", name);
    }
}

typedef struct {
    uint32_t count;
} entries_t;

static void s_count_entry (void *argument, const char *name, bool is_directory)
{
    (void) name;
    (void) is_directory;
    ((entries_t *) argument)->count++;
}

// There is no identity: is that a fresh directory, or one that lost or never had it?
static int s_initialise (data_dir_t *self, bool is_new)
{
    content_t content = {0};
    entries_t groups = {0};
    vfs_t *vfs = self->vfs;
    int rc = vfs->ops->list (vfs, "", s_note_name, &content);
    if (rc == 0 && content.groups) {
        rc = vfs->ops->list (vfs, s_groups, s_count_entry, &groups);
    }
    if (rc) {
        return rc;
    }
    if (content.other[0] || groups.count) {
        dt_log_error (self->env, "data",
                      "%s is not empty (it has '%s') but has no identity file: it is no data "
                      "directory, or has lost it; name another directory",
                      self->name, content.other[0] ? content.other : s_groups);
        return DT_ERR_FOREIGN;
    }
    if (!is_new) {
        dt_log_error (self->env, "data",
                      "%s is empty, expected the data of node %u of cluster %016llx: if its disk "
                      "was lost, remove the node from its groups and add it under a new id; if the "
                      "node has never run, say that it is new",
                      self->name, self->identity.node_id,
                      (unsigned long long) self->identity.cluster_id);
        return DT_ERR_NOT_FOUND;
    }
    rc = vfs->ops->mkdir (vfs, s_groups);
    if (rc == 0) {
        self->identity.id = self->env->entropy (self->env) | 1;
        rc = s_write_identity (self);
    }
    if (rc) {
        dt_log_error (self->env, "data", "%s cannot be initialised: %s", self->name,
                      dt_error_text (rc));
        return rc;
    }
    dt_log_info (self->env, "data", "%s initialised for node %u of cluster %016llx", self->name,
                 self->identity.node_id, (unsigned long long) self->identity.cluster_id);
    return 0;
}

static int s_check_owner (data_dir_t *self, const data_dir_identity_t *found)
{
    const data_dir_identity_t *wanted = &self->identity;
    if (found->cluster_id == wanted->cluster_id && found->node_id == wanted->node_id) {
        return 0;
    }
    dt_log_error (self->env, "data",
                  "%s belongs to node %u of cluster %016llx, expected node %u of cluster %016llx: "
                  "correct the configured node id, cluster id or directory",
                  self->name, found->node_id, (unsigned long long) found->cluster_id,
                  wanted->node_id, (unsigned long long) wanted->cluster_id);
    return DT_ERR_FOREIGN;
}

static int s_open_existing (data_dir_t *self, const data_dir_identity_t *found)
{
    int rc = s_check_owner (self, found);
    if (rc) {
        return rc;
    }
    self->identity = *found;
    // Names that a killed process left in the cache only may be relied on from now [DISK-9].
    rc = self->vfs->ops->mkdir (self->vfs, s_groups);
    if (rc == 0) {
        rc = self->vfs->ops->sync_directory (self->vfs, "");
    }
    if (rc == 0) {
        rc = self->vfs->ops->sync_directory (self->vfs, s_groups);
    }
    if (rc) {
        dt_log_error (self->env, "data", "%s: %s", self->name, dt_error_text (rc));
    }
    return rc;
}

static int s_refuse (data_dir_t *self, int rc, const char *why)
{
    const char *remedy = "check the disk";
    if (rc == DT_ERR_NEWER_FORMAT) {
        remedy = "run the version that wrote it, or a later one";
    } else if (rc == DT_ERR_CORRUPT) {
        remedy = "restore the file, or replace the node under a new id";
    } else if (rc == DT_ERR_PERMISSION) {
        remedy = "give the node's user access to it";
    }
    dt_log_error (self->env, "data", "%s: %s (%s), expected node %u of cluster %016llx: %s",
                  self->name, why, dt_error_text (rc), self->identity.node_id,
                  (unsigned long long) self->identity.cluster_id, remedy);
    return rc;
}

static int s_finish_removals (data_dir_t *self);

static int s_open_locked (data_dir_t *self, bool is_new)
{
    data_dir_identity_t found;
    const char *why;
    int rc = data_dir_read_identity (self->vfs, &found, &why);
    if (rc == DT_ERR_NOT_FOUND) {
        return s_initialise (self, is_new);
    }
    if (rc) {
        return s_refuse (self, rc, why);
    }
    rc = s_open_existing (self, &found);
    return rc ? rc : s_finish_removals (self);
}

int data_dir_open (const data_dir_options_t *options, data_dir_t **self_p)
{
    data_dir_t *self = dt_zalloc (1, sizeof *self);
    self->vfs = options->vfs;
    self->env = options->env;
    self->name = dt_strdup (options->name);
    self->identity = (data_dir_identity_t){
        .cluster_id = options->cluster_id,
        .node_id = options->node_id,
        .version = DATA_DIR_VERSION,
        .created_ms = (uint64_t) options->env->wall_ms (options->env),
    };
    int rc = self->vfs->ops->lock (self->vfs, "");
    if (rc == DT_ERR_IN_USE) {
        dt_log_error (self->env, "data",
                      "%s is in use by another process, expected to be free for node %u: stop the "
                      "other process or name another directory",
                      self->name, options->node_id);
    } else if (rc) {
        s_refuse (self, rc, "the directory cannot be locked");
    } else {
        rc = s_open_locked (self, options->is_new);
    }
    if (rc) {
        data_dir_close (&self);
        return rc;
    }
    *self_p = self;
    return 0;
}

void data_dir_close (data_dir_t **self_p)
{
    data_dir_t *self = *self_p;
    if (!self) {
        return;
    }
    free (self->name);
    free (self);
    *self_p = NULL;
}

const data_dir_identity_t *data_dir_identity (const data_dir_t *self)
{
    return &self->identity;
}

// --- groups --------------------------------------------------------------------------------------

static void s_path (char *path, uint32_t group_id, const char *rest)
{
    int bytes = snprintf (path, DATA_DIR_PATH_BYTES, "%s/%u%s", s_groups, group_id, rest);
    dt_assert (bytes < DATA_DIR_PATH_BYTES);
}

void data_dir_group_path (char *path, uint32_t group_id)
{
    s_path (path, group_id, "");
}

void data_dir_log_path (char *path, uint32_t group_id)
{
    s_path (path, group_id, "/log");
}

void data_dir_snapshots_path (char *path, uint32_t group_id)
{
    s_path (path, group_id, "/snapshots");
}

void data_dir_hard_state_path (char *path, uint32_t group_id)
{
    s_path (path, group_id, "/hard_state");
}

// Is `name` a group's id, without leading zeros, and then exactly `suffix`?
static bool s_parse_group (const char *name, const char *suffix, uint32_t *group_id)
{
    uint64_t value = 0;
    size_t digits = strspn (name, "0123456789");
    if (digits == 0 || digits > 10 || (name[0] == '0' && digits > 1) ||
        strcmp (name + digits, suffix) != 0) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        value = value * 10 + (uint64_t) (name[i] - '0');
    }
    *group_id = (uint32_t) value;
    return value <= UINT32_MAX;
}

typedef struct {
    const char *suffix;
    uint32_t *ids; // owned
    uint32_t count;
} group_list_t;

static void s_note_group (void *argument, const char *name, bool is_directory)
{
    group_list_t *list = argument;
    uint32_t id;
    if (is_directory && s_parse_group (name, list->suffix, &id)) {
        list->ids = dt_realloc (list->ids, (list->count + 1) * sizeof *list->ids);
        list->ids[list->count++] = id;
    }
}

static int s_ascending (const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *) a;
    uint32_t right = *(const uint32_t *) b;
    return (left > right) - (left < right);
}

static int s_list_groups (vfs_t *vfs, group_list_t *list)
{
    int rc = vfs->ops->list (vfs, s_groups, s_note_group, list);
    if (rc == 0 && list->count) {
        qsort (list->ids, list->count, sizeof *list->ids, s_ascending);
    }
    return rc;
}

int data_dir_groups (vfs_t *vfs, uint32_t *ids, uint32_t max)
{
    group_list_t list = {.suffix = ""};
    int rc = s_list_groups (vfs, &list);
    for (uint32_t i = 0; rc == 0 && i < list.count && i < max; i++) {
        ids[i] = list.ids[i];
    }
    free (list.ids);
    return rc ? rc : (int) list.count;
}

int data_dir_has_group (data_dir_t *self, uint32_t group_id, bool *has)
{
    group_list_t list = {.suffix = ""};
    int rc = s_list_groups (self->vfs, &list);
    if (rc == 0) {
        *has = false;
        for (uint32_t i = 0; i < list.count; i++) {
            *has = *has || list.ids[i] == group_id;
        }
    }
    free (list.ids);
    return rc;
}

static int s_group_error (const data_dir_t *self, int rc, const char *what, uint32_t group_id)
{
    if (rc && rc != DT_ERR_NOT_FOUND) {
        dt_log_error (self->env, "data", "%s: cannot %s group %u: %s", self->name, what, group_id,
                      dt_error_text (rc));
    }
    return rc;
}

int data_dir_add_group (data_dir_t *self, uint32_t group_id)
{
    char path[DATA_DIR_PATH_BYTES];
    data_dir_group_path (path, group_id);
    int rc = self->vfs->ops->mkdir (self->vfs, path);
    if (rc == 0) {
        rc = self->vfs->ops->sync_directory (self->vfs, s_groups);
    }
    return s_group_error (self, rc, "add", group_id);
}

typedef struct {
    char **names; // owned
    bool *is_directory;
    uint32_t count;
} names_t;

static void s_note_entry (void *argument, const char *name, bool is_directory)
{
    names_t *names = argument;
    names->names = dt_realloc (names->names, (names->count + 1) * sizeof *names->names);
    names->is_directory =
        dt_realloc (names->is_directory, (names->count + 1) * sizeof *names->is_directory);
    names->names[names->count] = dt_strdup (name);
    names->is_directory[names->count++] = is_directory;
}

// Remove what stands in a directory; directories in it only when they are empty.
static int s_clear (vfs_t *vfs, const char *path)
{
    names_t names = {0};
    int rc = vfs->ops->list (vfs, path, s_note_entry, &names);
    for (uint32_t i = 0; i < names.count; i++) {
        size_t bytes = strlen (path) + strlen (names.names[i]) + 2;
        char *entry = dt_malloc (bytes);
        snprintf (entry, bytes, "%s/%s", path, names.names[i]);
        if (rc == 0) {
            rc = names.is_directory[i] ? vfs->ops->rmdir (vfs, entry)
                                       : vfs->ops->unlink (vfs, entry);
        }
        free (entry);
        free (names.names[i]);
    }
    free (names.names);
    free (names.is_directory);
    return rc == DT_ERR_NOT_FOUND ? 0 : rc;
}

// A group of the name `<id>.removed` is not there any more: take its files away.
static int s_delete_removed (data_dir_t *self, uint32_t group_id)
{
    static const char *const rests[] = {".removed/log", ".removed/snapshots", ".removed"};
    char path[DATA_DIR_PATH_BYTES];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof rests / sizeof rests[0]; i++) {
        s_path (path, group_id, rests[i]);
        rc = s_clear (self->vfs, path);
    }
    if (rc == 0) {
        rc = self->vfs->ops->rmdir (self->vfs, path);
    }
    if (rc == 0) {
        rc = self->vfs->ops->sync_directory (self->vfs, s_groups);
    }
    return rc;
}

static int s_finish_removals (data_dir_t *self)
{
    group_list_t list = {.suffix = s_removed};
    int rc = s_list_groups (self->vfs, &list);
    for (uint32_t i = 0; rc == 0 && i < list.count; i++) {
        rc = s_delete_removed (self, list.ids[i]);
        s_group_error (self, rc, "finish the removal of", list.ids[i]);
    }
    free (list.ids);
    return rc;
}

int data_dir_remove_group (data_dir_t *self, uint32_t group_id)
{
    char from[DATA_DIR_PATH_BYTES];
    char to[DATA_DIR_PATH_BYTES];
    vfs_t *vfs = self->vfs;
    data_dir_group_path (from, group_id);
    s_path (to, group_id, s_removed);
    int rc = vfs->ops->rename (vfs, from, to);
    if (rc == 0) {
        rc = vfs->ops->sync_directory (vfs, s_groups);
    }
    if (rc == 0) {
        rc = s_delete_removed (self, group_id);
    }
    return s_group_error (self, rc, "remove", group_id);
}
