#include "dtkv/dtd_config.h"

#include <ctype.h>
#include <czmq.h> // zconfig
#include <errno.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"

extern char **environ;

enum { FILE_BYTES_MAX = 64 * 1024 };

// --- sources -------------------------------------------------------------------------------------

static int s_read_file (node_texts_t *texts, const char *path, node_complaint_t *why)
{
    FILE *file = fopen (path, "rb");
    if (!file) {
        return node_complain (why, "cannot read configuration file %s: %s", path, strerror (errno));
    }
    char *text = dt_malloc (FILE_BYTES_MAX + 1);
    size_t bytes = fread (text, 1, FILE_BYTES_MAX + 1, file);
    fclose (file);
    int rc = 0;
    if (bytes > FILE_BYTES_MAX) {
        rc = node_complain (why, "configuration file %s is over %d bytes", path, FILE_BYTES_MAX);
    }
    for (size_t i = 0; rc == 0 && i < bytes; i++) {
        unsigned char c = (unsigned char) text[i];
        if (c == 0 || (c < ' ' && c != '\n' && c != '\r' && c != '\t')) {
            rc = node_complain (why, "configuration file %s is no text: byte %zu is 0x%02x", path,
                                i, c);
        }
    }
    zconfig_t *root = NULL;
    if (rc == 0) {
        zchunk_t *chunk = zchunk_new (text, bytes);
        root = zconfig_chunk_load (chunk);
        zchunk_destroy (&chunk);
        if (!root) {
            rc = node_complain (
                why, "configuration file %s is not ZPL; write lines like: data-dir = ./data", path);
        }
    }
    free (text);
    for (zconfig_t *item = root ? zconfig_child (root) : NULL; rc == 0 && item;
         item = zconfig_next (item)) {
        const char *name = zconfig_name (item);
        int at = node_setting_find (name, strlen (name));
        if (at < 0 || zconfig_child (item)) {
            rc = node_complain (why, "%s: unknown key '%s'; dtd --help lists the settings", path,
                                name);
        } else {
            rc = node_setting_set (texts, at, zconfig_value (item) ? zconfig_value (item) : "",
                                   NODE_SOURCE_FILE, why);
        }
    }
    zconfig_destroy (&root);
    return rc;
}

