// Text of a history: what is taken prints and reads back as the same, and is judged without harm.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "tests/lin/lin_judge.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

static char *s_print (const lin_history_t *history, size_t *bytes)
{
    char *text = NULL;
    FILE *out = open_memstream (&text, bytes);
    dt_assert (out != NULL);
    lin_history_print (history, out);
    fclose (out);
    return text;
}

static void s_check_round_trip (const lin_history_t *history)
{
    size_t bytes, again_bytes, line;
    const char *why;
    char *text = s_print (history, &bytes);
    lin_history_t again;
    lin_history_init (&again);
    dt_assert (lin_history_parse (&again, text, bytes, &line, &why) == 0);
    char *text_again = s_print (&again, &again_bytes);
    dt_assert (bytes == again_bytes);
    dt_assert (memcmp (text, text_again, bytes) == 0);
    lin_history_deinit (&again);
    free (text);
    free (text_again);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    lin_history_t history;
    lin_history_init (&history);
    size_t line;
    const char *why = NULL;
    if (lin_history_parse (&history, (const char *) data, bytes, &line, &why) == 0) {
        s_check_round_trip (&history);
        lin_wgl_limits_t limits = {.memory_bytes_max = 1 << 20, .steps_max = 10000};
        lin_judge_t judge = lin_judge (&history, &limits);
        FILE *nowhere = fopen ("/dev/null", "w");
        lin_judge_print (&judge, &history, "fuzz", &limits, nowhere);
        fclose (nowhere);
    } else {
        dt_assert (why != NULL);
    }
    lin_history_deinit (&history);
    return 0;
}
