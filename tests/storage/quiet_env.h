// quiet_env - an env for storage tests: a clock that counts, entropy from a seed, the last log
// lines kept for the test to look at.

#ifndef QUIET_ENV_H
#define QUIET_ENV_H

#include <stdbool.h>

#include "base/dt_env.h"

// Make the env; also forgets the lines.
void quiet_env_init (dt_env_t *env);

// Was a line logged that holds `text`?
bool quiet_env_said (const char *text);

// All lines so far, for messages of failing tests.
const char *quiet_env_lines (void);

#endif // QUIET_ENV_H
