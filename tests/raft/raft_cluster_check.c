// The rules of a cluster, looked at from outside.

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "tests/raft/raft_cluster_internal.h"

static const cluster_entry_t *s_entry_at (const cluster_t *self, const cluster_node_t *node,
                                          raft_index_t index, cluster_entry_t *buffer)
{
    (void) self;
    // What is on its way to the disk, newest first, then what is there.
    const cluster_entry_t *found = cluster_log_at (&node->log, index);
    for (cluster_write_t *write = node->writes; write; write = write->next) {
        if (write->kind == WRITE_TRUNCATE && write->first <= index) {
            found = NULL;
        } else if (write->kind == WRITE_RESET) {
            found = NULL;
        } else if (write->kind == WRITE_APPEND && write->first <= index && index <= write->last) {
            *buffer = cluster_entry_of (log_batch_entry (write->batch, index));
            dt_blob_unref (&buffer->config);
            found = buffer;
        }
    }
    return found;
}

// Whether a node's disk has an entry, or knows that it had it before it rotted.
static bool s_is_durable (const cluster_node_t *node, raft_index_t index, raft_term_t term)
{
    const cluster_entry_t *entry = cluster_log_at (&node->log, index);
    return index <= node->snapshot.index || index <= node->lost_until ||
           (entry && entry->term == term);
}

static void s_check_majority (cluster_t *self, const raft_node_list_t *voters, raft_index_t index,
                              raft_term_t term)
{
    unsigned have = 0;
    for (uint32_t i = 0; i < voters->count; i++) {
        have += s_is_durable (&self->nodes[voters->ids[i]], index, term);
    }
    CLUSTER_RULE (self, have > voters->count / 2,
                  "entry %lu of term %lu is committed and on %u of %u disks [RAFT-5]", index, term,
                  have, voters->count);
}

// A leader commits up to an entry of its own term, which a majority of each half has on disk.
static void s_check_commit_of_leader (cluster_t *self, cluster_node_t *node,
                                      const raft_status_t *status)
{
    cluster_entry_t buffer;
    const cluster_entry_t *entry = s_entry_at (self, node, status->commit, &buffer);
    raft_term_t term = status->hard_state.term;
    CLUSTER_RULE (self, entry && entry->term == term,
                  "leader %u of term %lu commits %lu of term %lu by counting [RAFT-6]", node->id,
                  term, status->commit, entry ? entry->term : 0);
    if (entry) {
        const raft_config_t *config = &raft_core_config (node->core)->config;
        s_check_majority (self, &config->voters, status->commit, entry->term);
        if (raft_config_is_joint (config)) {
            s_check_majority (self, &config->next_voters, status->commit, entry->term);
        }
    }
}

// Entries that became committed, by what this node says, are the ones committed everywhere.
static void s_check_commit (cluster_t *self, cluster_node_t *node, const raft_status_t *status)
{
    CLUSTER_CHECK (self, status->commit >= node->commit_seen, "node %u: commit falls", node->id);
    if (status->role == RAFT_LEADER && status->commit > node->commit_seen) {
        s_check_commit_of_leader (self, node, status);
    }
    raft_index_t index = node->commit_seen + 1;
    if (index < status->first) {
        index = status->first;
    }
    for (; index <= status->commit; index++) {
        cluster_entry_t buffer;
        const cluster_entry_t *entry = s_entry_at (self, node, index, &buffer);
        if (!entry) {
            continue; // behind a snapshot that was just installed
        }
        const cluster_entry_t *known = cluster_log_at (&self->shadow, index);
        if (known) {
            CLUSTER_CHECK (self, known->term == entry->term && known->id == entry->id,
                           "node %u commits another entry %lu (term %lu, known term %lu)", node->id,
                           index, entry->term, known->term);
            continue;
        }
        CLUSTER_CHECK (self, index == cluster_log_last (&self->shadow) + 1,
                       "node %u commits %lu, nobody committed what is before", node->id, index);
        cluster_entry_t kept = *entry;
        kept.config = NULL;
        cluster_log_push (&self->shadow, &kept);
        if (kept.id) {
            self->fates[kept.id] = 1;
        }
        self->result->committed++;
    }
    node->commit_seen = status->commit;
}

static void s_check_votes (cluster_t *self, const cluster_node_t *node,
                           const raft_node_list_t *voters, raft_term_t term)
{
    unsigned votes = 0;
    for (uint32_t i = 0; i < voters->count; i++) {
        raft_node_id_t id = voters->ids[i];
        votes += id == node->id || self->votes[id][term] == node->id;
    }
    CLUSTER_RULE (self, votes > voters->count / 2,
                  "node %u leads term %lu by %u of %u votes [RAFT-5]", node->id, term, votes,
                  voters->count);
}

