#include "tests/raft/raft_cluster_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_memory.h"
#include "tests/raft/raft_cluster_internal.h"

struct raft_cluster_script {
    cluster_t cluster;
    raft_cluster_result_t result;
    bool begun;
};

typedef struct {
    cluster_node_t *node;      // the first number's; NULL: there is none
    unsigned number;           // the second
    raft_node_list_t one, two; // lists: the last word, or those around "from"
} s_words_t;

static raft_node_list_t s_list (const char *word)
{
    raft_node_list_t list = {0};
    while (*word) {
        char *end;
        unsigned long id = strtoul (word, &end, 10);
        if (end == word || id == 0 || id >= IDS_MAX) {
            break;
        }
        raft_node_list_add (&list, (raft_node_id_t) id);
        word = *end == ',' ? end + 1 : end;
    }
    return list;
}

static void s_run (cluster_t *self, int64_t ms)
{
    cluster_run_until (self, self->now_ns + ms * MS);
}

static bool s_nodes (raft_cluster_script_t *script, const char *line)
{
    cluster_t *self = &script->cluster;
    unsigned nodes = 0;
    unsigned voters = 0;
    int count = sscanf (line, "nodes %u %u", &nodes, &voters);
    if (script->begun || count < 1 || nodes < 1 || nodes > RAFT_CLUSTER_NODES_MAX) {
        return false;
    }
    script->begun = true;
    self->result = &script->result;
    self->options = (raft_cluster_options_t){.seed = 1, .nodes = nodes, .plain = true};
    self->voters = count == 2 ? voters : nodes;
    self->healing = true; // no chance: nothing is lost or late by itself
    size_t before = self->text->bytes;
    cluster_set_up (self);
    self->text->bytes = before; // that they start is no news
    return true;
}

static void s_campaign (cluster_t *self, cluster_node_t *node)
{
    node->clock_ns += 2000 * MS;
    cluster_step (self, node, &(raft_event_t){.kind = RAFT_EVENT_TICK});
}

static void s_mute (cluster_t *self, raft_node_id_t id)
{
    for (unsigned other = 1; other <= self->nodes_count; other++) {
        self->cut[id][other] = other != id;
    }
}

static void s_cut (cluster_t *self, const raft_node_list_t *one, const raft_node_list_t *two)
{
    for (uint32_t i = 0; i < one->count; i++) {
        for (uint32_t j = 0; j < two->count; j++) {
            self->cut[one->ids[i]][two->ids[j]] = true;
            self->cut[two->ids[j]][one->ids[i]] = true;
        }
    }
}

static void s_isolate (cluster_t *self, raft_node_id_t id)
{
    for (unsigned other = 1; other <= self->nodes_count; other++) {
        self->cut[id][other] = self->cut[other][id] = other != id;
    }
}

static void s_change (cluster_t *self, const char *verb, const s_words_t *words)
{
    raft_config_t target = {.voters = words->one};
    for (unsigned id = 1; id <= self->nodes_count; id++) {
        if (!raft_node_list_has (&target.voters, id)) {
            raft_node_list_add (&target.observers, id);
        }
    }
    cluster_describe (&target, self->nodes_count);
    raft_change_t change = {
        .kind = strcmp (verb, "commit") == 0  ? RAFT_CHANGE_COMMIT
                : strcmp (verb, "abort") == 0 ? RAFT_CHANGE_ABORT
                                              : RAFT_CHANGE_PREPARE,
        .auto_commit = strcmp (verb, "change") == 0,
        .force = true,
        .target = &target,
    };
    cluster_change (self, words->node, &change);
}

static void s_transfer (cluster_t *self, cluster_node_t *node, unsigned to)
{
    node->transfers_open++;
    int64_t deadline_ns = cluster_clock_ns (self, node) + 2000 * MS;
    cluster_step (
        self, node,
        &(raft_event_t){.kind = RAFT_EVENT_TRANSFER, .transfer = {self, to, deadline_ns}});
}

