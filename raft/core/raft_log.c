#include "raft/core/raft_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"

typedef struct {
    raft_log_piece_t piece;
    uint64_t bytes_end; // position of the piece's end, see raft_log_bytes_end
} raft_log_slot_t;

struct raft_log {
    raft_index_t snapshot_index; // 0: none
    raft_term_t snapshot_term;   // of that entry
    raft_index_t first;          // on disk
    raft_index_t last;           // first - 1: empty
    raft_term_t last_term;       // of the entry at last, or of the snapshot
    uint64_t cluster_time_ms;    // never decreases
    uint64_t bytes_end;          // weight of all that was ever in the log and not truncated
    uint64_t retain_bytes;       // released pieces stay while they weigh no more

    raft_log_slot_t *slots; // ring; slot number n is slots[n & mask]
    uint64_t head;          // number of the oldest slot
    uint64_t tail;          // one past the newest
    uint64_t mask;          // size of the ring - 1, a power of two - 1
    uint64_t hint;          // number of the slot found last

    raft_term_run_t *runs; // ascending; terms of entries from runs[0].first on are known
    size_t runs_count;
    size_t runs_capacity;
};

static raft_log_slot_t *s_slot (const raft_log_t *self, uint64_t number)
{
    return &self->slots[number & self->mask];
}

static void s_runs_push (raft_log_t *self, raft_index_t first, raft_term_t term)
{
    if (self->runs_count > 0 && self->runs[self->runs_count - 1].term == term) {
        return;
    }
    if (self->runs_count == self->runs_capacity) {
        self->runs_capacity = self->runs_capacity ? self->runs_capacity * 2 : 4;
        self->runs = dt_realloc (self->runs, self->runs_capacity * sizeof self->runs[0]);
    }
    self->runs[self->runs_count++] = (raft_term_run_t){.first = first, .term = term};
}

raft_log_t *raft_log_new (const raft_log_start_t *start, uint64_t retain_bytes)
{
    raft_log_t *self = dt_zalloc (1, sizeof *self);
    self->snapshot_index = start->snapshot_index;
    self->snapshot_term = start->snapshot_term;
    self->cluster_time_ms = start->cluster_time_ms;
    self->bytes_end = start->bytes;
    self->retain_bytes = retain_bytes;
    self->mask = 15;
    self->slots = dt_malloc ((self->mask + 1) * sizeof self->slots[0]);
    if (start->first == 0) {
        self->first = start->snapshot_index + 1;
        self->last = start->snapshot_index;
        self->last_term = start->snapshot_term;
    } else {
        dt_assert (start->last >= start->snapshot_index);
        dt_assert (start->first <= start->snapshot_index + 1);
        self->first = start->first;
        self->last = start->last;
        self->last_term = start->last_term;
    }
    for (size_t i = 0; i < start->terms_count; i++) {
        s_runs_push (self, start->terms[i].first, start->terms[i].term);
    }
    // Terms never decrease: where the snapshot's is the last one, all between have it too.
    bool same = self->snapshot_index > 0 && self->snapshot_term == self->last_term;
    if (self->last > 0 && self->runs_count == 0) {
        s_runs_push (self, same ? self->snapshot_index : self->last, self->last_term);
    }
    return self;
}

void raft_log_destroy (raft_log_t **self_p)
{
    raft_log_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    for (uint64_t n = self->head; n < self->tail; n++) {
        log_batch_unref (&s_slot (self, n)->piece.batch);
    }
    free (self->slots);
    free (self->runs);
    free (self);
}

raft_index_t raft_log_first (const raft_log_t *self)
{
    return self->first;
}

raft_index_t raft_log_last (const raft_log_t *self)
{
    return self->last;
}

raft_term_t raft_log_last_term (const raft_log_t *self)
{
    return self->last_term;
}

uint64_t raft_log_cluster_time_ms (const raft_log_t *self)
{
    return self->cluster_time_ms;
}

uint64_t raft_log_bytes_end (const raft_log_t *self)
{
    return self->bytes_end;
}

raft_term_lookup_t raft_log_term (const raft_log_t *self, raft_index_t index, raft_term_t *term)
{
    if (index > self->last) {
        return RAFT_TERM_BEYOND;
    }
    if (index == 0 && self->first == 1) {
        *term = 0;
        return RAFT_TERM_KNOWN;
    }
    if (index > 0 && index == self->snapshot_index) {
        *term = self->snapshot_term;
        return RAFT_TERM_KNOWN;
    }
    if (index + 1 < self->first) {
        return RAFT_TERM_COMPACTED;
    }
    for (size_t i = self->runs_count; i-- > 0;) {
        if (self->runs[i].first <= index) {
            *term = self->runs[i].term;
            return RAFT_TERM_KNOWN;
        }
    }
    return RAFT_TERM_ON_DISK;
}

