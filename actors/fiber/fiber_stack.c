#include "actors/fiber/fiber_stack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "actors/fiber/fiber_sanitizer.h"
#include "base/dt_memory.h"

#define SLAB_BYTES   (4u << 20)
#define SLAB_STACKS  64u
#define CANARY_BYTES (FIBER_CANARY_WORDS * sizeof (uint64_t))
#define PAINT        0xd7d7d7d7d7d7d7d7ULL

// Stack tops of one size would all fall into the same few cache sets; each is moved down a little.
#define COLOUR_BYTES 192u
#define COLOURS      8u

typedef struct slab slab_t;

struct slab {
    slab_t *next;           // older slab of the pool
    uint8_t *memory;        // mapped
    size_t bytes;           // of memory
    size_t stride;          // from one stack to the next
    bool guarded;           // stacks have guards
    unsigned count;         // stacks that fit
    unsigned used;          // stacks that were ever handed out
    fiber_stack_t stacks[]; // used of them are laid out
};

struct fiber_stacks {
    slab_t *slabs;                            // all, newest first
    slab_t *open[FIBER_STACK_CLASSES];        // the one to cut from, per size
    fiber_stack_t *warm[FIBER_STACK_CLASSES]; // unused, memory kept
    fiber_stack_t *cold[FIBER_STACK_CLASSES]; // unused, memory given back
    size_t warm_count;
    size_t warm_max;
    size_t live; // acquired
    bool paint;
};

// Guards that may still be made, by all pools of the process.
static atomic_long s_guards_left;
static pthread_once_t s_once = PTHREAD_ONCE_INIT;

static void s_read_limit (void)
{
    long maps = 65530;
    FILE *file = fopen ("/proc/sys/vm/max_map_count", "re");
    if (file) {
        if (fscanf (file, "%ld", &maps) != 1 || maps < 0) {
            maps = 65530;
        }
        fclose (file);
    }
    atomic_store (&s_guards_left, maps / 8);
}

static bool s_guards_take (long count)
{
    if (atomic_fetch_sub (&s_guards_left, count) >= count) {
        return true;
    }
    atomic_fetch_add (&s_guards_left, count);
    return false;
}

size_t fiber_stacks_limit_guards (size_t count)
{
    pthread_once (&s_once, s_read_limit);
    return (size_t) atomic_exchange (&s_guards_left, (long) count);
}

fiber_stacks_t *fiber_stacks_new (size_t warm_max, bool paint)
{
    dt_assert (sysconf (_SC_PAGESIZE) <= (long) FIBER_GUARD_BYTES);
    pthread_once (&s_once, s_read_limit);
    fiber_stacks_t *self = dt_zalloc (1, sizeof *self);
    self->warm_max = warm_max;
    self->paint = paint;
    return self;
}

static void s_slab_destroy (slab_t *slab)
{
    for (unsigned i = 0; i < slab->used; i++) {
        fiber_sanitizer_stack_remove (slab->stacks[i].tool_id);
    }
    fiber_sanitizer_unmap (slab->memory, slab->bytes);
    munmap (slab->memory, slab->bytes);
    if (slab->guarded) {
        atomic_fetch_add (&s_guards_left, (long) slab->count);
    }
    free (slab);
}

void fiber_stacks_destroy (fiber_stacks_t **self_p)
{
    fiber_stacks_t *self = *self_p;
    if (!self) {
        return;
    }
    dt_assert (self->live == 0);
    while (self->slabs) {
        slab_t *slab = self->slabs;
        self->slabs = slab->next;
        s_slab_destroy (slab);
    }
    free (self);
    *self_p = NULL;
}

static size_t s_class_bytes (unsigned size_class)
{
    return (size_t) FIBER_STACK_BYTES_MIN << size_class;
}

static slab_t *s_slab_new (fiber_stacks_t *self, unsigned size_class)
{
    size_t stack_bytes = s_class_bytes (size_class);
    unsigned count = (unsigned) (SLAB_BYTES / stack_bytes);
    count = count < 1 ? 1 : count > SLAB_STACKS ? SLAB_STACKS : count;
    bool guarded = s_guards_take ((long) count);
    size_t stride = guarded ? stack_bytes + FIBER_GUARD_BYTES : stack_bytes;
    // One guard more at the bottom: of the lowest stack, or the place of its canary.
    size_t bytes = stride * count + (guarded ? 0 : FIBER_GUARD_BYTES);

    void *memory = mmap (NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
        if (guarded) {
            atomic_fetch_add (&s_guards_left, (long) count);
        }
        return NULL;
    }
    // A huge page would make 32 stacks resident at the first touch of one. Advice may fail.
    (void) madvise (memory, bytes, MADV_NOHUGEPAGE);
    fiber_sanitizer_map (memory, bytes);

    slab_t *slab = dt_zalloc (1, sizeof *slab + count * sizeof (fiber_stack_t));
    slab->memory = memory;
    slab->bytes = bytes;
    slab->stride = stride;
    slab->guarded = guarded;
    slab->count = count;
    slab->next = self->slabs;
    self->slabs = slab;
    return slab;
}

