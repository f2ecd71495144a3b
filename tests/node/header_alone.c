// Compiled without the house's include path: dt_server.h needs nothing else.
#include "dt_server.h"

int header_alone (void);

int header_alone (void)
{
    return DT_SERVER_OK;
}
