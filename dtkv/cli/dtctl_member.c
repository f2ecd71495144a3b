// dtctl_member - the commands about a group's nodes and its leader: members, member, config,
// transfer-leader.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/cli/dtctl.h"
#include "dtkv/cli/dtctl_change.h"
#include "dtkv/cli/dtctl_group.h"
#include "dtkv/cli/dtctl_parse.h"

enum { CATCH_UP_POLL_MS = 300, RETRY_MS = 200, CATCH_UP_ENTRIES = 1000 };

static void s_show_member (dtctl_t *self, const protocol_config_t *config,
                           const protocol_member_t *member, uint64_t last)
{
    dtctl_output_t *out = self->out;
    const char *state = member->id == config->leader ? "-"
                        : !member->followed          ? "?"
                        : member->repairing          ? "repairing"
                        : !member->active            ? "silent"
                                                     : member->state;
    uint64_t lag = member->followed && last > member->match ? last - member->match : 0;
    dtctl_output_simple (out, "%-4" PRIu32 " %-9s %-9s lag %-8" PRIu64 " %s  %s\n", member->id,
                         dtctl_group_role (config, member->id), state, lag, member->peer,
                         member->service);
    dtctl_output_begin (out);
    dtctl_output_number (out, "id", member->id);
    dtctl_output_text (out, "role", dtctl_group_role (config, member->id));
    dtctl_output_text (out, "state", state);
    dtctl_output_number (out, "lag", lag);
    dtctl_output_number (out, "match", member->match);
    dtctl_output_text (out, "peer", member->peer);
    dtctl_output_text (out, "service", member->service);
    dtctl_output_end (out);
}

static void s_print_ids (FILE *file, const char *what, const protocol_ids_t *ids)
{
    fprintf (file, "%s", what);
    for (uint32_t i = 0; i < ids->count; i++) {
        fprintf (file, "%s%" PRIu32, i ? "," : "", ids->ids[i]);
    }
    fprintf (file, "%s", ids->count ? "" : "none");
}

static void s_print_lists (const char *title, const protocol_ids_t *voters,
                           const protocol_ids_t *observers)
{
    fprintf (stderr, "%-7s", title);
    s_print_ids (stderr, "voters ", voters);
    s_print_ids (stderr, "  observers ", observers);
    fprintf (stderr, "  tolerates %" PRIu32 " failed\n", dtctl_change_tolerates (voters));
}

int dtctl_members (dtctl_t *self)
{
    int rc;
    protocol_config_t *config = dtctl_group_config (self, &rc);
    uint64_t last = dtctl_group_last (config);
    for (uint32_t i = 0; rc == 0 && i < config->members_count; i++) {
        s_show_member (self, config, &config->members[i], last);
    }
    if (rc == 0 && config->joint) {
        fprintf (stderr,
                 "a change is under way (index %" PRIu64 "): dtctl config commit or abort\n",
                 config->index);
        s_print_lists ("next", &config->next_voters, &config->next_observers);
    }
    free (config);
    return rc;
}

// --- changing ------------------------------------------------------------------------------------

static uint64_t s_deadline_ms (const dtctl_t *self)
{
    return dtctl_now_ms () + self->timeout_ms;
}

// Ask until it is answered for good: another change may be on its way, or the leader just
// beginning.
static int s_ask_patiently (dtctl_t *self, dt_admin_t operation, const dt_buffer_t *body,
                            const char *action)
{
    uint64_t deadline_ms = s_deadline_ms (self);
    for (;;) {
        dt_result_t *result = NULL;
        int code = dtctl_group_ask (self, operation, body, &result);
        bool busy = code == DT_CHANGE_BUSY || code == DT_NOT_READY;
        if (busy && dtctl_now_ms () < deadline_ms) {
            dt_result_free (&result);
            dtctl_nap (RETRY_MS);
            continue;
        }
        if (!dt_code_is_success (code)) {
            return dtctl_fail_free (action, dt_bytes (NULL, 0), code, &result);
        }
        dt_result_free (&result);
        return 0;
    }
}

static int s_prepare (dtctl_t *self, const protocol_config_t *config, protocol_change_t *target)
{
    s_print_lists ("before", &config->voters, &config->observers);
    s_print_lists ("after", &target->voters, &target->observers);
    if (dtctl_args_has (&self->args, "dry-run")) {
        return 0;
    }
    target->flags = PROTOCOL_CHANGE_AUTO_COMMIT;
    if (dtctl_args_has (&self->args, "force")) {
        target->flags |= PROTOCOL_CHANGE_FORCE;
    }
    dt_buffer_t body = {0};
    protocol_change_write (&body, target);
    int rc = s_ask_patiently (self, DT_ADMIN_CONFIG_PREPARE, &body, "change");
    dt_buffer_deinit (&body);
    return rc;
}

