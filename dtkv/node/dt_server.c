#include "dtkv/node/dt_server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actors/actor_system.h"
#include "base/dt_env_posix.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/node/node.h"

enum { READY_POLL_MS = 1 };

_Static_assert((int) DT_SERVER_TIMEOUT == (int) DT_ERR_TIMEOUT, "one table");
_Static_assert((int) DT_SERVER_DISK_FAILED == (int) DT_ERR_DISK_FAILED, "one table");
_Static_assert((int) DT_SERVER_CORRUPT == (int) DT_ERR_CORRUPT, "one table");
_Static_assert((int) DT_SERVER_IO == (int) DT_ERR_IO, "one table");
_Static_assert((int) DT_SERVER_IN_USE == (int) DT_ERR_IN_USE, "one table");
_Static_assert((int) DT_SERVER_NEWER_FORMAT == (int) DT_ERR_NEWER_FORMAT, "one table");
_Static_assert((int) DT_SERVER_FOREIGN == (int) DT_ERR_FOREIGN, "one table");
_Static_assert((int) DT_SERVER_PERMISSION == (int) DT_ERR_PERMISSION, "one table");
_Static_assert((int) DT_SERVER_USAGE == (int) DT_ERR_USAGE, "one table");

struct dt_server {
    node_config_t config;
    node_texts_t texts;
    dt_env_t env; // its context is this node
    dt_server_log_fn *log;
    void *log_argument;
    char last_error[512]; // logged so far: why a start failed
    node_t *node;
};

static void s_log (const dt_env_t *env, dt_log_level_t level, const char *line)
{
    dt_server_t *self = env->context;
    if (level == DT_LOG_ERROR && !self->node) {
        snprintf (self->last_error, sizeof self->last_error, "%s", line);
    }
    if (self->log) {
        self->log (self->log_argument, (dt_server_log_level_t) level, line);
    }
}

static int s_read_settings (dt_server_t *self, const dt_server_options_t *options,
                            node_complaint_t *why)
{
    for (size_t i = 0; i < options->settings_count; i++) {
        const dt_server_setting_t *setting = &options->settings[i];
        int at = setting->name ? node_setting_find (setting->name, strlen (setting->name)) : -1;
        if (at < 0 || !setting->value) {
            return node_complain (why, "no such setting, or no value: %.100s",
                                  setting->name ? setting->name : "(NULL)");
        }
        int rc = node_setting_set (&self->texts, at, setting->value, NODE_SOURCE_FLAG, why);
        if (rc != 0) {
            return rc;
        }
    }
    return node_config_load (&self->config, &self->texts, why);
}

static void s_free (dt_server_t **self_p)
{
    node_config_deinit (&(*self_p)->config);
    node_texts_deinit (&(*self_p)->texts);
    free (*self_p);
    *self_p = NULL;
}

int dt_server_start (dt_server_t **node_p, const dt_server_options_t *options, char *error,
                     size_t error_bytes)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; // czmq's own state is the process's
    pthread_once (&once, actor_system_init_process);
    *node_p = NULL;
    dt_server_t *self = dt_zalloc (1, sizeof *self);
    node_complaint_t why = {""};
    int rc = s_read_settings (self, options, &why);
    if (rc == 0) {
        self->log = options->log;
        self->log_argument = options->log_argument;
        dt_env_posix_init (&self->env, -1, self->config.log_level);
        self->env.log = s_log;
        self->env.context = self;
        rc = node_start (&self->node, &self->config, &self->env);
        snprintf (why.text, sizeof why.text, "%s",
                  *self->last_error ? self->last_error : dt_error_text (rc));
    }
    if (rc == 0) {
        *node_p = self;
        return 0;
    }
    if (error && error_bytes > 0) {
        snprintf (error, error_bytes, "%s", why.text);
    }
    s_free (&self);
    return rc;
}

bool dt_server_is_ready (const dt_server_t *node)
{
    return node_ready (node->node);
}

int dt_server_wait_ready (dt_server_t *node, uint32_t timeout_ms)
{
    int64_t deadline_ns = node->env.now_ns (&node->env) + (int64_t) timeout_ms * INT64_C (1000000);
    while (!node_ready (node->node)) {
        int rc = node_watch (node->node);
        if (rc != 0) {
            return rc;
        }
        if (node->env.now_ns (&node->env) >= deadline_ns) {
            return DT_SERVER_TIMEOUT;
        }
        nanosleep (&(struct timespec){.tv_nsec = READY_POLL_MS * 1000000}, NULL);
    }
    return 0;
}

int dt_server_check (dt_server_t *node)
{
    return node_watch (node->node);
}

const char *dt_server_endpoint (const dt_server_t *node)
{
    return node_endpoint (node->node);
}

int dt_server_stop (dt_server_t **node_p, uint32_t timeout_ms)
{
    if (!*node_p) {
        return 0;
    }
    int rc = node_stop (&(*node_p)->node, timeout_ms);
    if (rc == 0) {
        s_free (node_p);
    }
    return rc;
}