// Nobody else may answer reads by a lease when a leader begins [LEASE-1, 2, 3].
static void s_check_leases (cluster_t *self, const cluster_node_t *node, raft_term_t term)
{
    for (unsigned id = 1; id <= self->nodes_count; id++) {
        const cluster_node_t *other = &self->nodes[id];
        if (other == node || !other->core || other->role != RAFT_LEADER) {
            continue;
        }
        raft_status_t status;
        raft_core_status (other->core, &status);
        bool alone = raft_config_is_sole_voter (&raft_core_config (other->core)->config, id);
        CLUSTER_RULE (self, !alone && status.lease_until_ns <= cluster_clock_ns (self, other),
                      "node %u begins term %lu while node %u has a lease in term %lu", node->id,
                      term, id, status.hard_state.term);
    }
}

static void s_check_begin (cluster_t *self, const cluster_node_t *node, raft_term_t term)
{
    const raft_config_t *config = &raft_core_config (node->core)->config;
    s_check_votes (self, node, &config->voters, term);
    if (raft_config_is_joint (config)) {
        s_check_votes (self, node, &config->next_voters, term);
    }
    s_check_leases (self, node, term);
}

void cluster_check_step (cluster_t *self, cluster_node_t *node)
{
    raft_core_check (node->core);
    raft_status_t status;
    raft_core_status (node->core, &status);
    s_check_commit (self, node, &status);
    if (status.role == RAFT_LEADER) {
        raft_term_t term = status.hard_state.term;
        CLUSTER_CHECK (self, term < TERMS_MAX, "too many terms");
        if (self->leaders[term] == 0) {
            self->leaders[term] = node->id;
            self->result->elections++;
            s_check_begin (self, node, term);
        }
        CLUSTER_CHECK (self, self->leaders[term] == node->id, "term %lu has leaders %u and %u",
                       term, self->leaders[term], node->id);
    }
    cluster_note (self, node->id ^ status.hard_state.term << 8 ^ status.last << 20 ^
                            status.commit << 40 ^ (uint64_t) status.role << 60);
}

void cluster_check_send (cluster_t *self, cluster_node_t *node, const raft_message_t *message)
{
    CLUSTER_CHECK (self, message->term <= node->hard_state.term,
                   "node %u reveals term %lu, durable is %lu [RAFT-1]", node->id, message->term,
                   node->hard_state.term);
    raft_node_id_t vote = 0;
    raft_term_t term = message->term;
    if (message->kind == RAFT_MESSAGE_VOTE && !message->vote.pre) {
        vote = node->id;
    } else if (message->kind == RAFT_MESSAGE_VOTE_REPLY && message->vote_reply.granted &&
               !message->vote_reply.pre) {
        vote = message->to;
    }
    if (vote != 0) {
        CLUSTER_CHECK (self, term < TERMS_MAX, "too many terms");
        raft_node_id_t *given = &self->votes[node->id][term];
        CLUSTER_CHECK (self, *given == 0 || *given == vote,
                       "node %u votes for %u and %u in term %lu", node->id, *given, vote, term);
        *given = vote;
        CLUSTER_CHECK (self, node->hard_state.term == term && node->hard_state.vote == vote,
                       "node %u tells a vote that is not durable [RAFT-1]", node->id);
    }
}

void cluster_check_apply (cluster_t *self, cluster_node_t *node, raft_index_t index,
                          const cluster_entry_t *entry)
{
    const cluster_entry_t *known = cluster_log_at (&self->shadow, index);
    CLUSTER_CHECK (self, known != NULL, "node %u applies %lu, which nobody committed", node->id,
                   index);
    CLUSTER_CHECK (self, known->term == entry->term && known->id == entry->id,
                   "node %u applies another entry %lu", node->id, index);
    const cluster_entry_t *durable = cluster_log_at (&node->log, index);
    CLUSTER_CHECK (self, durable && durable->term == entry->term,
                   "node %u applies %lu before its disk has it [RAFT-2]", node->id, index);
}

void cluster_note_acked (cluster_t *self, raft_index_t index)
{
    if (index > self->acked_index) {
        self->acked_index = index;
    }
}

