/* `sluice view rebuild`: has views built anew, and says how far it is until they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/parts.h"
#include "cli/view_parts.h"
#include "record/json.h"

enum { VIEWS_MAX = 64, ASK_EVERY_MS = 200 };

struct rebuilding {
    struct sl_client *client;
    struct sl_json_parser *parser;
    struct sl_arena arena;
    const char *views[VIEWS_MAX];
    bool told[VIEWS_MAX]; /* how it ended */
    size_t count;
    size_t ended;
    bool failed;
    bool shows_progress; /* on a terminal: a line that is written over */
};

#define TEXT(text) (int)(text).len, (text).ptr

static struct sl_text at(struct rebuilding *r, struct sl_text json, const char *path)
{
    struct sl_text value = {"", 0};

    if (sl_json_find(r->parser, json, path, &r->arena, &value) != SL_OK)
        value = (struct sl_text){"", 0};
    return value;
}

static double number_at(struct rebuilding *r, struct sl_text json, const char *path)
{
    const struct sl_text text = at(r, json, path);
    char copy[40];

    snprintf(copy, sizeof copy, "%.*s", (int)(text.len < 39 ? text.len : 39), text.ptr);
    return strtod(copy, NULL);
}

static void tell_end(struct rebuilding *r, const char *name, struct sl_text rebuild, bool failed)
{
    if (r->shows_progress)
        fputs("\r\033[K", stderr);
    if (failed)
        fprintf(stderr, "sluice: %s: not rebuilt: %.*s\n", name, TEXT(at(r, rebuild, "why")));
    else
        printf("%s: rebuilt in %.1f s\n", name, number_at(r, rebuild, "seconds"));
}

static void tell_progress(struct rebuilding *r, const char *name, struct sl_text rebuild,
                          double log)
{
    const double position = number_at(r, rebuild, "position");
    const struct sl_text left = at(r, rebuild, "seconds_left");

    fprintf(stderr, "\r\033[K%s: %.*s, %.0f of %.0f (%.0f %%), %.0f events/s", name,
            TEXT(at(r, rebuild, "state")), position, log, log > 0 ? position * 100 / log : 100,
            number_at(r, rebuild, "events_per_second"));
    if (left.len > 0)
        fprintf(stderr, ", about %.0f s left", number_at(r, rebuild, "seconds_left"));
    fflush(stderr);
}

/* One view of the status; the first that has not ended shows its progress. */
static void look_at(struct rebuilding *r, const char *name, struct sl_text rebuild, double log,
                    bool *shown)
{
    const struct sl_text state = at(r, rebuild, "state");
    const bool failed = sl_text_equals(state, SL_TEXT("failed"));

    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->views[i], name) != 0 || r->told[i])
            continue;
        if (failed || sl_text_equals(state, SL_TEXT("done"))) {
            tell_end(r, name, rebuild, failed);
            r->told[i] = true;
            r->ended++;
            r->failed = r->failed || failed;
        } else if (r->shows_progress && !*shown) {
            tell_progress(r, name, rebuild, log);
            *shown = true;
        }
    }
}

static void look_at_all(struct rebuilding *r, struct sl_text status)
{
    struct sl_text domain, view;
    bool shown = false;
    char path[64], name[200];

    for (size_t d = 0;; d++) {
        snprintf(path, sizeof path, "domains.%zu", d);
        if ((domain = at(r, status, path)).len == 0)
            return;
        for (size_t v = 0;; v++) {
            snprintf(path, sizeof path, "views.%zu", v);
            if ((view = at(r, domain, path)).len == 0)
                break;
            snprintf(name, sizeof name, "%.*s/%.*s", TEXT(at(r, domain, "name")),
                     TEXT(at(r, view, "name")));
            look_at(r, name, at(r, view, "rebuild"), number_at(r, domain, "position"), &shown);
        }
    }
}

static int begin(struct rebuilding *r)
{
    struct sl_answer answer = {0};
    struct sl_error error = {0};
    struct sl_buf path = {0};

    SL_BUF_LITERAL(&path, "/admin/views/rebuild");
    for (size_t i = 0; i < r->count; i++)
        sl_buf_printf(&path, "%cview=%s", i == 0 ? '?' : '&', r->views[i]);
    sl_buf_byte(&path, '\0');
    if (path.failed)
        return SL_EXIT_FAILED;
    const enum sl_err err = sl_client_post(r->client, (const char *)path.ptr, SL_TEXT(""),
                                           SL_TEXT(""), 0, &answer, &error);
    sl_buf_close(&path);
    return err != SL_OK || answer.status >= 300 ? cli_failed(err, &answer, &error) : SL_EXIT_OK;
}

static int follow(struct rebuilding *r)
{
    const struct timespec pause = {.tv_nsec = ASK_EVERY_MS * 1000000L};

    for (;;) {
        struct sl_answer answer = {0};
        struct sl_error error = {0};
        const enum sl_err err =
            sl_client_get(r->client, "/admin/status", SL_TEXT(""), 0, &answer, &error);

        if (err != SL_OK || answer.status != 200)
            return cli_failed(err, &answer, &error);
        look_at_all(r, answer.body);
        sl_arena_reset(&r->arena);
        if (r->ended == r->count)
            return r->failed ? SL_EXIT_FAILED : SL_EXIT_OK;
        (void)nanosleep(&pause, NULL);
    }
}

int cli_view_rebuild(struct sl_cli *cli, int argc, char **argv)
{
    struct rebuilding r = {.shows_progress = isatty(STDERR_FILENO) == 1};
    bool waits = true;

    for (int i = 2; i < argc; i++) {
        bool again = false;
        for (size_t v = 0; v < r.count; v++)
            again = again || strcmp(r.views[v], argv[i]) == 0;
        if (strcmp(argv[i], "--no-wait") == 0)
            waits = false;
        else if (!cli_is_view_name(argv[i]) || r.count == VIEWS_MAX)
            return cli_wrong("view rebuild does not take %s", argv[i]);
        else if (!again)
            r.views[r.count++] = argv[i];
    }
    if (r.count == 0)
        return cli_wrong("view rebuild takes DOMAIN/VIEW, one or several");
    int code = cli_connect(cli, &r.client);
    if (code == SL_EXIT_OK && sl_json_parser_new(&r.parser) != SL_OK)
        code = SL_EXIT_FAILED;
    if (code == SL_EXIT_OK)
        code = begin(&r);
    if (code == SL_EXIT_OK && waits)
        code = follow(&r);
    sl_arena_close(&r.arena);
    sl_json_parser_free(r.parser);
    sl_client_free(r.client);
    return code;
}
