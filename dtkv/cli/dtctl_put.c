// dtctl_put - the commands that write one node: put, ttl, incr, mv, mkdir, cas.

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dtkv/cli/dtctl.h"
#include "dtkv/cli/dtctl_parse.h"
#include "dtkv/client/dt_client_lock.h"

// Begin to print what a write did; more fields may follow.
static void s_report (dtctl_t *self, dt_bytes_t path, const char *what, const dt_result_t *result)
{
    if (result->index) {
        dtctl_output_simple (self->out, "%s, index %" PRIu64 "\n", what, result->index);
    } else {
        dtctl_output_simple (self->out, "%s\n", what);
    }
    dtctl_output_begin (self->out);
    dtctl_output_bytes (self->out, "key", path.data, path.bytes);
    dtctl_output_text (self->out, "result", what);
    dtctl_output_number (self->out, "index", result->index);
}

// Print what a write did that may show the previous node. A synchronous call's result is freed.
static int s_done (dtctl_t *self, dt_bytes_t path, const char *what, dt_result_t **result_p)
{
    s_report (self, path, what, *result_p);
    dt_node_t previous;
    if (dtctl_args_has (&self->args, "previous")) {
        if (dt_result_node (*result_p, &previous) && previous.has_value) {
            dtctl_output_simple (self->out, "previous ");
            dtctl_output_simple_bytes (self->out, previous.value.data, previous.value.bytes);
            dtctl_output_simple (self->out, "\n");
            dtctl_output_bytes (self->out, "previous", previous.value.data, previous.value.bytes);
        } else {
            dtctl_output_null (self->out, "previous");
        }
    }
    dtctl_output_end (self->out);
    dt_result_free (result_p);
    return DTCTL_EXIT_OK;
}

static uint32_t s_flags (const dtctl_t *self)
{
    return (dtctl_args_has (&self->args, "parents") ? DT_PARENTS : 0u) |
           (dtctl_args_has (&self->args, "previous") ? DT_PREVIOUS : 0u);
}

static uint32_t s_parents (const dtctl_t *self)
{
    return dtctl_args_has (&self->args, "parents") ? DT_PARENTS : 0u;
}

// Print the key that put --sequential created.
static int s_done_sequential (dtctl_t *self, dt_result_t **result_p)
{
    dt_bytes_t path;
    if (!dt_result_path (*result_p, &path)) {
        dt_result_free (result_p);
        return dtctl_fail_answer ("put");
    }
    dtctl_output_simple_bytes (self->out, path.data, path.bytes);
    dtctl_output_simple (self->out, "\n");
    dtctl_output_begin (self->out);
    dtctl_output_bytes (self->out, "key", path.data, path.bytes);
    dtctl_output_text (self->out, "result", "created");
    dtctl_output_number (self->out, "index", (*result_p)->index);
    dtctl_output_end (self->out);
    dt_result_free (result_p);
    return DTCTL_EXIT_OK;
}

// Read how long a node is to live; *ttl_ms 0: for ever.
static int s_take_ttl (dtctl_t *self, const char *text, uint64_t *ttl_ms)
{
    *ttl_ms = 0;
    if (text && (dtctl_parse_duration (text, ttl_ms) != 0 || *ttl_ms == 0)) {
        return dtctl_usage (self, "%s is no time to live: give one like 500ms, 30s, 5m", text);
    }
    return 0;
}

