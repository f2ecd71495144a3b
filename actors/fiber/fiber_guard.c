// Reports stack overflows: the fault in a guard, or a canary that died.
//
// The signal handler runs on a stack of its own. Only the running fiber can have run into its
// guard, and the thread knows that one, so the handler needs no search and no lock.

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "actors/fiber/fiber_internal.h"
#include "base/dt_assert.h"

#define SIGNAL_STACK_BYTES 65536

static struct sigaction s_previous;
static pthread_once_t s_once = PTHREAD_ONCE_INIT;
static pthread_key_t s_stack_key;

static void s_say (const char *text)
{
    ssize_t written = write (STDERR_FILENO, text, strlen (text));
    (void) written; // there is nowhere else to say it
}

static void s_report (const fiber_t *fiber, const char *how)
{
    s_say ("fiber stack overflow: fiber \"");
    s_say (fiber->name);
    s_say ("\" of group \"");
    s_say (fiber->group->name);
    s_say (how);
}

// Async-signal-safe.
static void s_handle (int number, siginfo_t *info, void *context)
{
    (void) context;
    fiber_dispatcher_t *dispatcher = fiber_dispatcher_current;
    const fiber_t *fiber = dispatcher ? dispatcher->current : NULL;
    if (fiber && fiber->stack && fiber_stack_guards (fiber->stack, info->si_addr)) {
        s_report (fiber, "\" ran into the guard below its stack\n");
    }
    // Going back runs into the same fault, with the disposition there was before.
    sigaction (number, &s_previous, NULL);
}

static void s_stack_free (void *memory)
{
    stack_t off = {.ss_flags = SS_DISABLE};
    sigaltstack (&off, NULL);
    munmap (memory, SIGNAL_STACK_BYTES);
}

static void s_install (void)
{
    struct sigaction action = {.sa_sigaction = s_handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset (&action.sa_mask);
    int rc = pthread_key_create (&s_stack_key, s_stack_free);
    dt_assert (rc == 0);
    rc = sigaction (SIGSEGV, &action, &s_previous);
    dt_assert (rc == 0);
}

void fiber_guard_install (void)
{
    pthread_once (&s_once, s_install);
    // Blocked, a fault would kill the process without a word.
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGSEGV);
    pthread_sigmask (SIG_UNBLOCK, &set, NULL);

    stack_t present;
    if (sigaltstack (NULL, &present) == 0 && !(present.ss_flags & SS_DISABLE)) {
        return;
    }
    void *memory =
        mmap (NULL, SIGNAL_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    dt_assert (memory != MAP_FAILED);
    stack_t stack = {.ss_sp = memory, .ss_size = SIGNAL_STACK_BYTES};
    int rc = sigaltstack (&stack, NULL);
    dt_assert (rc == 0);
    rc = pthread_setspecific (s_stack_key, memory);
    dt_assert (rc == 0);
}

void fiber_guard_canary_died (const fiber_t *self)
{
    s_report (self, "\" ran over the end of its unguarded stack\n");
    abort ();
}
