#include "raft/core/raft_effects.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_memory.h"

void raft_effects_init (raft_effects_t *self)
{
    memset (self, 0, sizeof *self);
    self->next_deadline_ns = RAFT_NEVER_NS;
}

// Drop what an effect still owns.
static void s_drop (raft_effect_t *effect)
{
    switch (effect->kind) {
    case RAFT_EFFECT_APPEND:
        log_batch_unref (&effect->append.batch);
        break;
    case RAFT_EFFECT_APPLY:
        log_batch_unref (&effect->apply.batch);
        break;
    case RAFT_EFFECT_REFUSE:
        log_batch_unref (&effect->refuse.batch);
        break;
    case RAFT_EFFECT_SEND:
        raft_message_destroy (&effect->message);
        break;
    case RAFT_EFFECT_SNAPSHOT:
        free (effect->snapshot.config);
        break;
    case RAFT_EFFECT_CONFIG:
        free (effect->config.config);
        break;
    default:
        break; // owns nothing
    }
}

void raft_effects_clear (raft_effects_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        s_drop (&self->items[i]);
    }
    self->count = 0;
}

void raft_effects_deinit (raft_effects_t *self)
{
    raft_effects_clear (self);
    free (self->items);
    raft_effects_init (self);
}

raft_effect_t *raft_effects_add (raft_effects_t *self, raft_effect_kind_t kind)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 16;
        self->items = dt_realloc (self->items, self->capacity * sizeof self->items[0]);
    }
    raft_effect_t *effect = &self->items[self->count++];
    memset (effect, 0, sizeof *effect);
    effect->kind = kind;
    return effect;
}
