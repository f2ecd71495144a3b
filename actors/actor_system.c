#include "actors/actor_system.h"

#include <czmq.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"

#define SILENT_NS (5 * INT64_C (1000000000))

struct actor_system {
    const dt_env_t *env;
    actor_host_t *hosts[ACTOR_HOSTS_MAX]; // owned
    bool silent[ACTOR_HOSTS_MAX];         // was reported as not turning
    unsigned count;                       // hosts
    bool local;                           // the only host runs on a borrowed dispatcher
    bool started;                         // threads run
};

void actor_system_init_process (void)
{
    // czmq reads limits from the environment and installs handlers for SIGINT and SIGTERM [ZMQ-3,
    // 0.12].
    const char *names[] = {"ZSYS_SIGHANDLER", "ZSYS_IO_THREADS", "ZSYS_MAX_SOCKETS",
                           "ZSYS_LINGER",     "ZSYS_SNDHWM",     "ZSYS_RCVHWM",
                           "ZSYS_PIPEHWM",    "ZSYS_IPV6",       "ZSYS_LOGSTREAM",
                           "ZSYS_LOGIDENT",   "ZSYS_LOGSENDER",  "ZSYS_MAX_MSGSZ"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unsetenv (names[i]);
    }
    zsys_handler_set (NULL);
    zsys_set_linger (0);
}

actor_system_t *actor_system_new (const dt_env_t *env)
{
    actor_system_t *self = dt_zalloc (1, sizeof *self);
    self->env = env;
    return self;
}

void actor_system_destroy (actor_system_t **self_p)
{
    actor_system_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    dt_assert (!self->started);
    for (unsigned i = self->count; i-- > 0;) {
        actor_host_destroy (&self->hosts[i]);
    }
    free (self);
}

actor_host_t *actor_system_add_host (actor_system_t *self, const char *name, bool use_uring)
{
    dt_assert (!self->started && !self->local);
    dt_assert (self->count < ACTOR_HOSTS_MAX);
    actor_host_t *host = actor_host_new (self->env, name, self->count, use_uring);
    self->hosts[self->count++] = host;
    return host;
}

actor_host_t *actor_system_add_local (actor_system_t *self, fiber_dispatcher_t *dispatcher)
{
    dt_assert (self->count == 0);
    self->local = true;
    self->hosts[self->count++] = actor_host_new_on (self->env, dispatcher);
    return self->hosts[0];
}

void actor_system_start (actor_system_t *self)
{
    dt_assert (!self->started);
    for (unsigned i = 0; i < self->count; i++) {
        for (unsigned j = 0; j < self->count; j++) {
            if (i != j) {
                actor_host_connect (self->hosts[i], self->hosts[j]);
            }
        }
    }
    for (unsigned i = 0; i < self->count; i++) {
        actor_host_start (self->hosts[i]);
    }
    self->started = true;
}

void actor_system_join (actor_system_t *self)
{
    if (!self->started) {
        return;
    }
    for (unsigned i = 0; i < self->count; i++) {
        actor_host_join (self->hosts[i]);
    }
    self->started = false;
}

int actor_system_watch (actor_system_t *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        actor_host_t *host = self->hosts[i];
        int rc = actor_host_failure (host);
        if (rc != 0) {
            return rc;
        }
        int64_t silent_ns = actor_host_silent_ns (host);
        if (silent_ns > SILENT_NS && !self->silent[i]) {
            self->silent[i] = true;
            dt_log_error (self->env, "watchdog", "host %s has not turned for %d ms",
                          actor_host_name (host), (int) (silent_ns / 1000000));
        } else if (silent_ns < SILENT_NS && self->silent[i]) {
            self->silent[i] = false;
            dt_log_warn (self->env, "watchdog", "host %s turns again", actor_host_name (host));
        }
        actor_host_ping (host);
    }
    return 0;
}
