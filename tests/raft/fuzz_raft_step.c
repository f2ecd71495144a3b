// fuzz_raft_step - bytes become a program for the model of raft_model.h.
//
// The first six bytes choose the limits; every two bytes after them are one operation and its
// argument.

#include "tests/raft/raft_model.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    if (bytes < 6 || bytes > 6 + 2 * 2000) {
        return 0;
    }
    model_limits_t limits = {
        .uncommitted_bytes_max = 200 + data[0] * 100u,
        .unapplied_bytes_max = 200 + data[1] * 200u,
        .snapshot_after_entries = data[2],
        .snapshot_after_bytes = data[3] * 100u,
        .log_keep_entries = data[4] % 64,
        .log_retain_bytes = data[5] * 50u,
    };
    model_t *model = model_new (&limits);
    for (size_t i = 6; i + 2 <= bytes; i += 2) {
        model_do (model, data[i], data[i + 1]);
    }
    model_finish (model);
    model_destroy (&model);
    return 0;
}
