#include "dtkv/client/dt_client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "base/dt_assert.h"
#include "base/dt_env_posix.h"
#include "base/dt_memory.h"
#include "dtkv/client/client_internal.h"

#define SESSION_BITS_MIN       4096
#define SESSION_WINDOW_DEFAULT 1000

const char *dt_code_name (int code)
{
    switch (code) {
#define CODE_NAME(name, number, text)                                                              \
    case number:                                                                                   \
        return #name;
        DT_CODE_TABLE (CODE_NAME)
#undef CODE_NAME
    default:
        return "UNKNOWN";
    }
}

const char *dt_code_text (int code)
{
    switch (code) {
#define CODE_TEXT(name, number, text)                                                              \
    case number:                                                                                   \
        return text;
        DT_CODE_TABLE (CODE_TEXT)
#undef CODE_TEXT
    default:
        return "unknown code";
    }
}

void dt_client_options_init (dt_client_options_t *options)
{
    *options = (dt_client_options_t){.timeout_ms = 5000,
                                     .attempt_timeout_ms = 2000,
                                     .connect_timeout_ms = 5000,
                                     .in_flight_max = 10000,
                                     .in_flight_bytes_max = 64ULL << 20,
                                     .session_ttl_ms = 60000};
}

static const char *s_check_options (const dt_client_options_t *options)
{
    if (!options->endpoints) {
        return "endpoints: none given";
    }
    if (options->name && strlen (options->name) > CLIENT_NAME_BYTES_MAX) {
        return "name: longer than 64 bytes";
    }
    if (options->timeout_ms < 1 || options->timeout_ms > CLIENT_TIMEOUT_MS_MAX) {
        return "timeout_ms: not in 1 .. 600000";
    }
    if (options->attempt_timeout_ms < 1) {
        return "attempt_timeout_ms: must not be 0";
    }
    if (options->in_flight_max < 1 || options->in_flight_max > 1000000) {
        return "in_flight_max: not in 1 .. 1000000";
    }
    if (options->in_flight_bytes_max < 1 << 20 || options->in_flight_bytes_max > 1ULL << 40) {
        return "in_flight_bytes_max: not in 1 MiB .. 1 TiB";
    }
    if (options->session &&
        (options->session_ttl_ms < 1000 || options->session_ttl_ms > 86400000)) {
        return "session_ttl_ms: not in 1000 .. 86400000";
    }
    return NULL;
}

// tcp://host:port, or another transport's address as libzmq knows it.
static bool s_is_endpoint (const char *address)
{
    if (strncmp (address, "ipc://", 6) == 0) {
        return address[6];
    }
    const char *colon = strrchr (address, ':');
    if (strncmp (address, "tcp://", 6) || colon < address + 7 || !colon[1]) {
        return false;
    }
    return strspn (colon + 1, "0123456789") == strlen (colon + 1);
}

static const char *s_parse_endpoints (dt_client_t *self, const char *text)
{
    while (*text) {
        size_t bytes = strcspn (text, ",");
        if (self->link_count == CLIENT_ENDPOINTS_MAX) {
            return "endpoints: more than 16";
        }
        if (bytes >= CLIENT_ADDRESS_BYTES_MAX) {
            return "endpoints: an address is over 255 bytes long";
        }
        client_link_t *link = &self->links[self->link_count];
        memcpy (link->address, text, bytes);
        link->address[bytes] = 0;
        if (!s_is_endpoint (link->address)) {
            return "endpoints: not of the form tcp://host:port,tcp://host:port";
        }
        self->link_count++;
        text += bytes + (text[bytes] == ',');
    }
    return self->link_count ? NULL : "endpoints: none given";
}

static void s_init_slots (dt_client_t *self)
{
    self->slot_count = self->options.in_flight_max + CLIENT_RESERVED_SLOTS;
    self->slots = dt_zalloc (self->slot_count, sizeof *self->slots);
    self->due_ms = dt_zalloc (self->slot_count, sizeof *self->due_ms);
    for (uint32_t number = self->slot_count; number-- > 0;) {
        self->slots[number].generation = 1;
        atomic_init (&self->due_ms[number], CLIENT_NEVER);
        client_free_push (
            self, number < self->options.in_flight_max ? &self->shared.free : &self->reserved,
            number);
    }
    self->shared.due_ms = self->own.due_ms = self->due_ms_next = CLIENT_NEVER;
    self->own.lanes.own = true;
}

static void s_init_session (dt_client_t *self)
{
    self->session_bits = SESSION_BITS_MIN;
    while (self->session_bits < 2ULL * self->slot_count) {
        self->session_bits *= 2;
    }
    self->session_done = dt_zalloc (self->session_bits / 64, sizeof *self->session_done);
    atomic_init (&self->session_next, 1);
    atomic_init (&self->session_ack, 1);
    atomic_init (&self->session_window, SESSION_WINDOW_DEFAULT);
}

