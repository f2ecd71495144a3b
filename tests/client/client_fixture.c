#include "tests/client/client_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/dt_memory.h"

#define CODES_MAX 256

// libzmq is not built with the sanitizer, which cannot see how it hands messages from thread to
// thread and would report every one of them.
const char *__tsan_default_options (void);
const char *__tsan_default_options (void)
{
    return "ignore_noninstrumented_modules=1";
}

struct fixture_results {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t count;
    size_t with[CODES_MAX];
};

fixture_results_t *fixture_results_new (void)
{
    fixture_results_t *self = dt_zalloc (1, sizeof *self);
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->changed, NULL);
    return self;
}

void fixture_results_destroy (fixture_results_t **self_p)
{
    fixture_results_t *self = *self_p;
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}

void fixture_result (void *user, const dt_result_t *result)
{
    fixture_results_t *self = user;
    pthread_mutex_lock (&self->lock);
    self->count++;
    self->with[result->code % CODES_MAX]++;
    pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->lock);
}

void fixture_results_wait (fixture_results_t *self, size_t count)
{
    struct timespec until;
    clock_gettime (CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    int rc = 0;
    pthread_mutex_lock (&self->lock);
    while (self->count < count && rc == 0) {
        rc = pthread_cond_timedwait (&self->changed, &self->lock, &until);
    }
    size_t came = self->count;
    pthread_mutex_unlock (&self->lock);
    ck_assert_uint_ge (came, count);
}

size_t fixture_results_count (fixture_results_t *self)
{
    pthread_mutex_lock (&self->lock);
    size_t count = self->count;
    pthread_mutex_unlock (&self->lock);
    return count;
}

size_t fixture_results_with (fixture_results_t *self, int code)
{
    pthread_mutex_lock (&self->lock);
    size_t count = self->with[code];
    pthread_mutex_unlock (&self->lock);
    return count;
}

dt_client_options_t fixture_options (fake_server_t *first, fake_server_t *second)
{
    static char endpoints[300];
    snprintf (endpoints, sizeof endpoints, "%s%s%s", fake_server_endpoint (first),
              second ? "," : "", second ? fake_server_endpoint (second) : "");
    dt_client_options_t options;
    dt_client_options_init (&options);
    options.endpoints = endpoints;
    options.name = "test";
    return options;
}

dt_client_t *fixture_open (const dt_client_options_t *options)
{
    dt_client_t *client;
    char error[200] = "";
    int code = dt_client_open (&client, options, error, sizeof error);
    ck_assert_msg (code == DT_SUCCESS, "open gave %d: %s", code, error);
    return client;
}

int fixture_run (const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create (name);
    TCase *tcase = tcase_create (name);
    tcase_set_timeout (tcase, 60);
    for (size_t i = 0; i < count; i++) {
        tcase_add_test (tcase, tests[i]);
    }
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
