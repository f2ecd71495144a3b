// fuzz_raft_config - hostile bytes as a configuration; what is accepted must encode to the same
// bytes.

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "raft/core/raft_config.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    raft_config_t config;
    int rc = raft_config_decode (data, bytes, &config);
    if (rc != 0) {
        dt_assert (rc == DT_ERR_MALFORMED || rc == DT_ERR_NEWER_FORMAT);
        return 0;
    }
    dt_assert (raft_config_validate (&config) == 0);
    dt_buffer_t buffer = {0};
    raft_config_encode (&config, &buffer);
    if (data[0] > 1) { // format 1 is read, not written
        dt_assert (buffer.bytes == bytes);
        dt_assert (memcmp (buffer.data, data, bytes) == 0);
    }
    dt_buffer_deinit (&buffer);
    return 0;
}
