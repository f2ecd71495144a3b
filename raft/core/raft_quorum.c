#include "raft/core/raft_quorum.h"

#include "base/dt_assert.h"

static raft_index_t s_match_of (raft_node_id_t id, const raft_match_t *matches, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (matches[i].id == id) {
            return matches[i].match;
        }
    }
    return 0;
}

// The majority-th largest match of one voter list.
static raft_index_t s_list_match (const raft_node_list_t *voters, const raft_match_t *matches,
                                  size_t count)
{
    raft_index_t sorted[RAFT_CONFIG_NODES_MAX]; // descending
    for (uint32_t i = 0; i < voters->count; i++) {
        raft_index_t match = s_match_of (voters->ids[i], matches, count);
        uint32_t place = i;
        while (place > 0 && sorted[place - 1] < match) {
            sorted[place] = sorted[place - 1];
            place--;
        }
        sorted[place] = match;
    }
    return sorted[voters->count / 2];
}

raft_index_t raft_quorum_match (const raft_config_t *config, const raft_match_t *matches,
                                size_t count)
{
    dt_assert (config->voters.count > 0);
    raft_index_t match = s_list_match (&config->voters, matches, count);
    if (raft_config_is_joint (config)) {
        raft_index_t next = s_list_match (&config->next_voters, matches, count);
        match = next < match ? next : match;
    }
    return match;
}

static raft_vote_result_t s_list_votes (const raft_node_list_t *voters,
                                        const raft_node_list_t *granted,
                                        const raft_node_list_t *refused)
{
    uint32_t majority = voters->count / 2 + 1;
    uint32_t yes = 0;
    uint32_t no = 0;
    for (uint32_t i = 0; i < voters->count; i++) {
        if (raft_node_list_has (refused, voters->ids[i])) {
            no++;
        } else if (raft_node_list_has (granted, voters->ids[i])) {
            yes++;
        }
    }
    if (yes >= majority) {
        return RAFT_VOTE_WON;
    }
    return voters->count - no < majority ? RAFT_VOTE_LOST : RAFT_VOTE_PENDING;
}

raft_vote_result_t raft_quorum_votes (const raft_config_t *config, const raft_node_list_t *granted,
                                      const raft_node_list_t *refused)
{
    dt_assert (config->voters.count > 0);
    raft_vote_result_t now = s_list_votes (&config->voters, granted, refused);
    if (!raft_config_is_joint (config)) {
        return now;
    }
    raft_vote_result_t next = s_list_votes (&config->next_voters, granted, refused);
    if (now == RAFT_VOTE_LOST || next == RAFT_VOTE_LOST) {
        return RAFT_VOTE_LOST;
    }
    return now == RAFT_VOTE_WON && next == RAFT_VOTE_WON ? RAFT_VOTE_WON : RAFT_VOTE_PENDING;
}