int dtctl_put (dtctl_t *self)
{
    dt_bytes_t path;
    dt_bytes_t value;
    dt_buffer_t buffer = {0};
    uint64_t ttl_ms = 0;
    bool sequential = dtctl_args_has (&self->args, "sequential");
    int rc = s_take_ttl (self, dtctl_args_value (&self->args, "ttl"), &ttl_ms);
    rc = rc == 0 ? dtctl_connect (self) : rc;
    if (rc == 0) {
        rc = dtctl_take_path (self, self->args.arguments[0], false, &path);
    }
    if (rc == 0) {
        rc = dtctl_take_value (self, 1, &buffer, &value);
    }
    if (rc == 0) {
        uint32_t flags = s_flags (self) | (sequential ? DT_SEQUENTIAL : 0u);
        dt_call_options_t options = dtctl_call_options (self, flags);
        dt_result_t *result;
        int code = ttl_ms > 0
                       ? dt_client_put_temp (self->client, path, value, ttl_ms, &options, &result)
                       : dt_client_put (self->client, path, value, &options, &result);
        rc = dt_code_is_success (code) && sequential ? s_done_sequential (self, &result)
             : dt_code_is_success (code)
                 ? s_done (self, path, code == DT_SUCCESS ? "created" : "replaced", &result)
                 : dtctl_fail_free ("put", path, code, &result);
    }
    dt_buffer_deinit (&buffer);
    return rc;
}

int dtctl_ttl (dtctl_t *self)
{
    dt_bytes_t path;
    uint64_t ttl_ms;
    int rc = s_take_ttl (self, self->args.arguments[1], &ttl_ms);
    rc = rc == 0 ? dtctl_connect (self) : rc;
    if (rc == 0) {
        rc = dtctl_take_path (self, self->args.arguments[0], false, &path);
    }
    if (rc != 0) {
        return rc;
    }
    dt_call_options_t options = dtctl_call_options (self, 0);
    dt_result_t *result;
    int code = dt_client_update_ttl (self->client, path, ttl_ms, &options, &result);
    if (!dt_code_is_success (code)) {
        return dtctl_fail_free ("ttl", path, code, &result);
    }
    s_report (self, path, "renewed", result);
    dtctl_output_end (self->out);
    dt_result_free (&result);
    return DTCTL_EXIT_OK;
}

// Read the number to add.
static int s_take_delta (dtctl_t *self, int64_t *delta)
{
    *delta = 1;
    if (self->args.arguments_count < 2) {
        return 0;
    }
    const char *text = self->args.arguments[1];
    char *end;
    errno = 0;
    *delta = strtoll (text, &end, 10);
    bool digits = strspn (text, "-0123456789") == strlen (text) && end > text && *end == 0;
    return digits && errno == 0 ? 0 : dtctl_usage (self, "%s is no number of 64 bits", text);
}

int dtctl_increment (dtctl_t *self)
{
    dt_bytes_t path;
    int64_t delta;
    int rc = s_take_delta (self, &delta);
    if (rc == 0) {
        rc = dtctl_connect (self);
    }
    if (rc == 0) {
        rc = dtctl_take_path (self, self->args.arguments[0], false, &path);
    }
    if (rc != 0) {
        return rc;
    }
    dt_call_options_t options = dtctl_call_options (self, s_parents (self));
    dt_result_t *result;
    int64_t number;
    int code = dt_client_increment (self->client, path, delta, &options, &result);
    if (!dt_code_is_success (code)) {
        return dtctl_fail_free ("incr", path, code, &result);
    }
    if (!dt_result_number (result, &number)) {
        dt_result_free (&result);
        return dtctl_fail_answer ("incr");
    }
    dtctl_output_simple (self->out, "%" PRId64 "\n", number);
    dtctl_output_begin (self->out);
    dtctl_output_bytes (self->out, "key", path.data, path.bytes);
    dtctl_output_signed (self->out, "number", number);
    dtctl_output_number (self->out, "index", result->index);
    dtctl_output_end (self->out);
    dt_result_free (&result);
    return DTCTL_EXIT_OK;
}

int dtctl_move (dtctl_t *self)
{
    dt_bytes_t from;
    dt_bytes_t to;
    int rc = dtctl_connect (self);
    if (rc == 0) {
        rc = dtctl_take_path (self, self->args.arguments[0], false, &from);
    }
    if (rc == 0) {
        rc = dtctl_take_path (self, self->args.arguments[1], false, &to);
    }
    if (rc != 0) {
        return rc;
    }
    dt_call_options_t options = dtctl_call_options (self, s_parents (self));
    dt_result_t *result;
    int code = dt_client_move (self->client, from, to, &options, &result);
    if (!dt_code_is_success (code)) {
        return dtctl_fail_free ("mv", from, code, &result);
    }
    s_report (self, to, "moved", result);
    dtctl_output_end (self->out);
    dt_result_free (&result);
    return DTCTL_EXIT_OK;
}

