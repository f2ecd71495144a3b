// The offline tool as a program, on directories that the libraries made.

#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/dt_error.h"
#include "quiet_env.h"
#include "storage/data_dir.h"
#include "storage/hard_state.h"
#include "storage/log_store.h"
#include "storage/snapshot_store.h"
#include "storage/vfs_posix.h"

enum {
    CLUSTER = 0xabc,
    NODE = 2,
    GROUP = 7,
    ENTRIES = 30,
};

static char s_root[64];
static dt_env_t s_env;
static vfs_posix_t *s_posix;
static vfs_t *s_vfs;
static char s_output[256 * 1024]; // of the last run, standard output
static char s_errors[16 * 1024];  // and standard error

static storage_identity_t s_identity (void)
{
    return (storage_identity_t){.cluster_id = CLUSTER, .group_id = GROUP, .node_id = NODE};
}

static void s_make_hard_state (void)
{
    hard_state_t *state = NULL;
    hard_state_value_t value = {.term = 3, .vote = 2, .commit = 12};
    hard_state_options_t options = {
        .vfs = s_vfs, .env = &s_env, .path = "groups/7/hard_state", .identity = s_identity ()};
    ck_assert_int_eq (hard_state_create (&options, &value, &state), 0);
    hard_state_close (&state);
}

static void s_make_snapshot (void)
{
    snapshot_store_t *store = NULL;
    snapshot_writer_t *writer = NULL;
    snapshot_store_options_t options = {
        .vfs = s_vfs, .env = &s_env, .directory = "groups/7/snapshots", .identity = s_identity ()};
    snapshot_meta_t meta = {.index = 10,
                            .term = 3,
                            .cluster_time_ms = 99,
                            .config_index = 1,
                            .config = (const uint8_t *) "\xff\x01",
                            .config_bytes = 2};
    ck_assert_int_eq (snapshot_store_open (&options, &store), 0);
    ck_assert_int_eq (snapshot_writer_begin (store, &meta, &writer), 0);
    ck_assert_int_eq (snapshot_writer_add (writer, "content", 7), 0);
    ck_assert_int_eq (snapshot_writer_finish (&writer, 0x1234, NULL), 0);
    snapshot_store_close (&store);
}

// Entries 1 .. ENTRIES of term 3; entry 5 has a payload that is no text.
static log_batch_t *s_batch (void)
{
    log_batch_t *batch = log_batch_new (ENTRIES);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        batch->entries[i] = (log_entry_t){
            .index = i + 1,
            .term = 3,
            .cluster_time_ms = 1000 + i,
            .principal = UINT64_MAX,
            .type = i == 0 ? LOG_ENTRY_NOOP : LOG_ENTRY_COMMAND,
            .operation = 17,
            .payload = (const uint8_t *) (i == 4 ? "\xff\xfe\x00" : "hello"),
            .payload_bytes = i == 0   ? 0
                             : i == 4 ? 3
                                      : 5,
        };
        batch->count++;
    }
    return batch;
}

static void s_make_log (void)
{
    log_store_t *store = NULL;
    uint64_t durable = 0;
    log_store_options_t options = {.vfs = s_vfs,
                                   .env = &s_env,
                                   .directory = "groups/7/log",
                                   .identity = s_identity (),
                                   .segment_bytes = LOG_SEGMENT_BYTES_MIN};
    ck_assert_int_eq (log_store_open (&options, &store, NULL), 0);
    log_batch_t *batch = s_batch ();
    ck_assert_int_eq (log_store_append (store, batch, 1, ENTRIES), 0);
    ck_assert_int_eq (log_store_flush (store, &durable), 0);
    ck_assert_int_eq (log_store_mark (store), 0);
    ck_assert_uint_eq (durable, ENTRIES);
    log_batch_unref (&batch);
    log_store_close (&store);
}

