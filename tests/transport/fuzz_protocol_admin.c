// fuzz_protocol_admin - hostile bytes as bodies of admin requests and replies.

#include "base/dt_assert.h"
#include "transport/protocol_admin.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    static protocol_change_t change;
    static protocol_config_t config;
    msgpack_slice_t body = {data, bytes};
    uint64_t number;
    if (protocol_change_read (body, &change) == 0) {
        dt_assert (change.voters.count <= PROTOCOL_MEMBERS_MAX);
        dt_assert (change.members_count <= PROTOCOL_MEMBERS_MAX);
    }
    if (protocol_config_read (body, &config) == 0) {
        dt_assert (config.members_count <= PROTOCOL_MEMBERS_MAX);
    }
    protocol_number_read (body, &number);
    return 0;
}
