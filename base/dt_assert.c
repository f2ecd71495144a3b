#include "base/dt_assert.h"

#include <stdio.h>
#include <stdlib.h>

void dt_assert_fail (const char *condition, const char *file, int line, const char *function)
{
    fprintf (stderr, "assertion failed: %s (%s:%d in %s)\n", condition, file, line, function);
    fflush (stderr);
    abort ();
}
