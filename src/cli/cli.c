#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/parts.h"
#include "record/json.h"

static cli_verb cli_check;

static const struct verb {
    const char *name;
    const char *arguments;
    const char *help;
    const char *more;
    cli_verb *run; /* NULL: serve, help */
} verbs[] = {
    {"serve", "[--port N] [--data DIR] …", "starts the server", "Its options: sluice serve --help",
     NULL},
    {"status", "[--json]", "what a running server does",
     "Asks over DATA/sluice.sock, or the address that --url names.\n"
     "--json prints all there is, as the server says it.",
     cli_status},
    {"stop", "", "stops a running server when all was answered; waits for its end", "", cli_stop},
    {"view", "VERB [DOMAIN/VIEW] …", "views of a running server: list, status, retry, skip",
     cli_view_help, cli_view},
    {"process", "VERB [DOMAIN/PROCESS] …", "its processes: list, status, retry, skip",
     cli_process_help, cli_process},
    {"log", "VERB [LOG] …", "what the logs' files hold: stat, verify, scan, dump, salvage",
     cli_log_help, cli_log},
    {"backup", "DIR [--json] [--verify]", "copies all logs, also while the server runs",
     cli_backup_help, cli_backup},
    {"restore", "DIR --data NEW [--json]", "makes a data folder out of a backup", cli_restore_help,
     cli_restore},
    {"new", "NAME", "writes the skeleton of a domain, which builds and passes its specification",
     "NAME becomes a folder here: a domain with a command, an event, a view and its\n"
     "specification, a meson.build, and a README that says how to build and run it.",
     cli_new},
    {"check", "FILE.so", "runs the specifications of a domain in a shared object; needs no server",
     "Speaks TAP; the exit code is 1 where one failed.", cli_check},
    {"openapi", "", "prints the OpenAPI document of all domains; needs no server", "", cli_openapi},
    {"errors", "[RULE]", "what errors mean, and what to do; needs no server", "", cli_errors},
    {"help", "[VERB]", "this text, or more about a verb", "", NULL},
};

enum { VERBS = sizeof verbs / sizeof *verbs };

int cli_wrong(const char *format, ...)
{
    va_list arguments;

    fputs("sluice: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs(" (sluice --help says what there is)\n", stderr);
    return SL_EXIT_USAGE;
}

/* ---- Speaking to a server ------------------------------------------------------------------ */

int cli_connect(const struct sl_cli *cli, struct sl_client **out)
{
    struct sl_client_options options = {.token = cli->token};
    struct sl_error error = {0};
    char host[256];
    char socket[1024];

    if (cli->url) {
        if (!sl_client_url(cli->url, host, &options.port, &options.tls))
            return cli_wrong("%s is no address like http://127.0.0.1:7070", cli->url);
        if (cli->ca && !options.tls)
            return cli_wrong("--ca is for an address that begins with https://");
        options.host = host;
        options.ca = cli->ca;
    } else {
        snprintf(socket, sizeof socket, "%s/sluice.sock", cli->data);
        options.socket = socket;
    }
    if (sl_client_new(&options, out, &error) == SL_OK)
        return SL_EXIT_OK;
    fprintf(stderr, "sluice: %s\n", error.message);
    return SL_EXIT_FAILED;
}

static void print_detail(struct sl_text body)
{
    struct sl_json_parser *parser = NULL;
    struct sl_arena arena = {0};
    struct sl_text text;

    if (sl_json_parser_new(&parser) != SL_OK)
        return;
    if (sl_json_find(parser, body, "detail", &arena, &text) == SL_OK ||
        sl_json_find(parser, body, "title", &arena, &text) == SL_OK)
        fprintf(stderr, ": %.*s", (int)text.len, text.ptr);
    if (sl_json_find(parser, body, "rule", &arena, &text) == SL_OK)
        fprintf(stderr, " (sluice errors %.*s)", (int)text.len, text.ptr);
    sl_arena_close(&arena);
    sl_json_parser_free(parser);
}

int cli_failed(enum sl_err err, const struct sl_answer *answer, const struct sl_error *error)
{
    if (err != SL_OK) {
        fprintf(stderr, "sluice: %s\n", error->message);
        return err == SL_IO || err == SL_NOT_FOUND ? SL_EXIT_NO_SERVER : SL_EXIT_FAILED;
    }
    fprintf(stderr, "sluice: the server answered %d", answer->status);
    print_detail(answer->body);
    fputc('\n', stderr);
    return SL_EXIT_REFUSED;
}

/* ---- Help ---------------------------------------------------------------------------------- */

static void print_help(void)
{
    puts("sluice " SL_VERSION ": a CQRS and event-sourcing server\n\n"
         "  sluice [options] VERB …\n  sluice [options] DOMAIN VERB …\n");
    for (size_t i = 0; i < VERBS; i++)
        printf("  %-8s %-26s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].help);
    puts(
        "\nOptions:\n"
        "  --data DIR      whose server is spoken to, over DIR/sluice.sock (default: data)\n"
        "  --url URL       or its address, such as http://127.0.0.1:7070 or https://shop.example\n"
        "  --ca FILE       with https: who may have signed the server's certificate (PEM); may be\n"
        "                  the certificate itself (default: whom this machine trusts)\n"
        "  --token TOKEN   who asks; else the environment's SLUICE_TOKEN\n"
        "  --config FILE   for domains in shared objects (default: sluice.conf, if it is there)\n"
        "  --version       the version\n\n"
        "A domain's own verbs: sluice help DOMAIN\n\n"
        "Exit codes: 0 done; 1 failed; 2 wrong usage; 10 wrong configuration; 11 the port is "
        "taken;\n"
        "12 another server has the data; 13 damaged data; 14 no server answers; 15 the server "
        "refused.");
}

static const struct sl_domain *find_domain(const struct sl_cli *cli, const char *name,
                                           int *out_code)
{
    const struct sl_domain *const *domains = NULL;
    size_t count = 0;

    *out_code = cli->domains(cli->config, &domains, &count);
    for (size_t i = 0; *out_code == SL_EXIT_OK && i < count; i++)
        if (strcmp(domains[i]->name, name) == 0)
            return domains[i];
    return NULL;
}

static void print_domain_help(const struct sl_domain *domain)
{
    printf("%s: %s\n\n", domain->name, domain->title ? domain->title : "a domain");
    if (domain->verbs.count == 0)
        puts("It has no verbs of its own; use its commands and views over HTTP or RESP.");
    for (size_t i = 0; i < domain->verbs.count; i++)
        printf("  sluice %s %s %s\n      %s\n", domain->name, domain->verbs.items[i].name,
               domain->verbs.items[i].arguments ? domain->verbs.items[i].arguments : "",
               domain->verbs.items[i].help ? domain->verbs.items[i].help : "");
}

static int help(const struct sl_cli *cli, int argc, char **argv)
{
    int code = SL_EXIT_OK;

    if (argc < 2) {
        print_help();
        return SL_EXIT_OK;
    }
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(argv[1], verbs[i].name) != 0)
            continue;
        printf("sluice %s %s\n\n%s.\n%s\n", verbs[i].name, verbs[i].arguments, verbs[i].help,
               verbs[i].more);
        return SL_EXIT_OK;
    }
    const struct sl_domain *domain = find_domain(cli, argv[1], &code);
    if (domain)
        print_domain_help(domain);
    else if (code == SL_EXIT_OK)
        code = cli_wrong("there is no verb and no domain %s", argv[1]);
    return code;
}

