/*
 * GET /bank/export/{format}: what was posted, for other programs.
 *
 *     hledger    a journal: each transfer a transaction; debits are positive there, so that an
 *                account's balance has the other sign than here
 *     csv        a line a transfer (RFC 4180)
 *     camt.053   an account's statement (ISO 20022, BankToCustomerStatementV08)
 *
 * `account` names one, `from` and `until` are positions in the log, [from, until), so that a long
 * history can be had in parts. Pending transfers and voids move nothing for good, and are left out.
 */
#include "domains/bank/bank.h"
#include "domains/bank/currencies.h"
#include "domains/bank/ids.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 1 << 20, REPLY_BYTES = 16 << 20, PAGE = 2000 };

struct export;

struct format {
    const char *name;
    const char *type;
    bool of_account; /* one must be named */
    void (*begin)(struct export *export);
    void (*entry)(struct export *export, const struct sl_event *event,
                  const struct bank_transferred *transferred);
    void (*end)(struct export *export);
};

struct export
{
    struct sl_visit *visit;
    const struct format *format;
    struct sl_text account;
    uint64_t from, until;
    char *text;
    size_t len, size;
    bool full;
    /* camt.053: the entries come before what stands above them is known. */
    int64_t opening, closing;
    char currency[4];
    uint64_t entries;
};

/* ---- Text ------------------------------------------------------------------------------------ */

static void grow(struct export *export, size_t wanted)
{
    size_t size = export->size ? export->size : FIRST_BYTES;

    while (size < wanted && size < REPLY_BYTES)
        size *= 2;
    if (size < wanted) {
        export->full = true;
        return;
    }
    char *grown = sl_visit_room(export->visit, size, 1);
    if (export->len > 0)
        memcpy(grown, export->text, export->len);
    export->text = grown;
    export->size = size;
}

static void put(struct export *export, const char *bytes, size_t len)
{
    if (export->len + len > export->size)
        grow(export, export->len + len);
    if (export->full)
        return;
    memcpy(export->text + export->len, bytes, len);
    export->len += len;
}

__attribute__((format(printf, 2, 3))) static void print(struct export *export, const char *format,
                                                        ...)
{
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    const int len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    put(export, line, len < 0 ? 0 : (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
}

static void put_number(struct export *export, sl_u128 number)
{
    char digits[BANK_ID_MAX];
    size_t len = 0;

    do
        digits[len++] = (char)('0' + (int)(number % 10));
    while ((number /= 10) > 0);
    while (len > 0)
        put(export, &digits[--len], 1);
}

/* An amount with its currency's point. */
static void put_amount(struct export *export, sl_u128 amount, const char *currency)
{
    const struct bank_currency *known = bank_currency_named(currency);
    sl_u128 unit = 1;

    for (unsigned i = 0; known && i < known->digits; i++)
        unit *= 10;
    put_number(export, amount / unit);
    if (unit == 1)
        return;
    put(export, ".", 1);
    for (sl_u128 rest = amount % unit, place = unit / 10; place > 0; place /= 10)
        put_number(export, rest / place % 10);
}

static void put_time(struct export *export, uint64_t time, bool with_time)
{
    const int64_t days = (int64_t)(time / UINT64_C(86400000000000));
    const unsigned second = (unsigned)(time / 1000000000 % 86400);
    /* Days to a date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
     * civil_from_days. */
    const int64_t z = days + 719468, era = z / 146097;
    const unsigned doe = (unsigned)(z - era * 146097);
    const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const unsigned mp = (5 * doy + 2) / 153;
    const unsigned day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
    const int64_t year = (int64_t)yoe + era * 400 + (month <= 2);

    print(export, "%04d-%02u-%02u", (int)year, month, day);
    if (with_time)
        print(export, "T%02u:%02u:%02uZ", second / 3600, second / 60 % 60, second % 60);
}

/* ---- hledger --------------------------------------------------------------------------------- */

static void put_commodity(struct export *export, const struct bank_transferred *transferred)
{
    if (transferred->currency[0])
        print(export, " %s\n", transferred->currency);
    else
        print(export, " \"L%u\"\n", (unsigned)transferred->ledger);
}

static void put_posting(struct export *export, struct sl_text account,
                        const struct bank_after *after, const char *sign,
                        const struct bank_transferred *transferred)
{
    const char *kind = after->flags & LEDGER_DEBITS_MUST_NOT_EXCEED_CREDITS ? "clients" : "others";

    print(export, "    %s:%.*s  %s", kind, (int)account.len, account.ptr, sign);
    put_amount(export, transferred->amount, transferred->currency);
    put_commodity(export, transferred);
}

/* What would end a description, or begin a comment, becomes a blank. */
static void put_plain(struct export *export, struct sl_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        put(export, (unsigned char)c < ' ' || c == ';' || c == '|' ? " " : &text.ptr[i], 1);
    }
}

static void hledger_entry(struct export *export, const struct sl_event *event,
                          const struct bank_transferred *transferred)
{
    (void)event;
    put_time(export, transferred->timestamp, false);
    print(export, " (%.*s) ", (int)transferred->id.len, transferred->id.ptr);
    put_plain(export, transferred->reference);
    put(export, "\n", 1);
    put_posting(export, transferred->from, &transferred->from_after, "", transferred);
    put_posting(export, transferred->to, &transferred->to_after, "-", transferred);
    put(export, "\n", 1);
}

/* ---- csv ------------------------------------------------------------------------------------- */

static void csv_begin(struct export *export)
{
    if (export->from == 0)
        print(export, "position,time,id,from,to,amount,currency,ledger,code,pending,reverses,"
                      "reference\r\n");
}

static void put_quoted(struct export *export, struct sl_text text)
{
    put(export, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            put(export, "\"", 1);
        put(export, &text.ptr[i], 1);
    }
    put(export, "\"", 1);
}

static void csv_entry(struct export *export, const struct sl_event *event,
                      const struct bank_transferred *transferred)
{
    print(export, "%llu,", (unsigned long long)event->position);
    put_time(export, transferred->timestamp, true);
    print(export, ",%.*s,%.*s,%.*s,", (int)transferred->id.len, transferred->id.ptr,
          (int)transferred->from.len, transferred->from.ptr, (int)transferred->to.len,
          transferred->to.ptr);
    put_amount(export, transferred->amount, transferred->currency);
    print(export, ",%s,%u,%u,%.*s,%.*s,", transferred->currency, (unsigned)transferred->ledger,
          (unsigned)transferred->code, (int)transferred->pending.len, transferred->pending.ptr,
          (int)transferred->reverses.len, transferred->reverses.ptr);
    put_quoted(export, transferred->reference);
    put(export, "\r\n", 2);
}

/* ---- camt.053 -------------------------------------------------------------------------------- */

static void put_xml(struct export *export, struct sl_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (c == '&')
            put(export, "&amp;", 5);
        else if (c == '<')
            put(export, "&lt;", 4);
        else if (c == '>')
            put(export, "&gt;", 4);
        else
            put(export, (unsigned char)c < ' ' ? " " : &text.ptr[i], 1);
    }
}

