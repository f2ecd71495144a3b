// dtd - one node as a process: settings, log, signals, orderly end.

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/actor_system.h"
#include "base/dt_env_posix.h"
#include "base/dt_error.h"
#include "dtkv/dtd_config.h"
#include "dtkv/node/node.h"
#include "transport/protocol.h"

enum { EXIT_USAGE = 2, EXIT_CORRUPT = 9, EXIT_IN_USE = 10 };

typedef struct {
    dtd_config_t config;
    dt_env_t env;
    bool pid_written; // the pid file is this process's
    sigset_t signals; // those the main thread waits for; blocked in every thread
    node_t *node;
} dtd_t;

static int s_write_pid_file (dtd_t *self)
{
    if (!*self->config.node.pid_file) {
        return 0;
    }
    FILE *file = fopen (self->config.node.pid_file, "w");
    if (!file || fprintf (file, "%d\n", (int) getpid ()) < 0 || fclose (file) != 0) {
        dt_log_error (&self->env, "dtd", "cannot write pid file %s: %s", self->config.node.pid_file,
                      strerror (errno));
        return DT_ERR_IO;
    }
    self->pid_written = true;
    return 0;
}

// Wait for a signal that ends the process, watching the hosts meanwhile. 0: asked to stop.
static int s_watch (dtd_t *self)
{
    bool announced = false;
    for (;;) {
        struct timespec second = {.tv_sec = announced ? 1 : 0, .tv_nsec = announced ? 0 : 1000000};
        int number = sigtimedwait (&self->signals, NULL, &second);
        if (number == SIGTERM || number == SIGINT) {
            dt_log_info (&self->env, "dtd", "%s: stopping", strsignal (number));
            return 0;
        }
        if (!announced && node_ready (self->node)) {
            announced = true;
            dt_log_info (&self->env, "dtd", "ready");
        }
        int rc = node_watch (self->node);
        if (rc != 0) {
            return rc;
        }
    }
}

static void s_stop (dtd_t *self)
{
    if (node_stop (&self->node, self->config.node.stop_timeout_ms) != 0) {
        // Everything acknowledged is on the disk; threads that do not end cannot be waited for.
        dt_log_error (&self->env, "dtd", "not everything ended in time; leaving");
        _exit (EXIT_FAILURE);
    }
}

static void s_free (dtd_t *self)
{
    if (self->pid_written) {
        unlink (self->config.node.pid_file);
    }
    dtd_config_deinit (&self->config);
}

static int s_exit_code (int rc)
{
    switch (rc) {
    case 0:
        return EXIT_SUCCESS;
    case DT_ERR_CORRUPT:
    case DT_ERR_GAP:
        return EXIT_CORRUPT;
    case DT_ERR_IN_USE:
        return EXIT_IN_USE;
    default:
        return EXIT_FAILURE;
    }
}

static void s_block_signals (dtd_t *self)
{
    // One thread takes signals, by waiting for them [ZMQ-12]; a write to a closed pipe is an error
    // code.
    sigemptyset (&self->signals);
    sigaddset (&self->signals, SIGTERM);
    sigaddset (&self->signals, SIGINT);
    sigset_t blocked = self->signals;
    sigaddset (&blocked, SIGHUP);
    sigaddset (&blocked, SIGPIPE);
    sigaddset (&blocked, SIGUSR1);
    sigaddset (&blocked, SIGUSR2);
    pthread_sigmask (SIG_BLOCK, &blocked, NULL);
}

static int s_open_log (dtd_t *self)
{
    int fd = STDERR_FILENO;
    if (*self->config.node.log_file) {
        fd = open (self->config.node.log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0) {
            fprintf (stderr, "dtd: cannot write log file %s: %s\n", self->config.node.log_file,
                     strerror (errno));
            return DT_ERR_IO;
        }
    }
    dt_env_posix_init (&self->env, fd, self->config.node.log_level);
    return 0;
}

static int s_run (dtd_t *self)
{
    s_block_signals (self);
    // Batches are large and short-lived: keep their memory instead of giving it back to the kernel
    // and faulting it in again for every batch.
    mallopt (M_MMAP_THRESHOLD, 64 * 1024 * 1024);
    mallopt (M_TRIM_THRESHOLD, 256 * 1024 * 1024);
    actor_system_init_process ();
    int rc = s_open_log (self);
    if (rc == 0) {
        rc = node_start (&self->node, &self->config.node, &self->env);
    }
    if (rc == 0) {
        rc = s_write_pid_file (self);
        if (rc == 0) {
            rc = s_watch (self);
        }
        if (rc != 0) {
            dt_log_error (&self->env, "dtd", "cannot go on: %s", dt_error_text (rc));
            // Whatever failed may hang an orderly stop; the disk has what was acknowledged.
            _exit (s_exit_code (rc));
        }
        s_stop (self);
        dt_log_info (&self->env, "dtd", "stopped");
    } else if (self->env.log) {
        dt_log_error (&self->env, "dtd", "cannot start: %s", dt_error_text (rc));
    }
    return rc;
}

int main (int argc, char **argv)
{
    dtd_t self = {0};
    if (dtd_config_load (&self.config, argc, argv) != 0) {
        dtd_config_deinit (&self.config);
        return EXIT_USAGE;
    }
    if (self.config.help) {
        dtd_config_help ();
    } else if (self.config.version) {
        printf ("dtd %s, protocol %d\n", NODE_VERSION, PROTOCOL_VERSION);
    } else if (self.config.print_config) {
        dtd_config_print (&self.config);
    } else if (self.config.check_config) {
        printf ("the configuration is good\n");
    } else {
        int rc = s_run (&self);
        s_free (&self);
        return s_exit_code (rc);
    }
    dtd_config_deinit (&self.config);
    return EXIT_SUCCESS;
}
