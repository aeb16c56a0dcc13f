/* Written out field by field: the order below is the format of docs/bank.md. */

/* The functions of EVP would find the algorithm and allocate a context for each entry, which takes
 * half as long again as the hash of one. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "domains/bank/chain.h"

#include <openssl/sha.h>
#include <string.h>

enum { VERSION = 1 };

struct canon {
    uint8_t *out;
    size_t len;
    bool failed;
};

/* ---- The form -------------------------------------------------------------------------------- */

static void put_bytes(struct canon *canon, const void *bytes, size_t len)
{
    if (canon->len + len > BANK_CANON_MAX) {
        canon->failed = true;
        return;
    }
    if (len > 0)
        memcpy(canon->out + canon->len, bytes, len);
    canon->len += len;
}

/* Little-endian, as the machine has it: ledger.h asserts that. */
static void put_number(struct canon *canon, sl_u128 number, size_t len)
{
    put_bytes(canon, &number, len);
}

static void put_text(struct canon *canon, struct sl_text text)
{
    if (text.len > UINT8_MAX) {
        canon->failed = true;
        return;
    }
    put_number(canon, text.len, 1);
    put_bytes(canon, text.ptr, text.len);
}

static void put_user_data(struct canon *canon, sl_u128 data_128, uint64_t data_64, uint32_t data_32)
{
    put_number(canon, data_128, 16);
    put_number(canon, data_64, 8);
    put_number(canon, data_32, 4);
}

static void put_opened(struct canon *canon, const struct bank_account_opened *opened)
{
    put_text(canon, opened->id);
    put_number(canon, opened->ledger, 4);
    put_number(canon, opened->code, 2);
    put_number(canon, opened->flags, 2);
    put_number(canon, (uint64_t)opened->limit, 8);
    put_number(canon, opened->timestamp, 8);
    put_user_data(canon, opened->user_data_128, opened->user_data_64, opened->user_data_32);
}

static void put_transferred(struct canon *canon, const struct bank_transferred *transferred)
{
    put_text(canon, transferred->id);
    put_text(canon, transferred->from);
    put_text(canon, transferred->to);
    put_number(canon, transferred->amount, 16);
    put_number(canon, transferred->ledger, 4);
    put_number(canon, transferred->code, 2);
    put_number(canon, transferred->flags, 2);
    put_number(canon, transferred->timestamp, 8);
    put_number(canon, transferred->timeout, 4);
    put_text(canon, transferred->pending);
    put_number(canon, transferred->pending_amount, 16);
    put_number(canon, transferred->pending_flags, 2);
    put_text(canon, transferred->reverses);
    put_user_data(canon, transferred->user_data_128, transferred->user_data_64,
                  transferred->user_data_32);
    put_text(canon, transferred->reference);
}

static void put_expired(struct canon *canon, const struct bank_transfer_expired *expired)
{
    put_text(canon, expired->id);
    put_text(canon, expired->from);
    put_text(canon, expired->to);
    put_number(canon, expired->amount, 16);
    put_number(canon, expired->ledger, 4);
    put_number(canon, expired->flags, 2);
}

static enum bank_canon_kind kind_of(const struct sl_event_type *type)
{
    const struct sl_event_type *const types[] = {
        [BANK_CANON_OPENED] = &bank_account_opened_event,
        [BANK_CANON_CLOSED] = &bank_account_closed_event,
        [BANK_CANON_LIMIT] = &bank_limit_set_event,
        [BANK_CANON_TRANSFERRED] = &bank_transferred_event,
        [BANK_CANON_FAILED] = &bank_transfer_failed_event,
        [BANK_CANON_EXPIRED] = &bank_transfer_expired_event,
    };

    for (size_t i = BANK_CANON_OPENED; i <= BANK_CANON_EXPIRED; i++)
        if (types[i] == type)
            return (enum bank_canon_kind)i;
    return (enum bank_canon_kind)0;
}

static void put_body(struct canon *canon, enum bank_canon_kind kind, const void *body)
{
    switch (kind) {
    case BANK_CANON_OPENED:
        put_opened(canon, body);
        break;
    case BANK_CANON_CLOSED:
        put_text(canon, ((const struct bank_account_closed *)body)->id);
        break;
    case BANK_CANON_LIMIT:
        put_text(canon, ((const struct bank_limit_set *)body)->id);
        put_number(canon, (uint64_t)((const struct bank_limit_set *)body)->limit, 8);
        break;
    case BANK_CANON_TRANSFERRED:
        put_transferred(canon, body);
        break;
    case BANK_CANON_FAILED:
        put_text(canon, ((const struct bank_transfer_failed *)body)->id);
        put_text(canon, ((const struct bank_transfer_failed *)body)->verdict);
        break;
    case BANK_CANON_EXPIRED:
        put_expired(canon, body);
        break;
    default:
        canon->failed = true;
    }
}

