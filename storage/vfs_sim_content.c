// vfs_sim_content - the content of a simulated file: what processes see and what the medium has.
//
// A page keeps its content at the last sync beside the current one only while they differ, so a
// synced file costs its size once and a zero-filled one almost nothing.

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"
#include "storage/vfs_sim_internal.h"

static const uint8_t s_zeros[SIM_PAGE_BYTES];

static void s_page_clean (sim_page_t *page)
{
    free (page->old);
    page->old = NULL;
    page->dirty = 0;
    page->lost = 0;
}

static void s_page_deinit (sim_page_t *page)
{
    s_page_clean (page);
    free (page->data);
    free (page->previous);
    page->data = NULL;
    page->previous = NULL;
}

void sim_content_deinit (sim_content_t *self)
{
    for (uint32_t i = 0; i < self->page_count; i++) {
        s_page_deinit (&self->pages[i]);
    }
    free (self->pages);
    free (self->touched);
    memset (self, 0, sizeof *self);
}

static uint8_t *s_page_dup (const uint8_t *data)
{
    return data ? dt_memdup (data, SIM_PAGE_BYTES) : NULL;
}

void sim_content_copy (sim_content_t *self, const sim_content_t *from)
{
    *self = *from;
    self->pages = dt_zalloc (from->page_count, sizeof *self->pages);
    for (uint32_t i = 0; i < from->page_count; i++) {
        self->pages[i] = from->pages[i];
        self->pages[i].data = s_page_dup (from->pages[i].data);
        self->pages[i].old = s_page_dup (from->pages[i].old);
        self->pages[i].previous = s_page_dup (from->pages[i].previous);
    }
    self->touched = dt_zalloc (from->touched_capacity, sizeof *self->touched);
    if (from->touched_count) {
        memcpy (self->touched, from->touched, from->touched_count * sizeof *self->touched);
    }
}

static sim_page_t *s_page (sim_content_t *self, uint64_t index)
{
    dt_assert (index < (UINT64_C (1) << 28));
    if (index >= self->page_count) {
        uint32_t count = self->page_count ? self->page_count * 2 : 4;
        while (count <= index) {
            count *= 2;
        }
        self->pages = dt_realloc (self->pages, count * sizeof *self->pages);
        memset (self->pages + self->page_count, 0,
                (count - self->page_count) * sizeof *self->pages);
        self->page_count = count;
    }
    return &self->pages[index];
}

static void s_list (sim_content_t *self, uint64_t index)
{
    if (self->pages[index].listed) {
        return;
    }
    if (self->touched_count == self->touched_capacity) {
        self->touched_capacity = self->touched_capacity ? self->touched_capacity * 2 : 8;
        self->touched = dt_realloc (self->touched, self->touched_capacity * sizeof *self->touched);
    }
    self->pages[index].listed = true;
    self->touched[self->touched_count++] = (uint32_t) index;
}

// The sectors of a page that [begin, end) in it touches, as bits.
static uint8_t s_mask (size_t begin, size_t end)
{
    size_t first = begin / VFS_SIM_SECTOR_BYTES;
    size_t last = (end - 1) / VFS_SIM_SECTOR_BYTES;
    return (uint8_t) ((0xffu << first) & (0xffu >> (SIM_PAGE_SECTORS - 1 - last)));
}

// Remember the medium's content before sectors of a page change.
static sim_page_t *s_touch (sim_content_t *self, uint64_t index, uint8_t mask, bool lost)
{
    sim_page_t *page = s_page (self, index);
    if (!(page->dirty | page->lost)) {
        dt_assert (!page->old);
        page->old = s_page_dup (page->data);
    }
    if (lost) {
        page->lost |= mask;
        page->dirty &= (uint8_t) ~mask;
    } else {
        page->dirty |= mask;
        page->lost &= (uint8_t) ~mask;
    }
    s_list (self, index);
    return page;
}

static uint8_t *s_page_data (uint8_t **data)
{
    if (!*data) {
        *data = dt_zalloc (1, SIM_PAGE_BYTES);
    }
    return *data;
}

uint64_t sim_content_missing (const sim_content_t *self, uint64_t offset, uint64_t bytes)
{
    uint64_t missing = 0;
    uint64_t end = (offset + bytes + SIM_PAGE_BYTES - 1) / SIM_PAGE_BYTES;
    for (uint64_t i = offset / SIM_PAGE_BYTES; bytes && i < end; i++) {
        missing += i >= self->page_count || !self->pages[i].reserved;
    }
    return missing;
}

void sim_content_reserve (sim_content_t *self, uint64_t offset, uint64_t bytes)
{
    uint64_t end = (offset + bytes + SIM_PAGE_BYTES - 1) / SIM_PAGE_BYTES;
    for (uint64_t i = offset / SIM_PAGE_BYTES; bytes && i < end; i++) {
        sim_page_t *page = s_page (self, i);
        self->reserved += !page->reserved;
        page->reserved = true;
    }
}

