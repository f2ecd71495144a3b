// dtctl_node - the commands about a node: ping, status, info, snapshot.

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dtkv/cli/dtctl.h"
#include "dtkv/cli/dtctl_msgpack.h"
#include "dtkv/cli/dtctl_text.h"

static uint64_t s_now_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

static void s_wait_ms (uint64_t wait_ms)
{
    struct timespec wait = {(time_t) (wait_ms / 1000), (long) (wait_ms % 1000) * 1000000};
    nanosleep (&wait, NULL);
}

int dtctl_ping (dtctl_t *self)
{
    uint64_t count = 1;
    int rc = dtctl_take_number (self, "count", UINT32_MAX, &count);
    if (rc == 0) {
        rc = dtctl_connect (self);
    }
    if (rc != 0) {
        return rc;
    }
    dtctl_catch_signals ();
    for (uint64_t i = 0; i < count && rc == 0; i++) {
        if (i > 0) {
            s_wait_ms (1000);
        }
        if (dtctl_interrupted ()) {
            return DTCTL_EXIT_SIGNAL;
        }
        dt_call_options_t options = dtctl_call_options (self, 0);
        dt_result_t *result;
        uint64_t start_ns = s_now_ns ();
        int code = dt_client_ping (self->client, &options, &result);
        double round_trip_ms = (double) (s_now_ns () - start_ns) / 1e6;
        if (!dt_code_is_success (code)) {
            return dtctl_fail_free ("ping", dt_text (self->endpoints), code, &result);
        }
        dt_result_free (&result);
        dtctl_output_simple (self->out, "%s answers, %.3f ms\n", self->endpoints, round_trip_ms);
        dtctl_output_begin (self->out);
        dtctl_output_text (self->out, "endpoint", self->endpoints);
        dtctl_output_real (self->out, "round_trip_ms", round_trip_ms);
        dtctl_output_end (self->out);
        dtctl_output_flush (self->out);
    }
    return rc;
}

// One item of status, as a field of one JSON object or as a row of its own.
static void s_status_item (dtctl_t *self, const dt_status_item_t *item)
{
    dtctl_output_t *out = self->out;
    bool json = dtctl_output_format (out) == DTCTL_FORMAT_JSON;
    dt_buffer_t value = {0};
    dt_buffer_t name = {0};
    dtctl_text_escape (&name, item->name.data, item->name.bytes);
    dt_buffer_append (&name, "", 1);
    if (item->kind == DT_STATUS_TEXT && !json) {
        dtctl_text_escape (&value, item->text.data, item->text.bytes);
    } else if (item->kind == DT_STATUS_UNSIGNED && !json) {
        dt_buffer_printf (&value, "%" PRIu64, item->number);
    } else {
        dtctl_msgpack_json (&value, item->raw.data, item->raw.bytes);
    }
    if (json) {
        dtctl_output_json (out, (char *) name.data, value.data, value.bytes);
    } else {
        dtctl_output_simple (out, "%-28s ", (char *) name.data);
        dtctl_output_simple_raw (out, value.data, value.bytes);
        dtctl_output_simple (out, "\n");
        dtctl_output_begin (out);
        dtctl_output_text (out, "name", (char *) name.data);
        dtctl_output_json (out, "value", value.data, value.bytes);
        dtctl_output_end (out);
    }
    dt_buffer_deinit (&value);
    dt_buffer_deinit (&name);
}

int dtctl_status (dtctl_t *self)
{
    int rc = dtctl_connect (self);
    if (rc != 0) {
        return rc;
    }
    dt_call_options_t options = dtctl_call_options (self, 0);
    dt_result_t *result;
    dt_iterator_t iterator;
    dt_status_item_t item;
    int code = dt_client_status (self->client, &options, &result);
    if (!dt_code_is_success (code)) {
        return dtctl_fail_free ("status", dt_bytes (NULL, 0), code, &result);
    }
    if (!dt_result_status (result, &iterator)) {
        dt_result_free (&result);
        return dtctl_fail_answer ("status");
    }
    bool json = dtctl_output_format (self->out) == DTCTL_FORMAT_JSON;
    if (json) {
        dtctl_output_begin (self->out);
    }
    while (dt_status_item_next (&iterator, &item)) {
        s_status_item (self, &item);
    }
    if (json) {
        dtctl_output_end (self->out);
    }
    rc = iterator.malformed ? dtctl_fail_answer ("status") : DTCTL_EXIT_OK;
    dt_result_free (&result);
    return rc;
}

