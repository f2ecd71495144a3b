// dtctl_cluster - the command cluster: every node of the group asked for itself.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dtkv/cli/dtctl_change.h"
#include "dtkv/cli/dtctl_group.h"

enum { ASK_MS_MAX = 2000 }; // a dead node must not hold up the others

// What a node says of itself.
typedef struct {
    bool answers;
    char role[16];
    char disk[64];
    uint64_t term;
    uint64_t commit_index;
    uint64_t applied_index;
    uint64_t digest;
    bool disk_full;
    bool repairing;
} s_state_t;

static void s_take_text (char *place, size_t room, const dt_status_item_t *item)
{
    snprintf (place, room, "%.*s", (int) item->text.bytes, (const char *) item->text.data);
}

static void s_take_item (s_state_t *state, const dt_status_item_t *item)
{
    const struct {
        const char *name;
        uint64_t *place;
    } numbers[] = {
        {"term", &state->term},
        {"commit_index", &state->commit_index},
        {"applied_index", &state->applied_index},
        {"digest", &state->digest},
    };
    char name[32];
    snprintf (name, sizeof name, "%.*s", (int) item->name.bytes, (const char *) item->name.data);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (item->kind == DT_STATUS_UNSIGNED && strcmp (name, numbers[i].name) == 0) {
            *numbers[i].place = item->number;
        }
    }
    if (item->kind == DT_STATUS_TEXT && strcmp (name, "role") == 0) {
        s_take_text (state->role, sizeof state->role, item);
    } else if (item->kind == DT_STATUS_TEXT && strcmp (name, "disk") == 0) {
        s_take_text (state->disk, sizeof state->disk, item);
    } else if (item->kind == DT_STATUS_BOOL && strcmp (name, "disk_full") == 0) {
        state->disk_full = item->number != 0;
    } else if (item->kind == DT_STATUS_BOOL && strcmp (name, "repairing") == 0) {
        state->repairing = item->number != 0;
    }
}

// Ask the node at an endpoint.
static s_state_t s_ask_node (const dtctl_t *self, const char *endpoint)
{
    s_state_t state = {.role = "?", .disk = "?"};
    dt_client_t *client;
    dt_client_options_t options;
    dt_client_options_init (&options);
    uint32_t wait_ms = self->timeout_ms < ASK_MS_MAX ? self->timeout_ms : ASK_MS_MAX;
    options.endpoints = endpoint;
    options.name = "dtctl";
    options.group = self->group;
    options.timeout_ms = wait_ms;
    options.connect_timeout_ms = wait_ms;
    char error[256];
    if (dt_client_open (&client, &options, error, sizeof error) != DT_SUCCESS) {
        return state;
    }
    dt_call_options_t call = dtctl_call_options (self, 0);
    call.timeout_ms = wait_ms;
    dt_result_t *result = NULL;
    dt_iterator_t iterator;
    dt_status_item_t item;
    if (dt_code_is_success (dt_client_status (client, &call, &result)) &&
        dt_result_status (result, &iterator)) {
        while (dt_status_item_next (&iterator, &item)) {
            s_take_item (&state, &item);
        }
        state.answers = !iterator.malformed;
    }
    dt_result_free (&result);
    dt_client_close (&client);
    return state;
}

static const char *s_health (const s_state_t *state)
{
    if (!state->answers) {
        return "does not answer";
    }
    if (strcmp (state->disk, "ok") != 0) {
        return state->disk;
    }
    return state->disk_full ? "disk full" : state->repairing ? "repairing" : "ok";
}

static void s_show (dtctl_t *self, const protocol_config_t *config, const protocol_member_t *member,
                    const s_state_t *state, uint64_t reach)
{
    dtctl_output_t *out = self->out;
    uint64_t lag =
        state->answers && reach > state->applied_index ? reach - state->applied_index : 0;
    const char *role = dtctl_group_role (config, member->id);
    if (state->answers && strcmp (state->role, "leader") == 0) {
        role = "leader"; // it knows before the one that was asked first
    }
    dtctl_output_simple (out,
                         "%-4" PRIu32 " %-9s term %-5" PRIu64 " applied %-10" PRIu64
                         " lag %-8" PRIu64 " %-16s %s\n",
                         member->id, role, state->term, state->applied_index, lag, s_health (state),
                         member->service);
    dtctl_output_begin (out);
    dtctl_output_number (out, "id", member->id);
    dtctl_output_text (out, "role", role);
    dtctl_output_bool (out, "answers", state->answers);
    dtctl_output_number (out, "term", state->term);
    dtctl_output_number (out, "commit_index", state->commit_index);
    dtctl_output_number (out, "applied_index", state->applied_index);
    dtctl_output_number (out, "lag", lag);
    dtctl_output_number (out, "digest", state->digest);
    dtctl_output_text (out, "health", s_health (state));
    dtctl_output_text (out, "service", member->service);
    dtctl_output_end (out);
}

int dtctl_cluster (dtctl_t *self)
{
    int rc;
    protocol_config_t *config = dtctl_group_config (self, &rc);
    if (rc != 0) {
        free (config);
        return rc;
    }
    s_state_t states[PROTOCOL_MEMBERS_MAX];
    uint64_t reach = 0;
    for (uint32_t i = 0; i < config->members_count; i++) {
        states[i] = s_ask_node (self, config->members[i].service);
        reach = states[i].applied_index > reach ? states[i].applied_index : reach;
    }
    uint32_t unwell = 0;
    for (uint32_t i = 0; i < config->members_count; i++) {
        s_show (self, config, &config->members[i], &states[i], reach);
        unwell += strcmp (s_health (&states[i]), "ok") != 0;
    }
    if (unwell > 0) {
        dtctl_complain ("%" PRIu32 " of %" PRIu32 " nodes are not well; %" PRIu32
                        " voters of the group may fail",
                        unwell, config->members_count, dtctl_change_tolerates (&config->voters));
        rc = DTCTL_EXIT_UNAVAILABLE;
    }
    free (config);
    return rc;
}
