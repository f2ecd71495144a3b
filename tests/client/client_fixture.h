// client_fixture - what every test of the client begins and ends with.

#ifndef CLIENT_FIXTURE_H
#define CLIENT_FIXTURE_H

#include <check.h>

#include "dtkv/client/dt_client.h"
#include "tests/client/fake_server.h"

// Results of asynchronous calls, counted as they come in.
typedef struct fixture_results fixture_results_t;

fixture_results_t *fixture_results_new (void);
void fixture_results_destroy (fixture_results_t **self_p);

// The callback; user is a fixture_results_t.
void fixture_result (void *user, const dt_result_t *result);

// Wait until `count` results came; fails the test after ten seconds.
void fixture_results_wait (fixture_results_t *self, size_t count);

// How many came, and how many with a code.
size_t fixture_results_count (fixture_results_t *self);
size_t fixture_results_with (fixture_results_t *self, int code);

// Options for the servers' endpoints, NULL-terminated; the list's memory is static.
dt_client_options_t fixture_options (fake_server_t *first, fake_server_t *second);

// Open a client; fails the test if that fails.
dt_client_t *fixture_open (const dt_client_options_t *options);

// Run a suite of one case; returns main's result.
int fixture_run (const char *name, const TTest *const *tests, size_t count);

#endif // CLIENT_FIXTURE_H
