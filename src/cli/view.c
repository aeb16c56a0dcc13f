/* Views of a running server: what they do, and letting one that stands still try again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/parts.h"
#include "cli/view_parts.h"
#include "record/json.h"

const char cli_view_help[] =
    "  list                                 all views, a line each: DOMAIN/VIEW, state, position\n"
    "  status [DOMAIN/VIEW] [--json] [--digest]\n"
    "                                       more of each, or of one; exit code 1 where one is not\n"
    "                                       running; --digest reads all its rows: the same log\n"
    "                                       gives the same digest at the same position\n"
    "  rebuild DOMAIN/VIEW … [--no-wait]\n"
    "                                       builds views anew beside the old ones, with one scan\n"
    "                                       of each log, and puts them in their places\n"
    "  retry DOMAIN/VIEW                    a degraded view tries its event again\n"
    "  skip DOMAIN/VIEW                     a degraded view goes on without its event; the log\n"
    "                                       says so, and a rebuild that fails there skips it, too\n"
    "A view is degraded when its projection failed twice on an event: it stays there, answers\n"
    "with the rows that it has, and refuses whoever waits for a later position.";

/* ---- What the server says ------------------------------------------------------------------ */

struct views {
    struct sl_json_parser *parser;
    struct sl_arena arena;
    struct sl_text json;
    const char *wanted; /* DOMAIN/VIEW; NULL: all */
    bool brief;
    bool as_json;
    bool digests;
    struct sl_client *client;
    unsigned shown;
    unsigned standing; /* of the shown ones, not running */
};

static struct sl_text at(struct views *views, size_t domain, size_t view, const char *name)
{
    struct sl_text value = {"", 0};
    char path[96];

    if (view == SIZE_MAX)
        snprintf(path, sizeof path, "domains.%zu.%s", domain, name);
    else
        snprintf(path, sizeof path, "domains.%zu.views.%zu%s%s", domain, view, name[0] ? "." : "",
                 name);
    if (sl_json_find(views->parser, views->json, path, &views->arena, &value) != SL_OK)
        value = (struct sl_text){"", 0};
    return value;
}

#define TEXT(text) (int)(text).len, (text).ptr

static void show_json(struct views *views, size_t domain, size_t view, struct sl_text domain_name)
{
    const struct sl_text json = at(views, domain, view, "");

    /* The server's own object, with the domain in front. */
    printf("%s{\"domain\":\"%.*s\",%.*s", views->shown > 0 ? ",\n " : "", TEXT(domain_name),
           (int)json.len - 1, json.ptr + 1);
}

static void show_rebuild(struct views *views, size_t domain, size_t view)
{
    const struct sl_text state = at(views, domain, view, "rebuild.state");
    const struct sl_text left = at(views, domain, view, "rebuild.seconds_left");
    const struct sl_text why = at(views, domain, view, "rebuild.why");

    if (state.len == 0)
        return;
    printf("  rebuild: %.*s, position %.*s of %.*s, %.*s events/s, %.*s s", TEXT(state),
           TEXT(at(views, domain, view, "rebuild.position")),
           TEXT(at(views, domain, SIZE_MAX, "position")),
           TEXT(at(views, domain, view, "rebuild.events_per_second")),
           TEXT(at(views, domain, view, "rebuild.seconds")));
    if (left.len > 0)
        printf(", about %.*s s left", TEXT(left));
    printf("%s%.*s\n", why.len > 0 ? ": " : "", TEXT(why));
}

/* The answer takes the place of the status, so that this comes after all that is said of it. */
static int show_digest(struct views *views)
{
    struct sl_answer answer = {0};
    struct sl_error error = {0};
    struct sl_text position, rows, digest;
    char path[256];

    snprintf(path, sizeof path, "/admin/views/digest?view=%s", views->wanted);
    const enum sl_err err =
        sl_client_get(views->client, path, SL_TEXT(""), 0, &answer, &error);
    if (err != SL_OK || answer.status != 200)
        return cli_failed(err, &answer, &error);
    if (sl_json_find(views->parser, answer.body, "position", &views->arena, &position) != SL_OK ||
        sl_json_find(views->parser, answer.body, "rows", &views->arena, &rows) != SL_OK ||
        sl_json_find(views->parser, answer.body, "digest", &views->arena, &digest) != SL_OK)
        return SL_EXIT_FAILED;
    if (views->as_json)
        printf("%.*s\n", TEXT(answer.body));
    else
        printf("  digest %.*s of %.*s rows at position %.*s\n", TEXT(digest), TEXT(rows),
               TEXT(position));
    return SL_EXIT_OK;
}

