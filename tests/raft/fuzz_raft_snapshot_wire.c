// fuzz_raft_snapshot_wire - hostile bytes as bodies of chunks and replies; what is accepted must
// encode to the same bytes. Such input has a correct checksum only by luck, so each one is tried a
// second time with the checksum sealed again.

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_crc32c.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "raft/raft_snapshot_wire.h"
#include "storage/storage_bytes.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

static void s_expect_refusal (int rc)
{
    dt_assert (rc == DT_ERR_MALFORMED || rc == DT_ERR_CORRUPT || rc == DT_ERR_NEWER_FORMAT);
}

static void s_try_chunk (const uint8_t *data, size_t bytes)
{
    snapshot_chunk_t chunk;
    int rc = snapshot_chunk_decode (data, bytes, &chunk);
    if (rc != 0) {
        s_expect_refusal (rc);
        return;
    }
    dt_assert (chunk.data >= data && chunk.data + chunk.bytes == data + bytes);
    dt_assert (chunk.offset + chunk.bytes <= chunk.total);
    dt_buffer_t again = {0};
    snapshot_chunk_encode (&chunk, &again);
    dt_buffer_append (&again, chunk.data, chunk.bytes);
    dt_assert (again.bytes == bytes);
    dt_assert (memcmp (again.data, data, bytes) == 0);
    dt_buffer_deinit (&again);
}

static void s_try_reply (const uint8_t *data, size_t bytes)
{
    snapshot_reply_t reply;
    int rc = snapshot_reply_decode (data, bytes, &reply);
    if (rc != 0) {
        s_expect_refusal (rc);
        return;
    }
    dt_assert (reply.rc <= 0);
    dt_buffer_t again = {0};
    snapshot_reply_encode (&reply, &again);
    dt_assert (again.bytes == bytes);
    // Codes of later versions become one of ours.
    dt_assert (reply.rc == DT_ERR_INVALID || memcmp (again.data, data, bytes) == 0);
    dt_buffer_deinit (&again);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    s_try_chunk (data, bytes);
    s_try_reply (data, bytes);
    if (bytes >= 8) {
        uint8_t *sealed = dt_memdup (data, bytes);
        bytes_put_u32 (sealed + 4, 0);
        bytes_put_u32 (sealed + 4, dt_crc32c (0, sealed, bytes));
        s_try_chunk (sealed, bytes);
        s_try_reply (sealed, bytes);
        free (sealed);
    }
    return 0;
}
