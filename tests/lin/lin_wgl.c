#include "tests/lin/lin_wgl.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_hash.h"
#include "base/dt_memory.h"

// A call or return in the list. Node 0 is the head; 1 + 2 * i the call of operation i, the next its
// return.
typedef struct {
    uint32_t prev;
    uint32_t next;
} s_link_t;

typedef struct {
    uint64_t time;
    uint32_t node;
} s_event_t;

// An operation that was taken, and what taking it back needs.
typedef struct {
    uint32_t op;
    bool forced; // no other choice was left aside
    uint64_t state;
} s_taken_t;

typedef struct {
    const lin_key_op_t *ops;
    size_t count;
    s_link_t *links;
    uint64_t *done; // bit set of operations
    s_taken_t *stack;
    size_t depth;
    size_t waiting; // operations with a return that are not taken
    uint64_t state;
    uint64_t hash;   // of `done`: exclusive or of its members' hashes
    size_t low;      // all words of `done` below are full
    size_t high;     // all words of `done` from here on are empty
    uint64_t *table; // remembered configurations by hash, place + 1
    size_t table_size;
    size_t table_count;
    uint64_t *entries; // hash, state, low, number of words, words of the set from low on
    size_t entry_words;
    size_t entry_capacity;
} s_search_t;

void lin_wgl_limits_init (lin_wgl_limits_t *limits)
{
    *limits = (lin_wgl_limits_t){.memory_bytes_max = 256u << 20, .steps_max = 200000000};
}

static bool s_is_return (uint32_t node)
{
    return node != 0 && node % 2 == 0;
}

static uint32_t s_op_of (uint32_t node)
{
    return (node - 1) / 2;
}

static int s_compare (const void *a, const void *b)
{
    const s_event_t *x = a, *y = b;
    if (x->time != y->time) {
        return x->time < y->time ? -1 : 1;
    }
    if (s_is_return (x->node) != s_is_return (y->node)) {
        return s_is_return (x->node) ? 1 : -1;
    }
    return x->node < y->node ? -1 : x->node > y->node;
}

// Could an answer depend on the value that this write of unknown outcome may have left?
static bool s_matters (const s_search_t *self, const lin_key_op_t *op)
{
    if (op->ret != LIN_NEVER || op->kind != LIN_PUT) {
        return true;
    }
    for (size_t i = 0; i < self->count; i++) {
        const lin_key_op_t *other = &self->ops[i];
        bool names = (other->kind == LIN_GET && other->value == op->value) ||
                     (other->kind == LIN_CAS && other->expect == op->value);
        bool feels = other->outcome == LIN_NEW || other->outcome == LIN_OVER ||
                     other->outcome == LIN_MISMATCH || other->kind == LIN_REMOVE;
        if (names || (feels && other != op)) {
            return true;
        }
    }
    return false;
}

// Put an operation into the set or take it out. Only what lies between the full words at its
// beginning and the empty ones at its end is ever looked at: long histories cost no more.
static void s_flip (s_search_t *self, uint32_t op)
{
    size_t word = op / 64;
    self->done[word] ^= (uint64_t) 1 << op % 64;
    self->hash ^= dt_hash_mix ((uint64_t) op + 1);
    if (word < self->low) {
        self->low = word;
    }
    if (word >= self->high) {
        self->high = word + 1;
    }
    while (self->low < self->high && self->done[self->low] == UINT64_MAX) {
        self->low++;
    }
    while (self->high > self->low && self->done[self->high - 1] == 0) {
        self->high--;
    }
}

static void s_build (s_search_t *self)
{
    s_event_t *events = dt_zalloc (2 * self->count + 1, sizeof *events);
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (!s_matters (self, &self->ops[i])) {
            s_flip (self, (uint32_t) i); // done with
            continue;
        }
        events[count++] = (s_event_t){.time = self->ops[i].call, .node = (uint32_t) (1 + 2 * i)};
        if (self->ops[i].ret != LIN_NEVER) {
            events[count++] = (s_event_t){.time = self->ops[i].ret, .node = (uint32_t) (2 + 2 * i)};
            self->waiting++;
        }
    }
    qsort (events, count, sizeof *events, s_compare);
    uint32_t last = 0;
    for (size_t i = 0; i < count; i++) {
        self->links[last].next = events[i].node;
        self->links[events[i].node].prev = last;
        last = events[i].node;
    }
    self->links[last].next = 0;
    self->links[0].prev = last;
    free (events);
}

static void s_unlink (s_search_t *self, uint32_t node)
{
    s_link_t *link = &self->links[node];
    self->links[link->prev].next = link->next;
    self->links[link->next].prev = link->prev;
}

static void s_relink (s_search_t *self, uint32_t node)
{
    s_link_t *link = &self->links[node];
    self->links[link->prev].next = node;
    self->links[link->next].prev = node;
}

static void s_take (s_search_t *self, uint32_t op, uint64_t after, bool forced)
{
    self->stack[self->depth++] = (s_taken_t){.op = op, .forced = forced, .state = self->state};
    s_flip (self, op);
    s_unlink (self, 1 + 2 * op);
    if (self->ops[op].ret != LIN_NEVER) {
        s_unlink (self, 2 + 2 * op);
        self->waiting--;
    }
    self->state = after;
}