void sim_content_write (sim_content_t *self, const void *data, size_t bytes, uint64_t offset,
                        bool lost)
{
    const uint8_t *from = data;
    sim_content_reserve (self, offset, bytes);
    uint64_t end = offset + bytes;
    while (offset < end) {
        size_t begin = offset % SIM_PAGE_BYTES;
        size_t run = SIM_PAGE_BYTES - begin;
        if (run > end - offset) {
            run = (size_t) (end - offset);
        }
        sim_page_t *page =
            s_touch (self, offset / SIM_PAGE_BYTES, s_mask (begin, begin + run), lost);
        if (page->data || memcmp (from, s_zeros, run) != 0) {
            memcpy (s_page_data (&page->data) + begin, from, run);
        }
        from += run;
        offset += run;
    }
    if (bytes && end > self->size) {
        self->size = end;
    }
}

void sim_content_overwrite (sim_content_t *self, const void *data, size_t bytes, uint64_t offset)
{
    const uint8_t *from = data;
    dt_assert (offset + bytes <= self->size);
    for (size_t i = 0; i < bytes; i++) {
        sim_page_t *page = s_page (self, (offset + i) / SIM_PAGE_BYTES);
        size_t at = (offset + i) % SIM_PAGE_BYTES;
        s_page_data (&page->data)[at] = from[i];
        if (page->dirty | page->lost) {
            s_page_data (&page->old)[at] = from[i];
        }
    }
}

void sim_content_read (const sim_content_t *self, void *data, size_t bytes, uint64_t offset)
{
    uint8_t *to = data;
    while (bytes) {
        size_t begin = offset % SIM_PAGE_BYTES;
        uint64_t index = offset / SIM_PAGE_BYTES;
        size_t run = SIM_PAGE_BYTES - begin < bytes ? SIM_PAGE_BYTES - begin : bytes;
        const uint8_t *from =
            index < self->page_count && self->pages[index].data ? self->pages[index].data : s_zeros;
        memcpy (to, from + begin, run);
        to += run;
        offset += run;
        bytes -= run;
    }
}

bool sim_content_read_stale (const sim_content_t *self, uint8_t *data, size_t bytes,
                             uint64_t offset)
{
    uint64_t sector = offset / VFS_SIM_SECTOR_BYTES * VFS_SIM_SECTOR_BYTES;
    uint64_t index = sector / SIM_PAGE_BYTES;
    if (index >= self->page_count || !self->pages[index].previous) {
        return false;
    }
    const uint8_t *previous = self->pages[index].previous;
    bool differs = false;
    for (uint64_t at = offset; at < sector + VFS_SIM_SECTOR_BYTES && at < offset + bytes; at++) {
        uint8_t byte = previous[at % SIM_PAGE_BYTES];
        differs = differs || data[at - offset] != byte;
        data[at - offset] = byte;
    }
    return differs;
}

// Take the content behind `size` away from what processes see.
static void s_cut (sim_content_t *self, uint64_t size)
{
    size_t tail = size % SIM_PAGE_BYTES;
    uint64_t index = size / SIM_PAGE_BYTES;
    if (tail && index < self->page_count && self->pages[index].data) {
        sim_page_t *page = s_touch (self, index, s_mask (tail, SIM_PAGE_BYTES), false);
        memset (page->data + tail, 0, SIM_PAGE_BYTES - tail);
    }
    for (index += tail ? 1 : 0; index < self->page_count; index++) {
        sim_page_t *page = &self->pages[index];
        if (page->data) {
            s_touch (self, index, 0xff, false);
            free (page->data);
            page->data = NULL;
        }
        self->reserved -= page->reserved;
        page->reserved = false;
    }
}

void sim_content_truncate (sim_content_t *self, uint64_t size)
{
    if (size < self->size) {
        s_cut (self, size);
    }
    self->size = size;
}

// Drop the pages without unsynced sectors from the list.
static void s_unlist (sim_content_t *self)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < self->touched_count; i++) {
        sim_page_t *page = &self->pages[self->touched[i]];
        page->listed = (page->dirty | page->lost) != 0;
        if (page->listed) {
            self->touched[left++] = self->touched[i];
        }
    }
    self->touched_count = left;
}

static void s_copy_sectors (uint8_t **to, const uint8_t *from, uint8_t mask)
{
    for (unsigned sector = 0; sector < SIM_PAGE_SECTORS; sector++) {
        if (mask & (1u << sector)) {
            size_t at = sector * VFS_SIM_SECTOR_BYTES;
            memcpy (s_page_data (to) + at, (from ? from : s_zeros) + at, VFS_SIM_SECTOR_BYTES);
        }
    }
}

// The sectors in mask reach the medium.
static void s_persist (sim_page_t *page, uint8_t mask, bool keep_previous)
{
    if (keep_previous) {
        free (page->previous);
        page->previous = page->old ? s_page_dup (page->old) : dt_zalloc (1, SIM_PAGE_BYTES);
    }
    page->dirty &= (uint8_t) ~mask;
    if (!(page->dirty | page->lost)) {
        s_page_clean (page);
    } else {
        s_copy_sectors (&page->old, page->data, mask);
    }
}

