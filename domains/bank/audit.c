#include "domains/bank/audit.h"
#include "domains/bank/audit_parts.h"
#include "domains/bank/ids.h"
#include "domains/bank/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Differences ----------------------------------------------------------------------------- */

void audit_differs(struct bank_audit *audit, struct sl_text account, const char *what,
                   const char *expected, const char *found)
{
    audit->result.differences++;
    audit->options.differs(audit->options.user,
                           &(struct bank_difference){.account = account,
                                                     .position = audit->position,
                                                     .what = what,
                                                     .expected = expected,
                                                     .found = found});
}

void audit_compare(struct bank_audit *audit, struct sl_text account, const char *what,
                   sl_u128 expected, sl_u128 found)
{
    char left[BANK_ID_MAX + 1] = {0}, right[BANK_ID_MAX + 1] = {0};

    if (expected == found)
        return;
    audit_u128(expected, left);
    audit_u128(found, right);
    audit_differs(audit, account, what, left, right);
}

void audit_u128(sl_u128 number, char out[BANK_ID_MAX + 1])
{
    char digits[BANK_ID_MAX];
    size_t len = 0;

    do
        digits[len++] = (char)('0' + (int)(number % 10));
    while ((number /= 10) > 0);
    for (size_t i = 0; i < len; i++)
        out[i] = digits[len - 1 - i];
    out[len] = 0;
}

/* ---- Reading the canonical form -------------------------------------------------------------- */

struct reader {
    const uint8_t *at, *end;
    bool failed;
};

static sl_u128 get_number(struct reader *reader, size_t len)
{
    sl_u128 number = 0;

    if ((size_t)(reader->end - reader->at) < len) {
        reader->failed = true;
        return 0;
    }
    memcpy(&number, reader->at, len); /* little-endian: ledger.h asserts that */
    reader->at += len;
    return number;
}

static struct sl_text get_text(struct reader *reader)
{
    const size_t len = (size_t)get_number(reader, 1);

    if ((size_t)(reader->end - reader->at) < len) {
        reader->failed = true;
        return (struct sl_text){0};
    }
    const struct sl_text text = {(const char *)reader->at, len};
    reader->at += len;
    return text;
}

/* An id as the bank writes them. */
static struct sl_text get_id(struct reader *reader)
{
    const struct sl_text id = get_text(reader);

    if (id.len > BANK_ID_MAX)
        reader->failed = true;
    return id;
}

static void get_transferred(struct reader *reader, struct change *out)
{
    out->id = get_id(reader);
    out->from = get_id(reader);
    out->to = get_id(reader);
    out->amount = get_number(reader, 16);
    out->ledger = (uint32_t)get_number(reader, 4);
    (void)get_number(reader, 2); /* code */
    out->flags = (uint16_t)get_number(reader, 2);
    out->timestamp = (uint64_t)get_number(reader, 8);
    (void)get_number(reader, 4); /* timeout */
    out->pending = get_id(reader);
    out->pending_amount = get_number(reader, 16);
    out->pending_flags = (uint16_t)get_number(reader, 2);
    (void)get_id(reader); /* reverses */
    (void)get_number(reader, 16);
    (void)get_number(reader, 12); /* user data */
    (void)get_text(reader);       /* reference */
}

static void get_body(struct reader *reader, struct change *out)
{
    if (out->kind == BANK_CANON_TRANSFERRED) {
        get_transferred(reader, out);
        return;
    }
    out->id = get_id(reader);
    if (out->kind == BANK_CANON_OPENED) {
        out->ledger = (uint32_t)get_number(reader, 4);
        (void)get_number(reader, 2); /* code */
        out->flags = (uint16_t)get_number(reader, 2);
        out->limit = (int64_t)get_number(reader, 8);
        out->timestamp = (uint64_t)get_number(reader, 8);
        (void)get_number(reader, 16);
        (void)get_number(reader, 12); /* user data */
    } else if (out->kind == BANK_CANON_LIMIT) {
        out->limit = (int64_t)get_number(reader, 8);
    } else if (out->kind == BANK_CANON_FAILED) {
        (void)get_text(reader); /* verdict */
    } else if (out->kind == BANK_CANON_EXPIRED) {
        out->from = get_id(reader);
        out->to = get_id(reader);
        out->amount = get_number(reader, 16);
        out->ledger = (uint32_t)get_number(reader, 4);
        out->flags = (uint16_t)get_number(reader, 2);
    } else if (out->kind != BANK_CANON_CLOSED) {
        reader->failed = true;
    }
}