static dt_client_t *s_new (const dt_client_options_t *options)
{
    dt_client_t *self = dt_zalloc (1, sizeof *self);
    dt_env_t env;
    dt_env_posix_init (&env, STDERR_FILENO, DT_LOG_ERROR);
    self->options = *options;
    snprintf (self->name, sizeof self->name, "%s", options->name ? options->name : "");
    self->client_id = options->client_id;
    while (self->client_id == 0) {
        self->client_id = env.entropy (&env);
    }
    dt_random_init (&self->random, env.entropy (&env));
    self->groups = dt_zalloc (CLIENT_GROUPS_MAX, sizeof *self->groups);
    self->groups_read = dt_zalloc (CLIENT_GROUPS_MAX, sizeof *self->groups_read);
    atomic_init (&self->frame_bytes_max, CLIENT_FRAME_BYTES_DEFAULT);
    pthread_mutex_init (&self->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    pthread_cond_init (&self->room, &attributes);
    pthread_condattr_destroy (&attributes);
    s_init_slots (self);
    s_init_session (self);
    self->wake_fd = -1;
    return self;
}

static void s_free (dt_client_t *self)
{
    client_lanes_deinit (&self->shared.lanes);
    client_lanes_deinit (&self->own.lanes);
    if (self->zmq_context) {
        while (zmq_ctx_term (self->zmq_context) && errno == EINTR) {
        }
    }
    if (self->wake_fd >= 0) {
        close (self->wake_fd);
    }
    pthread_cond_destroy (&self->room);
    pthread_mutex_destroy (&self->lock);
    free (self->slots);
    free (self->due_ms);
    free (self->session_done);
    free (self->groups);
    free (self->groups_read);
    free (self);
}

// Start the I/O thread with all signals blocked: they are the application's.
static int s_start (dt_client_t *self)
{
    self->wake_fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    self->zmq_context = zmq_ctx_new ();
    if (self->wake_fd < 0 || !self->zmq_context) {
        return -1;
    }
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    pthread_mutex_lock (&self->lock); // io_thread is set before the thread reads it
    int rc = pthread_create (&self->thread, NULL, client_io_run, self);
    self->thread_started = rc == 0;
    self->io_thread = self->thread;
    pthread_mutex_unlock (&self->lock);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    return rc;
}

// A refusal that waiting does not change.
static bool s_is_final (const dt_client_t *self)
{
    switch (self->open_code) {
    case 0:
    case DT_TIMEOUT:
    case DT_NOT_LEADER:
    case DT_NOT_READY:
    case DT_BUSY:
    case DT_STOPPING:
    case DT_OUTCOME_UNKNOWN:
        return false;
    default:
        return self->hello_seen || self->link_count == 1;
    }
}

static int s_wait_ready (dt_client_t *self, char *error, size_t error_bytes)
{
    int64_t deadline_ms = client_now_ms () + self->options.connect_timeout_ms;
    struct timespec until = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};
    int code = DT_SUCCESS;
    pthread_mutex_lock (&self->lock);
    while (!self->hello_seen || (self->options.session && !atomic_load (&self->session_id))) {
        if (s_is_final (self)) {
            code = self->open_code;
            break;
        }
        if (client_now_ms () >= deadline_ms) {
            code = DT_TIMEOUT;
            break;
        }
        pthread_cond_timedwait (&self->room, &self->lock, &until);
    }
    if (code && error && error_bytes) {
        snprintf (error, error_bytes, "%s",
                  self->open_text[0] ? self->open_text : "no node answered");
    }
    pthread_mutex_unlock (&self->lock);
    return code;
}

static int s_refuse (const char *text, char *error, size_t error_bytes)
{
    if (error && error_bytes) {
        snprintf (error, error_bytes, "%s", text);
    }
    return DT_INVALID;
}

int dt_client_open (dt_client_t **client_p, const dt_client_options_t *options, char *error,
                    size_t error_bytes)
{
    *client_p = NULL;
    const char *wrong = s_check_options (options);
    if (wrong) {
        return s_refuse (wrong, error, error_bytes);
    }
    dt_client_t *self = s_new (options);
    wrong = s_parse_endpoints (self, options->endpoints);
    if (!wrong && s_start (self)) {
        wrong = "out of threads, sockets or files";
    }
    // Strings of the options are the caller's and were copied.
    self->options.endpoints = self->options.name = NULL;
    if (wrong) {
        s_free (self);
        return s_refuse (wrong, error, error_bytes);
    }
    int code = options->connect_timeout_ms ? s_wait_ready (self, error, error_bytes) : DT_SUCCESS;
    if (code) {
        dt_client_close (&self);
        return code;
    }
    *client_p = self;
    return DT_SUCCESS;
}

void dt_client_close (dt_client_t **client_p)
{
    dt_client_t *self = *client_p;
    if (!self) {
        return;
    }
    dt_assert (!client_on_io_thread (self));
    pthread_mutex_lock (&self->lock);
    self->closing = true;
    client_wake (self);
    pthread_cond_broadcast (&self->room);
    pthread_mutex_unlock (&self->lock);
    pthread_join (self->thread, NULL);
    s_free (self);
    *client_p = NULL;
}

int dt_client_limits (dt_client_t *self, dt_limits_t *limits)
{
    pthread_mutex_lock (&self->lock);
    bool seen = self->hello_seen;
    if (seen) {
        *limits = self->limits;
    }
    pthread_mutex_unlock (&self->lock);
    return seen ? DT_SUCCESS : DT_NOT_READY;
}

size_t dt_client_groups (dt_client_t *self, uint32_t *groups, size_t groups_max)
{
    pthread_mutex_lock (&self->lock);
    size_t count = self->group_count;
    size_t copied = count < groups_max ? count : groups_max;
    if (copied) {
        memcpy (groups, self->groups, copied * sizeof *groups);
    }
    pthread_mutex_unlock (&self->lock);
    return count;
}

void dt_client_stats (dt_client_t *self, dt_client_stats_t *stats)
{
    pthread_mutex_lock (&self->lock);
    *stats = self->stats;
    pthread_mutex_unlock (&self->lock);
}

uint64_t dt_client_session_id (dt_client_t *self)
{
    return atomic_load_explicit (&self->session_id, memory_order_relaxed);
}