void cluster_check_read (cluster_t *self, cluster_node_t *node, cluster_read_t *read, int rc)
{
    CLUSTER_CHECK (self, !read->answered, "a read is answered twice");
    read->answered = true;
    self->result->reads += rc == 0;
    if (self->text) {
        cluster_say (self, "node %u answers a read %s, applied %lu", node->id, dt_error_name (rc),
                     node->handed);
    }
    if (rc != 0) {
        return;
    }
    CLUSTER_CHECK (self, node->handed >= read->bar,
                   "node %u (%s) answers a read of mode %d at %lu, acknowledged before it was %lu",
                   node->id, raft_role_name (node->role), (int) read->mode, node->handed,
                   read->bar);
    if (read->mode != RAFT_READ_STALE) {
        cluster_note_acked (self, read->bar > node->handed ? read->bar : node->handed);
    }
}

// --- after healing -------------------------------------------------------------------------------

static void s_check_proposals (cluster_t *self)
{
    for (uint32_t i = 0; i < self->proposals_count; i++) {
        const cluster_proposal_t *proposal = self->proposals[i];
        const cluster_node_t *node = &self->nodes[proposal->node];
        bool lost = proposal->life != node->life;
        CLUSTER_CHECK (self, proposal->outcome != REQUEST_OPEN || lost,
                       "a proposal at node %u was never answered (ids %lu + %u, done %u)",
                       proposal->node, proposal->id, proposal->count, proposal->done);
        for (uint64_t id = proposal->id; id < proposal->id + proposal->count; id++) {
            CLUSTER_CHECK (self, proposal->outcome != REQUEST_REFUSED || !self->fates[id],
                           "a proposal refused for certain by node %u happened", proposal->node);
            CLUSTER_CHECK (self, proposal->outcome != REQUEST_ACKED || self->fates[id],
                           "a proposal acknowledged by node %u is not committed", proposal->node);
        }
    }
    for (uint32_t i = 0; i < self->reads_count; i++) {
        const cluster_read_t *read = self->reads[i];
        CLUSTER_CHECK (self, read->answered || read->life != self->nodes[read->node].life,
                       "a read at node %u was never answered", read->node);
    }
}

static void s_say_states (cluster_t *self)
{
    for (unsigned id = 1; id <= self->nodes_count; id++) {
        raft_status_t status;
        raft_core_status (self->nodes[id].core, &status);
        cluster_say (self,
                     "node %u %s term %lu log %lu..%lu durable %lu commit %lu handed %lu "
                     "applied %lu (machine %lu) snapshot %lu repair %lu",
                     id, raft_role_name (status.role), status.hard_state.term, status.first,
                     status.last, status.durable, status.commit, status.handed, status.applied,
                     self->nodes[id].applied, status.snapshot, status.repair_until);
        raft_peer_status_t peers[IDS_MAX];
        uint32_t count = raft_core_peers (self->nodes[id].core, peers, IDS_MAX);
        for (uint32_t i = 0; i < count; i++) {
            cluster_say (self, "  peer %u %s match %lu next %lu last %lu in flight %lu%s%s",
                         peers[i].id, raft_peer_state_name (peers[i].state), peers[i].match,
                         peers[i].next, peers[i].last, peers[i].in_flight_bytes,
                         peers[i].active ? " active" : "", peers[i].repairing ? " repairing" : "");
        }
    }
}

void cluster_check_end (cluster_t *self)
{
    s_say_states (self);
    const cluster_node_t *leader = NULL;
    for (unsigned id = 1; id <= self->nodes_count; id++) {
        raft_status_t status;
        raft_core_status (self->nodes[id].core, &status);
        if (status.role == RAFT_LEADER && status.ready) {
            CLUSTER_CHECK (self, !leader, "nodes %u and %u lead after healing", leader->id, id);
            leader = &self->nodes[id];
        }
    }
    CLUSTER_CHECK (self, leader != NULL, "nobody leads after healing");
    const raft_config_t *config = &raft_core_config (leader->core)->config;
    CLUSTER_CHECK (self, self->acked_index > 0 || self->proposals_count == 0,
                   "nothing was ever acknowledged");
    for (unsigned id = 1; id <= self->nodes_count; id++) {
        const cluster_node_t *node = &self->nodes[id];
        CLUSTER_CHECK (self, !raft_config_is_member (config, id) || node->handed == leader->handed,
                       "node %u applied %lu, the leader %u %lu", id, node->handed, leader->id,
                       leader->handed);
    }
    CLUSTER_CHECK (self, leader->handed == cluster_log_last (&self->shadow),
                   "the leader lacks committed entries");
    s_check_proposals (self);
}
