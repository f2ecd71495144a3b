// Clients, tokens and threads.
//
// In the closed loop every request in flight is a token that submits its successor from its own
// callback, on the client's I/O thread: no other thread stands in the way of a measurement.

#include "dtkv/bench/dtbench_work.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_memory.h"
#include "dtkv/bench/dtbench_process.h"

enum {
    PATH_BYTES = 40,
    PRELOAD_BATCH = 200,
    PACE_NS = 200000, // of the open loop: how long its thread sleeps at most
};

typedef struct {
    dtbench_worker_t worker;
    dtbench_work_t *work;
    dt_client_t *client; // shared by the threads of sync mode
    pthread_t thread;    // of sync, plain and open loop
    bool has_thread;
    uint32_t pending;
} dtbench_runner_t;

// One request in flight.
typedef struct {
    dtbench_runner_t *runner;
    uint64_t start_ns;
    uint32_t key;
    uint32_t next_free; // of the open loop
} dtbench_token_t;

struct dtbench_work {
    dtbench_options_t options;
    _Atomic (uint32_t) phase;
    dt_client_t **clients;
    dtbench_runner_t *runners;
    uint32_t runner_count;
    dtbench_token_t *tokens;
    uint32_t token_count;
    // Of tokens in flight, for the end; and the open loop's free tokens.
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t in_flight;
    uint32_t free_token;
};

static bool s_is_running (const dtbench_work_t *self)
{
    return atomic_load_explicit (&self->phase, memory_order_relaxed) != DTBENCH_STOP;
}

static void s_retire (dtbench_work_t *self, dtbench_token_t *token)
{
    pthread_mutex_lock (&self->lock);
    token->next_free = self->free_token;
    self->free_token = (uint32_t) (token - self->tokens);
    self->in_flight--;
    pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->lock);
}

static void s_done (void *user, const dt_result_t *result);

static void s_submit (dtbench_token_t *token, uint64_t start_ns)
{
    dtbench_runner_t *runner = token->runner;
    dtbench_worker_t *worker = &runner->worker;
    const dtbench_options_t *options = worker->options;
    char path[PATH_BYTES];
    size_t path_bytes;
    token->key = dtbench_next_key (worker, path, &path_bytes);
    token->start_ns = start_ns;
    int code;
    if (options->get) {
        code =
            dt_client_get_async (runner->client, dt_bytes (path, path_bytes), NULL, s_done, token);
    } else {
        dtbench_fill_value (options, token->key, worker->value);
        code = dt_client_put_async (runner->client, dt_bytes (path, path_bytes),
                                    dt_bytes (worker->value, options->value_bytes), NULL, s_done,
                                    token);
    }
    if (code) { // does not happen to a token: there is room for all of them
        dt_result_t refused = {.code = code};
        atomic_store (&runner->work->phase, DTBENCH_STOP);
        s_done (token, &refused);
    }
}

static void s_done (void *user, const dt_result_t *result)
{
    dtbench_token_t *token = user;
    dtbench_runner_t *runner = token->runner;
    int code = runner->worker.options->get
                   ? dtbench_check_value (&runner->worker, result, token->key)
                   : result->code;
    uint64_t now_ns = dtbench_now_ns ();
    dtbench_count (&runner->worker, code, token->start_ns, now_ns);
    if (runner->worker.options->rate == 0 && s_is_running (runner->work)) {
        s_submit (token, now_ns);
    } else {
        s_retire (runner->work, token);
    }
}

// All tokens of a runner, in one batch: from here on the I/O thread keeps them going.
static void s_start_tokens (dtbench_work_t *self, uint32_t first, uint32_t count)
{
    self->in_flight += count;
    dt_client_batch_begin (self->tokens[first].runner->client);
    for (uint32_t i = 0; i < count; i++) {
        s_submit (&self->tokens[first + i], dtbench_now_ns ());
    }
    dt_client_batch_flush (self->tokens[first].runner->client);
}