static void s_setup (void)
{
    data_dir_t *dir = NULL;
    strcpy (s_root, "/tmp/test_dtutl.XXXXXX");
    ck_assert_ptr_nonnull (mkdtemp (s_root));
    quiet_env_init (&s_env);
    ck_assert_int_eq (vfs_posix_new (s_root, &s_env, &s_posix), 0);
    s_vfs = vfs_posix_vfs (s_posix);
    data_dir_options_t options = {.vfs = s_vfs,
                                  .env = &s_env,
                                  .name = s_root,
                                  .cluster_id = CLUSTER,
                                  .node_id = NODE,
                                  .is_new = true};
    ck_assert_int_eq (data_dir_open (&options, &dir), 0);
    ck_assert_int_eq (data_dir_add_group (dir, GROUP), 0);
    s_make_hard_state ();
    s_make_snapshot ();
    s_make_log ();
    data_dir_close (&dir);
    vfs_posix_destroy (&s_posix); // frees the lock
}

static void s_teardown (void)
{
    char command[256];
    vfs_posix_destroy (&s_posix);
    snprintf (command, sizeof command, "rm -rf '%s' '%s.last'", s_root, s_root);
    ck_assert_int_eq (system (command), 0);
}

static void s_read_file (const char *path, char *text, size_t bytes)
{
    FILE *file = fopen (path, "r");
    ck_assert_ptr_nonnull (file);
    size_t got = fread (text, 1, bytes - 1, file);
    text[got] = 0;
    fclose (file);
}

// Run the program with these arguments, where %D is the data directory; returns its exit code.
static int s_run (const char *arguments)
{
    char command[1024];
    char out[128];
    char err[128];
    char words[512] = "";
    for (const char *at = arguments; *at; at++) {
        if (at[0] == '%' && at[1] == 'D') {
            strcat (words, s_root);
            at++;
        } else {
            strncat (words, at, 1);
        }
    }
    snprintf (out, sizeof out, "%s.out", s_root);
    snprintf (err, sizeof err, "%s.err", s_root);
    snprintf (command, sizeof command, "'%s' %s >'%s' 2>'%s'", DTUTL_PATH, words, out, err);
    int status = system (command);
    s_read_file (out, s_output, sizeof s_output);
    s_read_file (err, s_errors, sizeof s_errors);
    unlink (out);
    unlink (err);
    ck_assert (WIFEXITED (status));
    return WEXITSTATUS (status);
}

// The nth (from 0) object of a kind in the last output; NULL: there are fewer. Every line must be
// an object of schema 1.
static json_t *s_object (const char *kind, int nth)
{
    json_t *found = NULL;
    for (const char *line = s_output; *line;) {
        size_t bytes = strcspn (line, "\n");
        json_error_t error;
        json_t *object = json_loadb (line, bytes, JSON_ALLOW_NUL, &error);
        ck_assert_msg (object != NULL, "no JSON: %.*s", (int) bytes, line);
        ck_assert_int_eq (json_integer_value (json_object_get (object, "schema")), 1);
        const char *has = json_string_value (json_object_get (object, "kind"));
        if (!found && strcmp (has, kind) == 0 && nth-- == 0) {
            found = json_incref (object);
        }
        json_decref (object);
        line += bytes + (line[bytes] == '\n');
    }
    return found;
}

static long long s_integer (const json_t *object, const char *name)
{
    ck_assert_ptr_nonnull (object);
    ck_assert_msg (json_is_integer (json_object_get (object, name)), "%s", name);
    return json_integer_value (json_object_get (object, name));
}

static const char *s_text (const json_t *object, const char *name)
{
    const char *text = json_string_value (json_object_get (object, name));
    return text ? text : "(none)";
}

// Flip one bit of a file below the root.
static void s_flip (const char *path, long offset)
{
    char full[256];
    snprintf (full, sizeof full, "%s/%s", s_root, path);
    int fd = open (full, O_RDWR);
    uint8_t byte;
    ck_assert_int_ge (fd, 0);
    ck_assert_int_eq (pread (fd, &byte, 1, offset), 1);
    byte ^= 1;
    ck_assert_int_eq (pwrite (fd, &byte, 1, offset), 1);
    close (fd);
}

START_TEST (help_shows_usage_codes_and_examples)
{
    ck_assert_int_eq (s_run ("--help"), 0);
    ck_assert_ptr_nonnull (strstr (s_output, "usage: dtutl"));
    ck_assert_ptr_nonnull (strstr (s_output, "exit codes"));
    ck_assert_ptr_nonnull (strstr (s_output, "examples"));
    ck_assert_int_eq (s_run ("help"), 0);
    ck_assert_int_eq (s_run ("dump log -h"), 0);
}
END_TEST

