// An identity file of any bytes is decoded or refused; what is decoded encodes to the same bytes.

#include <stdint.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_crc32c.h"
#include "base/dt_error.h"
#include "storage/data_dir.h"
#include "storage/storage_bytes.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

static void s_try (const uint8_t *data, size_t bytes)
{
    data_dir_identity_t identity;
    const char *why = NULL;
    int rc = data_dir_identity_decode (data, bytes, &identity, &why);
    if (rc) {
        dt_assert (rc == DT_ERR_CORRUPT || rc == DT_ERR_NEWER_FORMAT);
        dt_assert (why);
        return;
    }
    uint8_t again[DATA_DIR_IDENTITY_BYTES];
    data_dir_identity_t same;
    data_dir_identity_encode (&identity, again);
    rc = data_dir_identity_decode (again, sizeof again, &same, &why);
    dt_assert (rc == 0);
    dt_assert (same.cluster_id == identity.cluster_id);
    dt_assert (same.node_id == identity.node_id);
    dt_assert (same.created_ms == identity.created_ms);
    dt_assert (same.id == identity.id);
    dt_assert (same.id != 0);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    uint8_t copy[DATA_DIR_IDENTITY_BYTES];
    s_try (data, bytes);
    if (bytes == sizeof copy) {
        memcpy (copy, data, sizeof copy);
        bytes_put_u32 (copy + 12, 0);
        bytes_put_u32 (copy + 12, dt_crc32c (0, copy, sizeof copy));
        s_try (copy, sizeof copy);
    }
    return 0;
}