// Take a token of the open loop, waiting for one; NULL at the end.
static dtbench_token_t *s_take_token (dtbench_work_t *self)
{
    dtbench_token_t *token = NULL;
    pthread_mutex_lock (&self->lock);
    while (self->free_token == UINT32_MAX && s_is_running (self)) {
        pthread_cond_wait (&self->changed, &self->lock);
    }
    if (self->free_token != UINT32_MAX && s_is_running (self)) {
        token = &self->tokens[self->free_token];
        self->free_token = token->next_free;
        self->in_flight++;
    }
    pthread_mutex_unlock (&self->lock);
    return token;
}

// Submit at the given rate, whatever becomes of the requests; their time counts from when they
// were due, so that a stall is seen by all that it delays.
static void *s_open_loop (void *user)
{
    dtbench_work_t *self = user;
    double step_ns = 1e9 / self->options.rate;
    uint64_t start_ns = dtbench_now_ns (), count = 0;
    while (s_is_running (self)) {
        uint64_t now_ns = dtbench_now_ns ();
        uint64_t due_ns = start_ns + (uint64_t) ((double) count * step_ns);
        if (due_ns > now_ns) {
            uint64_t wait_ns = due_ns - now_ns < PACE_NS ? due_ns - now_ns : PACE_NS;
            struct timespec wait = {0, (long) wait_ns};
            nanosleep (&wait, NULL);
            continue;
        }
        dtbench_token_t *token = s_take_token (self);
        if (token) {
            token->runner = &self->runners[count % self->options.clients];
            count++;
            s_submit (token, due_ns);
        }
    }
    return NULL;
}

static void *s_sync_loop (void *user)
{
    dtbench_runner_t *self = user;
    dtbench_worker_t *worker = &self->worker;
    const dtbench_options_t *options = worker->options;
    while (s_is_running (self->work)) {
        char path[PATH_BYTES];
        size_t path_bytes;
        uint32_t key = dtbench_next_key (worker, path, &path_bytes);
        dt_result_t *result = NULL;
        int code;
        if (!options->get) {
            dtbench_fill_value (options, key, worker->value);
        }
        uint64_t start_ns = dtbench_now_ns ();
        if (options->get) {
            code = dt_client_get (self->client, dt_bytes (path, path_bytes), NULL, &result);
        } else {
            code = dt_client_put (self->client, dt_bytes (path, path_bytes),
                                  dt_bytes (worker->value, options->value_bytes), NULL, NULL);
        }
        uint64_t now_ns = dtbench_now_ns ();
        if (result) {
            code = dtbench_check_value (worker, result, key);
            dt_result_free (&result);
        }
        dtbench_count (worker, code, start_ns, now_ns);
    }
    return NULL;
}

static void *s_plain_loop (void *user)
{
    dtbench_runner_t *self = user;
    dtbench_plain_run (&self->worker, self->pending);
    return NULL;
}

static void s_start_thread (dtbench_runner_t *runner, void *(*loop) (void *), void *user)
{
    if (pthread_create (&runner->thread, NULL, loop, user)) {
        fprintf (stderr, "dtbench: no more threads\n");
        exit (3);
    }
    runner->has_thread = true;
}

// The share of part i when `whole` is split into `parts`.
static uint32_t s_share (uint32_t whole, uint32_t parts, uint32_t i)
{
    return whole / parts + (i < whole % parts);
}

void dtbench_work_start (dtbench_work_t *self)
{
    const dtbench_options_t *options = &self->options;
    if (options->rate > 0) {
        s_start_thread (&self->runners[0], s_open_loop, self);
        return;
    }
    uint32_t first = 0;
    for (uint32_t i = 0; i < self->runner_count; i++) {
        dtbench_runner_t *runner = &self->runners[i];
        if (options->sync || options->plain) {
            s_start_thread (runner, options->sync ? s_sync_loop : s_plain_loop, runner);
            continue;
        }
        for (uint32_t token = first; token < first + runner->pending; token++) {
            self->tokens[token].runner = runner;
        }
        s_start_tokens (self, first, runner->pending);
        first += runner->pending;
    }
}

