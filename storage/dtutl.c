// dtutl - offline inspection of a stopped node's data directory. Never modifies anything.

#include "storage/dtutl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dt_env_posix.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "storage/vfs_posix.h"

static const char s_help[] =
    "dtutl - look into the data directory of a stopped node. Nothing is ever modified.\n"
    "\n"
    "usage: dtutl dump|verify WHAT --data-dir DIR [--group G] [-o simple|json]\n"
    "       dtutl dump log --data-dir DIR [--from INDEX] [--to INDEX] ...\n"
    "       dtutl help\n"
    "\n"
    "  dump      print what is there, one line per object\n"
    "  verify    read everything and check it, one line per object; shows progress on a terminal\n"
    "\n"
    "WHAT is one of\n"
    "  identity     whose directory it is\n"
    "  hard-state   term, vote and commit index of each group\n"
    "  snapshot     the snapshots of each group, verified in both cases\n"
    "  log          each group's log: segments and entries, or the verdict of recovery\n"
    "  index        the index files of the logs (derived; a bad one can be deleted)\n"
    "  all          all of these\n"
    "\n"
    "options\n"
    "  --data-dir DIR        the node's data directory\n"
    "  --group G             this raft group only; default: all groups\n"
    "  -o, --output FORMAT   simple: `kind name=value ...`; json: one object per line, \"schema\": "
    "1\n"
    "  --from I, --to I      dump log: entries from index I on, up to index I\n"
    "  -h, --help            this text\n"
    "\n"
    "Bytes (payloads, configurations) are printed as base64 in NAME_base64 and, if they are "
    "UTF-8,\n"
    "as text in NAME. Identifiers and digests are 16 hexadecimal digits.\n"
    "\n"
    "exit codes\n"
    "  0  all is well (a torn last write of a log is: the next start cuts it off)\n"
    "  1  the disk, a permission, a newer format    2  wrong usage\n"
    "  3  no such directory, group or file          9  something is damaged, missing or foreign\n"
    " 10  the directory is in use: stop the node first\n"
    "\n"
    "examples\n"
    "  dtutl verify all --data-dir /var/lib/dongting\n"
    "  dtutl dump hard-state --data-dir /var/lib/dongting -o json\n"
    "  dtutl dump log --data-dir /var/lib/dongting --group 1 --from 1000 --to 1010\n";

// --- command line --------------------------------------------------------------------------------

static int s_usage (const char *what, const char *value)
{
    fprintf (stderr, "dtutl: %s%s%s; see dtutl --help\n", what, value ? ": " : "",
             value ? value : "");
    return DTUTL_USAGE;
}

static bool s_parse_number (const char *text, uint64_t max, uint64_t *number)
{
    char *end;
    errno = 0;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    unsigned long long value = strtoull (text, &end, 10);
    *number = value;
    return errno == 0 && *end == 0 && value <= max;
}

static int s_set_output (dtutl_t *self, const char *value)
{
    self->json = strcmp (value, "json") == 0;
    if (!self->json && strcmp (value, "simple") != 0) {
        return s_usage ("--output is simple or json, not", value);
    }
    return 0;
}

static int s_set_data_dir (dtutl_t *self, const char *value)
{
    self->data_dir = value;
    return *value ? 0 : s_usage ("--data-dir is empty", NULL);
}

static int s_set_group (dtutl_t *self, const char *value)
{
    uint64_t number;
    if (!s_parse_number (value, UINT32_MAX, &number)) {
        return s_usage ("--group is a number up to 4294967295, not", value);
    }
    self->one_group = true;
    self->group = (uint32_t) number;
    return 0;
}

static int s_set_from (dtutl_t *self, const char *value)
{
    return s_parse_number (value, UINT64_MAX, &self->from)
               ? 0
               : s_usage ("--from is the index of an entry, not", value);
}

static int s_set_to (dtutl_t *self, const char *value)
{
    return s_parse_number (value, UINT64_MAX, &self->to)
               ? 0
               : s_usage ("--to is the index of an entry, not", value);
}

static const struct {
    const char *name;
    int (*set) (dtutl_t *self, const char *value);
} s_options[] = {
    {"--data-dir", s_set_data_dir}, {"--group", s_set_group}, {"--output", s_set_output},
    {"-o", s_set_output},           {"--from", s_set_from},   {"--to", s_set_to},
};

enum { OPTIONS = sizeof s_options / sizeof s_options[0] };

// Take the option at *at, with its value behind '=' or in the next argument.
static int s_take_option (dtutl_t *self, int argc, char **argv, int *at)
{
    const char *argument = argv[*at];
    const char *equals = strchr (argument, '=');
    size_t bytes = equals ? (size_t) (equals - argument) : strlen (argument);
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strlen (s_options[i].name) != bytes ||
            strncmp (s_options[i].name, argument, bytes) != 0) {
            continue;
        }
        if (!equals && *at + 1 == argc) {
            return s_usage ("a value is missing after", argument);
        }
        return s_options[i].set (self, equals ? equals + 1 : argv[++*at]);
    }
    return s_usage ("unknown option", argument);
}

static bool s_wants_help (int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp (argv[i], "--help") == 0 || strcmp (argv[i], "-h") == 0) {
            return true;
        }
    }
    return argc > 1 && strcmp (argv[1], "help") == 0;
}