static bool read_change(const uint8_t *canon, size_t canon_len, const uint8_t *claim,
                        size_t claim_len, struct change *out)
{
    struct reader reader = {canon, canon + canon_len, false};

    *out = (struct change){.canon = canon, .canon_len = canon_len};
    if (get_number(&reader, 1) != 1)
        return false;
    out->kind = (enum bank_canon_kind)get_number(&reader, 1);
    out->position = (uint64_t)get_number(&reader, 8);
    (void)get_number(&reader, 8);  /* time */
    (void)get_number(&reader, 16); /* command */
    get_body(&reader, out);
    const bool moves = out->kind == BANK_CANON_TRANSFERRED || out->kind == BANK_CANON_EXPIRED;
    if (reader.failed || reader.at != reader.end || claim_len != (moves ? BANK_CLAIM_BYTES : 0))
        return false;
    reader = (struct reader){claim, claim + claim_len, false};
    for (size_t side = 0; moves && side < 2; side++) {
        for (size_t i = 0; i < 4; i++)
            out->claims[side].sums[i] = get_number(&reader, 16);
        out->claims[side].entry = (uint64_t)get_number(&reader, 8);
        out->claims[side].flags = (uint16_t)get_number(&reader, 2);
    }
    return true;
}

/* ---- Ledgers --------------------------------------------------------------------------------- */

struct ledger *audit_ledger(struct bank_audit *audit, uint32_t number)
{
    for (size_t i = 0; i < audit->ledger_count; i++)
        if (audit->ledgers[i].number == number)
            return &audit->ledgers[i];
    struct ledger *grown =
        realloc(audit->ledgers, (audit->ledger_count + 1) * sizeof *audit->ledgers);
    if (!grown)
        return NULL;
    audit->ledgers = grown;
    grown[audit->ledger_count] = (struct ledger){.number = number};
    return &grown[audit->ledger_count++];
}

/* An event at the position changes the ledger's sums; false: memory is out. */
static bool enter_stretch(struct ledger *ledger, uint64_t position)
{
    const uint64_t stretch = position / BANK_TRIAL_STRETCH;

    if (ledger->now.accounts > 0 && ledger->now.stretch != stretch) {
        if (ledger->kept_count == ledger->kept_max) {
            const size_t max = ledger->kept_max ? ledger->kept_max * 2 : 16;
            struct kept *grown = realloc(ledger->kept, max * sizeof *grown);
            if (!grown)
                return false;
            ledger->kept = grown;
            ledger->kept_max = max;
        }
        ledger->kept[ledger->kept_count++] = ledger->now;
    }
    ledger->now.stretch = stretch;
    return true;
}

/* ---- What follows ---------------------------------------------------------------------------- */

static bool concerns(const struct bank_audit *audit, struct sl_text account)
{
    return audit->options.account.len == 0 || sl_text_equals(audit->options.account, account);
}

static void link_to(struct account *account, const struct change *change)
{
    account->head = bank_head_after(&account->head, change->canon, change->canon_len);
    account->links++;
    account->position = change->position;
}

/* Strictly, of each kind by itself: what is imported may lie before things of the other kind. */
static void check_rise(struct bank_audit *audit, const struct change *change, uint64_t *last)
{
    char before[BANK_ID_MAX + 1], found[BANK_ID_MAX + 1];

    if (change->timestamp <= *last) {
        audit_u128(*last, before);
        audit_u128(change->timestamp, found);
        char more[BANK_ID_MAX + 16];
        snprintf(more, sizeof more, "more than %s", before);
        audit_differs(audit, change->id, "timestamp", more, found);
    }
    *last = change->timestamp;
}

static bool open_account(struct bank_audit *audit, const struct change *change)
{
    if (!concerns(audit, change->id))
        return true;
    check_rise(audit, change, &audit->last_account);
    if (id_table_find(&audit->accounts, change->id)) {
        audit_differs(audit, change->id, "opening", "once", "opened again");
        return true;
    }
    struct account *account = id_table_add(&audit->accounts, change->id);
    struct ledger *ledger = audit_ledger(audit, change->ledger);
    if (!account || !ledger || !enter_stretch(ledger, change->position))
        return false;
    account->ledger = change->ledger;
    account->flags = change->flags;
    account->limit = change->limit;
    ledger->now.accounts++;
    audit->result.accounts++;
    link_to(account, change);
    return true;
}

/* NULL: it was told, or does not concern. */
static struct account *known(struct bank_audit *audit, struct sl_text id)
{
    if (!concerns(audit, id))
        return NULL;
    struct account *account = id_table_find(&audit->accounts, id);
    if (!account)
        audit_differs(audit, id, "account", "opened before", "there is no such account");
    return account;
}

