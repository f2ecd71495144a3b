// Invariants: leaves are not empty; names rise strictly over all leaves; entries[i].head is made of
// the first name of leaf i; every name starts with the `shared` bytes of its leaf and of the order.
// A head is a few bytes of a name as a big-endian number, filled up with zeros: heads never order
// two names wrongly, but may be equal for different names, and then the names decide.

#include "dtkv/core/dtkv_order.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_node.h"
#include "dtkv/core/dtkv_path.h"

struct dtkv_leaf {
    uint32_t count;
    uint32_t capacity;
    uint32_t shared;      // leading bytes all names of the leaf have in common, at least
    dtkv_node_t *nodes[]; // capacity of them, followed by as many heads
};

enum { LEAF_NODES_MIN = 4, ENTRIES_MIN = 1 };

static uint32_t *s_heads (const dtkv_leaf_t *leaf)
{
    return (uint32_t *) (leaf->nodes + leaf->capacity);
}

static uint64_t s_head64 (const uint8_t *name, size_t bytes, size_t shared)
{
    uint64_t word = 0;
    if (bytes >= shared + sizeof word) {
        memcpy (&word, name + shared, sizeof word);
        return __builtin_bswap64 (word);
    }
    for (size_t i = 0; i < sizeof word; i++) {
        word = word << 8 | (shared + i < bytes ? name[shared + i] : 0u);
    }
    return word;
}

static uint32_t s_head32 (const uint8_t *name, size_t bytes, size_t shared)
{
    if (bytes >= shared + sizeof (uint32_t)) {
        uint32_t word;
        memcpy (&word, name + shared, sizeof word);
        return __builtin_bswap32 (word);
    }
    return (uint32_t) (s_head64 (name, bytes, shared) >> 32);
}

static uint32_t s_common (const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes,
                          uint32_t limit)
{
    size_t end = a_bytes < b_bytes ? a_bytes : b_bytes;
    end = end < limit ? end : limit;
    uint32_t i = 0;
    while (i < end && a[i] == b[i]) {
        i++;
    }
    return i;
}

static int s_compare (const uint8_t *name, size_t bytes, const dtkv_node_t *node)
{
    return dtkv_bytes_compare (name, bytes, dtkv_node_name (node), node->name_bytes);
}

// Where a name stands against all names that start with the first `shared` bytes of `node`'s:
// -1 below, 1 above, 0 it starts with them too.
static int s_against_shared (const uint8_t *name, size_t bytes, const dtkv_node_t *node,
                             uint32_t shared)
{
    size_t common = bytes < shared ? bytes : shared;
    int order = common ? memcmp (name, dtkv_node_name (node), common) : 0;
    if (order) {
        return order < 0 ? -1 : 1;
    }
    return bytes < shared ? -1 : 0;
}

static dtkv_leaf_t *s_leaf_new (uint32_t capacity, uint32_t shared)
{
    dtkv_leaf_t *leaf = dt_malloc (sizeof *leaf + capacity * (sizeof leaf->nodes[0] + 4));
    leaf->count = 0;
    leaf->capacity = capacity;
    leaf->shared = shared;
    return leaf;
}

static dtkv_leaf_t *s_leaf_resize (dtkv_leaf_t *leaf, uint32_t capacity)
{
    dtkv_leaf_t *resized = s_leaf_new (capacity, leaf->shared);
    dt_assert (leaf->count <= capacity);
    resized->count = leaf->count;
    memcpy (resized->nodes, leaf->nodes, leaf->count * sizeof leaf->nodes[0]);
    memcpy (s_heads (resized), s_heads (leaf), leaf->count * sizeof (uint32_t));
    free (leaf);
    return resized;
}

static void s_leaf_set_shared (dtkv_leaf_t *leaf, uint32_t shared)
{
    leaf->shared = shared;
    uint32_t *heads = s_heads (leaf);
    for (uint32_t i = 0; i < leaf->count; i++) {
        heads[i] = s_head32 (dtkv_node_name (leaf->nodes[i]), leaf->nodes[i]->name_bytes, shared);
    }
}

