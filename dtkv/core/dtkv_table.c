// Linear probing, deletion by moving back what would no longer be found, so there are no
// tombstones.

#include "dtkv/core/dtkv_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"

enum {
    SEGMENT_SLOTS_MIN = 16,
    SEGMENT_SLOTS = 1280, // grown to this, a segment splits
    DEPTH_MAX = 22,       // from here on segments grow instead, so equal hashes cannot hurt
};

static dtkv_segment_t *s_segment_new (uint32_t capacity, uint32_t depth)
{
    dtkv_segment_t *segment = dt_malloc (
        sizeof *segment + (size_t) capacity * (sizeof segment->nodes[0] + sizeof (uint32_t)));
    segment->count = 0;
    segment->capacity = capacity;
    segment->depth = depth;
    segment->hashes = (uint32_t *) (segment->nodes + capacity);
    memset (segment->hashes, 0, capacity * sizeof (uint32_t));
    return segment;
}

static bool s_segment_full (const dtkv_segment_t *segment)
{
    return (uint64_t) (segment->count + 1) * 20 > (uint64_t) segment->capacity * 17;
}

static uint32_t s_next (const dtkv_segment_t *segment, uint32_t slot)
{
    return slot + 1 == segment->capacity ? 0 : slot + 1;
}

static void s_segment_insert (dtkv_segment_t *segment, uint32_t hash, dtkv_node_t *node)
{
    uint32_t slot = dtkv_segment_home (segment, hash);
    while (segment->hashes[slot]) {
        slot = s_next (segment, slot);
    }
    segment->hashes[slot] = hash;
    segment->nodes[slot] = node;
    segment->count++;
}

static uint32_t s_segment_slot (const dtkv_segment_t *segment, uint32_t hash,
                                const dtkv_node_t *node)
{
    uint32_t slot = dtkv_segment_home (segment, hash);
    while (segment->hashes[slot] != hash || segment->nodes[slot] != node) {
        dt_assert (segment->hashes[slot]);
        slot = s_next (segment, slot);
    }
    return slot;
}

void dtkv_table_init (dtkv_table_t *self)
{
    *self = (dtkv_table_t){.segments = dt_malloc (sizeof self->segments[0])};
    self->segments[0] = s_segment_new (SEGMENT_SLOTS_MIN, 0);
}

void dtkv_table_deinit (dtkv_table_t *self)
{
    uint32_t i = 0;
    while (self->segments && i < 1u << self->depth) {
        dtkv_segment_t *segment = self->segments[i];
        i += 1u << (self->depth - segment->depth);
        free (segment);
    }
    free (self->segments);
    *self = (dtkv_table_t){0};
}

// Let every place of `old` in the directory point to `segment`; hash is any of its hashes.
static void s_point (dtkv_table_t *self, uint32_t hash, dtkv_segment_t *segment)
{
    uint32_t places = 1u << (self->depth - segment->depth);
    uint32_t first = (uint32_t) ((uint64_t) hash << self->depth >> 32) & ~(places - 1);
    for (uint32_t i = 0; i < places; i++) {
        self->segments[first + i] = segment;
    }
}

static void s_enlarge (dtkv_table_t *self, dtkv_segment_t *segment, uint32_t hash)
{
    uint32_t capacity = segment->capacity * 2;
    if (segment->capacity < SEGMENT_SLOTS && capacity > SEGMENT_SLOTS) {
        capacity = SEGMENT_SLOTS;
    }
    dtkv_segment_t *larger = s_segment_new (capacity, segment->depth);
    for (uint32_t i = 0; i < segment->capacity; i++) {
        if (segment->hashes[i]) {
            s_segment_insert (larger, segment->hashes[i], segment->nodes[i]);
        }
    }
    s_point (self, hash, larger);
    free (segment);
}

static void s_double_directory (dtkv_table_t *self)
{
    uint32_t places = 1u << self->depth;
    dtkv_segment_t **doubled = dt_malloc (2 * (size_t) places * sizeof doubled[0]);
    for (uint32_t i = 0; i < places; i++) {
        doubled[2 * i] = doubled[2 * i + 1] = self->segments[i];
    }
    free (self->segments);
    self->segments = doubled;
    self->depth++;
}