static void s_show_node (cluster_t *self, const cluster_node_t *node)
{
    if (!node->core) {
        dt_buffer_printf (self->text, "  %u down", node->id);
    } else {
        raft_status_t status;
        raft_core_status (node->core, &status);
        const raft_config_t *config = &raft_core_config (node->core)->config;
        dt_buffer_printf (self->text, "  %u %s%s term=%lu commit=%lu config=%lu%s", node->id,
                          raft_role_name (status.role), status.ready ? " ready" : "",
                          status.hard_state.term, status.commit, status.config_index,
                          raft_config_is_joint (config) ? " joint" : "");
    }
    dt_buffer_printf (self->text, " disk:");
    for (raft_index_t index = node->log.first; index <= cluster_log_last (&node->log); index++) {
        dt_buffer_printf (self->text, " %lu", cluster_log_at (&node->log, index)->term);
    }
    dt_buffer_printf (self->text, "\n");
}

static bool s_do_to_links (cluster_t *self, const char *verb, const s_words_t *words)
{
    if (strcmp (verb, "join") == 0) {
        memset (self->cut, 0, sizeof self->cut);
    } else if (strcmp (verb, "cut") == 0) {
        s_cut (self, &words->one, &words->two);
    } else if (strcmp (verb, "show") == 0) {
        for (unsigned id = 1; id <= self->nodes_count; id++) {
            s_show_node (self, &self->nodes[id]);
        }
    } else {
        return false;
    }
    return true;
}

static bool s_do_to_process (cluster_t *self, const char *verb, cluster_node_t *node)
{
    if (strcmp (verb, "restart") == 0 && !node->core) {
        cluster_start (self, node);
    } else if (strcmp (verb, "crash") == 0) {
        cluster_crash (self, node);
    } else if (strcmp (verb, "stall") == 0) {
        node->stalled = true;
    } else if (strcmp (verb, "unstall") == 0) {
        node->stalled = false;
        cluster_disk_flushed (self, node);
    } else if (strcmp (verb, "freeze") == 0) {
        node->paused = true;
    } else if (strcmp (verb, "thaw") == 0) {
        node->paused = false;
    } else {
        return false;
    }
    return true;
}

static bool s_do_to_node (cluster_t *self, const char *verb, const s_words_t *words)
{
    cluster_node_t *node = words->node;
    if (s_do_to_process (self, verb, node)) {
        return true;
    }
    if (!node->core) {
        return false;
    }
    if (strcmp (verb, "campaign") == 0) {
        s_campaign (self, node);
    } else if (strcmp (verb, "lead") == 0) {
        s_campaign (self, node);
        s_run (self, 20);
    } else if (strcmp (verb, "mute") == 0) {
        s_mute (self, node->id);
    } else if (strcmp (verb, "isolate") == 0) {
        s_isolate (self, node->id);
    } else if (strcmp (verb, "propose") == 0) {
        cluster_propose (self, node, words->number);
    } else if (strcmp (verb, "read") == 0) {
        cluster_ask (self, node, RAFT_READ_LINEARIZABLE);
    } else if (strcmp (verb, "read_index") == 0) {
        cluster_ask (self, node, RAFT_READ_INDEX);
    } else if (strcmp (verb, "transfer") == 0) {
        s_transfer (self, node, words->number);
    } else {
        s_change (self, verb, words);
    }
    return true;
}

bool raft_cluster_script_line (raft_cluster_script_t *script, const char *line)
{
    cluster_t *self = &script->cluster;
    char verb[20] = "";
    char first[40] = "";
    char second[40] = "";
    char third[40] = "";
    sscanf (line, "%19s %39s %39s %39s", verb, first, second, third);
    if (strcmp (verb, "nodes") == 0) {
        return s_nodes (script, line);
    }
    if (strcmp (verb, "run") == 0) {
        s_run (self, atoi (first));
        return true;
    }
    bool from = strcmp (second, "from") == 0;
    unsigned id = (unsigned) atoi (first);
    s_words_t words = {
        .node = id >= 1 && id <= self->nodes_count ? &self->nodes[id] : NULL,
        .number = (unsigned) atoi (second),
        .one = s_list (from ? first : second),
        .two = s_list (third),
    };
    return s_do_to_links (self, verb, &words) ||
           (words.node != NULL && s_do_to_node (self, verb, &words));
}

raft_cluster_script_t *raft_cluster_script_new (dt_buffer_t *text)
{
    raft_cluster_script_t *self = dt_zalloc (1, sizeof *self);
    self->cluster.text = text;
    return self;
}

void raft_cluster_script_destroy (raft_cluster_script_t **self_p)
{
    if (*self_p) {
        cluster_tear_down (&(*self_p)->cluster);
        free (*self_p);
        *self_p = NULL;
    }
}
