// The switch of the planted bugs.

#include <stddef.h>

#include "base/dt_planted.h"

#define DT_PLANTED_NAME(NAME, name) name,
unsigned dt_planted_bug = DT_PLANTED_NONE;
const char *const dt_planted_names[] = {NULL, DT_PLANTED_TABLE (DT_PLANTED_NAME)};
