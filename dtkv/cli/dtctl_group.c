#include "dtkv/cli/dtctl_group.h"

#include <stdlib.h>
#include <time.h>

#include "base/dt_memory.h"
#include "dtkv/cli/dtctl_change.h"

void dtctl_nap (unsigned ms)
{
    struct timespec nap = {ms / 1000, (long) (ms % 1000) * 1000000};
    nanosleep (&nap, NULL);
}

int dtctl_group_ask (dtctl_t *self, dt_admin_t operation, const dt_buffer_t *body,
                     dt_result_t **result_p)
{
    dt_call_options_t options = dtctl_call_options (self, 0);
    dt_bytes_t bytes = dt_bytes (body ? body->data : NULL, body ? body->bytes : 0);
    return dt_client_admin (self->client, operation, bytes, &options, result_p);
}

static int s_get_config (dtctl_t *self, protocol_config_t *config)
{
    dt_result_t *result = NULL;
    int code = dtctl_group_ask (self, DT_ADMIN_CONFIG_GET, NULL, &result);
    if (!dt_code_is_success (code)) {
        return dtctl_fail_free ("config get", dt_bytes (NULL, 0), code, &result);
    }
    msgpack_slice_t body = {result->body.data, result->body.bytes};
    int rc = protocol_config_read (body, config);
    dt_result_free (&result);
    return rc == 0 ? 0 : dtctl_fail_answer ("config get");
}

// Go on with the leader's own answers, if it is another node than the one that answered.
static int s_turn_to_leader (dtctl_t *self, protocol_config_t *config)
{
    if (config->leader == 0 || config->leader == self->limits.node_id) {
        return 0;
    }
    for (uint32_t i = 0; i < config->members_count; i++) {
        const protocol_member_t *member = &config->members[i];
        if (member->id == config->leader && member->service[0]) {
            dt_client_t *asked = self->client;
            char *endpoints = self->endpoints;
            self->endpoints = dt_strdup (member->service);
            if (dtctl_connect (self) == 0) {
                dt_client_close (&asked);
                free (endpoints);
                return s_get_config (self, config);
            }
            free (self->endpoints);
            self->endpoints = endpoints;
            self->client = asked;
        }
    }
    return 0;
}

protocol_config_t *dtctl_group_config (dtctl_t *self, int *rc)
{
    protocol_config_t *config = dt_zalloc (1, sizeof *config);
    *rc = self->client ? 0 : dtctl_connect (self);
    if (*rc == 0) {
        *rc = s_get_config (self, config);
    }
    if (*rc == 0) {
        *rc = s_turn_to_leader (self, config);
    }
    return config;
}

const char *dtctl_group_role (const protocol_config_t *config, uint32_t id)
{
    if (id == config->leader) {
        return "leader";
    }
    if (dtctl_change_has (&config->voters, id)) {
        return config->joint && !dtctl_change_has (&config->next_voters, id) ? "leaving" : "voter";
    }
    return dtctl_change_has (&config->next_voters, id) ? "joining" : "observer";
}

uint64_t dtctl_group_last (const protocol_config_t *config)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < config->members_count; i++) {
        last = config->members[i].match > last ? config->members[i].match : last;
    }
    return last;
}