static int s_parse (dtutl_t *self, int argc, char **argv)
{
    const char *verb = NULL;
    for (int i = 1; i < argc; i++) {
        int rc = 0;
        if (argv[i][0] == '-') {
            rc = s_take_option (self, argc, argv, &i);
        } else if (!verb) {
            verb = argv[i];
        } else if (!self->what) {
            self->what = argv[i];
        } else {
            rc = s_usage ("too many words", argv[i]);
        }
        if (rc) {
            return rc;
        }
    }
    if (!verb || (strcmp (verb, "dump") != 0 && strcmp (verb, "verify") != 0)) {
        return s_usage ("say dump or verify", verb);
    }
    self->verify = strcmp (verb, "verify") == 0;
    if (!self->what) {
        return s_usage ("say what: identity, hard-state, snapshot, log, index or all", NULL);
    }
    return self->data_dir ? 0 : s_usage ("--data-dir is missing", NULL);
}

// --- work ----------------------------------------------------------------------------------------

static void s_show_log (dtutl_t *self, uint32_t group)
{
    if (self->verify) {
        dtutl_verify_log (self, group);
    } else {
        dtutl_dump_log (self, group);
    }
}

static const struct {
    const char *name;
    void (*show) (dtutl_t *self, uint32_t group);
} s_parts[] = {
    {"hard-state", dtutl_show_hard_state},
    {"snapshot", dtutl_show_snapshots},
    {"log", s_show_log},
    {"index", dtutl_show_index},
};

enum { PARTS = sizeof s_parts / sizeof s_parts[0] };

static bool s_asked (const dtutl_t *self, const char *name)
{
    return strcmp (self->what, name) == 0 || strcmp (self->what, "all") == 0;
}

static bool s_known (const dtutl_t *self)
{
    bool known = s_asked (self, "identity");
    for (size_t i = 0; i < PARTS; i++) {
        known = known || s_asked (self, s_parts[i].name);
    }
    return known;
}

static void s_show_group (dtutl_t *self, uint32_t group)
{
    for (size_t i = 0; i < PARTS; i++) {
        if (s_asked (self, s_parts[i].name)) {
            self->vfs.doing = s_parts[i].name;
            s_parts[i].show (self, group);
            dtutl_vfs_end_progress (&self->vfs);
        }
    }
}

static void s_complain (dtutl_t *self, int rc, const char *what)
{
    fprintf (stderr, "dtutl: %s: %s: %s\n", self->data_dir, what, dt_error_text (rc));
    dtutl_note (self, rc);
}

static void s_show_groups (dtutl_t *self)
{
    vfs_t *vfs = &self->vfs.base;
    bool shown = false;
    int count = data_dir_groups (vfs, NULL, 0);
    uint32_t *groups = dt_zalloc (count > 0 ? (size_t) count : 1, sizeof *groups);
    if (count > 0) {
        count = data_dir_groups (vfs, groups, (uint32_t) count);
    }
    if (count < 0) {
        s_complain (self, count, "groups");
    }
    for (int i = 0; i < count; i++) {
        if (!self->one_group || groups[i] == self->group) {
            s_show_group (self, groups[i]);
            shown = true;
        }
    }
    if (self->one_group && !shown && count >= 0) {
        fprintf (stderr, "dtutl: %s has no group %u\n", self->data_dir, self->group);
        dtutl_note (self, DT_ERR_NOT_FOUND);
    }
    free (groups);
}

static void s_run (dtutl_t *self)
{
    int rc = self->vfs.base.ops->lock (&self->vfs.base, "");
    if (rc == DT_ERR_IN_USE) {
        fprintf (stderr, "dtutl: %s is in use: stop the node first\n", self->data_dir);
        dtutl_note (self, rc);
        return;
    }
    if (rc) {
        s_complain (self, rc, "it cannot be locked");
        return;
    }
    self->identity_why = NULL;
    self->identity_rc =
        data_dir_read_identity (&self->vfs.base, &self->identity, &self->identity_why);
    if (s_asked (self, "identity")) {
        dtutl_show_identity (self);
    }
    if (strcmp (self->what, "identity") == 0) {
        return;
    }
    if (self->identity_rc) {
        // Whose the files must be is not known; printing them needs no such knowledge.
        s_complain (self, self->identity_rc, self->identity_why);
        if (self->verify || strcmp (self->what, "log") != 0) {
            return;
        }
    }
    s_show_groups (self);
}

int main (int argc, char **argv)
{
    dtutl_t self = {.to = UINT64_MAX};
    vfs_posix_t *posix = NULL;
    if (s_wants_help (argc, argv)) {
        fputs (s_help, stdout);
        return fflush (stdout) == 0 ? DTUTL_OK : DTUTL_FAILED;
    }
    int rc = s_parse (&self, argc, argv);
    if (rc) {
        return rc;
    }
    if (!s_known (&self)) {
        return s_usage ("identity, hard-state, snapshot, log, index or all, not", self.what);
    }
    dt_env_posix_init (&self.env, STDERR_FILENO, DT_LOG_ERROR);
    rc = vfs_posix_new (self.data_dir, &self.env, &posix);
    if (rc) {
        dtutl_note (&self, rc);
        return self.result;
    }
    dtutl_vfs_init (&self.vfs, vfs_posix_vfs (posix));
    self.vfs.progress = self.verify && isatty (STDERR_FILENO);
    s_run (&self);
    vfs_posix_destroy (&posix);
    if (fflush (stdout) != 0 || ferror (stdout)) {
        fprintf (stderr, "dtutl: cannot write the output: %s\n", strerror (errno));
        return self.result ? self.result : DTUTL_FAILED;
    }
    return self.result;
}
