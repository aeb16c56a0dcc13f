/* Processes of a running server: where they are, and having one that stands still go on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/parts.h"
#include "cli/view_parts.h"
#include "record/json.h"

const char cli_process_help[] =
    "  list                                 all processes, a line each\n"
    "  status [DOMAIN/PROCESS] [--json]     more of each, or of one; exit code 1 where one is\n"
    "                                       stuck\n"
    "  retry DOMAIN/PROCESS                 tries the event, or the commands, again at once\n"
    "  skip DOMAIN/PROCESS                  goes on behind the event; the log says so\n"
    "A process is degraded when its reaction to an event failed, or the event cannot be read, and\n"
    "waiting while a command of it is not taken. skip: a reaction that failed is left out, so\n"
    "that the instance does not see the event; commands that were not taken are given up and\n"
    "never sent again, though the instance goes on as if they had been.";

struct processes {
    struct sl_json_parser *parser;
    struct sl_arena arena;
    struct sl_text json;
    const char *wanted; /* DOMAIN/PROCESS; NULL: all */
    bool brief;
    bool as_json;
    unsigned shown;
    unsigned stuck;
};

static struct sl_text at(struct processes *all, size_t domain, size_t process, const char *name)
{
    struct sl_text value = {"", 0};
    char path[96];

    if (process == SIZE_MAX)
        snprintf(path, sizeof path, "domains.%zu.%s", domain, name);
    else
        snprintf(path, sizeof path, "domains.%zu.processes.%zu%s%s", domain, process,
                 name[0] ? "." : "", name);
    if (sl_json_find(all->parser, all->json, path, &all->arena, &value) != SL_OK)
        value = (struct sl_text){"", 0};
    return value;
}

#define TEXT(text) (int)(text).len, (text).ptr

static void show_trouble(struct processes *all, size_t domain, size_t process)
{
    const struct sl_text since = at(all, domain, process, "since");
    const struct sl_text instance = at(all, domain, process, "instance");
    const struct sl_text command = at(all, domain, process, "command");
    const struct sl_text why = at(all, domain, process, "why");

    if (since.len > 0)
        printf("  since %.*s, tried %.*s times\n", TEXT(since),
               TEXT(at(all, domain, process, "tries")));
    if (instance.len > 0)
        printf("  instance: %.*s\n", TEXT(instance));
    if (command.len > 0)
        printf("  not taken: %.*s\n", TEXT(command));
    if (why.len > 0)
        printf("  why: %.*s\n", TEXT(why));
}

static void show(struct processes *all, size_t domain, size_t process)
{
    const struct sl_text domain_name = at(all, domain, SIZE_MAX, "name");
    const struct sl_text name = at(all, domain, process, "name");
    const struct sl_text state = at(all, domain, process, "state");
    const struct sl_text json = at(all, domain, process, "");
    char full[192];

    snprintf(full, sizeof full, "%.*s/%.*s", TEXT(domain_name), TEXT(name));
    if (all->wanted && strcmp(all->wanted, full) != 0)
        return;
    if (all->as_json)
        printf("%s{\"domain\":\"%.*s\",%.*s", all->shown > 0 ? ",\n " : "", TEXT(domain_name),
               (int)json.len - 1, json.ptr + 1);
    else if (all->brief)
        printf("%-32s %-9.*s %.*s\n", full, TEXT(state),
               TEXT(at(all, domain, process, "position")));
    else
        printf("%s: %.*s\n  position %.*s of %.*s, %.*s commands under way, %.*s timers\n", full,
               TEXT(state), TEXT(at(all, domain, process, "position")),
               TEXT(at(all, domain, SIZE_MAX, "position")),
               TEXT(at(all, domain, process, "commands")),
               TEXT(at(all, domain, process, "timers")));
    if (!all->as_json && !all->brief)
        show_trouble(all, domain, process);
    all->shown++;
    all->stuck += sl_text_equals(at(all, domain, process, "stuck"), SL_TEXT("true"));
}

static int show_all(struct processes *all)
{
    if (all->as_json)
        putchar('[');
    for (size_t d = 0; at(all, d, SIZE_MAX, "name").len > 0; d++)
        for (size_t p = 0; at(all, d, p, "name").len > 0; p++)
            show(all, d, p);
    if (all->as_json)
        puts("]");
    if (all->wanted && all->shown == 0) {
        fprintf(stderr, "sluice: there is no process %s; see: sluice process list\n", all->wanted);
        return SL_EXIT_REFUSED;
    }
    return all->brief || all->stuck == 0 ? SL_EXIT_OK : SL_EXIT_FAILED;
}

static int ask(struct sl_client *client, struct processes *all)
{
    struct sl_answer answer = {0};
    struct sl_error error = {0};
    const enum sl_err err = sl_client_get(client, "/admin/status", SL_TEXT(""), 0, &answer, &error);

    if (err != SL_OK || answer.status != 200)
        return cli_failed(err, &answer, &error);
    if (sl_json_parser_new(&all->parser) != SL_OK)
        return SL_EXIT_FAILED;
    all->json = answer.body;
    const int code = show_all(all);
    sl_arena_close(&all->arena);
    sl_json_parser_free(all->parser);
    return code;
}

static int mend(struct sl_client *client, const char *verb, const char *process)
{
    struct sl_answer answer = {0};
    struct sl_error error = {0};
    char path[256];

    snprintf(path, sizeof path, "/admin/processes/%s?process=%s", verb, process);
    const enum sl_err err =
        sl_client_post(client, path, SL_TEXT(""), SL_TEXT(""), 0, &answer, &error);
    if (err != SL_OK || answer.status >= 300)
        return cli_failed(err, &answer, &error);
    return SL_EXIT_OK;
}

int cli_process(struct sl_cli *cli, int argc, char **argv)
{
    struct processes all = {0};
    struct sl_client *client = NULL;
    const char *verb = argc > 1 ? argv[1] : "";

    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 && strcmp(verb, "status") == 0)
            all.as_json = true;
        else if (!all.wanted && strcmp(verb, "list") != 0 && cli_is_view_name(argv[i]))
            all.wanted = argv[i];
        else
            return cli_wrong("process %s does not take %s", verb, argv[i]);
    }
    all.brief = strcmp(verb, "list") == 0;
    const bool mends = strcmp(verb, "retry") == 0 || strcmp(verb, "skip") == 0;
    if (!all.brief && !mends && strcmp(verb, "status") != 0)
        return cli_wrong("process takes list, status, retry or skip");
    if (mends && !all.wanted)
        return cli_wrong("process %s takes DOMAIN/PROCESS", verb);
    int code = cli_connect(cli, &client);
    if (code == SL_EXIT_OK)
        code = mends ? mend(client, verb, all.wanted) : ask(client, &all);
    sl_client_free(client);
    return code;
}
