#include "transport/port_zmq_ledger.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"

#define BUCKETS_MIN 64

// The sum over all clients. Outlives the ledger while bodies are inside libzmq.
typedef struct {
    atomic_size_t bytes;
    atomic_uint references; // the ledger's and one per account
} s_total_t;

struct port_zmq_account {
    atomic_size_t bytes;      // waiting for this client
    atomic_uint references;   // the ledger's and one per body inside libzmq
    s_total_t *total;         //
    port_zmq_account_t *next; // in its bucket
    uint64_t hash;            // of the route
    uint8_t route_bytes;      //
    uint8_t route[];          //
};

struct port_zmq_ledger {
    size_t client_bytes_max;
    size_t total_bytes_max;
    uint64_t seed;
    s_total_t *total;
    port_zmq_account_t **buckets;
    size_t bucket_count; // a power of two
    size_t accounts;     // in the buckets
    size_t sweep_at;     // number of accounts at which settled ones are looked for
};

// A body inside libzmq. Its bytes are set last, with release, and read first, with acquire: the
// handover through libzmq's queues would do, but is not visible to those who check for races.
typedef struct {
    port_zmq_account_t *account;
    bool keep; // set and read on the port's thread only
    atomic_size_t bytes;
} s_body_t;

static void s_total_unref (s_total_t *total)
{
    if (atomic_fetch_sub (&total->references, 1) == 1) {
        free (total);
    }
}

static void s_account_unref (port_zmq_account_t *account)
{
    if (atomic_fetch_sub (&account->references, 1) == 1) {
        s_total_unref (account->total);
        free (account);
    }
}

port_zmq_ledger_t *port_zmq_ledger_new (size_t client_bytes_max, size_t total_bytes_max,
                                        uint64_t seed)
{
    port_zmq_ledger_t *self = dt_zalloc (1, sizeof *self);
    self->client_bytes_max = client_bytes_max;
    self->total_bytes_max = total_bytes_max;
    self->seed = seed;
    self->total = dt_zalloc (1, sizeof *self->total);
    atomic_init (&self->total->references, 1);
    self->bucket_count = BUCKETS_MIN;
    self->buckets = dt_zalloc (self->bucket_count, sizeof *self->buckets);
    self->sweep_at = BUCKETS_MIN;
    return self;
}

void port_zmq_ledger_destroy (port_zmq_ledger_t **self_p)
{
    port_zmq_ledger_t *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->bucket_count; i++) {
        while (self->buckets[i]) {
            port_zmq_account_t *account = self->buckets[i];
            self->buckets[i] = account->next;
            s_account_unref (account);
        }
    }
    s_total_unref (self->total);
    free (self->buckets);
    free (self);
    *self_p = NULL;
}

// Move the accounts with something waiting into `count` buckets and let go of the others.
static void s_sweep (port_zmq_ledger_t *self, size_t count)
{
    port_zmq_account_t **buckets = dt_zalloc (count, sizeof *buckets);
    for (size_t i = 0; i < self->bucket_count; i++) {
        port_zmq_account_t *next;
        for (port_zmq_account_t *account = self->buckets[i]; account; account = next) {
            next = account->next;
            if (atomic_load (&account->bytes) == 0) {
                self->accounts--;
                s_account_unref (account);
                continue;
            }
            account->next = buckets[account->hash & (count - 1)];
            buckets[account->hash & (count - 1)] = account;
        }
    }
    free (self->buckets);
    self->buckets = buckets;
    self->bucket_count = count;
}

static port_zmq_account_t *s_open (port_zmq_ledger_t *self, const transport_route_t *route,
                                   uint64_t hash)
{
    if (self->accounts >= self->sweep_at) {
        s_sweep (self, self->bucket_count);
        if (self->accounts > self->bucket_count) {
            s_sweep (self, self->bucket_count * 2);
        }
        self->sweep_at = 2 * self->accounts + BUCKETS_MIN;
    }
    port_zmq_account_t *account = dt_zalloc (1, sizeof *account + route->bytes);
    atomic_init (&account->references, 1);
    account->total = self->total;
    atomic_fetch_add (&self->total->references, 1);
    account->hash = hash;
    account->route_bytes = route->bytes;
    memcpy (account->route, route->data, route->bytes);
    account->next = self->buckets[hash & (self->bucket_count - 1)];
    self->buckets[hash & (self->bucket_count - 1)] = account;
    self->accounts++;
    return account;
}

port_zmq_account_t *port_zmq_ledger_admit (port_zmq_ledger_t *self, const transport_route_t *route,
                                           size_t bytes)
{
    size_t total = atomic_load (&self->total->bytes);
    if (total != 0 && total + bytes > self->total_bytes_max) {
        return NULL;
    }
    uint64_t hash = dt_hash64 (route->data, route->bytes, self->seed);
    port_zmq_account_t *account = self->buckets[hash & (self->bucket_count - 1)];
    while (account && (account->hash != hash || account->route_bytes != route->bytes ||
                       memcmp (account->route, route->data, route->bytes) != 0)) {
        account = account->next;
    }
    if (!account) {
        return s_open (self, route, hash);
    }
    size_t waiting = atomic_load (&account->bytes);
    return waiting == 0 || waiting + bytes <= self->client_bytes_max ? account : NULL;
}

void *port_zmq_ledger_enter (port_zmq_account_t *account, size_t bytes)
{
    s_body_t *body = dt_malloc (sizeof *body);
    body->account = account;
    body->keep = false;
    atomic_fetch_add (&account->references, 1);
    atomic_fetch_add (&account->bytes, bytes);
    atomic_fetch_add (&account->total->bytes, bytes);
    atomic_store_explicit (&body->bytes, bytes, memory_order_release);
    return body;
}

void port_zmq_ledger_keep (void *hint)
{
    ((s_body_t *) hint)->keep = true;
}

void port_zmq_ledger_return (void *data, void *hint)
{
    s_body_t *body = hint;
    size_t bytes = atomic_load_explicit (&body->bytes, memory_order_acquire);
    port_zmq_account_t *account = body->account;
    atomic_fetch_sub (&account->total->bytes, bytes);
    atomic_fetch_sub (&account->bytes, bytes);
    s_account_unref (account);
    if (!body->keep) {
        free (data);
    }
    free (body);
}

size_t port_zmq_ledger_bytes (const port_zmq_ledger_t *self)
{
    return atomic_load (&self->total->bytes);
}