static int cli_check(struct sl_cli *cli, int argc, char **argv)
{
    if (argc != 2)
        return cli_wrong("check takes a shared object");
    return cli->check(argv[1]);
}

/* ---- A domain's verbs ---------------------------------------------------------------------- */

static int run_domain(struct sl_cli *cli, int argc, char **argv)
{
    int code = SL_EXIT_OK;
    const struct sl_domain *domain = find_domain(cli, argv[0], &code);
    struct sl_client *client = NULL;

    if (!domain)
        return code != SL_EXIT_OK ? code : cli_wrong("there is no verb and no domain %s", argv[0]);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_domain_help(domain);
        return argc < 2 ? SL_EXIT_USAGE : SL_EXIT_OK;
    }
    for (size_t i = 0; i < domain->verbs.count; i++) {
        if (strcmp(domain->verbs.items[i].name, argv[1]) != 0)
            continue;
        code = cli_connect(cli, &client);
        if (code == SL_EXIT_OK)
            code = domain->verbs.items[i].run(client, argc - 1, argv + 1);
        sl_client_free(client);
        return code;
    }
    return cli_wrong("%s has no verb %s; see: sluice help %s", domain->name, argv[1], domain->name);
}

/* ---- The command line ---------------------------------------------------------------------- */

/* Takes the options that all verbs share out of the words, wherever they stand before a "--", and
 * puts the others together. Returns how many are left, 0 for an error that was printed. */
static int read_options(struct sl_cli *cli, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **target;
    } table[] = {{"--data", &cli->data},
                 {"--url", &cli->url},
                 {"--ca", &cli->ca},
                 {"--token", &cli->token},
                 {"--config", &cli->config}};
    int kept = 1;

    for (int at = 1; at < argc; at++) {
        const char **target = NULL;
        const size_t len = strcspn(argv[at], "=");
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
            if (strlen(table[i].name) == len && strncmp(argv[at], table[i].name, len) == 0)
                target = table[i].target;
        if (strcmp(argv[at], "--") == 0 || strcmp(argv[at], "serve") == 0) {
            while (at < argc) /* what follows is the verb's own */
                argv[kept++] = argv[at++];
        } else if (!target) {
            argv[kept++] = argv[at];
        } else if (argv[at][len] == '=') {
            *target = argv[at] + len + 1;
        } else if (at + 1 < argc) {
            *target = argv[++at];
        } else {
            cli_wrong("no value for %s", argv[at]);
            return 0;
        }
    }
    return kept;
}

static bool is_word(const char *argument, const char *a, const char *b)
{
    return strcmp(argument, a) == 0 || strcmp(argument, b) == 0;
}

int sl_cli_run(struct sl_cli *cli, int argc, char **argv)
{
    cli->data = "data";
    cli->token = getenv("SLUICE_TOKEN"); /* NOLINT(concurrency-mt-unsafe): before any thread */
    if (argc < 2 || is_word(argv[1], "--help", "-h")) {
        print_help();
        return argc < 2 ? SL_EXIT_USAGE : SL_EXIT_OK;
    }
    if (is_word(argv[1], "--version", "version")) {
        puts("sluice " SL_VERSION);
        return SL_EXIT_OK;
    }
    argc = read_options(cli, argc, argv);
    if (argc < 2)
        return argc == 0 ? SL_EXIT_USAGE : cli_wrong("no verb");
    argc--;
    argv++;
    if (strcmp(argv[0], "serve") == 0)
        return cli->serve(argc, argv);
    if (strcmp(argv[0], "help") == 0)
        return help(cli, argc, argv);
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(argv[0], verbs[i].name) != 0)
            continue;
        if (argc > 1 && is_word(argv[1], "--help", "-h")) {
            char *words[] = {argv[0], argv[0]};
            return help(cli, 2, words);
        }
        return verbs[i].run(cli, argc, argv);
    }
    if (argv[0][0] == '-')
        return cli_wrong("unknown option %s", argv[0]);
    return run_domain(cli, argc, argv);
}