static void change_account(struct bank_audit *audit, const struct change *change)
{
    struct account *account = known(audit, change->id);

    if (!account)
        return;
    if (change->kind == BANK_CANON_CLOSED)
        account->flags |= LEDGER_CLOSED;
    else
        account->limit = change->limit;
    link_to(account, change);
}

/* By what the events say: what each side was said to have before and after. */
static void count_claims(struct ledger *ledger, const struct account *account,
                         const struct claim *claim)
{
    for (size_t i = 0; i < 4; i++)
        ledger->now.claimed[i] += claim->sums[i] - account->claimed[i];
}

static void compare_claim(struct bank_audit *audit, struct account *account,
                          const struct claim *claim)
{
    static const char *const names[4] = {"debits_pending", "debits_posted", "credits_pending",
                                         "credits_posted"};
    const struct sl_text id = audit_id(account);

    for (size_t i = 0; i < 4; i++) {
        audit_compare(audit, id, names[i], account->sums[i], claim->sums[i]);
        account->claimed[i] = claim->sums[i];
    }
    audit_compare(audit, id, "entry", account->entries, claim->entry);
    audit_compare(audit, id, "flags", account->flags, claim->flags);
}

/* Side 0 is debited, side 1 credited; what is pending stands in sums[2 * side], what is posted
 * behind it. */
static void move(struct account *account, const struct change *change, size_t side)
{
    const uint16_t closing = side == 0 ? LEDGER_CLOSING_DEBIT : LEDGER_CLOSING_CREDIT;
    sl_u128 *const pending = &account->sums[2 * side], *const posted = pending + 1;

    if (change->kind == BANK_CANON_EXPIRED) {
        *pending -= change->amount;
        if (change->flags & closing)
            account->flags &= (uint16_t)~LEDGER_CLOSED;
        return;
    }
    account->entries++;
    if (change->flags & LEDGER_PENDING) {
        *pending += change->amount;
        if (change->flags & closing)
            account->flags |= LEDGER_CLOSED;
        return;
    }
    *pending -= change->pending_amount;
    if (!(change->flags & LEDGER_VOID))
        *posted += change->amount;
    else if (change->pending_flags & closing)
        account->flags &= (uint16_t)~LEDGER_CLOSED;
}

static void move_side(struct bank_audit *audit, struct ledger *ledger, const struct change *change,
                      size_t side)
{
    struct account *account = known(audit, side == 0 ? change->from : change->to);

    if (!account)
        return;
    audit_compare(audit, audit_id(account), "ledger", account->ledger, change->ledger);
    if (change->kind == BANK_CANON_TRANSFERRED)
        audit->result.entries++;
    move(account, change, side);
    count_claims(ledger, account, &change->claims[side]);
    compare_claim(audit, account, &change->claims[side]);
    link_to(account, change);
}

/* ---- Pending transfers ----------------------------------------------------------------------- */

static void resolve(struct bank_audit *audit, const struct change *change, struct sl_text id,
                    sl_u128 held, bool in_part)
{
    struct pending *pending = id_table_find(&audit->pendings, id);
    char what[BANK_ID_MAX + 32];

    snprintf(what, sizeof what, "pending transfer %.*s", (int)id.len, id.ptr);
    if (!pending) {
        audit_differs(audit, change->from, what, "made before", "there is no such transfer");
        return;
    }
    if (pending->resolved)
        audit_differs(audit, change->from, what, "resolved once", "resolved again");
    pending->resolved = true;
    audit_compare(audit, change->from, what, pending->amount, held);
    if (change->amount > pending->amount || (!in_part && change->amount != pending->amount))
        audit_compare(audit, change->from, what, pending->amount, change->amount);
}

static bool hold_or_resolve(struct bank_audit *audit, const struct change *change)
{
    if (change->kind == BANK_CANON_EXPIRED) {
        resolve(audit, change, change->id, change->amount, false);
    } else if (change->flags & LEDGER_PENDING) {
        if (id_table_find(&audit->pendings, change->id)) {
            audit_differs(audit, change->from, "pending transfer", "made once", "made again");
            return true;
        }
        struct pending *pending = id_table_add(&audit->pendings, change->id);
        if (!pending)
            return false;
        pending->amount = change->amount;
    } else if (change->pending.len > 0) {
        resolve(audit, change, change->pending, change->pending_amount,
                change->flags & LEDGER_POST);
    }
    return true;
}

