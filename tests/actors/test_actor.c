#include <check.h>
#include <czmq.h>
#include <stdatomic.h>

#include "actors/actor_system.h"
#include "actors/fiber/fiber_backend_sim.h"
#include "base/dt_env_posix.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"

// A message that carries a number.
typedef struct {
    actor_message_t message;
    unsigned number;
} s_number_t;

static atomic_int s_alive; // messages not freed yet

static void s_free (actor_message_t *message)
{
    atomic_fetch_sub (&s_alive, 1);
    free (message);
}

static actor_message_t *s_number (unsigned number)
{
    s_number_t *self = dt_zalloc (1, sizeof *self);
    self->message.free_fn = s_free;
    self->number = number;
    atomic_fetch_add (&s_alive, 1);
    return &self->message;
}

// --- one host in a simulated world ---------------------------------------------------------------

typedef struct {
    dt_env_t env;
    fiber_backend_sim_t *sim;
    fiber_dispatcher_t *dispatcher;
    actor_system_t *system;
    actor_host_t *host;
    actor_t *sender, *receiver;
    unsigned taken[64]; // numbers in the order of receipt
    unsigned count;
    unsigned refused; // sends that were refused
    unsigned closed;  // times the receiver was told to stop
} s_world_t;

enum { MAILBOX = 4, SENT = 10 };

static void s_send_ten (void *argument)
{
    s_world_t *self = argument;
    for (unsigned i = 0; i < SENT; i++) {
        actor_message_t *message = s_number (i);
        if (actor_send (self->sender, self->receiver, message) != 0) {
            self->refused++;
            actor_message_free (&message);
        }
    }
    actor_message_t *answer = s_number (100);
    actor_answer (self->sender, self->receiver, answer);
}

static void s_receive_until_closed (void *argument)
{
    s_world_t *self = argument;
    for (;;) {
        actor_message_t *message;
        int rc = actor_receive (self->receiver, &message, FIBER_FOREVER);
        if (rc == DT_ERR_CLOSED) {
            self->closed++;
            break;
        }
        ck_assert_int_eq (rc, 0);
        self->taken[self->count++] = ((s_number_t *) message)->number;
        actor_message_free (&message);
    }
    actor_message_t *message;
    int rc = actor_receive (self->receiver, &message, fiber_now_ns () + 1000);
    ck_assert_int_eq (rc, DT_ERR_TIMEOUT);
}

static void s_world_init (s_world_t *self)
{
    *self = (s_world_t){0};
    dt_env_posix_init (&self->env, 2, DT_LOG_ERROR);
    self->sim = fiber_backend_sim_new (1, false);
    self->dispatcher = fiber_dispatcher_new (&(fiber_dispatcher_options_t){
        .name = "test", .backend = fiber_backend_sim_base (self->sim), .env = &self->env});
    self->system = actor_system_new (&self->env);
    self->host = actor_system_add_local (self->system, self->dispatcher);
    self->sender = actor_new (
        self->host, &(actor_options_t){.name = "sender", .run = s_send_ten, .argument = self});
    self->receiver = actor_new (self->host, &(actor_options_t){.name = "receiver",
                                                               .mailbox_max = MAILBOX,
                                                               .run = s_receive_until_closed,
                                                               .argument = self});
    actor_system_start (self->system);
}

static void s_world_run_and_free (s_world_t *self)
{
    for (int i = 0; i < 100; i++) {
        fiber_dispatcher_turn (self->dispatcher, 0);
    }
    fiber_dispatcher_request_stop (self->dispatcher);
    while (fiber_dispatcher_turn (self->dispatcher, FIBER_FOREVER)) {
    }
    actor_system_join (self->system);
    actor_system_destroy (&self->system);
    fiber_dispatcher_destroy (&self->dispatcher);
    fiber_backend_sim_destroy (&self->sim);
}

START_TEST (mailbox_refuses_requests_over_its_bound_and_keeps_order)
{
    s_world_t world;
    s_world_init (&world);
    s_world_run_and_free (&world);
    ck_assert_uint_eq (world.refused, SENT - MAILBOX);
    ck_assert_uint_eq (world.count, MAILBOX + 1);
    for (unsigned i = 0; i < MAILBOX; i++) {
        ck_assert_uint_eq (world.taken[i], i);
    }
    ck_assert_int_eq (s_alive, 0);
}
END_TEST

START_TEST (answers_are_taken_even_by_a_full_mailbox)
{
    s_world_t world;
    s_world_init (&world);
    s_world_run_and_free (&world);
    ck_assert_uint_eq (world.taken[MAILBOX], 100);
}
END_TEST

START_TEST (stop_is_told_once_and_only_when_the_mailbox_is_empty)
{
    s_world_t world;
    s_world_init (&world);
    fiber_dispatcher_request_stop (world.dispatcher);
    s_world_run_and_free (&world);
    ck_assert_uint_eq (world.closed, 1);
    ck_assert_uint_eq (world.count, MAILBOX + 1);
}
END_TEST

// --- hosts with threads --------------------------------------------------------------------------