uint32_t raft_log_runs (const raft_log_t *self, raft_index_t from, raft_index_t upto,
                        raft_term_run_t *runs, uint32_t max)
{
    size_t end = self->runs_count; // one past the last run that begins at or below upto
    while (end > 0 && self->runs[end - 1].first > upto) {
        end--;
    }
    size_t begin = end; // the run that holds `from`, or the first that is known
    while (begin > 0 && end - begin < max && (begin == end || self->runs[begin].first > from)) {
        begin--;
    }
    for (size_t i = begin; i < end; i++) {
        runs[i - begin] = self->runs[i];
    }
    if (begin < end && runs[0].first < from) {
        runs[0].first = from;
    }
    return (uint32_t) (end - begin);
}

raft_index_t raft_log_agreement (const raft_log_t *self, const raft_term_run_t *runs,
                                 uint32_t count, raft_index_t runs_last)
{
    size_t mine = self->runs_count;
    raft_index_t other_last = runs_last;
    for (uint32_t i = count; i-- > 0;) {
        raft_index_t last = self->last; // of my run number mine - 1
        while (mine > 0 && self->runs[mine - 1].term > runs[i].term) {
            mine--;
        }
        if (mine < self->runs_count) {
            last = self->runs[mine].first - 1;
        }
        if (mine > 0 && self->runs[mine - 1].term == runs[i].term) {
            raft_index_t agreed = last < other_last ? last : other_last;
            if (agreed >= self->runs[mine - 1].first && agreed >= runs[i].first) {
                return agreed;
            }
        }
        other_last = runs[i].first - 1;
    }
    return count > 0 && runs[0].first > 0 ? runs[0].first - 1 : 0;
}

uint64_t raft_log_weigh (const log_batch_t *batch, raft_index_t first, raft_index_t last)
{
    uint64_t bytes = (last - first + 1) * RAFT_ENTRY_OVERHEAD_BYTES;
    const log_entry_t *entry = log_batch_entry (batch, first);
    for (raft_index_t index = first; index <= last; index++) {
        bytes += entry++->payload_bytes;
    }
    return bytes;
}

// Double the ring; slots keep their numbers.
static void s_grow (raft_log_t *self)
{
    uint64_t mask = self->mask * 2 + 1;
    raft_log_slot_t *slots = dt_malloc ((mask + 1) * sizeof slots[0]);
    for (uint64_t n = self->head; n < self->tail; n++) {
        slots[n & mask] = *s_slot (self, n);
    }
    free (self->slots);
    self->slots = slots;
    self->mask = mask;
}

// Note the terms of a piece. One leader's piece has one term, seen from its ends.
static void s_note_terms (raft_log_t *self, const raft_log_piece_t *piece)
{
    const log_entry_t *first = log_batch_entry (piece->batch, piece->first);
    raft_term_t last_term = log_batch_entry (piece->batch, piece->last)->term;
    dt_assert (first->term >= self->last_term);
    s_runs_push (self, piece->first, first->term);
    if (first->term != last_term) {
        for (raft_index_t index = piece->first + 1; index <= piece->last; index++) {
            raft_term_t term = log_batch_entry (piece->batch, index)->term;
            dt_assert (term >= self->runs[self->runs_count - 1].term);
            s_runs_push (self, index, term);
        }
    }
    self->last_term = last_term;
}

void raft_log_append (raft_log_t *self, const raft_log_piece_t *piece)
{
    dt_assert (piece->first == self->last + 1);
    dt_assert (piece->last >= piece->first);
    dt_assert (piece->first >= log_batch_first (piece->batch));
    dt_assert (piece->last <= log_batch_last (piece->batch));
    s_note_terms (self, piece);
    if (self->tail - self->head > self->mask) {
        s_grow (self);
    }
    raft_log_slot_t *slot = s_slot (self, self->tail++);
    slot->piece = *piece;
    slot->piece.silent_from = 0;
    log_batch_ref (piece->batch);
    self->bytes_end += piece->bytes;
    slot->bytes_end = self->bytes_end;
    self->last = piece->last;
    uint64_t time_ms = log_batch_entry (piece->batch, piece->last)->cluster_time_ms;
    if (time_ms > self->cluster_time_ms) {
        self->cluster_time_ms = time_ms;
    }
}