static bool transfer(struct bank_audit *audit, const struct change *change)
{
    struct ledger *ledger = audit_ledger(audit, change->ledger);

    if (!ledger || !enter_stretch(ledger, change->position))
        return false;
    if (change->kind == BANK_CANON_TRANSFERRED) {
        check_rise(audit, change, &audit->last_transfer);
        ledger->now.transfers++;
    }
    if (!hold_or_resolve(audit, change))
        return false;
    move_side(audit, ledger, change, 0);
    move_side(audit, ledger, change, 1);
    if (audit->options.account.len > 0)
        return true; /* the other side is not seen */
    audit_compare(audit, change->from, "debits and credits pending of the ledger",
                  ledger->now.claimed[0], ledger->now.claimed[2]);
    audit_compare(audit, change->from, "debits and credits posted of the ledger",
                  ledger->now.claimed[1], ledger->now.claimed[3]);
    return true;
}

/* ---- Taking ---------------------------------------------------------------------------------- */

static void check_expected(struct bank_audit *audit, uint64_t position)
{
    char expected[BANK_HEAD_HEX + 1] = {0}, found[BANK_HEAD_HEX + 1] = {0};

    if (!audit->options.has_expected || audit->options.expected_at > position)
        return;
    audit->options.has_expected = false;
    if (memcmp(&audit->options.expected, &audit->result.head, sizeof audit->result.head) == 0)
        return;
    bank_head_write(&audit->options.expected, expected);
    bank_head_write(&audit->result.head, found);
    const uint64_t before = audit->position;
    audit->position = audit->options.expected_at;
    audit_differs(audit, (struct sl_text){0}, "head of the log", expected, found);
    audit->position = before;
}

static bool take(struct bank_audit *audit, const struct change *change)
{
    check_expected(audit, change->position);
    if (audit->result.events > 0 && change->position <= audit->position)
        audit_compare(audit, change->id, "position", (sl_u128)audit->position + 1,
                      change->position);
    audit->position = change->position;
    audit->result.events++;
    audit->result.head = bank_head_after(&audit->result.head, change->canon, change->canon_len);
    if (change->kind == BANK_CANON_OPENED) {
        if (!open_account(audit, change))
            return false;
    } else if (change->kind == BANK_CANON_TRANSFERRED || change->kind == BANK_CANON_EXPIRED) {
        if (!transfer(audit, change))
            return false;
    } else if (change->kind != BANK_CANON_FAILED) {
        change_account(audit, change);
    }
    audit_watch(audit, change);
    return true;
}

bool bank_audit_take(struct bank_audit *audit, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        struct change change;
        if (len < 4)
            return false;
        const size_t canon = bytes[0] | (size_t)bytes[1] << 8;
        const size_t claim = bytes[2] | (size_t)bytes[3] << 8;
        if (len < 4 + canon + claim ||
            !read_change(bytes + 4, canon, bytes + 4 + canon, claim, &change) ||
            !take(audit, &change))
            return false;
        bytes += 4 + canon + claim;
        len -= 4 + canon + claim;
    }
    return true;
}

/* ---- The whole ------------------------------------------------------------------------------- */

struct bank_audit *bank_audit_new(const struct bank_audit_options *options)
{
    struct bank_audit *audit = calloc(1, sizeof *audit);

    if (!audit)
        return NULL;
    audit->options = *options;
    audit->accounts.item_bytes = sizeof(struct account);
    audit->pendings.item_bytes = sizeof(struct pending);
    return audit;
}

void bank_audit_free(struct bank_audit *audit)
{
    if (!audit)
        return;
    id_table_free(&audit->accounts);
    id_table_free(&audit->pendings);
    for (size_t i = 0; i < audit->ledger_count; i++)
        free(audit->ledgers[i].kept);
    free(audit->ledgers);
    free(audit->watches);
    free(audit);
}

void bank_audit_end(struct bank_audit *audit, uint64_t end)
{
    char at[32], last[32];

    check_expected(audit, end);
    if (audit->options.has_expected) {
        snprintf(at, sizeof at, "at least %llu", (unsigned long long)audit->options.expected_at);
        snprintf(last, sizeof last, "%llu", (unsigned long long)end);
        audit->position = end;
        audit_differs(audit, (struct sl_text){0}, "end of the log", at, last);
    }
    audit_end_watches(audit);
}

struct bank_audit_result bank_audit_result(const struct bank_audit *audit)
{
    struct bank_audit_result result = audit->result;

    if (audit->options.account.len > 0) {
        const struct account *account = id_table_find(&audit->accounts, audit->options.account);
        result.head = account ? account->head : (struct bank_head){{0}};
    }
    return result;
}
