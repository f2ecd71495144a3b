#include "dtkv/core/dtkv_result.h"

const char *dtkv_result_name (int code)
{
    switch (code) {
#define DTKV_RESULT_NAME(name, number, text)                                                       \
    case number:                                                                                   \
        return #name;
        DTKV_RESULT_TABLE (DTKV_RESULT_NAME)
#undef DTKV_RESULT_NAME
    default:
        return "UNKNOWN";
    }
}

const char *dtkv_result_text (int code)
{
    switch (code) {
#define DTKV_RESULT_TEXT(name, number, text)                                                       \
    case number:                                                                                   \
        return text;
        DTKV_RESULT_TABLE (DTKV_RESULT_TEXT)
#undef DTKV_RESULT_TEXT
    default:
        return "unknown result";
    }
}