static int s_read_environment (node_texts_t *texts, const char **config_file, node_complaint_t *why)
{
    for (char **variable = environ; *variable; variable++) {
        if (strncmp (*variable, "DTD_", 4) != 0) {
            continue;
        }
        const char *value = strchr (*variable, '=');
        size_t bytes = value ? (size_t) (value - *variable) - 4 : 0;
        char name[64];
        if (!value || bytes >= sizeof name) {
            return node_complain (why, "unknown environment variable %s", *variable);
        }
        for (size_t i = 0; i < bytes; i++) {
            char c = (*variable)[4 + i];
            name[i] = c == '_' ? '-' : (char) tolower ((unsigned char) c);
        }
        name[bytes] = 0;
        if (strcmp (name, "config") == 0) {
            *config_file = value + 1;
            continue;
        }
        int at = node_setting_find (name, bytes);
        if (at < 0) {
            return node_complain (
                why, "unknown environment variable DTD_%.*s; dtd --help lists the settings",
                (int) bytes, *variable + 4);
        }
        int rc = node_setting_set (texts, at, value + 1, NODE_SOURCE_ENVIRONMENT, why);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static bool s_read_switch (dtd_config_t *self, const char *flag)
{
    const struct {
        const char *name;
        bool *target;
    } switches[] = {
        {"check-config", &self->check_config},
        {"print-config", &self->print_config},
        {"help", &self->help},
        {"version", &self->version},
    };
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        if (strcmp (flag, switches[i].name) == 0) {
            *switches[i].target = true;
            return true;
        }
    }
    return false;
}

static int s_read_flags (dtd_config_t *self, node_texts_t *texts, int argc, char **argv,
                         const char **config_file, node_complaint_t *why)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp (argv[i], "--", 2) != 0) {
            return node_complain (why, "unexpected argument '%s'; see dtd --help", argv[i]);
        }
        const char *flag = argv[i] + 2;
        if (s_read_switch (self, flag)) {
            continue;
        }
        const char *equals = strchr (flag, '=');
        size_t bytes = equals ? (size_t) (equals - flag) : strlen (flag);
        bool is_config = bytes == 6 && strncmp (flag, "config", 6) == 0;
        int at = node_setting_find (flag, bytes);
        if (at < 0 && !is_config) {
            return node_complain (why, "unknown flag '%s'; dtd --help lists the settings", argv[i]);
        }
        if (!equals && i + 1 == argc) {
            return node_complain (why, "--%s needs a value", flag);
        }
        const char *value = equals ? equals + 1 : argv[++i];
        if (is_config) {
            *config_file = value;
        } else {
            int rc = node_setting_set (texts, at, value, NODE_SOURCE_FLAG, why);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

// Read one source over another: what a stronger source has set stays.
static int s_read_file_below (node_texts_t *texts, const char *path, node_complaint_t *why)
{
    node_texts_t file = {0};
    int rc = s_read_file (&file, path, why);
    for (int i = 0; i < NODE_SETTINGS; i++) {
        if (rc == 0 && file.values[i] && !texts->values[i]) {
            texts->values[i] = file.values[i];
            texts->sources[i] = NODE_SOURCE_FILE;
        } else {
            free (file.values[i]);
        }
    }
    return rc;
}

int dtd_config_load (dtd_config_t *self, int argc, char **argv)
{
    *self = (dtd_config_t){0};
    node_texts_t *texts = &self->texts;
    node_complaint_t why;
    const char *config_file = NULL;
    int rc = s_read_environment (texts, &config_file, &why);
    if (rc == 0) {
        rc = s_read_flags (self, texts, argc, argv, &config_file, &why);
    }
    if (rc == 0 && config_file) {
        rc = s_read_file_below (texts, config_file, &why);
    }
    if (rc == 0) {
        rc = node_config_load (&self->node, texts, &why);
    }
    if (rc != 0) {
        fprintf (stderr, "dtd: %s\n", why.text);
    }
    return rc;
}

void dtd_config_print (const dtd_config_t *self)
{
    static const char *const sources[] = {"default", "file", "environment", "flag"};
    for (int i = 0; i < NODE_SETTINGS; i++) {
        printf ("%-15s = %-32s # %s\n", node_setting_name (i), self->texts.values[i],
                sources[self->texts.sources[i]]);
    }
}

void dtd_config_help (void)
{
    printf (
        "usage: dtd [--config FILE] [--SETTING VALUE]...\n"
        "       dtd --check-config | --print-config | --help | --version\n\n"
        "Runs one node: keeps a tree of keys and values durably under data-dir and serves it to\n"
        "clients on ZeroMQ (docs/PROTOCOL.md). Stop it with SIGTERM: what it accepted is "
        "answered.\n\n"
        "A flag beats the environment (DTD_DATA_DIR for data-dir), that the file (ZPL: lines like\n"
        "`data-dir = /var/lib/dongting`), that the default.\n\nsettings:\n");
    for (int i = 0; i < NODE_SETTINGS; i++) {
        printf ("  --%-15s %s (%s%s)\n", node_setting_name (i), node_setting_help (i),
                *node_setting_preset (i) ? "default " : "default: empty", node_setting_preset (i));
    }
    printf ("\nexamples:\n"
            "  dtd --data-dir /var/lib/dongting\n"
            "  dtd --config /etc/dongting/dtd.zpl --log-level debug\n"
            "  dtd --node-id 1 --cluster-id 7 --data-dir ./1 --replicate tcp://127.0.0.1:9331 \\\n"
            "      --members \"1=tcp://127.0.0.1:9331,tcp://127.0.0.1:9332 "
            "2=tcp://127.0.0.1:9341,tcp://127.0.0.1:9342 ...\"\n"
            "  DTD_SERVICE=tcp://127.0.0.1:7000 dtd --data-dir ./a --groups 1,2\n"
            "\nexit codes: 0 stopped in order, 1 failed, 2 usage or configuration, 9 data corrupt, "
            "10 in use\n");
}

void dtd_config_deinit (dtd_config_t *self)
{
    node_texts_deinit (&self->texts);
    node_config_deinit (&self->node);
}