size_t bank_canon_write(const struct sl_event *event, uint8_t out[BANK_CANON_MAX])
{
    const enum bank_canon_kind kind = kind_of(event->type);
    struct canon canon = {.out = out};

    put_number(&canon, VERSION, 1);
    put_number(&canon, kind, 1);
    put_number(&canon, event->position, 8);
    put_number(&canon, (uint64_t)event->time.ns, 8);
    put_bytes(&canon, event->command.bytes, sizeof event->command.bytes);
    put_body(&canon, kind, event->body);
    return canon.failed ? 0 : canon.len;
}

static void put_after(struct canon *canon, const struct bank_after *after)
{
    put_number(canon, after->debits_pending, 16);
    put_number(canon, after->debits_posted, 16);
    put_number(canon, after->credits_pending, 16);
    put_number(canon, after->credits_posted, 16);
    put_number(canon, after->entry, 8);
    put_number(canon, after->flags, 2);
}

bool bank_claim_write(const struct sl_event *event, uint8_t out[BANK_CLAIM_BYTES])
{
    struct canon canon = {.out = out};

    if (event->type == &bank_transferred_event) {
        put_after(&canon, &((const struct bank_transferred *)event->body)->from_after);
        put_after(&canon, &((const struct bank_transferred *)event->body)->to_after);
        return true;
    }
    if (event->type == &bank_transfer_expired_event) {
        put_after(&canon, &((const struct bank_transfer_expired *)event->body)->from_after);
        put_after(&canon, &((const struct bank_transfer_expired *)event->body)->to_after);
        return true;
    }
    return false;
}

/* ---- Heads ----------------------------------------------------------------------------------- */

struct bank_head bank_head_after(const struct bank_head *head, const uint8_t *canon, size_t len)
{
    struct bank_head after;
    SHA256_CTX hash;

    SHA256_Init(&hash);
    SHA256_Update(&hash, head->bytes, sizeof head->bytes);
    SHA256_Update(&hash, canon, len);
    SHA256_Final(after.bytes, &hash);
    return after;
}

void bank_head_write(const struct bank_head *head, char out[BANK_HEAD_HEX])
{
    for (size_t i = 0; i < BANK_HEAD_BYTES; i++) {
        out[2 * i] = "0123456789abcdef"[head->bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[head->bytes[i] & 15];
    }
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool bank_head_read(struct sl_text text, struct bank_head *out)
{
    struct bank_head head;

    if (text.len != BANK_HEAD_HEX)
        return false;
    for (size_t i = 0; i < BANK_HEAD_BYTES; i++) {
        const int high = digit_of(text.ptr[2 * i]), low = digit_of(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        head.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = head;
    return true;
}

/* ---- The view -------------------------------------------------------------------------------- */

struct chain_row {
    struct sl_text account;
    uint64_t links;
    char head[BANK_HEAD_HEX + 1];
    uint64_t position;
};

const struct sl_record bank_chain_record = SL_RECORD(
    struct chain_row, SL_FIELD(struct chain_row, account),
    SL_FIELD(struct chain_row, links, .help = "events that concern the account, from its opening"),
    SL_FIELD(struct chain_row, head, .help = "SHA-256 over all of them, see the bank's pages"),
    SL_FIELD(struct chain_row, position, .help = "of the last one"));

static void link_to(struct sl_rows *rows, struct sl_text account, const struct sl_event *event,
                    const uint8_t *canon, size_t len)
{
    struct chain_row *row = sl_row_edit(rows, &account);
    struct bank_head head = {{0}};

    if (!row) {
        row = sl_row_put(rows);
        row->account = account;
    } else if (!bank_head_read((struct sl_text){row->head, BANK_HEAD_HEX}, &head)) {
        sl_rows_fail(rows, "a row's head is not 64 hexadecimal digits");
        return;
    }
    head = bank_head_after(&head, canon, len);
    bank_head_write(&head, row->head);
    row->links++;
    row->position = event->position;
}

void bank_project_chain(const struct sl_event *event, struct sl_rows *rows)
{
    uint8_t canon[BANK_CANON_MAX];

    if (event->type == &bank_transfer_failed_event)
        return; /* it concerns no account: only the chain over the log has it */
    const size_t len = bank_canon_write(event, canon);
    if (len == 0) {
        sl_rows_fail(rows, "the event has no canonical form");
    } else if (event->type == &bank_transferred_event) {
        const struct bank_transferred *transferred = event->body;
        link_to(rows, transferred->from, event, canon, len);
        link_to(rows, transferred->to, event, canon, len);
    } else if (event->type == &bank_transfer_expired_event) {
        const struct bank_transfer_expired *expired = event->body;
        link_to(rows, expired->from, event, canon, len);
        link_to(rows, expired->to, event, canon, len);
    } else if (event->type == &bank_account_opened_event) {
        link_to(rows, ((const struct bank_account_opened *)event->body)->id, event, canon, len);
    } else if (event->type == &bank_limit_set_event) {
        link_to(rows, ((const struct bank_limit_set *)event->body)->id, event, canon, len);
    } else if (event->type == &bank_account_closed_event) {
        link_to(rows, ((const struct bank_account_closed *)event->body)->id, event, canon, len);
    }
}