START_TEST (wrong_usage_names_what_is_wrong)
{
    ck_assert_int_eq (s_run (""), 2);
    ck_assert_int_eq (s_run ("dump log"), 2);
    ck_assert_ptr_nonnull (strstr (s_errors, "--data-dir is missing"));
    ck_assert_int_eq (s_run ("repair log --data-dir %D"), 2);
    ck_assert_int_eq (s_run ("dump everything --data-dir %D"), 2);
    ck_assert_ptr_nonnull (strstr (s_errors, "everything"));
    ck_assert_int_eq (s_run ("dump log --data-dir %D --group x"), 2);
    ck_assert_int_eq (s_run ("dump log --data-dir %D -o yaml"), 2);
    ck_assert_int_eq (s_run ("dump log --data-dir %D --force"), 2);
    ck_assert_int_eq (s_run ("dump log --data-dir"), 2);
    ck_assert_str_eq (s_output, "");
}
END_TEST

START_TEST (missing_directory_or_group_is_not_found)
{
    ck_assert_int_eq (s_run ("verify all --data-dir %D.nowhere"), 3);
    ck_assert_int_eq (s_run ("verify all --data-dir %D --group 8"), 3);
    ck_assert_ptr_nonnull (strstr (s_errors, "has no group 8"));
}
END_TEST

START_TEST (directory_in_use_is_refused)
{
    ck_assert_int_eq (vfs_posix_new (s_root, &s_env, &s_posix), 0);
    s_vfs = vfs_posix_vfs (s_posix);
    ck_assert_int_eq (s_vfs->ops->lock (s_vfs, ""), 0);
    ck_assert_int_eq (s_run ("verify all --data-dir %D"), 10);
    ck_assert_ptr_nonnull (strstr (s_errors, "in use"));
    ck_assert_str_eq (s_output, "");
}
END_TEST

START_TEST (sound_directory_verifies)
{
    ck_assert_int_eq (s_run ("verify all --data-dir=%D --output=json"), 0);
    static const char *const kinds[] = {"identity", "hard_state", "snapshot", "log"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        json_t *object = s_object (kinds[i], 0);
        ck_assert_ptr_nonnull (object);
        ck_assert (json_is_true (json_object_get (object, "ok")));
        json_decref (object);
    }
    json_t *log = s_object ("log", 0);
    ck_assert_str_eq (s_text (log, "verdict"), "clean");
    ck_assert_int_eq (s_integer (log, "last_index"), ENTRIES);
    ck_assert_int_eq (s_integer (log, "entries"), ENTRIES);
    json_decref (log);
}
END_TEST

START_TEST (dump_shows_identity_state_and_snapshot)
{
    ck_assert_int_eq (s_run ("dump all --data-dir %D --group 7 -o json"), 0);
    json_t *identity = s_object ("identity", 0);
    ck_assert_str_eq (s_text (identity, "cluster_id"), "0000000000000abc");
    ck_assert_int_eq (s_integer (identity, "node_id"), NODE);
    ck_assert_uint_eq (strlen (s_text (identity, "directory_id")), 16);
    json_t *state = s_object ("hard_state", 0);
    ck_assert_int_eq (s_integer (state, "group"), GROUP);
    ck_assert_int_eq (s_integer (state, "term"), 3);
    ck_assert_int_eq (s_integer (state, "vote"), 2);
    ck_assert_int_eq (s_integer (state, "commit"), 12);
    json_t *snapshot = s_object ("snapshot", 0);
    ck_assert_int_eq (s_integer (snapshot, "index"), 10);
    ck_assert_int_eq (s_integer (snapshot, "content_bytes"), 7);
    ck_assert_str_eq (s_text (snapshot, "state_digest"), "0000000000001234");
    ck_assert_str_eq (s_text (snapshot, "config_base64"), "/wE=");
    json_decref (identity);
    json_decref (state);
    json_decref (snapshot);
}
END_TEST

