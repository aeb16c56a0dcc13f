/* `sluice log …`: what a log's files hold, and saving it. */
#include <stdio.h>
#include <string.h>

#include "cli/log_parts.h"

static const struct {
    const char *name;
    cli_verb *run;
} verbs[] = {
    {"stat", cli_log_stat}, {"verify", cli_log_verify},   {"scan", cli_log_scan},
    {"dump", cli_log_dump}, {"salvage", cli_log_salvage}, {"scavenge", cli_log_scavenge},
};

const char cli_log_help[] =
    "LOG is a domain's name, for the log in DATA/logs, or the folder of a log, with a '/' in it.\n"
    "Without it, all logs of DATA. These verbs read files alone: they need no server and, but for\n"
    "scavenge, change nothing in them and may run beside one.\n\n"
    "  sluice log stat [LOG] [--json]\n"
    "      what is there: events, streams, outcomes, segments, bytes, epochs, schemas\n"
    "  sluice log verify [LOG] [--json] [--memory MIB]\n"
    "      reads all of it and checks everything: checksums, the chain of batches, positions,\n"
    "      revisions of each stream, bodies against their schemas. Exit code 13, with file and\n"
    "      offset, where something is damaged. It takes at most 256 MiB for the revisions of\n"
    "      streams, or as --memory says, and reads the log once more where that is too little\n"
    "  sluice log scan [LOG] [--from P] [--until P] [--stream S] [--tag T | --by NAME]\n"
    "                  [--backwards] [--limit N]\n"
    "      events as JSON lines, positions from P on and below the other P, read by the\n"
    "      schemas in the log itself. Several logs come one after the other,\n"
    "      each line with its log's name\n"
    "  sluice log dump [LOG] [--segment N] [--json]\n"
    "      segments, batches and frames as they lie in the files, with offsets and checksums, and\n"
    "      what can be recognised behind damage\n"
    "  sluice log salvage [LOG] --to DIR [--json]\n"
    "      copies all that is whole of a damaged log, in order and up to the damage, to\n"
    "      DIR/logs/NAME, which is a data folder then; says what is lost. Never changes the\n"
    "      damaged folder\n"
    "  sluice log scavenge [LOG] [--older-than SPAN] [--before P] [--type NAME] [--dry-run]\n"
    "                      [--json]\n"
    "      takes the bodies of old events out of sealed segments, of such types as the domain\n"
    "      says are of passing use, and leaves stones with their hashes: positions and revisions\n"
    "      stay. SPAN (90d, 12h) keeps for longer than the domain says, P keeps from there on.\n"
    "      The server must be stopped. --dry-run tells what would go\n\n"
    "--progress shows how far it is also where stderr is no terminal.";

int cli_log(struct sl_cli *cli, int argc, char **argv)
{
    if (argc < 2)
        return cli_wrong("log needs a verb: stat, verify, scan, dump, salvage or scavenge");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].name, argv[1]) != 0)
            continue;
        if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
            puts(cli_log_help);
            return SL_EXIT_OK;
        }
        return verbs[i].run(cli, argc - 1, argv + 1);
    }
    return cli_wrong("log has no verb %s: there are stat, verify, scan, dump, "
                     "salvage, scavenge", argv[1]);
}