void dtbench_work_measure (dtbench_work_t *self)
{
    uint32_t warmup = DTBENCH_WARMUP; // a failed start may have stopped it already
    atomic_compare_exchange_strong (&self->phase, &warmup, DTBENCH_MEASURE);
}

void dtbench_work_stop (dtbench_work_t *self)
{
    atomic_store (&self->phase, DTBENCH_STOP);
    pthread_mutex_lock (&self->lock);
    pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->lock);
    for (uint32_t i = 0; i < self->runner_count; i++) {
        if (self->runners[i].has_thread) {
            pthread_join (self->runners[i].thread, NULL);
            self->runners[i].has_thread = false;
        }
    }
    pthread_mutex_lock (&self->lock);
    while (self->in_flight) {
        pthread_cond_wait (&self->changed, &self->lock);
    }
    pthread_mutex_unlock (&self->lock);
}

uint64_t dtbench_work_done (const dtbench_work_t *self)
{
    uint64_t done = 0;
    for (uint32_t i = 0; i < self->runner_count; i++) {
        done += atomic_load_explicit (&self->runners[i].worker.done, memory_order_relaxed);
    }
    return done;
}

void dtbench_work_collect (const dtbench_work_t *self, dtbench_histogram_t *latencies,
                           uint64_t *failures)
{
    for (uint32_t i = 0; i < self->runner_count; i++) {
        dtbench_histogram_merge (latencies, &self->runners[i].worker.latencies);
        for (int code = 0; code < DTBENCH_CODES; code++) {
            failures[code] += self->runners[i].worker.failures[code];
        }
    }
}

static bool s_make_directory (dt_client_t *client)
{
    dt_result_t *result;
    int code = dt_client_mkdir (client, dt_text ("benchmark"), NULL, &result);
    bool there = dt_code_is_success (code) || code == DT_DIR_EXISTS;
    if (!there) {
        dt_bytes_t message = result ? result->message : dt_text (NULL);
        fprintf (stderr, "dtbench: mkdir benchmark: %s %.*s\n", dt_code_text (code),
                 (int) message.bytes, message.bytes ? (const char *) message.data : "");
    }
    dt_result_free (&result);
    return there;
}

// The keys first .. first + count - 1 in one request.
static int s_put_batch (dtbench_work_t *self, uint32_t first, uint32_t count, uint8_t *values)
{
    char paths[PRELOAD_BATCH][PATH_BYTES];
    dt_pair_t pairs[PRELOAD_BATCH];
    size_t stride = self->options.value_bytes + sizeof (uint64_t);
    for (uint32_t i = 0; i < count; i++) {
        snprintf (paths[i], sizeof paths[i], "benchmark.key%u", first + i);
        dtbench_fill_value (&self->options, first + i, values + i * stride);
        pairs[i] = (dt_pair_t){dt_text (paths[i]),
                               dt_bytes (values + i * stride, self->options.value_bytes)};
    }
    dt_result_t *result;
    int code = dt_client_batch_put (self->clients[0], pairs, count, NULL, &result);
    dt_iterator_t iterator;
    dt_batch_item_t item;
    if (code == DT_SUCCESS && dt_result_batch (result, &iterator)) {
        while (code == DT_SUCCESS && dt_batch_item_next (&iterator, &item)) {
            code = dt_code_is_success (item.code) ? DT_SUCCESS : item.code;
        }
    }
    dt_result_free (&result);
    return code;
}