START_TEST (dump_shows_every_entry_with_its_bytes)
{
    ck_assert_int_eq (s_run ("dump log --data-dir %D -o json"), 0);
    for (int i = 0; i < ENTRIES; i++) {
        json_t *entry = s_object ("entry", i);
        ck_assert_int_eq (s_integer (entry, "index"), i + 1);
        ck_assert_int_eq (s_integer (entry, "term"), 3);
        ck_assert_int_eq (s_integer (entry, "cluster_time_ms"), 1000 + i);
        ck_assert_str_eq (s_text (entry, "principal"), "ffffffffffffffff");
        ck_assert (json_is_true (json_object_get (entry, "live")));
        ck_assert_str_eq (s_text (entry, "type"), i ? "command" : "noop");
        ck_assert_str_eq (s_text (entry, "payload_base64"), i == 0   ? ""
                                                            : i == 4 ? "//4A"
                                                                     : "aGVsbG8=");
        ck_assert_str_eq (s_text (entry, "payload"), i == 0 ? "" : i == 4 ? "(none)" : "hello");
        json_decref (entry);
    }
    ck_assert_ptr_null (s_object ("entry", ENTRIES));
}
END_TEST

START_TEST (dump_of_a_range_shows_that_range)
{
    ck_assert_int_eq (s_run ("dump log --data-dir %D -o json --from 7 --to 9"), 0);
    json_t *first = s_object ("entry", 0);
    json_t *last = s_object ("entry", 2);
    ck_assert_int_eq (s_integer (first, "index"), 7);
    ck_assert_int_eq (s_integer (last, "index"), 9);
    ck_assert_ptr_null (s_object ("entry", 3));
    json_decref (first);
    json_decref (last);
}
END_TEST

START_TEST (simple_output_is_one_line_per_object)
{
    ck_assert_int_eq (s_run ("dump hard-state --data-dir %D"), 0);
    ck_assert_str_eq (s_output,
                      "hard_state group=7 term=3 vote=2 commit=12 generation=1 ok=true\n");
}
END_TEST

START_TEST (damaged_hard_state_is_corrupt)
{
    char full[256];
    struct stat st;
    snprintf (full, sizeof full, "%s/groups/7/hard_state", s_root);
    ck_assert_int_eq (stat (full, &st), 0);
    for (long offset = 20; offset < st.st_size; offset += 512) {
        s_flip ("groups/7/hard_state", offset);
    }
    ck_assert_int_eq (s_run ("dump hard-state --data-dir %D -o json"), 9);
    json_t *state = s_object ("hard_state", 0);
    ck_assert (json_is_false (json_object_get (state, "ok")));
    ck_assert_str_eq (s_text (state, "error"), "CORRUPT");
    json_decref (state);
    ck_assert_int_eq (s_run ("verify all --data-dir %D"), 9);
}
END_TEST

START_TEST (damaged_snapshot_is_corrupt_and_says_where)
{
    s_flip ("groups/7/snapshots/00000000000000000010-00000000000000000003.snapshot", 4096 + 18);
    ck_assert_int_eq (s_run ("verify snapshot --data-dir %D -o json"), 9);
    json_t *snapshot = s_object ("snapshot", 0);
    ck_assert_str_eq (s_text (snapshot, "why"), "checksum of a chunk");
    ck_assert_int_eq (s_integer (snapshot, "offset"), 4096);
    json_decref (snapshot);
}
END_TEST

START_TEST (damaged_log_is_corrupt_says_where_and_is_dumped_up_to_there)
{
    ck_assert_int_eq (s_run ("dump log --data-dir %D -o json --from 6 --to 6"), 0);
    json_t *segment = s_object ("segment", 0);
    json_t *sixth = s_object ("entry", 0);
    char path[100];
    long long offset = s_integer (sixth, "offset");
    snprintf (path, sizeof path, "groups/7/log/%020lld.log", s_integer (segment, "segment"));
    json_decref (segment);
    json_decref (sixth);
    s_flip (path, (long) offset + 30);
    ck_assert_int_eq (s_run ("verify log --data-dir %D -o json"), 9);
    json_t *log = s_object ("log", 0);
    ck_assert_str_eq (s_text (log, "verdict"), "corrupt");
    ck_assert_int_eq (s_integer (log, "offset"), offset);
    ck_assert_str_eq (s_text (log, "file"), path);
    json_decref (log);
    (void) s_run ("dump log --data-dir %D -o json");
    json_t *fifth = s_object ("entry", 4);
    json_t *end = s_object ("segment_end", 0);
    ck_assert_int_eq (s_integer (fifth, "index"), 5);
    ck_assert_ptr_null (s_object ("entry", 5));
    ck_assert_int_eq (s_integer (end, "offset"), offset);
    json_decref (fifth);
    json_decref (end);
}
END_TEST

