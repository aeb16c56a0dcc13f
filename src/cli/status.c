/* What a running server does, and stopping it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/log_parts.h"
#include "cli/parts.h"
#include "record/json.h"

enum { STOP_SECONDS_MAX = 30 };

struct document {
    struct sl_json_parser *parser;
    struct sl_arena arena;
    struct sl_text json;
};

/* The value at a path, such as "domains.0.name"; empty where there is none. */
static struct sl_text find(struct document *document, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct sl_text find(struct document *document, const char *format, ...)
{
    struct sl_text value = {"", 0};
    char path[128];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    if (sl_json_find(document->parser, document->json, path, &document->arena, &value) != SL_OK)
        value = (struct sl_text){"", 0};
    return value;
}

static unsigned long long number(struct sl_text text)
{
    char digits[32] = "";

    memcpy(digits, text.ptr, text.len < sizeof digits - 1 ? text.len : sizeof digits - 1);
    return strtoull(digits, NULL, 10);
}

#define TEXT(...) (int)find(__VA_ARGS__).len, find(__VA_ARGS__).ptr

static void print_duration(unsigned long long seconds)
{
    if (seconds < 120)
        printf("%llu s", seconds);
    else if (seconds < 7200)
        printf("%llu min", seconds / 60);
    else if (seconds < 172800)
        printf("%llu h", seconds / 3600);
    else
        printf("%llu days", seconds / 86400);
}

static void print_view(struct document *d, size_t domain, size_t view)
{
    const struct sl_text why = find(d, "domains.%zu.views.%zu.why", domain, view);

    printf("  view %-20.*s %-9.*s position %llu, stored %llu, %llu rows in memory\n",
           TEXT(d, "domains.%zu.views.%zu.name", domain, view),
           TEXT(d, "domains.%zu.views.%zu.state", domain, view),
           number(find(d, "domains.%zu.views.%zu.position", domain, view)),
           number(find(d, "domains.%zu.views.%zu.stored", domain, view)),
           number(find(d, "domains.%zu.views.%zu.rows_in_memory", domain, view)));
    if (why.len > 0)
        printf("       %.*s\n", (int)why.len, why.ptr);
}

static void print_domain(struct document *d, size_t i)
{
    const struct sl_text why = find(d, "domains.%zu.failed_why", i);

    printf("\n%.*s: %llu events; since the start %llu commands accepted, %llu refused, %llu "
           "repeated; half of them within %llu µs, 99 %% within %llu µs\n",
           TEXT(d, "domains.%zu.name", i), number(find(d, "domains.%zu.position", i)),
           number(find(d, "domains.%zu.accepted", i)), number(find(d, "domains.%zu.refused", i)),
           number(find(d, "domains.%zu.repeated", i)),
           number(find(d, "domains.%zu.command_p50_us", i)),
           number(find(d, "domains.%zu.command_p99_us", i)));
    if (why.len > 0)
        printf("  THE LOG FAILED: %.*s\n", (int)why.len, why.ptr);
    for (size_t v = 0; find(d, "domains.%zu.views.%zu.name", i, v).len > 0; v++)
        print_view(d, i, v);
}

static void print_status(struct document *d)
{
    printf("sluice %.*s, %s, up ", TEXT(d, "version"),
           sl_text_equals(find(d, "ready"), SL_TEXT("true")) ? "ready" : "starting");
    print_duration(number(find(d, "uptime_s")));
    printf(", process %llu, %llu MiB, %llu connections, data in %.*s\n", number(find(d, "pid")),
           number(find(d, "memory_bytes")) >> 20, number(find(d, "connections")), TEXT(d, "data"));
    for (size_t i = 0; find(d, "domains.%zu.name", i).len > 0; i++)
        print_domain(d, i);
}

static int show(struct sl_text json)
{
    struct document document = {.json = json};

    if (sl_json_parser_new(&document.parser) != SL_OK)
        return SL_EXIT_FAILED;
    print_status(&document);
    sl_arena_close(&document.arena);
    sl_json_parser_free(document.parser);
    return SL_EXIT_OK;
}

int cli_status(struct sl_cli *cli, int argc, char **argv)
{
    const bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
    struct sl_client *client = NULL;
    struct sl_answer answer = {0};
    struct sl_error error = {0};

    if (argc > 1 && !json)
        return cli_wrong("status takes --json or nothing");
    int code = cli_connect(cli, &client);
    if (code != SL_EXIT_OK)
        return code;
    const enum sl_err err = sl_client_get(client, "/admin/status", SL_TEXT(""), 0, &answer, &error);
    if (err != SL_OK || answer.status != 200)
        code = cli_failed(err, &answer, &error);
    else if (json)
        printf("%.*s\n", (int)answer.body.len, answer.body.ptr);
    else
        code = show(answer.body);
    sl_client_free(client);
    return code;
}

/* Until the folder is free: whoever starts another server on it then gets it. Of a server elsewhere
 * only that it was told is known. */
static int wait_for_end(const struct sl_cli *cli)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    struct sl_error error = {0};
    struct sl_env *env;
    bool is_there = true;

    if (cli->url)
        return SL_EXIT_OK;
    if (sl_env_posix_new(&env, &error) != SL_OK) {
        fprintf(stderr, "sluice: %s\n", error.message);
        return SL_EXIT_FAILED;
    }
    for (int i = 0; i < STOP_SECONDS_MAX * 100 && is_there; i++) {
        is_there = cli_is_locked(env, cli->data, "sluice.lock");
        if (is_there)
            (void)nanosleep(&pause, NULL);
    }
    sl_env_free(env);
    if (is_there)
        fprintf(stderr, "sluice: the server was told to stop, and is still at it after %d s\n",
                STOP_SECONDS_MAX);
    return is_there ? SL_EXIT_FAILED : SL_EXIT_OK;
}

int cli_stop(struct sl_cli *cli, int argc, char **argv)
{
    struct sl_client *client = NULL;
    struct sl_answer answer = {0};
    struct sl_error error = {0};

    (void)argv;
    if (argc > 1)
        return cli_wrong("stop takes nothing");
    int code = cli_connect(cli, &client);
    if (code != SL_EXIT_OK)
        return code;
    const enum sl_err err =
        sl_client_post(client, "/admin/shutdown", SL_TEXT(""), SL_TEXT(""), 0, &answer, &error);
    if (err != SL_OK || answer.status != 202)
        code = cli_failed(err, &answer, &error);
    sl_client_free(client);
    return code == SL_EXIT_OK ? wait_for_end(cli) : code;
}
