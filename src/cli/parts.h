/* What this folder's files share. Private to it. */
#ifndef SL_CLI_PARTS_H
#define SL_CLI_PARTS_H

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/exit_codes.h"

/* argv[0] is the verb. */
typedef int cli_verb(struct sl_cli *cli, int argc, char **argv);

cli_verb cli_status; /* status.c */
cli_verb cli_stop;
cli_verb cli_view; /* view.c */
extern const char cli_view_help[];
cli_verb cli_process; /* process.c */
extern const char cli_process_help[];
cli_verb cli_openapi; /* describe.c */
cli_verb cli_errors;
cli_verb cli_new; /* new.c */
cli_verb cli_log; /* log.c */
extern const char cli_log_help[];
cli_verb cli_backup; /* backup.c */
extern const char cli_backup_help[];
cli_verb cli_restore; /* backup_restore.c */
extern const char cli_restore_help[];

/* Prints to stderr and returns SL_EXIT_USAGE. */
int cli_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A client for the server that the options name. 0, or an exit code, the reason printed. */
int cli_connect(const struct sl_cli *cli, struct sl_client **out);
/* Prints why a request failed: no answer, or an error's detail. Returns the exit code. */
int cli_failed(enum sl_err err, const struct sl_answer *answer, const struct sl_error *error);

/* The files of a new domain (skeleton.c): names and contents, in which @name@ and @id@ stand for
 * the domain's name, and for it as a C identifier. Ended by a NULL name. */
struct cli_skeleton_file {
    const char *name;
    const char *content;
};
extern const struct cli_skeleton_file cli_skeleton[];
void cli_fill_in(struct sl_buf *out, const char *text, const char *name);

#endif
