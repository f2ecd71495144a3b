#include "transport/transport_context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zmq.h>

#include "base/dt_assert.h"

extern char **environ;

// Files of a node that are not sockets of libzmq: log segments, snapshots, rings, standard streams.
#define FILES_BESIDES 256

void transport_environment_clear (void)
{
    for (char **entry = environ; entry && *entry;) {
        const char *equals = strchr (*entry, '=');
        char name[64];
        size_t bytes = equals ? (size_t) (equals - *entry) : 0;
        if (strncmp (*entry, "ZSYS_", 5) != 0 || bytes == 0 || bytes >= sizeof name) {
            entry++;
            continue;
        }
        memcpy (name, *entry, bytes);
        name[bytes] = 0;
        unsetenv (name);
        entry = environ; // unsetenv moved the rest
    }
}

static void s_check_files (const dt_env_t *env, int max_sockets)
{
    rlim_t need = (rlim_t) max_sockets * 2 + FILES_BESIDES;
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need) {
        return;
    }
    struct rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
    if (setrlimit (RLIMIT_NOFILE, &raised) != 0) {
        raised = limit;
    }
    if (raised.rlim_cur < need) {
        dt_log_warn (env, "transport",
                     "the process may open %llu files, %d sockets need %llu: raise the limit "
                     "(ulimit -n, LimitNOFILE=) or lower the number of sockets",
                     (unsigned long long) raised.rlim_cur, max_sockets, (unsigned long long) need);
    } else {
        dt_log_info (env, "transport", "limit of open files raised from %llu to %llu",
                     (unsigned long long) limit.rlim_cur, (unsigned long long) raised.rlim_cur);
    }
}

void *transport_zmq_context_new (const dt_env_t *env, int io_threads, int max_sockets)
{
    dt_assert (io_threads >= 1);
    dt_assert (max_sockets >= 1);
    s_check_files (env, max_sockets);
    void *context = zmq_ctx_new ();
    if (!context) {
        dt_log_error (env, "transport", "no ZeroMQ context: %s", zmq_strerror (errno));
        return NULL;
    }
    if (zmq_ctx_set (context, ZMQ_IO_THREADS, io_threads) != 0 ||
        zmq_ctx_set (context, ZMQ_MAX_SOCKETS, max_sockets) != 0) {
        dt_log_error (env, "transport",
                      "ZeroMQ refuses %d I/O threads and %d sockets: %s; it permits %d sockets",
                      io_threads, max_sockets, zmq_strerror (errno),
                      zmq_ctx_get (context, ZMQ_SOCKET_LIMIT));
        zmq_ctx_term (context);
        return NULL;
    }
    return context;
}
