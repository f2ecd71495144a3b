#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_memory.h"
#include "dtkv/bench/dtbench_work.h"

// Every so many values of gets are compared byte by byte.
#define CHECK_EVERY 64

void dtbench_worker_init (dtbench_worker_t *self, const dtbench_options_t *options,
                          _Atomic (uint32_t) *phase, uint32_t number)
{
    memset (self, 0, sizeof *self);
    self->options = options;
    self->phase = phase;
    dt_random_init (&self->random, options->seed * 1000003 + number);
    self->value = dt_zalloc (1, options->value_bytes + sizeof (uint64_t));
}

void dtbench_worker_deinit (dtbench_worker_t *self)
{
    free (self->value);
}

uint32_t dtbench_next_key (dtbench_worker_t *self, char *path, size_t *path_bytes)
{
    static const char prefix[] = "benchmark.key";
    uint32_t key = (uint32_t) dt_random_below (&self->random, self->options->key_count);
    char digits[10];
    size_t count = 0;
    for (uint32_t rest = key; count == 0 || rest; rest /= 10) {
        digits[count++] = (char) ('0' + rest % 10);
    }
    memcpy (path, prefix, sizeof prefix - 1);
    char *place = path + sizeof prefix - 1;
    while (count) {
        *place++ = digits[--count];
    }
    *path_bytes = (size_t) (place - path);
    return key;
}

static uint64_t s_word (uint32_t key, size_t place)
{
    return ((uint64_t) key + 1) * 0x9e3779b97f4a7c15ULL + place;
}

void dtbench_fill_value (const dtbench_options_t *options, uint32_t key, uint8_t *value)
{
    for (size_t place = 0; place < options->value_bytes; place += sizeof (uint64_t)) {
        uint64_t word = s_word (key, place); // the room behind value takes the last word's rest
        memcpy (value + place, &word, sizeof word);
    }
}

void dtbench_count (dtbench_worker_t *self, int code, uint64_t start_ns, uint64_t now_ns)
{
    if (__builtin_expect (!dt_code_is_success (code), 0)) {
        self->failures[code % DTBENCH_CODES]++;
    } else if (atomic_load_explicit (self->phase, memory_order_relaxed) == DTBENCH_MEASURE) {
        dtbench_histogram_add (&self->latencies, now_ns - start_ns);
    }
    uint64_t done = atomic_load_explicit (&self->done, memory_order_relaxed);
    atomic_store_explicit (&self->done, done + 1, memory_order_relaxed);
}

int dtbench_check_value (dtbench_worker_t *self, const dt_result_t *result, uint32_t key)
{
    dt_node_t node;
    if (!dt_code_is_success (result->code)) {
        return result->code;
    }
    if (!dt_result_node (result, &node) || !node.has_value ||
        node.value.bytes != self->options->value_bytes) {
        return DTBENCH_CODE_WRONG_VALUE;
    }
    if (++self->checks % CHECK_EVERY == 0) {
        dtbench_fill_value (self->options, key, self->value);
        if (memcmp (self->value, node.value.data, node.value.bytes)) {
            return DTBENCH_CODE_WRONG_VALUE;
        }
    }
    return result->code;
}