START_TEST (damaged_identity_is_corrupt)
{
    s_flip ("identity", 20);
    ck_assert_int_eq (s_run ("dump identity --data-dir %D -o json"), 9);
    json_t *identity = s_object ("identity", 0);
    ck_assert_str_eq (s_text (identity, "why"), "checksum of the identity file");
    json_decref (identity);
    ck_assert_int_eq (s_run ("dump log --data-dir %D -o json"), 9);
    json_t *entry = s_object ("entry", 0); // the log is readable all the same
    ck_assert_int_eq (s_integer (entry, "index"), 1);
    json_decref (entry);
}
END_TEST

START_TEST (garbage_as_index_file_is_told_but_harms_nothing)
{
    char full[256];
    snprintf (full, sizeof full, "%s/groups/7/log/%020d.idx", s_root, 1);
    FILE *file = fopen (full, "w");
    ck_assert_ptr_nonnull (file);
    for (int i = 0; i < 100; i++) {
        fputc (i, file);
    }
    fclose (file);
    ck_assert_int_eq (s_run ("verify index --data-dir %D -o json"), 9);
    json_t *index = s_object ("index", 0);
    ck_assert (json_is_false (json_object_get (index, "ok")));
    json_decref (index);
    ck_assert_int_eq (s_run ("verify all --data-dir %D"), 0);
}
END_TEST

// Copy a file; %D at the beginning of a path is the data directory.
static void s_copy (const char *from, const char *to)
{
    char command[512] = "cp ";
    char path[128];
    const char *const paths[] = {from, to};
    for (size_t i = 0; i < 2; i++) {
        const char *rest = paths[i] + strlen ("%D");
        snprintf (path, sizeof path, "'%s%s' ", s_root, rest);
        strcat (command, path);
    }
    ck_assert_int_eq (system (command), 0);
}

// Go on with the log over several segments, index files included, then drop the last entry. The
// last segment as it was before is kept in `<root>.last`.
static void s_grow_log (void)
{
    enum { COUNT = 40, BYTES = 8000 };
    static uint8_t payload[BYTES];
    log_store_t *store = NULL;
    uint64_t durable = 0;
    ck_assert_int_eq (vfs_posix_new (s_root, &s_env, &s_posix), 0);
    log_store_options_t options = {.vfs = vfs_posix_vfs (s_posix),
                                   .env = &s_env,
                                   .directory = "groups/7/log",
                                   .identity = s_identity (),
                                   .segment_bytes = LOG_SEGMENT_BYTES_MIN};
    ck_assert_int_eq (log_store_open (&options, &store, NULL), 0);
    for (uint64_t index = ENTRIES + 1; index <= ENTRIES + COUNT; index++) {
        log_batch_t *batch = log_batch_new (1);
        batch->entries[0] = (log_entry_t){.index = index,
                                          .term = 4,
                                          .type = LOG_ENTRY_COMMAND,
                                          .payload = payload,
                                          .payload_bytes = BYTES};
        batch->count = 1;
        ck_assert_int_eq (log_store_append (store, batch, index, index), 0);
        ck_assert_int_eq (log_store_flush (store, &durable), 0);
        log_batch_unref (&batch);
        while (log_store_wants_prepare (store)) {
            ck_assert_int_eq (log_store_prepare (store), 0);
        }
    }
    s_copy ("%D/groups/7/log/00000000000000000006.log", "%D.last");
    ck_assert_int_eq (log_store_truncate_suffix (store, ENTRIES + COUNT), 0);
    log_store_close (&store);
    vfs_posix_destroy (&s_posix);
}

START_TEST (index_files_of_sealed_segments_verify)
{
    s_grow_log ();
    ck_assert_int_eq (s_run ("verify index --data-dir %D -o json"), 0);
    json_t *index = s_object ("index", 2);
    ck_assert_int_gt (s_integer (index, "points"), 0);
    ck_assert_int_gt (s_integer (index, "last_index"), ENTRIES);
    json_decref (index);
    ck_assert_int_eq (s_run ("dump index --data-dir %D -o json"), 0);
    json_t *point = s_object ("index_point", 0);
    ck_assert_int_eq (s_integer (point, "index"), 1);
    json_decref (point);
}
END_TEST

