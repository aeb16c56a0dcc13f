/* Canonical forms, chains, and audits of small histories, good and bad. */
#include "domains/bank/audit.h"

#include <stdio.h>
#include <string.h>

#include "tap/tap.h"

enum { EVENTS_MAX = 12 };

/* ---- Histories ------------------------------------------------------------------------------- */

struct history {
    uint8_t bytes[EVENTS_MAX * (4 + BANK_CANON_MAX + BANK_CLAIM_BYTES)];
    size_t len;
    uint64_t position;
    struct bank_head head;
    struct bank_head ada; /* the account's */
};

static void add(struct history *history, const struct sl_event_type *type, const void *body,
                bool of_ada)
{
    const struct sl_event event = {
        .type = type, .body = body, .position = history->position++, .time = {77}};
    uint8_t *out = history->bytes + history->len;
    const size_t canon = bank_canon_write(&event, out + 4);
    const size_t claim = bank_claim_write(&event, out + 4 + canon) ? BANK_CLAIM_BYTES : 0;

    history->head = bank_head_after(&history->head, out + 4, canon);
    if (of_ada)
        history->ada = bank_head_after(&history->ada, out + 4, canon);
    out[0] = (uint8_t)canon;
    out[1] = (uint8_t)(canon >> 8);
    out[2] = (uint8_t)claim;
    out[3] = 0;
    history->len += 4 + canon + claim;
}

static void open_account(struct history *history, struct sl_text id, uint64_t timestamp)
{
    const struct bank_account_opened opened = {
        .id = id, .currency = "EUR", .ledger = 978, .code = 1, .flags = 8, .timestamp = timestamp};

    add(history, &bank_account_opened_event, &opened, sl_text_equals(id, SL_TEXT("ada")));
}

/* From cash to ada, where both had nothing but what is said here. */
static struct bank_transferred moved(struct sl_text id, uint64_t timestamp, uint64_t entry)
{
    return (struct bank_transferred){
        .id = id,
        .from = SL_TEXT("cash"),
        .to = SL_TEXT("ada"),
        .amount = 10,
        .currency = "EUR",
        .ledger = 978,
        .code = 1,
        .timestamp = timestamp,
        .from_after = {.debits_posted = 10 * entry, .entry = entry, .flags = 8},
        .to_after = {.credits_posted = 10 * entry, .entry = entry, .flags = 8},
    };
}

static void begin(struct history *history)
{
    *history = (struct history){.position = 0};
    open_account(history, SL_TEXT("cash"), 1);
    open_account(history, SL_TEXT("ada"), 2);
}

/* ---- What is told ---------------------------------------------------------------------------- */

struct told {
    char text[2000];
    size_t len;
};

static void differs(void *user, const struct bank_difference *difference)
{
    struct told *told = user;

    told->len += (size_t)snprintf(told->text + told->len, sizeof told->text - told->len,
                                  "%.*s@%llu %s: %s, %s\n", (int)difference->account.len,
                                  difference->account.ptr, (unsigned long long)difference->position,
                                  difference->what, difference->expected, difference->found);
}

