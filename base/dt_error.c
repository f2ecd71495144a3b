#include "base/dt_error.h"

const char *dt_error_name (int rc)
{
    switch (rc) {
    case 0:
        return "OK";
#define DT_ERROR_NAME(name, number, text)                                                          \
    case -(number):                                                                                \
        return #name;
        DT_ERROR_TABLE (DT_ERROR_NAME)
#undef DT_ERROR_NAME
    default:
        return "UNKNOWN";
    }
}

const char *dt_error_text (int rc)
{
    switch (rc) {
    case 0:
        return "success";
#define DT_ERROR_TEXT(name, number, text)                                                          \
    case -(number):                                                                                \
        return text;
        DT_ERROR_TABLE (DT_ERROR_TEXT)
#undef DT_ERROR_TEXT
    default:
        return "unknown error";
    }
}
