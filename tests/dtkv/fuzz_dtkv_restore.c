// fuzz_dtkv_restore - snapshot streams of any bytes, in chunks of a size from the first byte.
//
// A stream that is accepted makes a sound store, which writes a stream that is accepted again and
// shows the same state. To get past the digest, the one the input has is replaced by the right one
// where the second byte is odd.

#include <stdint.h>
#include <string.h>

#include "base/dt_assert.h"
#include "dtkv/core/dtkv_record.h"
#include "tests/dtkv/kv_program.h"
#include "tests/dtkv/kv_request.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

static void s_accepted (dtkv_store_t *store, const dtkv_limits_t *limits)
{
    dt_buffer_t stream = {0};
    dtkv_store_t *again = NULL;
    dtkv_store_check (store);
    kv_snapshot (store, 100, &stream);
    int rc = kv_restore (&stream, 77, limits, &again);
    dt_assert (rc == 0);
    dt_assert (dtkv_store_digest (again) == dtkv_store_digest (store));
    dtkv_store_destroy (&again);
    dt_buffer_deinit (&stream);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    dtkv_limits_t limits = kv_program_limits ();
    dtkv_store_t *store = NULL;
    if (bytes < 2) {
        return 0;
    }
    size_t chunk = (size_t) data[0] + 1;
    dtkv_store_options_t options = {.limits = limits, .hash_seed = 4711};
    dtkv_restore_t *restore = dtkv_restore_new (&options);
    bool mend = data[1] & 1;
    size_t end = bytes > DTKV_END_BYTES && mend ? bytes - DTKV_END_BYTES : bytes;
    int rc = 0;
    for (size_t at = 2; at < end && rc == 0; at += chunk) {
        rc = dtkv_restore_feed (restore, data + at, end - at < chunk ? end - at : chunk);
    }
    if (mend && rc == 0) {
        dt_buffer_t tail = {0};
        dtkv_record_write_end (dtkv_restore_digest (restore), &tail);
        dtkv_restore_feed (restore, tail.data, tail.bytes);
        dt_buffer_deinit (&tail);
    }
    if (dtkv_restore_finish (restore, &store) == 0) {
        s_accepted (store, &limits);
        dtkv_store_destroy (&store);
    }
    dtkv_restore_destroy (&restore);
    return 0;
}