enum { ROUND_TRIPS = 20000, IN_FLIGHT = 64 };

typedef struct {
    actor_t *asker, *echoer;
    unsigned sent, echoed;
    unsigned next; // number expected back
    atomic_bool done;
} s_echo_t;

static void s_ask (void *argument)
{
    s_echo_t *self = argument;
    while (self->echoed < ROUND_TRIPS) {
        while (self->sent < ROUND_TRIPS && self->sent - self->echoed < IN_FLIGHT) {
            actor_message_t *message = s_number (self->sent);
            int rc = actor_send (self->asker, self->echoer, message);
            ck_assert_int_eq (rc, 0);
            self->sent++;
        }
        actor_message_t *back;
        ck_assert_int_eq (actor_receive (self->asker, &back, FIBER_FOREVER), 0);
        ck_assert_uint_eq (((s_number_t *) back)->number, self->next++);
        self->echoed++;
        actor_message_free (&back);
    }
    atomic_store (&self->done, true);
    actor_message_t *none;
    ck_assert_int_eq (actor_receive (self->asker, &none, FIBER_FOREVER), DT_ERR_CLOSED);
}

static void s_echo (void *argument)
{
    s_echo_t *self = argument;
    actor_message_t *message;
    while (actor_receive (self->echoer, &message, FIBER_FOREVER) == 0) {
        actor_answer (self->echoer, self->asker, message);
    }
}

START_TEST (messages_cross_hosts_complete_and_in_order)
{
    dt_env_t env;
    dt_env_posix_init (&env, 2, DT_LOG_ERROR);
    actor_system_t *system = actor_system_new (&env);
    actor_host_t *one = actor_system_add_host (system, "one", false);
    actor_host_t *two = actor_system_add_host (system, "two", false);
    s_echo_t echo = {0};
    echo.asker =
        actor_new (one, &(actor_options_t){.name = "asker", .run = s_ask, .argument = &echo});
    echo.echoer = actor_new (
        two, &(actor_options_t){
                 .name = "echoer", .mailbox_max = IN_FLIGHT, .run = s_echo, .argument = &echo});
    actor_system_start (system);
    while (!atomic_load (&echo.done)) {
        ck_assert_int_eq (actor_system_watch (system), 0);
        zclock_sleep (1);
    }
    fiber_group_request_stop (actor_group (echo.asker));
    fiber_group_request_stop (actor_group (echo.echoer));
    actor_system_join (system);
    actor_system_destroy (&system);
    ck_assert_uint_eq (echo.echoed, ROUND_TRIPS);
    ck_assert_int_eq (s_alive, 0);
}
END_TEST

typedef struct {
    actor_t *from, *to;
    atomic_bool taken;
} s_post_t;

static void s_send_one (void *argument)
{
    s_post_t *self = argument;
    actor_answer (self->from, self->to, s_number (1));
}

static void s_take_all (void *argument)
{
    s_post_t *self = argument;
    actor_message_t *message;
    while (actor_receive (self->to, &message, FIBER_FOREVER) == 0) {
        actor_message_free (&message);
        atomic_store (&self->taken, true);
    }
}

static void s_do_nothing (void *argument)
{
    (void) argument;
}

START_TEST (mail_of_what_was_posted_before_the_host_ran_leaves)
{
    dt_env_t env;
    dt_env_posix_init (&env, 2, DT_LOG_ERROR);
    actor_system_t *system = actor_system_new (&env);
    actor_host_t *one = actor_system_add_host (system, "one", false);
    actor_host_t *two = actor_system_add_host (system, "two", false);
    s_post_t post = {0};
    post.from =
        actor_new (one, &(actor_options_t){.name = "from", .run = s_do_nothing, .argument = &post});
    post.to =
        actor_new (two, &(actor_options_t){.name = "to", .run = s_take_all, .argument = &post});
    ck_assert_int_eq (fiber_group_post (actor_group (post.from), s_send_one, &post), 0);
    actor_system_start (system);
    int64_t start_ns = env.now_ns (&env);
    while (!atomic_load (&post.taken)) {
        ck_assert_int_lt (env.now_ns (&env) - start_ns, INT64_C (20000000000));
        zclock_sleep (1);
    }
    actor_system_join (system);
    actor_system_destroy (&system);
    ck_assert_int_eq (s_alive, 0);
}
END_TEST

int main (void)
{
    actor_system_init_process ();
    TCase *tcase = tcase_create ("actor");
    tcase_set_timeout (tcase, 60);
    tcase_add_test (tcase, mailbox_refuses_requests_over_its_bound_and_keeps_order);
    tcase_add_test (tcase, answers_are_taken_even_by_a_full_mailbox);
    tcase_add_test (tcase, stop_is_told_once_and_only_when_the_mailbox_is_empty);
    tcase_add_test (tcase, messages_cross_hosts_complete_and_in_order);
    tcase_add_test (tcase, mail_of_what_was_posted_before_the_host_ran_leaves);
    Suite *suite = suite_create ("actors");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_set_fork_status (runner, CK_NOFORK); // threads and contexts do not survive a fork
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
