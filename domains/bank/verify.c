/*
 * sluice bank verify: the log is read through the server, everything that follows from it computed
 * anew (audit.h), and compared with what is served. What happens meanwhile does no harm: the log is
 * read to its end, then the rows, then the log once more to where it ends by then.
 */
#include "domains/bank/answer.h"
#include "domains/bank/audit.h"
#include "domains/bank/ids.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAME = 0, DIFFERS = 1, FAILED = 2, DEADLINE_S = 60, TOLD_MAX = 100 };

struct verify {
    struct sl_client *client;
    struct bank_audit *audit;
    struct bank_audit_options options;
    const char *account; /* or NULL */
    bool json;
    uint64_t told;
    uint64_t position;
    char token[128]; /* of the last answer of the log: rows that are read next are not older */
};

/* ---- Differences ----------------------------------------------------------------------------- */

static void print_json_text(const char *name, const char *text, size_t len)
{
    printf("\"%s\":\"", name);
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\' || c < ' ')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_json(const struct bank_difference *difference, bool first)
{
    printf("%s{", first ? "" : ",");
    print_json_text("account", difference->account.ptr, difference->account.len);
    printf(",\"position\":%" PRIu64 ",", difference->position);
    print_json_text("what", difference->what, strlen(difference->what));
    putchar(',');
    print_json_text("expected", difference->expected, strlen(difference->expected));
    putchar(',');
    print_json_text("found", difference->found, strlen(difference->found));
    putchar('}');
}

static void differs(void *user, const struct bank_difference *difference)
{
    struct verify *verify = user;

    if (verify->told++ >= TOLD_MAX)
        return;
    if (verify->json) {
        print_json(difference, verify->told == 1);
        return;
    }
    if (difference->account.len > 0)
        printf("account %.*s, ", (int)difference->account.len, difference->account.ptr);
    printf("position %" PRIu64 ": %s: expected %s, found %s\n", difference->position,
           difference->what, difference->expected, difference->found);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

/* False: it is said on stderr. */
static bool get(struct verify *verify, const char *path, const char *token, struct sl_answer *out)
{
    struct sl_error error = {0};

    if (sl_client_get(verify->client, path, (struct sl_text){token, strlen(token)}, DEADLINE_S, out,
                      &error) != SL_OK) {
        fprintf(stderr, "verify: %s\n", error.message);
        return false;
    }
    if (out->status != 200) {
        fprintf(stderr, "verify: %s answered %d: %.*s\n", path, out->status, (int)out->body.len,
                out->body.ptr);
        return false;
    }
    return true;
}

/* The number at the end of a position token. */
static uint64_t number_of(struct sl_text token)
{
    const char *colon = token.len > 0 ? memrchr(token.ptr, ':', token.len) : NULL;

    return colon ? strtoull(colon + 1, NULL, 10) : 0;
}

/* Takes events until none follow. */
static bool take_log(struct verify *verify)
{
    for (;;) {
        char path[128];
        struct sl_answer answer;
        uint64_t next;
        snprintf(path, sizeof path, "/bank/journal?from=%" PRIu64 "%s%s", verify->position,
                 verify->account ? "&account=" : "", verify->account ? verify->account : "");
        if (!get(verify, path, "", &answer))
            return false;
        if (answer.body.len < sizeof next || answer.position.len >= sizeof verify->token) {
            fprintf(stderr, "verify: %s: the answer is no journal\n", path);
            return false;
        }
        memcpy(&next, answer.body.ptr, sizeof next); /* little-endian: ledger.h asserts that */
        memcpy(verify->token, answer.position.ptr, answer.position.len);
        verify->token[answer.position.len] = 0;
        if (!bank_audit_take(verify->audit, (const uint8_t *)answer.body.ptr + sizeof next,
                             answer.body.len - sizeof next)) {
            fprintf(stderr, "verify: %s: the answer is no journal, or memory is out\n", path);
            return false;
        }
        const uint64_t end = number_of(answer.position);
        if (next <= verify->position || next >= end) {
            verify->position = next > verify->position ? next : verify->position;
            return true;
        }
        verify->position = next;
        sl_client_progress(verify->client, "verify", next, end);
    }
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static bool read_balance(struct sl_text row, struct bank_served *out)
{
    static const char *const names[4] = {"debits_pending", "debits_posted", "credits_pending",
                                         "credits_posted"};
    struct sl_text closed;
    int64_t entries;

    for (size_t i = 0; i < 4; i++)
        if (!bank_answer_u128(row, names[i], &out->sums[i]))
            return false;
    if (!bank_answer_value(row, "id", &out->account) ||
        !bank_answer_value(row, "closed", &closed) ||
        !bank_answer_number(row, "balance", &out->balance) ||
        !bank_answer_number(row, "limit", &out->limit) ||
        !bank_answer_number(row, "entries", &entries))
        return false;
    out->closed = sl_text_equals(closed, SL_TEXT("true"));
    out->entries = (uint64_t)entries;
    return true;
}

static bool read_chain(struct sl_text row, struct bank_served *out)
{
    struct sl_text head;
    int64_t links, position;

    if (!bank_answer_value(row, "account", &out->account) ||
        !bank_answer_value(row, "head", &head) || !bank_answer_number(row, "links", &links) ||
        !bank_answer_number(row, "position", &position))
        return false;
    (void)bank_head_read(head, &out->head); /* what is none is zeros, and differs */
    out->links = (uint64_t)links;
    out->position = (uint64_t)position;
    return true;
}

static bool read_trial(struct sl_text row, struct bank_served *out)
{
    static const char *const names[4] = {"debits_pending", "debits_posted", "credits_pending",
                                         "credits_posted"};
    int64_t ledger, accounts, transfers;

    for (size_t i = 0; i < 4; i++)
        if (!bank_answer_u128(row, names[i], &out->sums[i]))
            return false;
    if (!bank_answer_number(row, "ledger", &ledger) ||
        !bank_answer_number(row, "accounts", &accounts) ||
        !bank_answer_number(row, "transfers", &transfers))
        return false;
    out->ledger = (uint32_t)ledger;
    out->accounts = (uint64_t)accounts;
    out->entries = (uint64_t)transfers;
    return true;
}

static bool read_kept(struct sl_text row, struct bank_served *out)
{
    int64_t number, stretch, kept;

    if (!read_trial(row, out) || !bank_answer_number(row, "number", &number) ||
        !bank_answer_number(row, "stretch", &stretch) || !bank_answer_number(row, "kept", &kept))
        return false;
    out->number = (uint64_t)number;
    out->stretch = (uint64_t)stretch;
    out->kept = (uint64_t)kept;
    return true;
}

static const struct view {
    const char *name;
    enum bank_served_kind kind;
    bool (*read)(struct sl_text row, struct bank_served *out);
} views[] = {
    {"balance", BANK_SERVED_BALANCE, read_balance},
    {"chain", BANK_SERVED_CHAIN, read_chain},
    {"trial-balance", BANK_SERVED_TRIAL, read_trial},
    {"trial-kept", BANK_SERVED_KEPT, read_kept},
};

static bool take_row(struct verify *verify, const struct view *view, struct sl_text row)
{
    struct bank_served served = {.kind = view->kind};

    if (!view->read(row, &served)) {
        fprintf(stderr, "verify: this is no row of %s: %.*s\n", view->name, (int)row.len, row.ptr);
        return false;
    }
    if (!bank_audit_served(verify->audit, &served)) {
        fprintf(stderr, "verify: no memory\n");
        return false;
    }
    return true;
}

static bool take_rows(struct verify *verify, const struct view *view)
{
    char path[1700], after[1600] = "";

    for (;;) {
        struct sl_answer answer;
        struct sl_text row, next;
        snprintf(path, sizeof path, "/bank/%s?limit=1000%s%s", view->name,
                 after[0] ? "&after=" : "", after);
        if (!get(verify, path, verify->token, &answer))
            return false;
        const char *end = answer.body.ptr + answer.body.len;
        const char *p = memchr(answer.body.ptr, '[', answer.body.len);
        for (p = p ? p + 1 : end; bank_answer_next(&p, end, &row);)
            if (!take_row(verify, view, row))
                return false;
        /* Behind the rows, so that no text in a row is taken for it. */
        if (!bank_answer_value((struct sl_text){p, (size_t)(end - p)}, "next", &next))
            return true;
        if (next.len >= sizeof after) {
            fprintf(stderr, "verify: %s: the cursor is too long\n", path);
            return false;
        }
        memcpy(after, next.ptr, next.len);
        after[next.len] = 0;
    }
}

/* The two rows of one account. */
static bool take_own(struct verify *verify)
{
    for (size_t i = 0; i < 2; i++) {
        char path[128];
        struct sl_answer answer;
        struct sl_error error = {0};
        snprintf(path, sizeof path, "/bank/%s/%s", views[i].name, verify->account);
        if (sl_client_get(verify->client, path,
                          (struct sl_text){verify->token, strlen(verify->token)}, DEADLINE_S,
                          &answer, &error) != SL_OK) {
            fprintf(stderr, "verify: %s\n", error.message);
            return false;
        }
        if (answer.status == 404)
            continue; /* told as a row that is missing */
        if (answer.status != 200) {
            fprintf(stderr, "verify: %s answered %d: %.*s\n", path, answer.status,
                    (int)answer.body.len, answer.body.ptr);
            return false;
        }
        if (!take_row(verify, &views[i], answer.body))
            return false;
    }
    return true;
}

static bool take_all(struct verify *verify)
{
    bool good = take_log(verify);

    if (good)
        sl_client_progress(verify->client, "verify", verify->position, verify->position);
    if (good && verify->account) {
        good = take_own(verify);
    } else {
        for (size_t i = 0; good && i < sizeof views / sizeof *views; i++)
            good = take_rows(verify, &views[i]);
    }
    if (!good)
        return false;
    bank_audit_served_all(verify->audit);
    if (verify->account && bank_audit_result(verify->audit).events == 0) {
        fprintf(stderr, "verify: there is no account %s\n", verify->account);
        return false;
    }
    if (!take_log(verify))
        return false;
    bank_audit_end(verify->audit, verify->position);
    return true;
}

/* ---- The verb -------------------------------------------------------------------------------- */

static int usage(void)
{
    fprintf(stderr,
            "usage: sluice bank verify [--account ID] [--expect POSITION:HEX] [--json]\n\n"
            "  --account ID           one account's entries, chain and balance only\n"
            "  --expect POSITION:HEX  what an earlier run printed as the log's head: nothing\n"
            "                         before that position has changed since\n"
            "  --json                 the result as one object\n\n"
            "Exit code 0: all agrees, 1: there are differences, 2: it could not be found out.\n");
    return FAILED;
}

/* POSITION:HEX */
static bool read_expected(const char *text, struct bank_audit_options *out)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    out->expected_at = strtoull(text, &end, 10);
    out->has_expected = true;
    return *end == ':' &&
           bank_head_read((struct sl_text){end + 1, strlen(end + 1)}, &out->expected);
}

static bool read_arguments(struct verify *verify, int argc, char **argv)
{
    sl_u128 id = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            verify->json = true;
        } else if (strcmp(argv[i], "--account") == 0 && i + 1 < argc) {
            verify->account = argv[++i];
            verify->options.account = (struct sl_text){argv[i], strlen(argv[i])};
            if (verify->options.account.len == 0 || !bank_id_read(verify->options.account, &id)) {
                fprintf(stderr, "verify: --account: this is no account's id: %s\n", argv[i]);
                return false;
            }
        } else if (strcmp(argv[i], "--expect") == 0 && i + 1 < argc) {
            if (!read_expected(argv[++i], &verify->options)) {
                fprintf(stderr, "verify: --expect: not a position, a colon and 64 hexadecimal "
                                "digits\n");
                return false;
            }
        } else {
            return false;
        }
    }
    return !verify->account || !verify->options.has_expected;
}

