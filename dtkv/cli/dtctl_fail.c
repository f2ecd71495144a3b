#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dtkv/cli/dtctl.h"
#include "dtkv/cli/dtctl_text.h"

static void s_complain (const char *format, va_list args)
{
    bool color = isatty (STDERR_FILENO) && !getenv ("NO_COLOR") && !getenv ("DTCTL_NO_COLOR");
    fputs (color ? "\033[31mdtctl:\033[0m " : "dtctl: ", stderr);
    vfprintf (stderr, format, args);
    fputc ('\n', stderr);
}

void dtctl_complain (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_complain (format, args);
    va_end (args);
}

int dtctl_usage (const dtctl_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_complain (format, args);
    va_end (args);
    if (self->command) {
        dtctl_complain ("see dtctl %s --help", self->command->name);
    } else {
        dtctl_complain ("see dtctl help");
    }
    return DTCTL_EXIT_USAGE;
}

int dtctl_exit_of (int code, dt_outcome_t outcome)
{
    if (outcome == DT_OUTCOME_UNCERTAIN || code == DT_OUTCOME_UNKNOWN) {
        return DTCTL_EXIT_UNKNOWN;
    }
    switch (code) {
    case DT_SUCCESS:
    case DT_SUCCESS_OVERWRITE:
        return DTCTL_EXIT_OK;
    case DT_NOT_FOUND:
    case DT_PARENT_DIR_NOT_EXISTS:
        return DTCTL_EXIT_NOT_FOUND;
    case DT_DIR_EXISTS:
    case DT_VALUE_EXISTS:
    case DT_PARENT_NOT_DIR:
    case DT_HAS_CHILDREN:
    case DT_CAS_MISMATCH:
    case DT_NOT_A_COUNTER:
    case DT_BATCH_ABORTED:
    case DT_NOT_OWNER:
    case DT_NOT_TEMP_NODE:
    case DT_IS_TEMP_NODE:
    case DT_UNDER_TEMP_DIR:
    case DT_PARENT_IS_LOCK:
    case DT_NOT_LOCK_NODE:
    case DT_IS_LOCK_NODE:
    case DT_LOCK_BY_OTHER:
    case DT_NOT_CAUGHT_UP:
    case DT_NO_QUORUM:
    case DT_BAD_CHANGE:
        return DTCTL_EXIT_PRECONDITION;
    case DT_INVALID_KEY:
    case DT_INVALID_VALUE:
    case DT_INVALID:
    case DT_UNKNOWN_GROUP:
        return DTCTL_EXIT_USAGE;
    case DT_KEY_TOO_LONG:
    case DT_VALUE_TOO_LONG:
    case DT_BATCH_TOO_LARGE:
    case DT_TOO_MANY_SESSIONS:
    case DT_TOO_BIG:
    case DT_NO_SPACE:
        return DTCTL_EXIT_LIMIT;
    case DT_DENIED:
        return DTCTL_EXIT_DENIED;
    case DT_INSTALL_SNAPSHOT:
    case DT_NOT_LEADER:
    case DT_NOT_READY:
    case DT_BUSY:
    case DT_TIMEOUT:
    case DT_STOPPING:
    case DT_DISK_FAILED:
    case DT_SNAPSHOT_BUSY:
    case DT_TOO_STALE:
    case DT_CHANGE_BUSY:
    case DT_CLOSED:
        return DTCTL_EXIT_UNAVAILABLE;
    case DT_CORRUPT:
        return DTCTL_EXIT_CORRUPT;
    default:
        return DTCTL_EXIT_ERROR;
    }
}

// What a person can do about a code; NULL if there is nothing general to say.
static const char *s_remedy (int code, dt_outcome_t outcome)
{
    if (outcome == DT_OUTCOME_UNCERTAIN) {
        return "read it to see, then try again";
    }
    switch (code) {
    case DT_DIR_EXISTS:
        return "remove the directory first, or use another key";
    case DT_VALUE_EXISTS:
        return "remove the value first, or use another path";
    case DT_PARENT_NOT_DIR:
        return "a value stands where a directory is needed; see dtctl ls of the path above";
    case DT_PARENT_DIR_NOT_EXISTS:
        return "give -p to create it, or make it with dtctl mkdir -p";
    case DT_HAS_CHILDREN:
        return "dtctl rm -r removes it with all below";
    case DT_UNKNOWN_GROUP:
        return "dtctl info lists the groups";
    case DT_TIMEOUT:
    case DT_NOT_READY:
    case DT_NOT_LEADER:
        return "try again; dtctl status tells how the node is, --timeout waits longer";
    case DT_BUSY:
        return "try again in a moment";
    case DT_NO_SPACE:
        return "free the node's disk; reads go on";
    case DT_DISK_FAILED:
        return "the node must be restarted on a good disk; see its log";
    case DT_STOPPING:
        return "try again, or name another node with --endpoint";
    case DT_KEY_TOO_LONG:
    case DT_VALUE_TOO_LONG:
    case DT_BATCH_TOO_LARGE:
    case DT_TOO_BIG:
        return "dtctl info lists the limits";
    case DT_UNKNOWN_OPERATION:
        return "the node is older than this dtctl; see dtctl version";
    default:
        return NULL;
    }
}

int dtctl_fail (const char *action, dt_bytes_t path, int code, const dt_result_t *result)
{
    dt_outcome_t outcome = result ? result->outcome : DT_OUTCOME_NOT_DONE;
    const char *remedy = s_remedy (code, outcome);
    dt_buffer_t text = {0};
    dt_buffer_printf (&text, "%s", action);
    if (path.bytes) {
        dt_buffer_append (&text, " ", 1);
        dtctl_text_escape (&text, path.data, path.bytes);
    }
    dt_buffer_printf (&text, ": %s", dt_code_text (code));
    if (result && result->message.bytes) {
        dt_buffer_append (&text, " (", 2);
        dtctl_text_escape (&text, result->message.data, result->message.bytes);
        dt_buffer_append (&text, ")", 1);
    }
    if (remedy) {
        dt_buffer_printf (&text, "; %s", remedy);
    }
    if (code == DT_NOT_LEADER && result && result->leader_address.bytes) {
        dt_buffer_append (&text, "; the leader is at ", 19);
        dtctl_text_escape (&text, result->leader_address.data, result->leader_address.bytes);
    }
    dtctl_complain ("%.*s", (int) text.bytes, (char *) text.data);
    dt_buffer_deinit (&text);
    return dtctl_exit_of (code, outcome);
}

int dtctl_fail_free (const char *action, dt_bytes_t path, int code, dt_result_t **result_p)
{
    int exit_code = dtctl_fail (action, path, code, *result_p);
    dt_result_free (result_p);
    return exit_code;
}

int dtctl_fail_answer (const char *action)
{
    dtctl_complain ("%s: the node's answer could not be read; see dtctl version", action);
    return DTCTL_EXIT_ERROR;
}