// What first and last name share, all names between them share.
static void s_leaf_find_shared (dtkv_leaf_t *leaf)
{
    const dtkv_node_t *first = leaf->nodes[0];
    const dtkv_node_t *last = leaf->nodes[leaf->count - 1];
    uint32_t shared = s_common (dtkv_node_name (first), first->name_bytes, dtkv_node_name (last),
                                last->name_bytes, UINT32_MAX);
    if (shared != leaf->shared) {
        s_leaf_set_shared (leaf, shared);
    }
}

// The slot of the first name of the leaf that is not below `name`; *exact if it is equal.
static uint32_t s_leaf_find (const dtkv_leaf_t *leaf, const uint8_t *name, size_t bytes,
                             bool *exact)
{
    *exact = false;
    int side = s_against_shared (name, bytes, leaf->nodes[0], leaf->shared);
    if (side) {
        return side < 0 ? 0 : leaf->count;
    }
    const uint32_t *heads = s_heads (leaf);
    uint32_t head = s_head32 (name, bytes, leaf->shared);
    uint32_t low = 0;
    uint32_t high = leaf->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (heads[middle] < head) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    high = low;
    while (high < leaf->count && heads[high] == head) {
        high++;
    }
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = s_compare (name, bytes, leaf->nodes[middle]);
        if (order == 0) {
            *exact = true;
            return middle;
        }
        if (order > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void s_leaf_insert (dtkv_leaf_t *leaf, uint32_t slot, dtkv_node_t *node)
{
    uint32_t *heads = s_heads (leaf);
    uint32_t behind = leaf->count - slot;
    memmove (leaf->nodes + slot + 1, leaf->nodes + slot, behind * sizeof leaf->nodes[0]);
    memmove (heads + slot + 1, heads + slot, behind * sizeof heads[0]);
    leaf->nodes[slot] = node;
    heads[slot] = s_head32 (dtkv_node_name (node), node->name_bytes, leaf->shared);
    leaf->count++;
}

static void s_leaf_cut (dtkv_leaf_t *leaf, uint32_t slot)
{
    uint32_t *heads = s_heads (leaf);
    uint32_t behind = leaf->count - slot - 1;
    memmove (leaf->nodes + slot, leaf->nodes + slot + 1, behind * sizeof leaf->nodes[0]);
    memmove (heads + slot, heads + slot + 1, behind * sizeof heads[0]);
    leaf->count--;
}

static void s_set_head (dtkv_order_t *self, uint32_t index)
{
    const dtkv_node_t *first = self->entries[index].leaf->nodes[0];
    self->entries[index].head = s_head64 (dtkv_node_name (first), first->name_bytes, self->shared);
}

static void s_set_shared (dtkv_order_t *self, uint32_t shared)
{
    self->shared = shared;
    for (uint32_t i = 0; i < self->count; i++) {
        s_set_head (self, i);
    }
}

// The leaf in which `name` is or would be. The order must not be empty.
static uint32_t s_find_leaf (const dtkv_order_t *self, const uint8_t *name, size_t bytes)
{
    if (self->count == 1) {
        return 0;
    }
    int side = s_against_shared (name, bytes, self->entries[0].leaf->nodes[0], self->shared);
    if (side) {
        return side < 0 ? 0 : self->count - 1;
    }
    uint64_t head = s_head64 (name, bytes, self->shared);
    uint32_t low = 0; // every leaf below it starts with a name below `name`
    uint32_t high = self->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const dtkv_order_entry_t *entry = &self->entries[middle];
        if (entry->head < head ||
            (entry->head == head && s_compare (name, bytes, entry->leaf->nodes[0]) >= 0)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low ? low - 1 : 0;
}

static void s_entries_insert (dtkv_order_t *self, uint32_t index, dtkv_leaf_t *leaf)
{
    bool grown = self->count == self->capacity;
    if (grown) {
        self->capacity = self->capacity ? self->capacity * 2 : ENTRIES_MIN;
        self->entries = dt_realloc (self->entries, self->capacity * sizeof self->entries[0]);
    }
    memmove (self->entries + index + 1, self->entries + index,
             (self->count - index) * sizeof self->entries[0]);
    self->entries[index].leaf = leaf;
    self->count++;
    if (grown && leaf->count) {
        // The array has doubled: time to see whether the names share more by now.
        const dtkv_node_t *first = self->entries[0].leaf->nodes[0];
        const dtkv_leaf_t *end = self->entries[self->count - 1].leaf;
        const dtkv_node_t *last = end->nodes[end->count - 1];
        s_set_shared (self, s_common (dtkv_node_name (first), first->name_bytes,
                                      dtkv_node_name (last), last->name_bytes, UINT32_MAX));
    } else {
        s_set_head (self, index);
    }
}

static void s_entries_cut (dtkv_order_t *self, uint32_t index)
{
    free (self->entries[index].leaf);
    self->count--;
    memmove (self->entries + index, self->entries + index + 1,
             (self->count - index) * sizeof self->entries[0]);
    if (self->count == 0) {
        dtkv_order_deinit (self);
    } else if (self->count < self->capacity / 4) {
        self->capacity /= 2;
        self->entries = dt_realloc (self->entries, self->capacity * sizeof self->entries[0]);
    }
}

void dtkv_order_deinit (dtkv_order_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        free (self->entries[i].leaf);
    }
    free (self->entries);
    *self = (dtkv_order_t){0};
}

bool dtkv_order_find (const dtkv_order_t *self, const uint8_t *name, size_t bytes,
                      dtkv_position_t *position)
{
    *position = (dtkv_position_t){0};
    if (self->count == 0) {
        return false;
    }
    bool exact;
    position->leaf = s_find_leaf (self, name, bytes);
    position->slot = s_leaf_find (self->entries[position->leaf].leaf, name, bytes, &exact);
    if (position->slot == self->entries[position->leaf].leaf->count) {
        position->leaf++;
        position->slot = 0;
    }
    return exact;
}

// Add a leaf of one node at `index`, for names that arrive in rising or falling order: the full
// neighbour stays full.
static void s_insert_leaf (dtkv_order_t *self, uint32_t index, dtkv_node_t *node, uint32_t shared)
{
    dtkv_leaf_t *leaf = s_leaf_new (DTKV_LEAF_NODES, shared);
    s_leaf_insert (leaf, 0, node);
    s_entries_insert (self, index, leaf);
}

// Split the full leaf at `index` and insert the node into the right half of the two.
static void s_insert_splitting (dtkv_order_t *self, uint32_t index, uint32_t slot,
                                dtkv_node_t *node)
{
    dtkv_leaf_t *left = self->entries[index].leaf;
    dtkv_leaf_t *right = s_leaf_new (DTKV_LEAF_NODES, left->shared);
    uint32_t kept = left->count / 2;
    right->count = left->count - kept;
    memcpy (right->nodes, left->nodes + kept, right->count * sizeof right->nodes[0]);
    memcpy (s_heads (right), s_heads (left) + kept, right->count * sizeof (uint32_t));
    left->count = kept;
    if (slot <= kept) {
        s_leaf_insert (left, slot, node);
    } else {
        s_leaf_insert (right, slot - kept, node);
    }
    s_leaf_find_shared (left);
    s_leaf_find_shared (right);
    s_entries_insert (self, index + 1, right);
    s_set_head (self, index);
}

// Insert into one leaf; the order's shared bytes are right already.
static void s_insert_at (dtkv_order_t *self, uint32_t index, uint32_t slot, dtkv_node_t *node)
{
    dtkv_leaf_t *leaf = self->entries[index].leaf;
    uint32_t shared =
        s_common (dtkv_node_name (node), node->name_bytes, dtkv_node_name (leaf->nodes[0]),
                  leaf->nodes[0]->name_bytes, leaf->shared);
    bool full = leaf->count == DTKV_LEAF_NODES;
    if (full && slot == leaf->count && index == self->count - 1) {
        s_insert_leaf (self, index + 1, node, shared);
        return;
    }
    if (full && slot == 0 && index == 0) {
        s_insert_leaf (self, 0, node, shared);
        return;
    }
    if (shared < leaf->shared) {
        s_leaf_set_shared (leaf, shared);
    }
    if (full) {
        s_insert_splitting (self, index, slot, node);
        return;
    }
    if (leaf->count == leaf->capacity) {
        leaf = s_leaf_resize (leaf, leaf->capacity * 2);
        self->entries[index].leaf = leaf;
    }
    s_leaf_insert (leaf, slot, node);
    if (slot == 0) {
        s_set_head (self, index);
    }
}

void dtkv_order_insert (dtkv_order_t *self, dtkv_node_t *node)
{
    const uint8_t *name = dtkv_node_name (node);
    if (self->count == 0) {
        dtkv_leaf_t *leaf = s_leaf_new (LEAF_NODES_MIN, node->name_bytes);
        self->shared = node->name_bytes;
        s_leaf_insert (leaf, 0, node);
        s_entries_insert (self, 0, leaf);
        self->nodes = 1;
        return;
    }
    uint32_t index = s_find_leaf (self, name, node->name_bytes);
    bool exact;
    uint32_t slot = s_leaf_find (self->entries[index].leaf, name, node->name_bytes, &exact);
    dt_assert (!exact);
    const dtkv_node_t *first = self->entries[0].leaf->nodes[0];
    uint32_t shared =
        s_common (name, node->name_bytes, dtkv_node_name (first), first->name_bytes, self->shared);
    if (shared < self->shared) {
        s_set_shared (self, shared);
    }
    s_insert_at (self, index, slot, node);
    self->nodes++;
}

// Move the nodes of leaf index + 1 to the end of leaf index.
static void s_merge (dtkv_order_t *self, uint32_t index)
{
    dtkv_leaf_t *left = self->entries[index].leaf;
    dtkv_leaf_t *right = self->entries[index + 1].leaf;
    if (left->capacity < left->count + right->count) {
        left = s_leaf_resize (left, DTKV_LEAF_NODES);
        self->entries[index].leaf = left;
    }
    memcpy (left->nodes + left->count, right->nodes, right->count * sizeof right->nodes[0]);
    left->count += right->count;
    const dtkv_node_t *last = left->nodes[left->count - 1];
    s_leaf_set_shared (left, s_common (dtkv_node_name (left->nodes[0]), left->nodes[0]->name_bytes,
                                       dtkv_node_name (last), last->name_bytes, UINT32_MAX));
    s_entries_cut (self, index + 1);
}

void dtkv_order_remove (dtkv_order_t *self, const uint8_t *name, size_t bytes)
{
    dt_assert (self->count);
    uint32_t index = s_find_leaf (self, name, bytes);
    dtkv_leaf_t *leaf = self->entries[index].leaf;
    bool exact;
    uint32_t slot = s_leaf_find (leaf, name, bytes, &exact);
    dt_assert (exact);
    s_leaf_cut (leaf, slot);
    self->nodes--;
    if (leaf->count == 0) {
        s_entries_cut (self, index);
        return;
    }
    if (slot == 0) {
        s_set_head (self, index);
    }
    // Thin leaves merge, but only so far that the result does not soon split again.
    uint32_t merged_max = DTKV_LEAF_NODES * 3 / 4;
    if (leaf->count >= DTKV_LEAF_NODES / 4) {
        return;
    }
    if (index + 1 < self->count &&
        leaf->count + self->entries[index + 1].leaf->count <= merged_max) {
        s_merge (self, index);
    } else if (index > 0 && leaf->count + self->entries[index - 1].leaf->count <= merged_max) {
        s_merge (self, index - 1);
    } else if (self->count == 1 && leaf->capacity > LEAF_NODES_MIN &&
               leaf->count <= leaf->capacity / 4) {
        self->entries[0].leaf = s_leaf_resize (leaf, leaf->capacity / 2);
    }
}

void dtkv_order_replace (dtkv_order_t *self, const dtkv_node_t *old, dtkv_node_t *node)
{
    dt_assert (self->count);
    const uint8_t *name = dtkv_node_name (old);
    dtkv_leaf_t *leaf = self->entries[s_find_leaf (self, name, old->name_bytes)].leaf;
    bool exact;
    uint32_t slot = s_leaf_find (leaf, name, old->name_bytes, &exact);
    dt_assert (exact);
    dt_assert (leaf->nodes[slot] == old);
    leaf->nodes[slot] = node;
}

dtkv_node_t *dtkv_order_at (const dtkv_order_t *self, dtkv_position_t position)
{
    if (position.leaf >= self->count) {
        return NULL;
    }
    return self->entries[position.leaf].leaf->nodes[position.slot];
}

dtkv_position_t dtkv_order_next (const dtkv_order_t *self, dtkv_position_t position)
{
    dt_assert (position.leaf < self->count);
    if (++position.slot == self->entries[position.leaf].leaf->count) {
        position.leaf++;
        position.slot = 0;
    }
    return position;
}

static void s_check_leaf (const dtkv_order_t *self, const dtkv_leaf_t *leaf)
{
    dt_assert (leaf->count > 0);
    dt_assert (leaf->count <= leaf->capacity);
    dt_assert (leaf->capacity <= DTKV_LEAF_NODES);
    const dtkv_node_t *first = leaf->nodes[0];
    const dtkv_node_t *first_of_all = self->entries[0].leaf->nodes[0];
    for (uint32_t i = 0; i < leaf->count; i++) {
        const dtkv_node_t *node = leaf->nodes[i];
        const uint8_t *name = dtkv_node_name (node);
        dt_assert (node->name_bytes >= leaf->shared);
        dt_assert (node->name_bytes >= self->shared);
        dt_assert (memcmp (name, dtkv_node_name (first), leaf->shared) == 0);
        dt_assert (memcmp (name, dtkv_node_name (first_of_all), self->shared) == 0);
        dt_assert (s_heads (leaf)[i] == s_head32 (name, node->name_bytes, leaf->shared));
        dt_assert (i == 0 || s_compare (name, node->name_bytes, leaf->nodes[i - 1]) > 0);
    }
}

void dtkv_order_check (const dtkv_order_t *self)
{
    uint64_t nodes = 0;
    dt_assert (self->count <= self->capacity);
    dt_assert ((self->count == 0) == (self->entries == NULL));
    for (uint32_t i = 0; i < self->count; i++) {
        const dtkv_leaf_t *leaf = self->entries[i].leaf;
        s_check_leaf (self, leaf);
        const dtkv_node_t *first = leaf->nodes[0];
        dt_assert (self->entries[i].head ==
                   s_head64 (dtkv_node_name (first), first->name_bytes, self->shared));
        if (i) {
            const dtkv_leaf_t *before = self->entries[i - 1].leaf;
            dt_assert (s_compare (dtkv_node_name (first), first->name_bytes,
                                  before->nodes[before->count - 1]) > 0);
        }
        nodes += leaf->count;
    }
    dt_assert (nodes == self->nodes);
}

dtkv_node_t *dtkv_order_last (const dtkv_order_t *self)
{
    const dtkv_leaf_t *leaf = self->entries[self->count - 1].leaf;
    return leaf->nodes[leaf->count - 1];
}