void sim_content_sync (sim_content_t *self, bool keep_previous)
{
    for (uint32_t i = 0; i < self->touched_count; i++) {
        sim_page_t *page = &self->pages[self->touched[i]];
        s_persist (page, page->dirty, keep_previous);
    }
    s_unlist (self);
    self->durable_size = self->size;
}

void sim_content_sync_failed (sim_content_t *self, dt_random_t *random)
{
    for (uint32_t i = 0; i < self->touched_count; i++) {
        sim_page_t *page = &self->pages[self->touched[i]];
        uint8_t made_it = page->dirty & (uint8_t) dt_random_next (random);
        page->lost |= page->dirty & (uint8_t) ~made_it;
        page->dirty = made_it;
        s_persist (page, made_it, false);
    }
    s_unlist (self);
}

// Decide what became of each unsynced sector of a page.
static void s_crash_page (sim_page_t *page, dt_random_t *random, uint32_t garbage_ppm,
                          vfs_sim_counters_t *counters)
{
    for (unsigned sector = 0; sector < SIM_PAGE_SECTORS; sector++) {
        uint8_t bit = (uint8_t) (1u << sector);
        if ((page->lost & bit) || ((page->dirty & bit) && dt_random_chance (random, 1, 2))) {
            if (page->data || page->old) {
                s_copy_sectors (&page->data, page->old, bit);
            }
            counters->sectors_old++;
        } else if (page->dirty & bit) {
            counters->sectors_new++;
        } else {
            continue;
        }
        if (garbage_ppm && (page->dirty & bit) && dt_random_chance (random, garbage_ppm, 1000000)) {
            uint8_t *at = s_page_data (&page->data) + sector * VFS_SIM_SECTOR_BYTES;
            for (size_t i = 0; i < VFS_SIM_SECTOR_BYTES; i++) {
                at[i] = (uint8_t) dt_random_next (random);
            }
            counters->sectors_garbage++;
        }
    }
}

// The size after a crash: durable, current, or at a sector between them.
static uint64_t s_crash_size (const sim_content_t *self, dt_random_t *random)
{
    uint64_t low = self->size < self->durable_size ? self->size : self->durable_size;
    uint64_t high = self->size < self->durable_size ? self->durable_size : self->size;
    uint64_t between = dt_random_between (random, low, high);
    switch (low == high ? 0 : dt_random_below (random, 3)) {
    case 0:
        return self->durable_size;
    case 1:
        return self->size;
    default:
        between = between / VFS_SIM_SECTOR_BYTES * VFS_SIM_SECTOR_BYTES;
        return between < low ? low : between;
    }
}

void sim_content_crash (sim_content_t *self, dt_random_t *random, uint32_t garbage_ppm,
                        vfs_sim_counters_t *counters)
{
    uint64_t size = s_crash_size (self, random);
    counters->sizes_lost += size != self->size;
    for (uint32_t i = 0; i < self->touched_count; i++) {
        s_crash_page (&self->pages[self->touched[i]], random, garbage_ppm, counters);
    }
    s_cut (self, size);
    for (uint32_t i = 0; i < self->page_count; i++) {
        sim_page_t *page = &self->pages[i];
        s_page_clean (page);
        page->listed = false;
        if (page->data && !page->reserved) {
            page->reserved = true;
            self->reserved++;
        }
    }
    self->touched_count = 0;
    self->size = size;
    self->durable_size = size;
}

void sim_content_rot (sim_content_t *self, uint64_t offset, uint8_t mask)
{
    dt_assert (offset < self->size);
    sim_page_t *page = s_page (self, offset / SIM_PAGE_BYTES);
    s_page_data (&page->data)[offset % SIM_PAGE_BYTES] ^= mask;
    if (page->dirty | page->lost) {
        s_page_data (&page->old)[offset % SIM_PAGE_BYTES] ^= mask;
    }
}

uint64_t sim_content_hash (const sim_content_t *self, uint64_t seed)
{
    uint64_t hash = dt_hash_mix (seed ^ self->size);
    for (uint32_t i = 0; i < self->page_count; i++) {
        const uint8_t *data = self->pages[i].data;
        if (data && memcmp (data, s_zeros, SIM_PAGE_BYTES) != 0) {
            hash = dt_hash64 (data, SIM_PAGE_BYTES, hash ^ i);
        }
    }
    return hash;
}

void sim_content_check (const sim_content_t *self)
{
    uint32_t reserved = 0;
    uint32_t touched = 0;
    for (uint32_t i = 0; i < self->page_count; i++) {
        const sim_page_t *page = &self->pages[i];
        dt_assert ((page->dirty & page->lost) == 0);
        dt_assert (page->listed == ((page->dirty | page->lost) != 0));
        dt_assert (!page->old || (page->dirty | page->lost));
        reserved += page->reserved;
        touched += page->listed;
        if ((uint64_t) i * SIM_PAGE_BYTES >= self->size) {
            dt_assert (!page->data);
        }
    }
    dt_assert (reserved == self->reserved);
    dt_assert (touched == self->touched_count);
}