// The number of the slot that holds an index; tail if none does. The slot found last and the one
// behind it are tried first: readers walk forward.
static uint64_t s_find (raft_log_t *self, raft_index_t index)
{
    if (self->head == self->tail || index > self->last ||
        index < s_slot (self, self->head)->piece.first) {
        return self->tail;
    }
    for (uint64_t n = self->hint; n < self->hint + 2; n++) {
        if (n >= self->head && n < self->tail && s_slot (self, n)->piece.first <= index &&
            s_slot (self, n)->piece.last >= index) {
            self->hint = n;
            return n;
        }
    }
    uint64_t low = self->head; // holds entries at or below index
    uint64_t high = self->tail;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (s_slot (self, middle)->piece.first <= index) {
            low = middle;
        } else {
            high = middle;
        }
    }
    self->hint = low;
    return low;
}

bool raft_log_find (raft_log_t *self, raft_index_t index, raft_log_piece_t *piece)
{
    uint64_t number = s_find (self, index);
    if (number == self->tail) {
        return false;
    }
    *piece = s_slot (self, number)->piece;
    return true;
}

void raft_log_mark_silent (raft_log_t *self, raft_index_t from)
{
    for (uint64_t n = self->tail; n-- > self->head && s_slot (self, n)->piece.last >= from;) {
        raft_log_piece_t *piece = &s_slot (self, n)->piece;
        if (piece->silent_from == 0) {
            piece->silent_from = piece->first > from ? piece->first : from;
        }
    }
}

raft_index_t raft_log_memory_first (const raft_log_t *self)
{
    return self->head == self->tail ? self->last + 1 : s_slot (self, self->head)->piece.first;
}

uint64_t raft_log_memory_bytes (const raft_log_t *self)
{
    if (self->head == self->tail) {
        return 0;
    }
    const raft_log_slot_t *slot = s_slot (self, self->head);
    return self->bytes_end - (slot->bytes_end - slot->piece.bytes);
}

uint64_t raft_log_bytes_after (raft_log_t *self, raft_index_t index)
{
    if (index >= self->last) {
        return 0;
    }
    uint64_t number = s_find (self, index);
    if (number == self->tail) {
        return raft_log_memory_bytes (self); // the index lies below what is in memory
    }
    const raft_log_slot_t *slot = s_slot (self, number);
    bool straddles = slot->piece.last > index;
    return self->bytes_end - slot->bytes_end + (straddles ? slot->piece.bytes : 0);
}

static void s_pop_head (raft_log_t *self)
{
    log_batch_unref (&s_slot (self, self->head)->piece.batch);
    self->head++;
}

void raft_log_release (raft_log_t *self, raft_index_t upto)
{
    if (self->head == self->tail || s_slot (self, self->head)->piece.last > upto) {
        return;
    }
    uint64_t retained = raft_log_memory_bytes (self) - raft_log_bytes_after (self, upto);
    while (self->head < self->tail) {
        const raft_log_slot_t *slot = s_slot (self, self->head);
        bool many = self->tail - self->head > RAFT_LOG_RETAIN_PIECES && slot->piece.last <= upto;
        if (!many && retained <= self->retain_bytes) {
            break;
        }
        dt_assert (slot->piece.last <= upto);
        retained -= slot->piece.bytes;
        s_pop_head (self);
    }
}

// Cut the newest piece so that it ends below `from`.
static void s_cut_tail (raft_log_t *self, raft_index_t from)
{
    raft_log_slot_t *slot = s_slot (self, self->tail - 1);
    if (slot->piece.last < from) {
        return;
    }
    uint64_t dropped = raft_log_weigh (slot->piece.batch, from, slot->piece.last);
    slot->piece.last = from - 1;
    slot->piece.bytes -= dropped;
    slot->bytes_end -= dropped;
    self->bytes_end = slot->bytes_end;
}

