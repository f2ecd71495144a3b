#include "dtkv/core/dtkv_digest.h"

#include <endian.h>

#include "base/dt_assert.h"
#include "base/dt_hash.h"

enum { WORDS_MAX = 16 };

#define SEED_PATH  0x6b763170617468ULL
#define SEED_VALUE 0x6b763176616c75ULL
#define SEED_WORDS 0x6b7631776f7264ULL

uint64_t dtkv_digest_words (const uint64_t *words, size_t count, const void *data, size_t bytes)
{
    uint64_t canonical[WORDS_MAX];
    dt_assert (count < WORDS_MAX);
    for (size_t i = 0; i < count; i++) {
        canonical[i] = htole64 (words[i]);
    }
    canonical[count] = htole64 (dt_hash64 (data, bytes, SEED_VALUE));
    return dt_hash64 (canonical, (count + 1) * sizeof canonical[0], SEED_WORDS);
}

uint64_t dtkv_digest_node (const uint8_t *path, size_t path_bytes, const dtkv_node_t *node)
{
    enum { FOR_EVER = 9, WORDS = 12 }; // words of a permanent node, and with a lifetime
    const dtkv_lifetime_t lifetime = dtkv_node_lifetime (node);
    const uint64_t words[WORDS] = {
        dt_hash64 (path, path_bytes, SEED_PATH),
        node->create_index,
        node->modify_index,
        node->version,
        dtkv_node_child_version (node),
        node->create_ms,
        node->modify_ms,
        node->writer,
        node->flags,
        lifetime.owner,
        lifetime.ttl_ms,
        lifetime.deadline_ms,
    };
    return dtkv_digest_words (words, dtkv_node_is_temporary (node) ? WORDS : FOR_EVER,
                              dtkv_node_value (node), node->value_bytes);
}

uint64_t dtkv_digest_state (uint64_t tree, uint64_t sessions, uint64_t applied_index,
                            uint64_t cluster_time_ms)
{
    const uint64_t words[] = {tree, sessions, applied_index, cluster_time_ms};
    return dtkv_digest_words (words, sizeof words / sizeof words[0], NULL, 0);
}