// One step; done: nothing had to be changed.
static int s_change (dtctl_t *self, const dtctl_change_t *change, bool *done)
{
    int rc;
    protocol_config_t *config = dtctl_group_config (self, &rc);
    protocol_change_t *target = dt_zalloc (1, sizeof *target);
    const char *why = NULL;
    *done = false;
    if (rc == 0) {
        int fits = dtctl_change_target (config, change, target, &why);
        if (fits < 0) {
            dtctl_complain ("node %" PRIu32 ": %s", change->id, why);
            rc = DTCTL_EXIT_PRECONDITION;
        } else if (fits == 1) {
            *done = true;
        } else {
            rc = s_prepare (self, config, target);
        }
    }
    free (target);
    free (config);
    return rc;
}

// Wait until a new observer is near enough to become voter.
static int s_wait_caught_up (dtctl_t *self, uint32_t id)
{
    uint64_t deadline_ms = s_deadline_ms (self);
    for (;;) {
        int rc;
        protocol_config_t *config = dtctl_group_config (self, &rc);
        uint64_t last = dtctl_group_last (config);
        const protocol_member_t *node = NULL;
        for (uint32_t i = 0; i < config->members_count; i++) {
            node = config->members[i].id == id ? &config->members[i] : node;
        }
        bool near =
            node && node->active && node->match > 0 && node->match + CATCH_UP_ENTRIES >= last;
        uint64_t lag = node && node->match < last ? last - node->match : 0;
        bool active = node && node->active;
        free (config);
        if (rc != 0 || near) {
            return rc;
        }
        fprintf (stderr, "\rnode %" PRIu32 " catches up: %s%" PRIu64 " entries behind   ", id,
                 active ? "" : "silent so far, ", lag);
        if (dtctl_now_ms () >= deadline_ms) {
            fprintf (stderr, "\n");
            dtctl_complain ("node %" PRIu32 " stays observer: it did not catch up in time; dtctl "
                            "member promote %" PRIu32 " makes it voter later",
                            id, id);
            return DTCTL_EXIT_UNAVAILABLE;
        }
        dtctl_nap (CATCH_UP_POLL_MS);
    }
}

static int s_member_add (dtctl_t *self, uint32_t id)
{
    dtctl_change_t change = {.kind = DTCTL_CHANGE_ADD_OBSERVER,
                             .id = id,
                             .peer = dtctl_args_value (&self->args, "peer"),
                             .service = dtctl_args_value (&self->args, "service")};
    bool done;
    int rc = 0;
    protocol_config_t *config = dtctl_group_config (self, &rc);
    bool voter = rc == 0 && dtctl_change_has (&config->voters, id);
    free (config);
    if (rc == 0 && voter && !dtctl_args_has (&self->args, "observer")) {
        dtctl_output_simple (self->out, "node %" PRIu32 " is a voter already\n", id);
        return 0;
    }
    if (rc == 0) {
        rc = s_change (self, &change, &done);
    }
    bool stays =
        dtctl_args_has (&self->args, "observer") || dtctl_args_has (&self->args, "dry-run");
    if (rc == 0 && !stays) {
        rc = s_wait_caught_up (self, id);
    }
    if (rc == 0 && !stays) {
        change = (dtctl_change_t){.kind = DTCTL_CHANGE_PROMOTE, .id = id};
        rc = s_change (self, &change, &done);
    }
    if (rc == 0 && !dtctl_args_has (&self->args, "dry-run")) {
        dtctl_output_simple (self->out, "node %" PRIu32 " is %s\n", id,
                             stays ? "an observer" : "a voter");
    }
    return rc;
}