void raft_log_truncate (raft_log_t *self, raft_index_t from)
{
    dt_assert (from > self->snapshot_index);
    dt_assert (from >= self->first);
    dt_assert (from <= self->last + 1);
    while (self->tail > self->head && s_slot (self, self->tail - 1)->piece.first >= from) {
        raft_log_slot_t *slot = s_slot (self, --self->tail);
        self->bytes_end -= slot->piece.bytes;
        log_batch_unref (&slot->piece.batch);
    }
    if (self->tail > self->head) {
        s_cut_tail (self, from);
        if (s_slot (self, self->tail - 1)->piece.last < self->first) {
            s_pop_head (self); // what is left of it was compacted
        }
    }
    raft_term_t term = 0;
    raft_term_lookup_t found = raft_log_term (self, from - 1, &term);
    self->last = from - 1;
    while (self->runs_count > 0 && self->runs[self->runs_count - 1].first >= from) {
        self->runs_count--;
    }
    if (self->runs_count == 0 && found == RAFT_TERM_KNOWN && self->last > 0) {
        s_runs_push (self, self->last, term);
    }
    // Unknown (on disk) counts as 0: the next append is checked against what is known only.
    self->last_term = term;
}

void raft_log_set_snapshot (raft_log_t *self, raft_index_t index, raft_term_t term)
{
    dt_assert (index > self->snapshot_index);
    dt_assert (index <= self->last);
    self->snapshot_index = index;
    self->snapshot_term = term;
}

void raft_log_compact (raft_log_t *self, raft_index_t upto)
{
    dt_assert (upto <= self->snapshot_index);
    if (upto < self->first) {
        return;
    }
    self->first = upto + 1;
    while (self->head < self->tail && s_slot (self, self->head)->piece.last <= upto) {
        s_pop_head (self);
    }
    size_t gone = 0; // runs that end below upto; the term at upto itself stays known
    while (gone + 1 < self->runs_count && self->runs[gone + 1].first <= upto) {
        gone++;
    }
    if (gone > 0) {
        self->runs_count -= gone;
        memmove (self->runs, self->runs + gone, self->runs_count * sizeof self->runs[0]);
    }
}

void raft_log_reset (raft_log_t *self, raft_index_t index, raft_term_t term,
                     uint64_t cluster_time_ms)
{
    while (self->head < self->tail) {
        self->bytes_end -= s_slot (self, self->head)->piece.bytes;
        s_pop_head (self);
    }
    self->snapshot_index = index;
    self->snapshot_term = term;
    self->first = index + 1;
    self->last = index;
    self->last_term = term;
    self->cluster_time_ms = cluster_time_ms;
    self->runs_count = 0;
    s_runs_push (self, index, term);
}

static void s_check_slots (const raft_log_t *self)
{
    dt_assert (self->tail - self->head <= self->mask + 1);
    if (self->head < self->tail) {
        dt_assert (s_slot (self, self->tail - 1)->piece.last == self->last);
        dt_assert (s_slot (self, self->tail - 1)->bytes_end == self->bytes_end);
    }
    for (uint64_t n = self->head; n < self->tail; n++) {
        const raft_log_slot_t *slot = s_slot (self, n);
        const raft_log_piece_t *piece = &slot->piece;
        dt_assert (piece->first <= piece->last);
        dt_assert (piece->last >= self->first);
        dt_assert (piece->first >= log_batch_first (piece->batch));
        dt_assert (piece->last <= log_batch_last (piece->batch));
        dt_assert (piece->bytes == raft_log_weigh (piece->batch, piece->first, piece->last));
        if (n > self->head) {
            const raft_log_slot_t *before = s_slot (self, n - 1);
            dt_assert (piece->first == before->piece.last + 1);
            dt_assert (slot->bytes_end == before->bytes_end + piece->bytes);
        }
        for (raft_index_t index = piece->first; index <= piece->last; index++) {
            raft_term_t term = 0;
            dt_assert (log_batch_entry (piece->batch, index)->index == index);
            raft_term_lookup_t found = raft_log_term (self, index, &term);
            dt_assert (index + 1 < self->first || found == RAFT_TERM_KNOWN);
            dt_assert (found != RAFT_TERM_KNOWN ||
                       term == log_batch_entry (piece->batch, index)->term);
        }
    }
}

void raft_log_check (const raft_log_t *self)
{
    dt_assert (self->first <= self->last + 1);
    dt_assert (self->first <= self->snapshot_index + 1);
    dt_assert (self->snapshot_index <= self->last);
    for (size_t i = 0; i < self->runs_count; i++) {
        dt_assert (self->runs[i].first <= self->last);
        dt_assert (i == 0 || self->runs[i].first > self->runs[i - 1].first);
        dt_assert (i == 0 || self->runs[i].term > self->runs[i - 1].term);
    }
    s_check_slots (self);
}