// A name and a number of info, in whatever format.
static void s_info (dtctl_t *self, const char *name, uint64_t value)
{
    dtctl_output_simple (self->out, "%-20s %" PRIu64 "\n", name, value);
    dtctl_output_number (self->out, name, value);
}

int dtctl_info (dtctl_t *self)
{
    int rc = dtctl_connect (self);
    if (rc != 0) {
        return rc;
    }
    const dt_limits_t *limits = &self->limits;
    uint32_t groups[256];
    size_t count = dt_client_groups (self->client, groups, 256);
    dt_buffer_t list = {0};
    dt_buffer_append (&list, "[", 1);
    for (size_t i = 0; i < count && i < 256; i++) {
        dt_buffer_printf (&list, "%s%" PRIu32, i ? "," : "", groups[i]);
    }
    dt_buffer_append (&list, "]", 1);

    dtctl_output_begin (self->out);
    dtctl_output_simple (self->out, "%-20s %s\n", "server_version", limits->server_version);
    dtctl_output_text (self->out, "server_version", limits->server_version);
    s_info (self, "protocol_version", limits->protocol_version);
    s_info (self, "features", limits->features);
    s_info (self, "cluster_id", limits->cluster_id);
    s_info (self, "node_id", limits->node_id);
    dtctl_output_simple (self->out, "%-20s ", "groups");
    dtctl_output_simple_raw (self->out, list.data, list.bytes);
    dtctl_output_simple (self->out, "\n");
    dtctl_output_json (self->out, "groups", list.data, list.bytes);
    s_info (self, "frame_bytes_max", limits->frame_bytes_max);
    s_info (self, "key_bytes_max", limits->key_bytes_max);
    s_info (self, "value_bytes_max", limits->value_bytes_max);
    s_info (self, "depth_max", limits->depth_max);
    s_info (self, "batch_items_max", limits->batch_items_max);
    s_info (self, "sessions_max", limits->sessions_max);
    s_info (self, "session_replies_max", limits->session_replies_max);
    s_info (self, "in_flight_max", limits->in_flight_max);
    s_info (self, "session_nodes_max", limits->session_nodes_max);
    dtctl_output_end (self->out);
    dt_buffer_deinit (&list);
    return DTCTL_EXIT_OK;
}

int dtctl_snapshot (dtctl_t *self)
{
    if (strcmp (self->args.arguments[0], "take") != 0) {
        return dtctl_usage (self, "snapshot %s: there is only snapshot take",
                            self->args.arguments[0]);
    }
    int rc = dtctl_connect (self);
    if (rc != 0) {
        return rc;
    }
    dt_call_options_t options = dtctl_call_options (self, 0);
    dt_result_t *result;
    uint64_t index;
    uint64_t bytes;
    int code = dt_client_snapshot_take (self->client, &options, &result);
    if (!dt_code_is_success (code)) {
        return dtctl_fail_free ("snapshot take", dt_bytes (NULL, 0), code, &result);
    }
    if (!dt_result_snapshot (result, &index, &bytes)) {
        dt_result_free (&result);
        return dtctl_fail_answer ("snapshot take");
    }
    dtctl_output_simple (self->out, "taken, index %" PRIu64 ", %" PRIu64 " bytes\n", index, bytes);
    dtctl_output_begin (self->out);
    dtctl_output_number (self->out, "index", index);
    dtctl_output_number (self->out, "bytes", bytes);
    dtctl_output_end (self->out);
    dt_result_free (&result);
    return DTCTL_EXIT_OK;
}
