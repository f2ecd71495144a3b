// data_dir_identity - the file that says whose a data directory is. Little-endian:
//
//     0  u64 magic       "DTNODEID"
//     8  u32 version     this place and the crc's stay the same in every version
//    12  u32 crc         crc32c of the 64 bytes with these four zero
//    16  u64 cluster_id
//    24  u32 node_id
//    28  u32 zero
//    32  u64 created_ms  wall clock
//    40  u64 id          random, not 0; version 1: zero
//    48      zeros up to 64

#include <stdlib.h>
#include <string.h>

#include "base/dt_crc32c.h"
#include "base/dt_error.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"
#include "storage/data_dir.h"
#include "storage/storage_bytes.h"

static uint32_t s_identity_crc (const uint8_t *data)
{
    static const uint8_t zeros[4];
    uint32_t crc = dt_crc32c (0, data, 12);
    crc = dt_crc32c (crc, zeros, 4);
    return dt_crc32c (crc, data + 16, DATA_DIR_IDENTITY_BYTES - 16);
}

void data_dir_identity_encode (const data_dir_identity_t *identity,
                               uint8_t data[DATA_DIR_IDENTITY_BYTES])
{
    memset (data, 0, DATA_DIR_IDENTITY_BYTES);
    memcpy (data, "DTNODEID", 8);
    bytes_put_u32 (data + 8, identity->version);
    bytes_put_u64 (data + 16, identity->cluster_id);
    bytes_put_u32 (data + 24, identity->node_id);
    bytes_put_u64 (data + 32, identity->created_ms);
    bytes_put_u64 (data + 40, identity->version > 1 ? identity->id : 0);
    bytes_put_u32 (data + 12, s_identity_crc (data));
}

// The id of a directory that was made before directories had one. It is what those versions told
// the other nodes, so it must stay what it is.
static uint64_t s_derived_id (const data_dir_identity_t *identity)
{
    const uint64_t words[] = {identity->cluster_id, identity->node_id, identity->created_ms};
    return dt_hash64 (words, sizeof words, 0) | 1;
}

int data_dir_identity_decode (const uint8_t *data, size_t bytes, data_dir_identity_t *identity,
                              const char **why)
{
    if (bytes != DATA_DIR_IDENTITY_BYTES) {
        *why = "the identity file has not the size it must have";
        return DT_ERR_CORRUPT;
    }
    if (memcmp (data, "DTNODEID", 8) != 0) {
        *why = "the identity file is no identity file";
        return DT_ERR_CORRUPT;
    }
    if (bytes_get_u32 (data + 12) != s_identity_crc (data)) {
        *why = "checksum of the identity file";
        return DT_ERR_CORRUPT;
    }
    if (bytes_get_u32 (data + 8) > DATA_DIR_VERSION) {
        *why = "the directory has a newer format version";
        return DT_ERR_NEWER_FORMAT;
    }
    data_dir_identity_t found = {
        .cluster_id = bytes_get_u64 (data + 16),
        .node_id = bytes_get_u32 (data + 24),
        .version = bytes_get_u32 (data + 8),
        .created_ms = bytes_get_u64 (data + 32),
        .id = bytes_get_u64 (data + 40),
    };
    if (found.version < 2) {
        found.id = s_derived_id (&found);
    }
    if (found.id == 0) {
        *why = "the identity file has no directory id";
        return DT_ERR_CORRUPT;
    }
    *identity = found;
    return 0;
}

int data_dir_read_identity (vfs_t *vfs, data_dir_identity_t *identity, const char **why)
{
    vfs_file_t *file = NULL;
    size_t got = 0;
    *why = "there is no identity file";
    int rc = vfs->ops->open (vfs, DATA_DIR_IDENTITY_NAME, VFS_READ, &file);
    if (rc) {
        if (rc != DT_ERR_NOT_FOUND) {
            *why = "the identity file cannot be opened";
        }
        return rc;
    }
    // Not on the stack: a twin may let the kernel write into it while the fiber sleeps.
    uint8_t *data = dt_malloc (DATA_DIR_IDENTITY_BYTES + 1);
    rc = file->ops->read (file, data, DATA_DIR_IDENTITY_BYTES + 1, 0, &got);
    (void) file->ops->close (file); // opened for reading: nothing can be lost
    if (rc) {
        *why = "the identity file cannot be read";
    } else {
        rc = data_dir_identity_decode (data, got, identity, why);
    }
    free (data);
    return rc;
}