// Take back up to the last free choice and give the node to look at next; 0: none is left.
static uint32_t s_take_back (s_search_t *self)
{
    while (self->depth > 0) {
        s_taken_t taken = self->stack[--self->depth];
        uint32_t call = 1 + 2 * taken.op;
        if (self->ops[taken.op].ret != LIN_NEVER) {
            s_relink (self, call + 1);
            self->waiting++;
        }
        s_relink (self, call);
        s_flip (self, taken.op);
        self->state = taken.state;
        if (!taken.forced && self->links[call].next) {
            return self->links[call].next;
        }
    }
    return 0;
}

enum { ENTRY_HASH, ENTRY_STATE, ENTRY_LOW, ENTRY_COUNT, ENTRY_WORDS };

static void s_grow_table (s_search_t *self)
{
    free (self->table);
    self->table_size = self->table_size ? 2 * self->table_size : 1024;
    self->table = dt_zalloc (self->table_size, sizeof *self->table);
    for (size_t place = 0; place < self->entry_words;) {
        const uint64_t *entry = self->entries + place;
        size_t at = entry[ENTRY_HASH] & (self->table_size - 1);
        while (self->table[at]) {
            at = (at + 1) & (self->table_size - 1);
        }
        self->table[at] = place + 1;
        place += ENTRY_WORDS + entry[ENTRY_COUNT];
    }
}

// Write down the configuration; the table names its place.
static void s_add_entry (s_search_t *self, uint64_t hash, uint64_t state, size_t at)
{
    size_t count = self->high - self->low;
    if (self->entry_words + ENTRY_WORDS + count > self->entry_capacity) {
        self->entry_capacity = 2 * (self->entry_capacity + ENTRY_WORDS + count);
        self->entries = dt_realloc (self->entries, self->entry_capacity * sizeof *self->entries);
    }
    uint64_t *entry = self->entries + self->entry_words;
    entry[ENTRY_HASH] = hash;
    entry[ENTRY_STATE] = state;
    entry[ENTRY_LOW] = self->low;
    entry[ENTRY_COUNT] = count;
    memcpy (entry + ENTRY_WORDS, self->done + self->low, count * sizeof *entry);
    self->table[at] = self->entry_words + 1;
    self->table_count++;
    self->entry_words += ENTRY_WORDS + count;
}

// Remember the configuration there is after flipping op into the set; false: it was known.
static bool s_remember (s_search_t *self, uint32_t op, uint64_t after)
{
    s_flip (self, op);
    if (2 * (self->table_count + 1) > self->table_size) {
        s_grow_table (self);
    }
    uint64_t hash = dt_hash_mix (self->hash ^ dt_hash_mix (after));
    size_t at = hash & (self->table_size - 1);
    size_t count = self->high - self->low;
    bool known = false;
    while (self->table[at] && !known) {
        const uint64_t *entry = self->entries + self->table[at] - 1;
        known = entry[ENTRY_HASH] == hash && entry[ENTRY_STATE] == after &&
                entry[ENTRY_LOW] == self->low && entry[ENTRY_COUNT] == count &&
                memcmp (entry + ENTRY_WORDS, self->done + self->low, count * sizeof *entry) == 0;
        at = (at + 1) & (self->table_size - 1);
    }
    if (!known) {
        s_add_entry (self, hash, after, at);
    }
    s_flip (self, op);
    return !known;
}

static size_t s_memory (const s_search_t *self)
{
    return self->entry_capacity * sizeof *self->entries + self->table_size * sizeof *self->table;
}

static lin_verdict_t s_search (s_search_t *self, const lin_wgl_limits_t *limits)
{
    uint32_t node = self->links[0].next;
    for (uint64_t steps = 0; self->waiting > 0; steps++) {
        if (steps == limits->steps_max || s_memory (self) > limits->memory_bytes_max) {
            return LIN_UNDECIDED;
        }
        if (node == 0 || s_is_return (node)) {
            node = s_take_back (self);
            if (node == 0) {
                return LIN_BAD;
            }
            continue;
        }
        uint32_t op = s_op_of (node);
        uint64_t after;
        bool fits = lin_key_step (&self->ops[op], self->state, &after);
        bool forced = self->ops[op].outcome != LIN_UNKNOWN && after == self->state;
        if (fits && (forced || s_remember (self, op, after))) {
            s_take (self, op, after, forced);
            node = self->links[0].next;
        } else {
            node = self->links[node].next;
        }
    }
    return LIN_GOOD;
}

lin_verdict_t lin_wgl (const lin_key_op_t *ops, size_t count, const lin_wgl_limits_t *limits)
{
    s_search_t self = {.ops = ops, .count = count, .state = limits->first_state};
    self.links = dt_zalloc (2 * count + 2, sizeof *self.links);
    self.done = dt_zalloc (count / 64 + 1, sizeof *self.done);
    self.stack = dt_zalloc (count + 1, sizeof *self.stack);
    s_build (&self);
    lin_verdict_t verdict = s_search (&self, limits);
    free (self.links);
    free (self.done);
    free (self.stack);
    free (self.table);
    free (self.entries);
    return verdict;
}