int dtctl_mkdir (dtctl_t *self)
{
    dt_bytes_t path;
    uint64_t ttl_ms;
    int rc = s_take_ttl (self, dtctl_args_value (&self->args, "ttl"), &ttl_ms);
    rc = rc == 0 ? dtctl_connect (self) : rc;
    if (rc == 0) {
        rc = dtctl_take_path (self, self->args.arguments[0], false, &path);
    }
    if (rc != 0) {
        return rc;
    }
    bool parents = dtctl_args_has (&self->args, "parents");
    dt_call_options_t options = dtctl_call_options (self, parents ? DT_PARENTS : 0);
    dt_result_t *result;
    int code = ttl_ms > 0 ? dt_client_mkdir_temp (self->client, path, ttl_ms, &options, &result)
                          : dt_client_mkdir (self->client, path, &options, &result);
    if (code == DT_DIR_EXISTS && parents) {
        // As mkdir -p: what was asked for is so.
        return s_done (self, path, "exists", &result);
    }
    return dt_code_is_success (code) ? s_done (self, path, "created", &result)
                                     : dtctl_fail_free ("mkdir", path, code, &result);
}

// Read the one condition of cas.
static int s_take_condition (dtctl_t *self, dt_condition_t *condition)
{
    static const char *const names[] = {"value", "version", "index", "absent"};
    const char *given = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (dtctl_args_has (&self->args, names[i])) {
            if (given) {
                return dtctl_usage (self, "--%s and --%s: give one condition", given, names[i]);
            }
            given = names[i];
        }
    }
    if (!given) {
        return dtctl_usage (self, "the condition is missing: give --value, --version, --index or "
                                  "--absent");
    }
    *condition = (dt_condition_t){0};
    if (strcmp (given, "absent") == 0) {
        condition->absent = true;
    } else if (strcmp (given, "value") == 0) {
        condition->value = dt_text (dtctl_args_value (&self->args, "value"));
    } else {
        condition->compare = strcmp (given, "version") == 0 ? DT_COMPARE_VERSION : DT_COMPARE_INDEX;
        int rc = dtctl_take_number (self, given, UINT64_MAX, &condition->number);
        if (rc == 0 && condition->number == 0) {
            condition->absent = true;
        }
        return rc;
    }
    return 0;
}

int dtctl_cas (dtctl_t *self)
{
    dt_condition_t condition;
    dt_bytes_t path;
    dt_bytes_t value = {0};
    dt_buffer_t buffer = {0};
    bool remove = dtctl_args_has (&self->args, "remove");
    int rc = s_take_condition (self, &condition);
    if (rc == 0 && remove &&
        (self->args.arguments_count > 1 || dtctl_args_has (&self->args, "file"))) {
        rc = dtctl_usage (self, "--remove takes no new value");
    }
    if (rc == 0) {
        rc = dtctl_connect (self);
    }
    if (rc == 0) {
        rc = dtctl_take_path (self, self->args.arguments[0], false, &path);
    }
    if (rc == 0 && !remove) {
        rc = dtctl_take_value (self, 1, &buffer, &value);
    }
    if (rc == 0) {
        dt_call_options_t options = dtctl_call_options (self, s_flags (self));
        dt_result_t *result;
        int code = dt_client_compare_and_set (self->client, path, &condition,
                                              remove ? NULL : &value, &options, &result);
        rc = dt_code_is_success (code) ? s_done (self, path, remove ? "removed" : "set", &result)
                                       : dtctl_fail_free ("cas", path, code, &result);
    }
    dt_buffer_deinit (&buffer);
    return rc;
}