static fiber_stack_t *s_cut (fiber_stacks_t *self, unsigned size_class)
{
    slab_t *slab = self->open[size_class];
    if (!slab || slab->used == slab->count) {
        slab = s_slab_new (self, size_class);
        if (!slab) {
            return NULL;
        }
        self->open[size_class] = slab;
    }
    unsigned index = slab->used++;
    fiber_stack_t *stack = &slab->stacks[index];
    stack->low = slab->memory + index * slab->stride + FIBER_GUARD_BYTES;
    stack->bytes = s_class_bytes (size_class) - CANARY_BYTES - (index % COLOURS) * COLOUR_BYTES;
    stack->size_class = size_class;
    // Where the kernel refuses one more mapping the canary takes over.
    stack->guarded = slab->guarded &&
                     mprotect (stack->low - FIBER_GUARD_BYTES, FIBER_GUARD_BYTES, PROT_NONE) == 0;
    stack->tool_id = fiber_sanitizer_stack_add (stack->low, stack->bytes);
    return stack;
}

FIBER_RAW_MEMORY
static void s_fill (uint64_t *words, size_t count, uint64_t value)
{
    fiber_sanitizer_raw_begin ();
    for (size_t i = 0; i < count; i++) {
        words[i] = value;
    }
    fiber_sanitizer_raw_end ();
}

fiber_stack_t *fiber_stacks_acquire (fiber_stacks_t *self, size_t bytes)
{
    dt_assert (bytes <= FIBER_STACK_BYTES_MAX);
    unsigned size_class = 0;
    while (s_class_bytes (size_class) < bytes) {
        size_class++;
    }
    fiber_stack_t *stack = self->warm[size_class];
    if (stack) {
        self->warm[size_class] = stack->next;
        self->warm_count--;
    } else if ((stack = self->cold[size_class])) {
        self->cold[size_class] = stack->next;
    } else if (!(stack = s_cut (self, size_class))) {
        return NULL;
    }
    stack->next = NULL;
    self->live++;
    if (!stack->guarded) {
        s_fill ((uint64_t *) (stack->low - CANARY_BYTES), FIBER_CANARY_WORDS, FIBER_CANARY);
    }
    if (self->paint) {
#if FIBER_ASAN
        __asan_unpoison_memory_region (stack->low, stack->bytes);
#endif
        s_fill ((uint64_t *) stack->low, stack->bytes / sizeof (uint64_t), PAINT);
    }
    return stack;
}

void fiber_stacks_release (fiber_stacks_t *self, fiber_stack_t *stack)
{
    dt_assert (self->live > 0);
    self->live--;
    if (self->warm_count < self->warm_max) {
        stack->next = self->warm[stack->size_class];
        self->warm[stack->size_class] = stack;
        self->warm_count++;
        return;
    }
    // The top page stays: it holds the canary of the stack above.
    size_t bytes = s_class_bytes (stack->size_class) - (size_t) sysconf (_SC_PAGESIZE);
    (void) madvise (stack->low, bytes, MADV_DONTNEED);
    stack->next = self->cold[stack->size_class];
    self->cold[stack->size_class] = stack;
}

FIBER_RAW_MEMORY
static size_t s_untouched (const uint64_t *words, size_t count)
{
    size_t i = 0;
    fiber_sanitizer_raw_begin ();
    while (i < count && words[i] == PAINT) {
        i++;
    }
    fiber_sanitizer_raw_end ();
    return i * sizeof *words;
}

size_t fiber_stacks_high_water (const fiber_stacks_t *self, const fiber_stack_t *stack)
{
    if (!self->paint) {
        return 0;
    }
    return stack->bytes -
           s_untouched ((const uint64_t *) stack->low, stack->bytes / sizeof (uint64_t));
}

FIBER_RAW_MEMORY
bool fiber_stack_canary_intact (const fiber_stack_t *self)
{
    const uint64_t *canary = (const uint64_t *) (self->low - CANARY_BYTES);
    for (size_t i = 0; i < FIBER_CANARY_WORDS; i++) {
        if (canary[i] != FIBER_CANARY) {
            return false;
        }
    }
    return true;
}