static void put_camt_amount(struct export *export, sl_u128 amount, bool credit)
{
    print(export, "<Amt Ccy=\"%s\">", export->currency[0] ? export->currency : "XXX");
    put_amount(export, amount, export->currency);
    print(export, "</Amt><CdtDbtInd>%s</CdtDbtInd>", credit ? "CRDT" : "DBIT");
}

static void camt_entry(struct export *export, const struct sl_event *event,
                       const struct bank_transferred *transferred)
{
    const bool credit = sl_text_equals(transferred->to, export->account);
    const int64_t amount = bank_balance_of(transferred->amount, 0);
    const struct sl_text other = credit ? transferred->from : transferred->to;

    export->closing = credit ? transferred->to_balance : transferred->from_balance;
    if (export->entries++ == 0) {
        export->opening = credit ? export->closing - amount : export->closing + amount;
        memcpy(export->currency, transferred->currency, sizeof export->currency);
    }
    /* A reference has at most 35 characters: a position has, an id may have more. */
    print(export, "<Ntry><NtryRef>%llu</NtryRef>", (unsigned long long)event->position);
    put_camt_amount(export, transferred->amount, credit);
    print(export, "<Sts><Cd>BOOK</Cd></Sts><BookgDt><DtTm>");
    put_time(export, transferred->timestamp, true);
    print(export, "</DtTm></BookgDt><BkTxCd><Prtry><Cd>%u</Cd></Prtry></BkTxCd><NtryDtls><TxDtls>",
          (unsigned)transferred->code);
    print(export, "<RltdPties><%sAcct><Id><Othr><Id>%.*s</Id></Othr></Id></%sAcct></RltdPties>",
          credit ? "Dbtr" : "Cdtr", (int)other.len, other.ptr, credit ? "Dbtr" : "Cdtr");
    if (transferred->reference.len > 0) {
        print(export, "<RmtInf><Ustrd>");
        put_xml(export, transferred->reference);
        print(export, "</Ustrd></RmtInf>");
    }
    print(export, "</TxDtls></NtryDtls></Ntry>\n");
}

static void put_camt_balance(struct export *export, const char *code, int64_t balance)
{
    print(export, "<Bal><Tp><CdOrPrtry><Cd>%s</Cd></CdOrPrtry></Tp>", code);
    put_camt_amount(export, balance < 0 ? (sl_u128)0 - (sl_u128)balance : (sl_u128)balance,
                    balance >= 0);
    print(export, "<Dt><DtTm>");
    put_time(export, (uint64_t)sl_visit_now(export->visit).ns, true);
    print(export, "</DtTm></Dt></Bal>\n");
}

