// dtd_config - where the settings of dtd come from.
//
// A flag (--data-dir DIR) beats the environment (DTD_DATA_DIR), that beats the file (ZPL: data-dir
// = DIR), that beats the default. Unknown flags, unknown DTD_* variables and unknown keys are
// refused. What settings there are: node/node_config.h.

#ifndef DTD_CONFIG_H
#define DTD_CONFIG_H

#include "dtkv/node/node_config.h"

typedef struct {
    node_config_t node;
    node_texts_t texts; // each setting as given and its source
    bool check_config;  // say whether the configuration is good and exit
    bool print_config;  // print it with its sources and exit
    bool help, version; // print and exit
} dtd_config_t;

// Read all sources. DT_ERR_USAGE: something is wrong; said on standard error, with the remedy.
int dtd_config_load (dtd_config_t *self, int argc, char **argv);

// Print every setting, its value and where it came from.
void dtd_config_print (const dtd_config_t *self);

// Print the help text.
void dtd_config_help (void);

void dtd_config_deinit (dtd_config_t *self);

#endif // DTD_CONFIG_H
