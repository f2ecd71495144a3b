#include "actors/fiber/fiber_sanitizer.h"

#include <pthread.h>
#include <string.h>

#include "base/dt_assert.h"

void fiber_sanitizer_thread (fiber_sanitizer_t *self)
{
    memset (self, 0, sizeof *self);
#if FIBER_ASAN
    pthread_attr_t attributes;
    void *low;
    int rc = pthread_getattr_np (pthread_self (), &attributes);
    dt_assert (rc == 0);
    rc = pthread_attr_getstack (&attributes, &low, &self->bytes);
    dt_assert (rc == 0);
    pthread_attr_destroy (&attributes);
    self->low = low;
#endif
#if FIBER_TSAN
    self->tsan = __tsan_get_current_fiber ();
#endif
}