static bool s_preload (dtbench_work_t *self, uint32_t keys)
{
    // Batches of at most about 1 MiB.
    uint32_t batch = PRELOAD_BATCH;
    while (batch > 1 && batch * (self->options.value_bytes + 64ULL) > 1 << 20) {
        batch /= 2;
    }
    uint8_t *values = dt_zalloc (batch, self->options.value_bytes + sizeof (uint64_t));
    uint64_t told_ns = dtbench_now_ns ();
    int code = DT_SUCCESS;
    for (uint32_t first = 0; first < keys && code == DT_SUCCESS; first += batch) {
        uint32_t count = keys - first < batch ? keys - first : batch;
        code = s_put_batch (self, first, count, values);
        if (dtbench_now_ns () - told_ns > 1000000000) {
            told_ns = dtbench_now_ns ();
            fprintf (stderr, "preload: %u of %u keys\n", first + count, keys);
        }
    }
    free (values);
    if (code != DT_SUCCESS) {
        fprintf (stderr, "dtbench: preload: %s\n", dt_code_text (code));
    }
    return code == DT_SUCCESS;
}

static bool s_open_clients (dtbench_work_t *self)
{
    const dtbench_options_t *bench = &self->options;
    dt_client_options_t options;
    dt_client_options_init (&options);
    options.endpoints = bench->endpoint;
    options.name = "dtbench";
    options.group = bench->group;
    options.timeout_ms = bench->timeout_ms;
    options.session = bench->session;
    options.in_flight_max = bench->pending_max > 10000 ? bench->pending_max : 10000;
    uint64_t bytes = (uint64_t) options.in_flight_max * (bench->value_bytes + 200ULL);
    if (bytes > options.in_flight_bytes_max) {
        options.in_flight_bytes_max = bytes;
    }
    for (uint32_t i = 0; i < bench->clients; i++) {
        char error[200];
        int code = dt_client_open (&self->clients[i], &options, error, sizeof error);
        if (code) {
            fprintf (stderr, "dtbench: %s: %s: %s\n", bench->endpoint, dt_code_text (code), error);
            return false;
        }
    }
    return true;
}

static void s_new_runners (dtbench_work_t *self)
{
    const dtbench_options_t *options = &self->options;
    self->runner_count = options->sync ? options->threads : options->clients;
    self->runners = dt_zalloc (self->runner_count, sizeof *self->runners);
    for (uint32_t i = 0; i < self->runner_count; i++) {
        dtbench_runner_t *runner = &self->runners[i];
        dtbench_worker_init (&runner->worker, options, &self->phase, i);
        runner->work = self;
        runner->client = self->clients[i % options->clients];
        runner->pending = s_share (options->pending_max, self->runner_count, i);
    }
    self->token_count = options->pending_max;
    self->tokens = dt_zalloc (self->token_count, sizeof *self->tokens);
    self->free_token = UINT32_MAX;
    for (uint32_t i = 0; options->rate > 0 && i < self->token_count; i++) {
        self->tokens[i].next_free = self->free_token;
        self->free_token = i;
    }
}

dtbench_work_t *dtbench_work_new (const dtbench_options_t *options)
{
    dtbench_work_t *self = dt_zalloc (1, sizeof *self);
    self->options = *options;
    self->clients = dt_zalloc (options->clients, sizeof *self->clients);
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->changed, NULL);
    uint32_t keys = options->preload ? options->preload : options->get ? options->key_count : 0;
    if (!s_open_clients (self) || !s_make_directory (self->clients[0]) ||
        (keys && !options->no_preload && !s_preload (self, keys))) {
        dtbench_work_destroy (&self);
        return NULL;
    }
    s_new_runners (self);
    return self;
}

void dtbench_work_destroy (dtbench_work_t **self_p)
{
    dtbench_work_t *self = *self_p;
    for (uint32_t i = 0; i < self->options.clients; i++) {
        dt_client_close (&self->clients[i]);
    }
    for (uint32_t i = 0; i < self->runner_count; i++) {
        dtbench_worker_deinit (&self->runners[i].worker);
    }
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->lock);
    free (self->clients);
    free (self->runners);
    free (self->tokens);
    free (self);
    *self_p = NULL;
}