static void s_split (dtkv_table_t *self, dtkv_segment_t *segment, uint32_t hash)
{
    if (segment->depth == self->depth) {
        s_double_directory (self);
    }
    uint32_t bit = 1u << (31 - segment->depth);
    dtkv_segment_t *halves[2] = {s_segment_new (SEGMENT_SLOTS, segment->depth + 1),
                                 s_segment_new (SEGMENT_SLOTS, segment->depth + 1)};
    for (uint32_t i = 0; i < segment->capacity; i++) {
        if (segment->hashes[i]) {
            s_segment_insert (halves[(segment->hashes[i] & bit) != 0], segment->hashes[i],
                              segment->nodes[i]);
        }
    }
    s_point (self, hash & ~bit, halves[0]);
    s_point (self, hash | bit, halves[1]);
    free (segment);
}

void dtkv_table_insert (dtkv_table_t *self, uint32_t hash, dtkv_node_t *node)
{
    dtkv_segment_t *segment = dtkv_table_segment (self, hash);
    while (s_segment_full (segment)) {
        if (segment->capacity < SEGMENT_SLOTS || segment->depth == DEPTH_MAX) {
            s_enlarge (self, segment, hash);
        } else {
            s_split (self, segment, hash);
        }
        segment = dtkv_table_segment (self, hash);
    }
    s_segment_insert (segment, hash, node);
    self->nodes++;
}

void dtkv_table_remove (dtkv_table_t *self, uint32_t hash, const dtkv_node_t *node)
{
    dtkv_segment_t *segment = dtkv_table_segment (self, hash);
    uint32_t hole = s_segment_slot (segment, hash, node);
    uint32_t slot = hole;
    for (;;) {
        slot = s_next (segment, slot);
        if (!segment->hashes[slot]) {
            break;
        }
        // It may move back to the hole if its home is not behind the hole.
        uint32_t home = dtkv_segment_home (segment, segment->hashes[slot]);
        uint32_t capacity = segment->capacity;
        uint32_t from_home = slot >= home ? slot - home : slot + capacity - home;
        uint32_t from_hole = slot >= hole ? slot - hole : slot + capacity - hole;
        if (from_home >= from_hole) {
            segment->hashes[hole] = segment->hashes[slot];
            segment->nodes[hole] = segment->nodes[slot];
            hole = slot;
        }
    }
    segment->hashes[hole] = 0;
    segment->count--;
    self->nodes--;
}

void dtkv_table_replace (dtkv_table_t *self, uint32_t hash, const dtkv_node_t *old,
                         dtkv_node_t *node)
{
    dtkv_segment_t *segment = dtkv_table_segment (self, hash);
    segment->nodes[s_segment_slot (segment, hash, old)] = node;
}

static void s_segment_check (const dtkv_segment_t *segment, uint32_t first)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < segment->capacity; i++) {
        uint32_t hash = segment->hashes[i];
        if (!hash) {
            continue;
        }
        count++;
        dt_assert ((uint64_t) hash << segment->depth >> 32 == first);
        dt_assert (s_segment_slot (segment, hash, segment->nodes[i]) == i);
    }
    dt_assert (count == segment->count);
    dt_assert (count < segment->capacity);
}

void dtkv_table_check (const dtkv_table_t *self)
{
    uint64_t nodes = 0;
    uint32_t i = 0;
    while (i < 1u << self->depth) {
        const dtkv_segment_t *segment = self->segments[i];
        dt_assert (segment->depth <= self->depth);
        uint32_t places = 1u << (self->depth - segment->depth);
        for (uint32_t k = 0; k < places; k++) {
            dt_assert (self->segments[i + k] == segment);
        }
        s_segment_check (segment, i >> (self->depth - segment->depth));
        nodes += segment->count;
        i += places;
    }
    dt_assert (nodes == self->nodes);
}
