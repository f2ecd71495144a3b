// example - put a value, read it back, change it under a condition, and put many without waiting.
//
// usage: dt_client_example [endpoints]

#include <semaphore.h>
#include <stdio.h>

#include "dtkv/client/dt_client.h"

static int s_report (const char *what, int code)
{
    fprintf (stderr, "%s: %s\n", what, dt_code_text (code));
    return 1;
}

typedef struct {
    int done; // written on the I/O thread, read when all results came
    int failed;
    sem_t came; // one for each result
} counter_t;

// Runs on the client's I/O thread: count, and return.
static void s_counted (void *user, const dt_result_t *result)
{
    counter_t *counter = user;
    if (dt_code_is_success (result->code)) {
        counter->done++;
    } else {
        counter->failed++;
    }
    sem_post (&counter->came);
}

// One value, synchronously.
static int s_one_by_one (dt_client_t *client)
{
    dt_bytes_t path = dt_text ("example.greeting");
    dt_call_options_t parents = {.flags = DT_PARENTS};
    int code = dt_client_put (client, path, dt_text ("hello"), &parents, NULL);
    if (!dt_code_is_success (code)) {
        return s_report ("put", code);
    }
    dt_call_options_t meta = {.flags = DT_META};
    dt_result_t *result;
    dt_node_t node;
    code = dt_client_get (client, path, &meta, &result);
    if (code || !dt_result_node (result, &node)) {
        dt_result_free (&result);
        return s_report ("get", code);
    }
    printf ("%.*s, version %llu\n", (int) node.value.bytes, (const char *) node.value.data,
            (unsigned long long) node.meta.version);

    dt_condition_t unchanged = {.compare = DT_COMPARE_VERSION, .number = node.meta.version};
    dt_bytes_t value = dt_text ("hello again");
    code = dt_client_compare_and_set (client, path, &unchanged, &value, NULL, NULL);
    dt_result_free (&result);
    return code ? s_report ("compare_and_set", code) : 0;
}

// A thousand values, asynchronously: they leave in a few frames.
static int s_many (dt_client_t *client, counter_t *counter)
{
    int refused = 0, accepted = 0;
    dt_client_batch_begin (client);
    for (int i = 0; i < 1000 && !refused; i++) {
        char path[40];
        snprintf (path, sizeof path, "example.key%d", i);
        refused = dt_client_put_async (client, dt_text (path), dt_text ("value"), NULL, s_counted,
                                       counter);
        accepted += !refused;
    }
    dt_client_batch_flush (client);
    // To close now would end those in flight: wait for every accepted one's result.
    for (int i = 0; i < accepted; i++) {
        while (sem_wait (&counter->came)) { // interrupted by a signal
        }
    }
    return refused ? s_report ("put_async", refused) : counter->failed > 0;
}

int main (int argc, char **argv)
{
    dt_client_options_t options;
    dt_client_options_init (&options);
    options.endpoints = argc > 1 ? argv[1] : "tcp://127.0.0.1:9332";
    options.name = "example";

    dt_client_t *client;
    char error[200];
    int code = dt_client_open (&client, &options, error, sizeof error);
    if (code) {
        fprintf (stderr, "open: %s\n", error);
        return 1;
    }
    counter_t counter = {.done = 0};
    sem_init (&counter.came, 0, 0);
    int failed = s_one_by_one (client) || s_many (client, &counter);
    dt_list_t *list = dt_list_open (client, dt_text ("example"), 0, NULL);
    dt_list_item_t item;
    int items = 0;
    while (!failed && dt_list_next (list, &item) == DT_SUCCESS) {
        items++;
    }
    dt_list_close (&list);
    dt_client_close (&client);
    sem_destroy (&counter.came);
    printf ("%d puts done, %d failed; the list saw %d keys\n", counter.done, counter.failed, items);
    return failed;
}