// Take a node's place by another, in one change once the new one has caught up.
static int s_member_replace (dtctl_t *self, uint32_t old)
{
    uint64_t id = 0;
    if (self->args.arguments_count < 3 ||
        dtctl_parse_number (self->args.arguments[2], UINT32_MAX, &id) != 0 || id == 0 ||
        id == old) {
        return dtctl_usage (self, "member replace OLD NEW: two different numbers of nodes");
    }
    bool dry_run = dtctl_args_has (&self->args, "dry-run");
    dtctl_change_t replace = {.kind = DTCTL_CHANGE_REPLACE,
                              .id = (uint32_t) id,
                              .replaced = old,
                              .peer = dtctl_args_value (&self->args, "peer"),
                              .service = dtctl_args_value (&self->args, "service")};
    dtctl_change_t join = replace;
    join.kind = DTCTL_CHANGE_ADD_OBSERVER;
    int rc;
    bool done;
    protocol_config_t *config = dtctl_group_config (self, &rc);
    bool joined = rc == 0 && dtctl_change_has (&config->voters, (uint32_t) id);
    free (config);
    if (rc == 0 && !joined && !dry_run) {
        rc = s_change (self, &join, &done);
        rc = rc == 0 ? s_wait_caught_up (self, (uint32_t) id) : rc;
    }
    if (rc == 0) {
        rc = s_change (self, &replace, &done);
    }
    if (rc == 0 && !dry_run) {
        dtctl_output_simple (self->out,
                             "node %" PRIu64 " has taken the place of node %" PRIu32 "\n", id, old);
    }
    return rc;
}

int dtctl_member (dtctl_t *self)
{
    const char *verb = self->args.arguments[0];
    uint64_t id = 0;
    if (dtctl_parse_number (self->args.arguments[1], UINT32_MAX, &id) != 0 || id == 0) {
        return dtctl_usage (self, "member %s %s: the node's id is a number from 1", verb,
                            self->args.arguments[1]);
    }
    if (strcmp (verb, "add") == 0) {
        return s_member_add (self, (uint32_t) id);
    }
    if (strcmp (verb, "replace") == 0) {
        return s_member_replace (self, (uint32_t) id);
    }
    dtctl_change_t change = {.id = (uint32_t) id};
    const char *past;
    if (strcmp (verb, "remove") == 0) {
        change.kind = DTCTL_CHANGE_REMOVE;
        past = "removed";
    } else if (strcmp (verb, "promote") == 0) {
        change.kind = DTCTL_CHANGE_PROMOTE;
        past = "a voter";
    } else if (strcmp (verb, "demote") == 0) {
        change.kind = DTCTL_CHANGE_ADD_OBSERVER;
        past = "an observer";
    } else {
        return dtctl_usage (self, "member %s: there are add, promote, demote, remove and replace",
                            verb);
    }
    bool done;
    int rc = s_change (self, &change, &done);
    if (rc == 0 && !dtctl_args_has (&self->args, "dry-run")) {
        dtctl_output_simple (self->out, "node %" PRIu64 " is %s%s\n", id, past,
                             done ? " already" : "");
    }
    return rc;
}

int dtctl_config (dtctl_t *self)
{
    const char *verb = self->args.arguments[0];
    bool commit = strcmp (verb, "commit") == 0;
    if (!commit && strcmp (verb, "abort") != 0) {
        return dtctl_usage (self, "config %s: there are commit and abort; members shows it", verb);
    }
    int rc = dtctl_connect (self);
    if (rc == 0) {
        rc = s_ask_patiently (self, commit ? DT_ADMIN_CONFIG_COMMIT : DT_ADMIN_CONFIG_ABORT, NULL,
                              verb);
    }
    if (rc == 0) {
        dtctl_output_simple (self->out, "no change is under way any more\n");
    }
    return rc;
}

int dtctl_transfer (dtctl_t *self)
{
    uint64_t target = 0;
    if (self->args.arguments_count > 0 &&
        (dtctl_parse_number (self->args.arguments[0], UINT32_MAX, &target) != 0)) {
        return dtctl_usage (self, "transfer-leader %s: the node's id is a number",
                            self->args.arguments[0]);
    }
    int rc = dtctl_connect (self);
    if (rc != 0) {
        return rc;
    }
    dt_buffer_t body = {0};
    protocol_number_write (&body, target);
    dt_result_t *result = NULL;
    int code = dtctl_group_ask (self, DT_ADMIN_TRANSFER_LEADER, &body, &result);
    dt_buffer_deinit (&body);
    if (!dt_code_is_success (code)) {
        return dtctl_fail_free ("transfer-leader", dt_bytes (NULL, 0), code, &result);
    }
    uint64_t leader = 0;
    protocol_number_read ((msgpack_slice_t){result->body.data, result->body.bytes}, &leader);
    dt_result_free (&result);
    dtctl_output_simple (self->out, "node %" PRIu64 " leads\n", leader);
    dtctl_output_begin (self->out);
    dtctl_output_number (self->out, "leader", leader);
    dtctl_output_end (self->out);
    return 0;
}