static void check(const struct history *history, struct bank_audit_options options,
                  const char *wanted)
{
    struct told told = {.len = 0};
    options.differs = differs;
    options.user = &told;
    struct bank_audit *audit = bank_audit_new(&options);

    CHECK(bank_audit_take(audit, history->bytes, history->len));
    bank_audit_end(audit, history->position);
    CHECK_TEXT(((struct sl_text){told.text, told.len}), wanted);
    const struct bank_audit_result result = bank_audit_result(audit);
    CHECK(memcmp(&result.head, &history->head, sizeof result.head) == 0);
    bank_audit_free(audit);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

/* The head was computed from docs/bank.md by another program. */
static void has_its_form(void)
{
    struct history history = {.position = 0};
    struct sl_text hex;
    char head[BANK_HEAD_HEX];
    struct bank_head again;

    open_account(&history, SL_TEXT("ada"), 2);
    bank_head_write(&history.head, head);
    hex = (struct sl_text){head, sizeof head};
    CHECK_TEXT(hex, "822d021096be3915bf1995e804952e7e16c3c486a32ed890298b03ebe55b81e0");
    CHECK(bank_head_read(hex, &again) && memcmp(&again, &history.head, sizeof again) == 0);
    CHECK(!bank_head_read((struct sl_text){head, 63}, &again));
    head[5] = 'g';
    CHECK(!bank_head_read(hex, &again));
}

/* docs/bank.md says so: whoever changes this gives the form a new version. */
static void does_not_cover_who_did_it(void)
{
    const struct bank_account_closed closed = {SL_TEXT("ada")};
    struct sl_event event = {.type = &bank_account_closed_event, .body = &closed, .position = 7};
    uint8_t nobody[BANK_CANON_MAX], somebody[BANK_CANON_MAX];
    const size_t len = bank_canon_write(&event, nobody);

    event.principal = SL_TEXT("ops");
    CHECK_U64(bank_canon_write(&event, somebody), len);
    CHECK(len > 0 && memcmp(nobody, somebody, len) == 0);
}

static void refuses_what_has_no_form(void)
{
    static const struct sl_event_type foreign = {"Foreign", 1, NULL, NULL};
    static char text[300];
    uint8_t canon[BANK_CANON_MAX];
    const struct bank_account_closed closed = {{text, sizeof text}};
    struct history history;

    memset(text, 'a', sizeof text);
    CHECK_U64(bank_canon_write(&(struct sl_event){.type = &foreign}, canon), 0);
    CHECK_U64(bank_canon_write(
                  &(struct sl_event){.type = &bank_account_closed_event, .body = &closed}, canon),
              0);
    begin(&history);
    for (size_t len = 1; len < history.len; len++) {
        struct told told = {.len = 0};
        const struct bank_audit_options options = {.differs = differs, .user = &told};
        struct bank_audit *audit = bank_audit_new(&options);
        const bool whole = len == (size_t)(history.bytes[0] + 4);
        CHECK(bank_audit_take(audit, history.bytes, len) == whole);
        bank_audit_free(audit);
    }
}

static void agrees_with_what_is_right(void)
{
    struct history history;
    struct bank_transferred transferred = moved(SL_TEXT("t1"), 3, 1);
    const struct bank_limit_set limit = {SL_TEXT("ada"), 5};
    const struct bank_transfer_failed failed = {SL_TEXT("t9"), SL_TEXT("exceeds_credits")};

    begin(&history);
    add(&history, &bank_transferred_event, &transferred, true);
    const struct bank_audit_options noted = {
        .has_expected = true, .expected_at = history.position, .expected = history.head};
    add(&history, &bank_limit_set_event, &limit, true);
    add(&history, &bank_transfer_failed_event, &failed, false);
    transferred = moved(SL_TEXT("t2"), 4, 2);
    add(&history, &bank_transferred_event, &transferred, true);
    check(&history, (struct bank_audit_options){.has_expected = false}, "");
    check(&history, noted, "");
    struct bank_audit_options early = noted;
    early.expected_at = 1000;
    check(&history, early, "@6 end of the log: at least 1000, 6\n");
}

static void finds_what_is_wrong(void)
{
    struct history history;
    struct bank_transferred transferred;
    const struct bank_account_closed nobody = {SL_TEXT("bob")};

    begin(&history);
    transferred = moved(SL_TEXT("t1"), 3, 1);
    transferred.to_after.credits_posted = 11;
    add(&history, &bank_transferred_event, &transferred, true);
    check(&history, (struct bank_audit_options){.has_expected = false},
          "ada@2 credits_posted: 10, 11\n"
          "cash@2 debits and credits posted of the ledger: 10, 11\n");

    begin(&history);
    open_account(&history, SL_TEXT("ada"), 2);
    add(&history, &bank_account_closed_event, &nobody, false);
    transferred = moved(SL_TEXT("t1"), 3, 1);
    transferred.ledger = 392;
    add(&history, &bank_transferred_event, &transferred, true);
    check(&history, (struct bank_audit_options){.has_expected = false},
          "ada@2 timestamp: more than 2, 2\n"
          "ada@2 opening: once, opened again\n"
          "bob@3 account: opened before, there is no such account\n"
          "cash@4 ledger: 978, 392\n"
          "ada@4 ledger: 978, 392\n");

    begin(&history);
    history.position = 0;
    transferred = moved(SL_TEXT("t1"), 3, 1);
    add(&history, &bank_transferred_event, &transferred, true);
    check(&history, (struct bank_audit_options){.has_expected = false}, "t1@1 position: 2, 0\n");
}

/* One pending transfer, then others that resolve it. */
static void resolves_once(void)
{
    struct history history;
    struct bank_transferred transferred = moved(SL_TEXT("hold"), 3, 0);
    struct bank_transfer_expired expired = {.id = SL_TEXT("hold"),
                                            .from = SL_TEXT("cash"),
                                            .to = SL_TEXT("ada"),
                                            .amount = 10,
                                            .ledger = 978,
                                            .flags = LEDGER_PENDING};

    begin(&history);
    transferred.flags = LEDGER_PENDING;
    transferred.from_after = (struct bank_after){.debits_pending = 10, .entry = 1, .flags = 8};
    transferred.to_after = (struct bank_after){.credits_pending = 10, .entry = 1, .flags = 8};
    add(&history, &bank_transferred_event, &transferred, true);
    transferred = moved(SL_TEXT("post"), 4, 1);
    transferred.flags = LEDGER_POST;
    transferred.pending = SL_TEXT("hold");
    transferred.pending_amount = 10;
    transferred.pending_flags = LEDGER_PENDING;
    transferred.from_after.entry = transferred.to_after.entry = 2;
    add(&history, &bank_transferred_event, &transferred, true);
    check(&history, (struct bank_audit_options){.has_expected = false}, "");

    struct history twice = history;
    expired.from_after = transferred.from_after;
    expired.to_after = transferred.to_after;
    expired.from_after.debits_pending = expired.to_after.credits_pending = (sl_u128)0 - 10;
    add(&twice, &bank_transfer_expired_event, &expired, true);
    check(&twice, (struct bank_audit_options){.has_expected = false},
          "cash@4 pending transfer hold: resolved once, resolved again\n");

    transferred.id = SL_TEXT("more");
    transferred.pending = SL_TEXT("none");
    transferred.timestamp = 4;
    transferred.pending_amount = 0;
    transferred.from_after.debits_posted = transferred.to_after.credits_posted = 20;
    transferred.from_after.entry = transferred.to_after.entry = 3;
    add(&history, &bank_transferred_event, &transferred, true);
    check(&history, (struct bank_audit_options){.has_expected = false},
          "more@4 timestamp: more than 4, 4\n"
          "cash@4 pending transfer none: made before, there is no such transfer\n");
}

/* A row that is ahead of what was taken fits after the event that it reflects, though others
 * follow; one that never fits is told. */
static void compares_rows(void)
{
    struct history history;
    struct told told = {.len = 0};
    const struct bank_audit_options options = {.differs = differs, .user = &told};
    struct bank_audit *audit = bank_audit_new(&options);
    struct bank_transferred transferred = moved(SL_TEXT("t1"), 3, 1);

    begin(&history);
    const size_t before = history.len;
    add(&history, &bank_transferred_event, &transferred, true);
    const struct bank_head then = history.ada;
    transferred = moved(SL_TEXT("t2"), 4, 2);
    add(&history, &bank_transferred_event, &transferred, true);
    CHECK(bank_audit_take(audit, history.bytes, before));
    struct bank_served row = {.kind = BANK_SERVED_BALANCE,
                              .account = SL_TEXT("ada"),
                              .balance = 10,
                              .entries = 1,
                              .sums = {0, 0, 0, 10}};
    CHECK(bank_audit_served(audit, &row));
    row = (struct bank_served){.kind = BANK_SERVED_BALANCE,
                               .account = SL_TEXT("cash"),
                               .balance = -9,
                               .entries = 1,
                               .sums = {0, 10, 0, 0}};
    CHECK(bank_audit_served(audit, &row));
    row = (struct bank_served){.kind = BANK_SERVED_CHAIN,
                               .account = SL_TEXT("ada"),
                               .links = 2,
                               .position = 2,
                               .head = then};
    CHECK(bank_audit_served(audit, &row));
    row = (struct bank_served){.kind = BANK_SERVED_TRIAL,
                               .ledger = 978,
                               .accounts = 2,
                               .entries = 1,
                               .sums = {0, 10, 0, 10}};
    CHECK(bank_audit_served(audit, &row));
    bank_audit_served_all(audit);
    CHECK(bank_audit_take(audit, history.bytes + before, history.len - before));
    bank_audit_end(audit, history.position);
    CHECK_TEXT(((struct sl_text){told.text, told.len}),
               "cash@1 row of the view chain: a row, none\n"
               "@1 ledger in the view trial-kept: 978, 0\n"
               "cash@3 debits_posted: 20, 10\n"
               "cash@3 entries: 2, 1\n"
               "cash@3 balance: -20, -9\n");
    bank_audit_free(audit);
}

/* What is kept of a stretch of positions is compared once an event lies behind the stretch. */
static void compares_what_is_kept(void)
{
    struct history history;
    struct told told = {.len = 0};
    const struct bank_audit_options options = {.differs = differs, .user = &told};
    struct bank_audit *audit = bank_audit_new(&options);
    struct bank_served rows[] = {
        {.number = 0, .stretch = 4, .kept = 2, .entries = 3, .sums = {0, 30, 0, 30}},
        {.number = 1, .stretch = 0, .entries = 1, .sums = {0, 10, 0, 10}},
        {.number = 2, .stretch = 1, .entries = 2, .sums = {0, 20, 0, 20}},
        {.number = 1, .stretch = 0, .entries = 1, .sums = {0, 11, 0, 10}},
        {.number = 2, .stretch = 2, .entries = 2, .sums = {0, 20, 0, 20}},
        {.number = 3, .stretch = 4, .entries = 3, .sums = {0, 30, 0, 30}},
    };
    static const char *const ids[] = {"t1", "t2", "t3"};
    size_t before = 0;

    begin(&history);
    for (uint64_t i = 0; i < 3; i++) {
        const struct bank_transferred transferred =
            moved((struct sl_text){ids[i], 2}, 3 + i, 1 + i);
        before = history.len;
        history.position = (const uint64_t[]){2, 1030, 5000}[i];
        add(&history, &bank_transferred_event, &transferred, true);
    }
    CHECK(bank_audit_take(audit, history.bytes, before));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rows[i].kind = BANK_SERVED_KEPT;
        rows[i].ledger = 978;
        rows[i].accounts = 2;
        CHECK(bank_audit_served(audit, &rows[i]));
    }
    CHECK(bank_audit_take(audit, history.bytes + before, history.len - before));
    bank_audit_end(audit, history.position);
    CHECK_TEXT(((struct sl_text){told.text, told.len}),
               "@5000 debits_posted of the ledger: 10, 11\n"
               "@5000 stretch kept of the ledger: 1, 2\n"
               "@5000 served row: none, a row\n");
    bank_audit_free(audit);
}

int main(void)
{
    return TAP_RUN({"an event has the form that is documented", has_its_form},
                   {"the form does not cover who did it", does_not_cover_who_did_it},
                   {"what has no form is refused", refuses_what_has_no_form},
                   {"a history that is right has no difference", agrees_with_what_is_right},
                   {"a history that is wrong has those that it has", finds_what_is_wrong},
                   {"a pending transfer is resolved once", resolves_once},
                   {"rows fit at some position, or are told", compares_rows},
                   {"what is kept of a stretch is compared", compares_what_is_kept});
}
