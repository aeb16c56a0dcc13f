/* sluice bank export: the log in stretches, each as text; a statement in one piece. */
#include "domains/bank/bank.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRETCH = 10000, DEADLINE_S = 60 };

/* Writes the answer to stdout. False: it is said on stderr. */
static bool fetch(struct sl_client *client, const char *path)
{
    struct sl_error error = {0};
    struct sl_answer answer;

    if (sl_client_get(client, path, (struct sl_text){0}, DEADLINE_S, &answer, &error) != SL_OK) {
        fprintf(stderr, "export: %s\n", error.message);
        return false;
    }
    if (answer.status != 200) {
        fprintf(stderr, "export: the server answered %d: %.*s\n", answer.status,
                (int)answer.body.len, answer.body.ptr);
        return false;
    }
    if (fwrite(answer.body.ptr, 1, answer.body.len, stdout) != answer.body.len) {
        perror("export: stdout");
        return false;
    }
    return true;
}

/* How far the log goes: behind its newest event. */
static bool find_end(struct sl_client *client, uint64_t *out)
{
    static const char name[] = "\"position\":";
    struct sl_error error = {0};
    struct sl_answer answer;

    if (sl_client_get(client, "/bank/events?backwards=true&limit=1", (struct sl_text){0},
                      DEADLINE_S, &answer, &error) != SL_OK) {
        fprintf(stderr, "export: %s\n", error.message);
        return false;
    }
    if (answer.status != 200) {
        fprintf(stderr, "export: the server answered %d: %.*s\n", answer.status,
                (int)answer.body.len, answer.body.ptr);
        return false;
    }
    const char *found = memmem(answer.body.ptr, answer.body.len, name, sizeof name - 1);
    *out = found ? strtoull(found + sizeof name - 1, NULL, 10) + 1 : 0;
    return true;
}

static int usage(void)
{
    fprintf(stderr, "usage: sluice bank export --format hledger|csv|camt.053 [--account ID]\n\n"
                    "  --format F    a journal for hledger, a table, or a statement (ISO 20022)\n"
                    "  --account ID  of one account; a statement needs one\n");
    return 2;
}

int bank_export(struct sl_client *client, int argc, char **argv)
{
    const char *format = NULL, *account = "";
    char path[256];
    uint64_t end;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--format") == 0 && i + 1 < argc)
            format = argv[++i];
        else if (strcmp(argv[i], "--account") == 0 && i + 1 < argc)
            account = argv[++i];
        else
            return usage();
    }
    if (!format || strlen(format) > 20 || strlen(account) > 40)
        return usage();
    if (strcmp(format, "camt.053") == 0) {
        snprintf(path, sizeof path, "/bank/export/%s?account=%s", format, account);
        return fetch(client, path) ? 0 : 1;
    }
    if (!find_end(client, &end))
        return 1;
    for (uint64_t from = 0; from == 0 || from < end; from += STRETCH) {
        snprintf(path, sizeof path, "/bank/export/%s?account=%s&from=%" PRIu64 "&until=%" PRIu64,
                 format, account, from, from + STRETCH);
        if (!fetch(client, path))
            return 1;
        sl_client_progress(client, "export", from + STRETCH < end ? from + STRETCH : end, end);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
