#include "base/dt_error.h"
#include "raft/core/raft_core.h"

// One sentence per way in which options can be wrong.
static int s_fail (const char **reason, int rc, const char *text)
{
    if (reason) {
        *reason = text;
    }
    return rc;
}

static int s_check_log (const raft_recovered_t *found, const char **reason)
{
    if (found->log_first == 0) {
        bool empty = found->log_last == 0 && found->configs_count == 0;
        return empty ? 0 : s_fail (reason, DT_ERR_CORRUPT, "an empty log has a last entry");
    }
    if (found->log_last < found->log_first) {
        return s_fail (reason, DT_ERR_CORRUPT, "the log ends before it begins");
    }
    if (found->log_first > found->snapshot_index + 1) {
        return s_fail (reason, DT_ERR_GAP, "the log begins after the entry behind the snapshot");
    }
    if (found->log_last < found->snapshot_index) {
        return s_fail (reason, DT_ERR_GAP, "the log ends before the snapshot");
    }
    if (found->log_last_term == 0 || found->log_last_term < found->snapshot_term) {
        return s_fail (reason, DT_ERR_CORRUPT, "the log's last term is below the snapshot's");
    }
    if (found->log_last == found->snapshot_index && found->log_last_term != found->snapshot_term) {
        return s_fail (reason, DT_ERR_CORRUPT, "log and snapshot end with different terms");
    }
    if (found->log_last_term > found->hard_state.term) {
        return s_fail (reason, DT_ERR_CORRUPT, "the log has a term above the hard state's");
    }
    return 0;
}

static int s_check_snapshot (const raft_recovered_t *found, const char **reason)
{
    if (found->snapshot_index == 0) {
        return 0;
    }
    if (found->snapshot_term == 0 || found->snapshot_term > found->hard_state.term) {
        return s_fail (reason, DT_ERR_CORRUPT, "the snapshot has a term above the hard state's");
    }
    if (raft_config_validate (&found->snapshot_config) != 0 ||
        found->snapshot_config_index > found->snapshot_index) {
        return s_fail (reason, DT_ERR_CORRUPT, "the snapshot's configuration is not valid");
    }
    return 0;
}

static int s_check_configs (const raft_recovered_t *found, const char **reason)
{
    raft_index_t last = 0;
    for (size_t i = 0; i < found->configs_count; i++) {
        const raft_config_at_t *at = &found->configs[i];
        if (at->index <= last || at->index < found->log_first || at->index > found->log_last ||
            raft_config_validate (&at->config) != 0) {
            return s_fail (reason, DT_ERR_CORRUPT, "a configuration of the log is not valid");
        }
        if (at->index > found->snapshot_config_index && at->index <= found->snapshot_index) {
            return s_fail (reason, DT_ERR_CORRUPT, "the snapshot's configuration is not the log's");
        }
        last = at->index;
    }
    if (found->log_first > 0 && found->snapshot_index == 0 && found->configs_count == 0) {
        return s_fail (reason, DT_ERR_CORRUPT, "neither log nor snapshot has a configuration");
    }
    return 0;
}

static int s_check_terms (const raft_recovered_t *found, const char **reason)
{
    for (size_t i = 0; i < found->terms_count; i++) {
        const raft_term_run_t *run = &found->terms[i];
        bool after = i == 0 || (run->first > run[-1].first && run->term > run[-1].term);
        if (!after || run->first < found->log_first || run->first > found->log_last) {
            return s_fail (reason, DT_ERR_CORRUPT, "the terms of the log are not in order");
        }
    }
    if (found->terms_count > 0 &&
        found->terms[found->terms_count - 1].term != found->log_last_term) {
        return s_fail (reason, DT_ERR_CORRUPT, "the terms of the log do not end with its last one");
    }
    return 0;
}

int raft_core_options_check (const raft_core_options_t *options, const char **reason)
{
    if (options->node_id == 0) {
        return s_fail (reason, DT_ERR_INVALID, "node id 0 is nobody's");
    }
    if (options->election_timeout_ms > 600000 || options->heartbeat_ms > 60000 ||
        options->clock_drift_permille >= 500 || options->lease_guard_ms > 60000) {
        return s_fail (reason, DT_ERR_INVALID, "a time limit is out of its range");
    }
    if (options->has_bootstrap && raft_config_validate (&options->bootstrap) != 0) {
        return s_fail (reason, DT_ERR_INVALID, "the bootstrap configuration is not valid");
    }
    int rc = s_check_snapshot (&options->recovered, reason);
    if (rc == 0) {
        rc = s_check_log (&options->recovered, reason);
    }
    if (rc == 0) {
        rc = s_check_configs (&options->recovered, reason);
    }
    if (rc == 0) {
        rc = s_check_terms (&options->recovered, reason);
    }
    return rc;
}
