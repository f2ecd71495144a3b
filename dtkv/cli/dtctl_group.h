// dtctl_group - what commands about a group's nodes share: asking administrators' questions, the
// configuration as the leader knows it.

#ifndef DTCTL_GROUP_H
#define DTCTL_GROUP_H

#include "dtkv/cli/dtctl.h"
#include "transport/protocol_admin.h"

// Send one administrator's request. Returns the client's code; *result_p is the caller's if it is
// set.
int dtctl_group_ask (dtctl_t *self, dt_admin_t operation, const dt_buffer_t *body,
                     dt_result_t **result_p);

// The configuration, from the leader if one answers, who alone knows how far the others are.
// Connects if that was not done yet. *rc is 0 or an exit code, after complaining. The caller frees
// the result in any case.
protocol_config_t *dtctl_group_config (dtctl_t *self, int *rc);

// What a member is: "leader", "voter", "observer", and while a change is under way "leaving",
// "joining".
const char *dtctl_group_role (const protocol_config_t *config, uint32_t id);

// The index up to which the log is known to reach.
uint64_t dtctl_group_last (const protocol_config_t *config);

// Wait, for polling.
void dtctl_nap (unsigned ms);

#endif // DTCTL_GROUP_H
