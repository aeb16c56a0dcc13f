/* What this program knows without a server: its domains as OpenAPI, and errors. */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/problem.h"
#include "cli/parts.h"

int cli_openapi(struct sl_cli *cli, int argc, char **argv)
{
    const struct sl_domain *const *domains = NULL;
    struct sl_buf out = {0};
    size_t count = 0;

    (void)argv;
    if (argc > 1)
        return cli_wrong("openapi takes nothing");
    int code = cli->domains(cli->config, &domains, &count);
    if (code != SL_EXIT_OK)
        return code;
    sl_api_write_openapi(&out, domains, count);
    if (out.failed)
        code = SL_EXIT_FAILED;
    else
        printf("%.*s\n", (int)out.len, (const char *)out.ptr);
    sl_buf_close(&out);
    return code;
}

static int print_rule(const char *name)
{
    const struct sl_rule *rule = sl_rule_find((struct sl_text){name, strlen(name)});

    if (!rule) {
        printf(
            "%s is none of Sluice's own rules: a domain refused by it. The error's `detail` says "
            "why;\na new command with a new id may be accepted, the same id gets the same "
            "refusal.\n",
            name);
        return SL_EXIT_OK;
    }
    printf("%s (%d): %s\n\n%s\n\nWhat to do: %s\n", rule->name, rule->status, rule->title,
           rule->meaning, rule->advice);
    return SL_EXIT_OK;
}

int cli_errors(struct sl_cli *cli, int argc, char **argv)
{
    const struct sl_rule *rule;

    (void)cli;
    if (argc > 2)
        return cli_wrong("errors takes one rule, or nothing");
    if (argc == 2)
        return print_rule(argv[1]);
    for (size_t i = 0; (rule = sl_rule_at(i)); i++)
        printf("%-24s %d  %s\n", rule->name, rule->status, rule->title);
    return SL_EXIT_OK;
}