/* The entries are known: what stands above them is put before. */
static void camt_end(struct export *export)
{
    char *const entries = export->text;
    const size_t len = export->len;

    export->text = NULL;
    export->len = export->size = 0;
    print(export,
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document "
          "xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt>\n"
          "<GrpHdr><MsgId>%llu</MsgId><CreDtTm>",
          (unsigned long long)sl_visit_now(export->visit).ns);
    put_time(export, (uint64_t)sl_visit_now(export->visit).ns, true);
    print(export,
          "</CreDtTm></GrpHdr>\n<Stmt><Id>%llu</Id><Acct><Id><Othr><Id>%.*s</Id></Othr>"
          "</Id></Acct>\n",
          (unsigned long long)sl_visit_now(export->visit).ns, (int)export->account.len,
          export->account.ptr);
    put_camt_balance(export, "OPBD", export->opening);
    put_camt_balance(export, "CLBD", export->closing);
    put(export, entries, len);
    print(export, "</Stmt></BkToCstmrStmt></Document>\n");
}

/* ---- The request ----------------------------------------------------------------------------- */

static const struct format formats[] = {
    {"hledger", "text/plain; charset=utf-8", .entry = hledger_entry},
    {"csv", "text/csv; charset=utf-8", .begin = csv_begin, .entry = csv_entry},
    {"camt.053", "application/xml", .of_account = true, .entry = camt_entry, .end = camt_end},
};

static void see_events(struct sl_visit *visit, const struct sl_visit_events *events);

static void read_on(struct export *export)
{
    const bool all = export->account.len == 0;

    sl_visit_events(export->visit,
                    &(struct sl_visit_log){.of = SL_EVENTS_OF_TAG,
                                           .name = all ? "book" : "account",
                                           .key = export->account,
                                           .from = export->from,
                                           .until = export->until,
                                           .limit = PAGE},
                    see_events);
}

static void see_events(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct export *export = sl_visit_user(visit);

    for (size_t i = 0; i < events->count; i++) {
        const struct sl_event *event = &events->events[i];
        if (event->type != &bank_transferred_event)
            continue;
        const struct bank_transferred *transferred = event->body;
        if (!(transferred->flags & (LEDGER_PENDING | LEDGER_VOID)))
            export->format->entry(export, event, transferred);
    }
    export->from = events->next;
    if (!events->end && !export->full) {
        read_on(export);
        return;
    }
    if (export->format->end && !export->full)
        export->format->end(export);
    if (export->full)
        sl_visit_problem(visit, 413, "too_much_data", SL_TEXT("until"),
                         SL_TEXT("that is more than 16 MiB: ask for it in parts, by from and "
                                 "until, which are positions"));
    else
        sl_visit_answer(visit, 200, export->format->type,
                        (struct sl_text){export->text, export->len});
}

/* A position, or what it is without one. False: it is none. */
static bool read_position(struct sl_text text, uint64_t *out)
{
    uint64_t number = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || number > (UINT64_MAX - 9) / 10)
            return false;
        number = number * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *out = number;
    return true;
}

static const struct format *format_named(struct sl_text name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (sl_text_equals(name, (struct sl_text){formats[i].name, strlen(formats[i].name)}))
            return &formats[i];
    return NULL;
}

void bank_serve_export(struct sl_visit *visit)
{
    struct export *export = sl_visit_room(visit, 1, sizeof *export);
    sl_u128 id = 0;

    export->visit = visit;
    export->format = format_named(sl_visit_part(visit, "format"));
    export->account = sl_visit_parameter(visit, "account");
    sl_visit_set_user(visit, export);
    if (!export->format) {
        sl_visit_problem(visit, 404, "format_unknown", SL_TEXT("format"),
                         SL_TEXT("there are hledger, csv and camt.053"));
    } else if (export->account.len == 0 && export->format->of_account) {
        sl_visit_problem(visit, 400, "account_needed", SL_TEXT("account"),
                         SL_TEXT("a statement is of one account"));
    } else if (!bank_id_read(export->account, &id)) {
        sl_visit_problem(visit, 400, "id_malformed", SL_TEXT("account"),
                         SL_TEXT("this is no account's id"));
    } else if (!read_position(sl_visit_parameter(visit, "from"), &export->from) ||
               !read_position(sl_visit_parameter(visit, "until"), &export->until)) {
        sl_visit_problem(visit, 400, "position_malformed", SL_TEXT("from, until"),
                         SL_TEXT("these are positions: whole numbers"));
    } else {
        if (export->format->begin)
            export->format->begin(export);
        read_on(export);
    }
}