static void print_result(const struct verify *verify)
{
    const struct bank_audit_result result = bank_audit_result(verify->audit);
    char head[BANK_HEAD_HEX + 1] = {0};

    bank_head_write(&result.head, head);
    if (verify->json)
        printf("],\"difference_count\":%" PRIu64 ",\"accounts\":%" PRIu64 ",\"entries\":%" PRIu64
               ",\"events\":%" PRIu64 ",\"position\":%" PRIu64 ",\"head\":\"%s\"}\n",
               result.differences, result.accounts, result.entries, result.events, verify->position,
               head);
    else if (verify->account)
        printf("account %s: %" PRIu64 " entries verified, chain head %s\n", verify->account,
               result.entries, head);
    else
        printf("%" PRIu64 " accounts, %" PRIu64 " entries verified, log head %" PRIu64 ":%s\n",
               result.accounts, result.entries, verify->position, head);
    if (!verify->json && result.differences > 0)
        printf("%" PRIu64 " differences\n", result.differences);
}

int bank_verify(struct sl_client *client, int argc, char **argv)
{
    struct verify verify = {.client = client, .options = {.differs = differs}};
    int code = FAILED;

    verify.options.user = &verify;
    if (!read_arguments(&verify, argc, argv))
        return usage();
    verify.audit = bank_audit_new(&verify.options);
    if (!verify.audit) {
        fprintf(stderr, "verify: no memory\n");
        return FAILED;
    }
    if (verify.json)
        printf("{\"differences\":[");
    if (take_all(&verify)) {
        code = bank_audit_result(verify.audit).differences > 0 ? DIFFERS : SAME;
        print_result(&verify);
    } else if (verify.json) {
        printf("],\"failed\":true}\n");
    }
    bank_audit_free(verify.audit);
    return fflush(stdout) == 0 ? code : FAILED;
}