START_TEST (entries_dropped_in_a_file_are_dumped_as_not_live)
{
    s_grow_log ();
    // As after a crash before the file was cut: what was dropped still stands in it.
    s_copy ("%D.last", "%D/groups/7/log/00000000000000000006.log");
    ck_assert_int_eq (s_run ("verify log --data-dir %D -o json"), 0);
    json_t *log = s_object ("log", 0);
    ck_assert_int_eq (s_integer (log, "last_index"), ENTRIES + 39);
    ck_assert_int_eq (s_integer (log, "entries"), ENTRIES + 39);
    json_decref (log);
    ck_assert_int_eq (s_run ("dump log --data-dir %D -o json --from 69 --to 70"), 0);
    json_t *last = s_object ("entry", 0);
    json_t *dropped = s_object ("entry", 1);
    ck_assert_int_eq (s_integer (last, "index"), 69);
    ck_assert_int_eq (s_integer (dropped, "index"), 70);
    ck_assert (json_is_true (json_object_get (last, "live")));
    ck_assert (json_is_false (json_object_get (dropped, "live")));
    json_decref (last);
    json_decref (dropped);
}
END_TEST

// Names, sizes and content of everything below the root, as one text.
static void s_fingerprint (char *text, size_t bytes)
{
    char command[256];
    snprintf (command, sizeof command,
              "cd '%s' && find . -type f | sort | xargs cksum && find . | sort | xargs stat -c "
              "'%%n %%Y %%s'",
              s_root);
    FILE *pipe = popen (command, "r");
    ck_assert_ptr_nonnull (pipe);
    size_t got = fread (text, 1, bytes - 1, pipe);
    text[got] = 0;
    ck_assert_int_eq (pclose (pipe), 0);
}

START_TEST (nothing_is_ever_modified)
{
    static char before[32 * 1024];
    static char after[32 * 1024];
    static const char *const whats[] = {"identity", "hard-state", "snapshot",
                                        "log",      "index",      "all"};
    s_fingerprint (before, sizeof before);
    for (size_t i = 0; i < sizeof whats / sizeof whats[0]; i++) {
        char arguments[100];
        snprintf (arguments, sizeof arguments, "dump %s --data-dir %%D", whats[i]);
        ck_assert_int_eq (s_run (arguments), 0);
        snprintf (arguments, sizeof arguments, "verify %s --data-dir %%D", whats[i]);
        ck_assert_int_eq (s_run (arguments), 0);
    }
    s_fingerprint (after, sizeof after);
    ck_assert_str_eq (before, after);
    ck_assert_int_gt ((int) strlen (before), 200);
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("dtutl");
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
    tcase_set_timeout (tcase, 60);
    tcase_add_test (tcase, help_shows_usage_codes_and_examples);
    tcase_add_test (tcase, wrong_usage_names_what_is_wrong);
    tcase_add_test (tcase, missing_directory_or_group_is_not_found);
    tcase_add_test (tcase, directory_in_use_is_refused);
    tcase_add_test (tcase, sound_directory_verifies);
    tcase_add_test (tcase, dump_shows_identity_state_and_snapshot);
    tcase_add_test (tcase, dump_shows_every_entry_with_its_bytes);
    tcase_add_test (tcase, dump_of_a_range_shows_that_range);
    tcase_add_test (tcase, simple_output_is_one_line_per_object);
    tcase_add_test (tcase, damaged_hard_state_is_corrupt);
    tcase_add_test (tcase, damaged_snapshot_is_corrupt_and_says_where);
    tcase_add_test (tcase, damaged_log_is_corrupt_says_where_and_is_dumped_up_to_there);
    tcase_add_test (tcase, damaged_identity_is_corrupt);
    tcase_add_test (tcase, garbage_as_index_file_is_told_but_harms_nothing);
    tcase_add_test (tcase, index_files_of_sealed_segments_verify);
    tcase_add_test (tcase, entries_dropped_in_a_file_are_dumped_as_not_live);
    tcase_add_test (tcase, nothing_is_ever_modified);
    Suite *suite = suite_create ("dtutl");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
