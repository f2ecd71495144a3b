// lin_check - is what clients saw linearizable?
//
// usage: lin_check FILE...   (format: lin_history.h)
//
// Prints a verdict per file, and for a bad one the operations that show it. Exit code: 0 all are
// linearizable, 1 some is not, 2 some could not be decided or read, and none is known to be bad.

#include <stdio.h>
#include <string.h>

#include "tests/lin/lin_judge.h"

static int s_check_file (const char *path)
{
    lin_history_t history;
    lin_history_init (&history);
    size_t line;
    const char *why;
    int code = 2;
    if (lin_history_load (&history, path, &line, &why)) {
        fprintf (stderr, "lin_check: %s: line %zu: %s\n", path, line, why);
    } else {
        lin_wgl_limits_t limits;
        lin_wgl_limits_init (&limits);
        lin_judge_t judge = lin_judge (&history, &limits);
        lin_judge_print (&judge, &history, path, &limits, stdout);
        code = judge.verdict == LIN_GOOD ? 0 : judge.verdict == LIN_BAD ? 1 : 2;
    }
    lin_history_deinit (&history);
    return code;
}

int main (int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '-') {
        fprintf (stderr, "usage: lin_check FILE...\n");
        return 2;
    }
    int worst = 0;
    for (int i = 1; i < argc; i++) {
        int code = s_check_file (argv[i]);
        worst = code == 1 || worst == 1 ? 1 : code > worst ? code : worst;
    }
    return worst;
}
