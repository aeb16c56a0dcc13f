/* What the verbs about views share. Private to this folder. */
#ifndef SL_CLI_VIEW_PARTS_H
#define SL_CLI_VIEW_PARTS_H

#include "cli/parts.h"

cli_verb cli_view_rebuild; /* view_rebuild.c; argv[1] is "rebuild" */

/* DOMAIN/VIEW, of characters that go into a path as they are? */
bool cli_is_view_name(const char *name);

#endif