static void show(struct views *views, size_t domain, size_t view)
{
    const struct sl_text domain_name = at(views, domain, SIZE_MAX, "name");
    const struct sl_text name = at(views, domain, view, "name");
    const struct sl_text state = at(views, domain, view, "state");
    char full[192];

    snprintf(full, sizeof full, "%.*s/%.*s", TEXT(domain_name), TEXT(name));
    if (views->wanted && strcmp(views->wanted, full) != 0)
        return;
    if (views->as_json)
        show_json(views, domain, view, domain_name);
    else if (views->brief)
        printf("%-32s %-9.*s %.*s\n", full, TEXT(state), TEXT(at(views, domain, view, "position")));
    if (!views->as_json && !views->brief) {
        const struct sl_text why = at(views, domain, view, "why");
        printf("%s: %.*s\n  position %.*s of %.*s, stored %.*s, generation %.*s, rows in memory "
               "%.*s\n",
               full, TEXT(state), TEXT(at(views, domain, view, "position")),
               TEXT(at(views, domain, SIZE_MAX, "position")),
               TEXT(at(views, domain, view, "stored")),
               TEXT(at(views, domain, view, "generation")),
               TEXT(at(views, domain, view, "rows_in_memory")));
        if (why.len > 0)
            printf("  why: %.*s\n", TEXT(why));
        show_rebuild(views, domain, view);
    }
    views->shown++;
    views->standing += !sl_text_equals(state, SL_TEXT("running"));
}

static int show_all(struct views *views)
{
    if (views->as_json)
        putchar('[');
    for (size_t d = 0; at(views, d, SIZE_MAX, "name").len > 0; d++)
        for (size_t v = 0; at(views, d, v, "name").len > 0; v++)
            show(views, d, v);
    if (views->as_json)
        puts("]");
    if (views->wanted && views->shown == 0) {
        fprintf(stderr, "sluice: there is no view %s; see: sluice view list\n", views->wanted);
        return SL_EXIT_REFUSED;
    }
    return views->brief || views->standing == 0 ? SL_EXIT_OK : SL_EXIT_FAILED;
}

static int ask(struct sl_client *client, struct views *views)
{
    struct sl_answer answer = {0};
    struct sl_error error = {0};
    const enum sl_err err = sl_client_get(client, "/admin/status", SL_TEXT(""), 0, &answer, &error);

    if (err != SL_OK || answer.status != 200)
        return cli_failed(err, &answer, &error);
    if (sl_json_parser_new(&views->parser) != SL_OK)
        return SL_EXIT_FAILED;
    views->json = answer.body;
    int code = show_all(views);
    if (views->digests && code != SL_EXIT_REFUSED && show_digest(views) != SL_EXIT_OK)
        code = SL_EXIT_FAILED;
    sl_arena_close(&views->arena);
    sl_json_parser_free(views->parser);
    return code;
}

static int mend(struct sl_client *client, const char *verb, const char *view)
{
    struct sl_answer answer = {0};
    struct sl_error error = {0};
    char path[256];

    snprintf(path, sizeof path, "/admin/views/%s?view=%s", verb, view);
    const enum sl_err err =
        sl_client_post(client, path, SL_TEXT(""), SL_TEXT(""), 0, &answer, &error);
    if (err != SL_OK || answer.status >= 300)
        return cli_failed(err, &answer, &error);
    return SL_EXIT_OK;
}

/* ---- The verb ------------------------------------------------------------------------------ */

bool cli_is_view_name(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/") ==
               strlen(name) &&
           strchr(name, '/') && strlen(name) < 130;
}

int cli_view(struct sl_cli *cli, int argc, char **argv)
{
    struct views views = {0};
    struct sl_client *client = NULL;
    const char *verb = argc > 1 ? argv[1] : "";

    if (strcmp(verb, "rebuild") == 0)
        return cli_view_rebuild(cli, argc, argv);
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 && strcmp(verb, "status") == 0)
            views.as_json = true;
        else if (strcmp(argv[i], "--digest") == 0 && strcmp(verb, "status") == 0)
            views.digests = true;
        else if (!views.wanted && strcmp(verb, "list") != 0 && cli_is_view_name(argv[i]))
            views.wanted = argv[i];
        else
            return cli_wrong("view %s does not take %s", verb, argv[i]);
    }
    views.brief = strcmp(verb, "list") == 0;
    const bool mends = strcmp(verb, "retry") == 0 || strcmp(verb, "skip") == 0;
    if (!views.brief && !mends && strcmp(verb, "status") != 0)
        return cli_wrong("view takes list, status, rebuild, retry or skip");
    if (views.digests && !views.wanted)
        return cli_wrong("view status --digest takes DOMAIN/VIEW");
    if (mends && !views.wanted)
        return cli_wrong("view %s takes DOMAIN/VIEW", verb);
    int code = cli_connect(cli, &client);
    views.client = client;
    if (code == SL_EXIT_OK)
        code = mends ? mend(client, verb, views.wanted) : ask(client, &views);
    sl_client_free(client);
    return code;
}
