/*
 * sluice bank import FILE.csv: the table that `sluice bank export --format csv` writes, into this
 * bank. Each row is a transfer under its own id, which is its for ever: a row that is there already
 * changes nothing, so an import may be run again, and one that was cut short goes on where it
 * ended.
 */
#include "domains/bank/answer.h"
#include "domains/bank/bank.h"
#include "domains/bank/csv.h"
#include "domains/bank/currencies.h"
#include "domains/bank/id_table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 500, FIELD_BYTES = 1024, DEADLINE_S = 60, ITEM_BYTES = 8192, TOLD_MAX = 20 };

#define AMOUNT_MAX INT64_C(1000000000000000) /* of what comes in by name */

/* The columns, in the order in which they are exported. */
enum column {
    POSITION,
    TIME,
    ID,
    FROM,
    TO,
    AMOUNT,
    CURRENCY,
    LEDGER,
    CODE,
    PENDING,
    REVERSES,
    REFERENCE,
    COLUMNS,
};

static const char *const columns[COLUMNS] = {
    "position", "time",   "id",   "from",    "to",       "amount",
    "currency", "ledger", "code", "pending", "reverses", "reference",
};

struct body {
    char *text;
    size_t len, size;
    size_t items;
};

struct import {
    struct sl_client *client;
    const char *path;
    struct bank_csv csv; /* the file, of which lines are read here: texts may have quotes */
    unsigned long line;  /* of the character that comes next, from 1 */
    unsigned long row_line;
    char fields[COLUMNS][FIELD_BYTES + 1];
    struct id_table known; /* accounts that were opened or found */
    struct body opened, moved;
    const char *command; /* of `moved`: Transfer or ReverseTransfer */
    unsigned long open_lines[2 * CHUNK], lines[CHUNK];
    bool posts[CHUNK]; /* does the row of `moved` post what was pending? */
    uint64_t done, made, told;
    uint64_t plain; /* of those made, what had posted something pending */
    uint64_t opens; /* accounts */
};

/* ---- Errors ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static bool
complain(struct import *import, unsigned long line, const char *column, const char *format, ...)
{
    va_list arguments;

    if (import->told++ >= TOLD_MAX)
        return false;
    fprintf(stderr, "%s:%lu: column %s: ", import->path, line, column);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return false;
}

/* ---- Rows (RFC 4180) ------------------------------------------------------------------------- */

static int next_char(struct import *import)
{
    const int c = fgetc(import->csv.file);

    import->line += c == '\n';
    return c;
}

/* Reads a field; leaves what ended it in `*end`: a comma, a line's end or EOF. */
static bool read_field(struct import *import, size_t column, int *end)
{
    char *out = import->fields[column];
    size_t len = 0;
    int c = next_char(import);
    const bool quoted = c == '"';

    if (quoted)
        c = next_char(import);
    for (;; c = next_char(import)) {
        if (quoted && c == EOF)
            return complain(import, import->row_line, columns[column], "the quotes do not end");
        if (quoted && c == '"') {
            c = next_char(import);
            if (c != '"')
                break;
        } else if (!quoted && (c == ',' || c == '\r' || c == '\n' || c == EOF)) {
            break;
        }
        if (c == 0)
            return complain(import, import->row_line, columns[column], "a zero byte");
        if (len == FIELD_BYTES)
            return complain(import, import->row_line, columns[column], "more than %d bytes",
                            FIELD_BYTES);
        out[len++] = (char)c;
    }
    out[len] = 0;
    if (c == '\r')
        c = next_char(import);
    if (c != ',' && c != '\n' && c != EOF)
        return complain(import, import->row_line, columns[column], "text behind the quotes");
    *end = c;
    return true;
}

/* False with `*out_end`: the file ended where a row may. */
static bool read_row(struct import *import, bool *out_end)
{
    int end = 0;

    *out_end = false;
    import->row_line = import->line;
    const int first = fgetc(import->csv.file);
    if (first == EOF) {
        *out_end = true;
        return false;
    }
    (void)ungetc(first, import->csv.file);
    for (size_t i = 0; i < COLUMNS; i++) {
        if (!read_field(import, i, &end))
            return false;
        if (i + 1 < COLUMNS && end != ',')
            return complain(import, import->row_line, columns[i + 1],
                            "it is missing: a row has %d columns", COLUMNS);
    }
    return end != ',' || complain(import, import->row_line, columns[COLUMNS - 1],
                                  "more behind it: a row has %d columns", COLUMNS);
}

static bool check_header(struct import *import)
{
    for (size_t i = 0; i < COLUMNS; i++)
        if (strcmp(import->fields[i], columns[i]) != 0)
            return complain(import, 1, columns[i],
                            "the first line names the columns as they are exported; here is \"%s\"",
                            import->fields[i]);
    return true;
}

/* ---- What a row says ------------------------------------------------------------------------- */

static struct sl_text field(const struct import *import, enum column column)
{
    return (struct sl_text){import->fields[column], strlen(import->fields[column])};
}

static bool check_id(struct import *import, enum column column, bool required)
{
    sl_u128 id;
    const struct sl_text text = field(import, column);

    if (required && text.len == 0)
        return complain(import, import->row_line, columns[column], "an id is needed");
    return bank_id_read(text, &id) ||
           complain(import, import->row_line, columns[column],
                    "no id (a name of up to 21 letters, digits, _ and -, or a number): \"%s\"",
                    text.ptr);
}

/* "10.50" is 1050 of a currency with two digits. */
static bool read_amount(struct import *import, const struct bank_currency *currency, int64_t *out)
{
    const char *p = import->fields[AMOUNT];
    int64_t amount = 0;
    unsigned whole = 0, digits = 0;
    bool point = false;

    for (; *p; p++) {
        if (*p == '.' && !point) {
            point = true;
        } else if (*p < '0' || *p > '9') {
            return complain(import, import->row_line, columns[AMOUNT], "no amount: \"%s\"",
                            import->fields[AMOUNT]);
        } else {
            amount = amount * 10 + (*p - '0');
            *(point ? &digits : &whole) += 1;
        }
        if (amount > AMOUNT_MAX)
            break;
    }
    if (amount <= AMOUNT_MAX && (whole == 0 || (point && digits == 0)))
        return complain(import, import->row_line, columns[AMOUNT], "no amount: \"%s\"",
                        import->fields[AMOUNT]);
    if (digits > currency->digits)
        return complain(import, import->row_line, columns[AMOUNT],
                        "%s has at most %u digits behind the point", currency->code,
                        (unsigned)currency->digits);
    for (; digits < currency->digits && amount <= AMOUNT_MAX; digits++)
        amount *= 10;
    if (amount > AMOUNT_MAX)
        return complain(import, import->row_line, columns[AMOUNT],
                        "more than %" PRId64 " minor units", AMOUNT_MAX);
    *out = amount;
    return true;
}

static bool check_numbers(struct import *import, const struct bank_currency *currency,
                          int64_t *code)
{
    int64_t ledger;

    if (!bank_csv_number(field(import, LEDGER), &ledger) || ledger != (int64_t)currency->number)
        return complain(import, import->row_line, columns[LEDGER], "the ledger of %s is %u",
                        currency->code, (unsigned)currency->number);
    if (!bank_csv_number(field(import, CODE), code) || *code < 1 || *code > UINT16_MAX)
        return complain(import, import->row_line, columns[CODE], "a code is from 1 to 65535");
    return true;
}

/* ---- Requests -------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool append(struct body *body, const char *format, ...)
{
    va_list arguments;

    if (body->size - body->len < ITEM_BYTES) {
        char *grown = realloc(body->text, body->size + 64 * ITEM_BYTES);
        if (!grown) {
            fprintf(stderr, "import: no memory\n");
            return false;
        }
        body->text = grown;
        body->size += 64 * ITEM_BYTES;
    }
    va_start(arguments, format);
    const int written =
        vsnprintf(body->text + body->len, body->size - body->len, format, arguments);
    va_end(arguments);
    if (written > 0)
        body->len += (size_t)written;
    return written >= 0;
}

/* As JSON's strings have it; `out` has six bytes for each of the text's, and one more. */
static void escape(const char *text, char *out)
{
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\' || c < ' ')
            out += snprintf(out, 7, "\\u%04x", c);
        else
            *out++ = (char)c;
    }
    *out = 0;
}

/* Which column a refusal is about. */
static const char *column_of(struct sl_text rule)
{
    static const struct {
        const char *part;
        enum column column;
    } parts[] = {
        {"debit_account", FROM},
        {"exceeds_credits", FROM},
        {"credit_account", TO},
        {"exceeds_debits", TO},
        {"ledger", LEDGER},
        {"amount", AMOUNT},
        {"code", CODE},
        {"currency", CURRENCY},
        {"reference", REFERENCE},
        {"transfer_not", REVERSES},
        {"already_reversed", REVERSES},
    };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (memmem(rule.ptr, rule.len, parts[i].part, strlen(parts[i].part)))
            return columns[parts[i].column];
    return columns[ID];
}

/* An account that is there already, in the row's ledger, may be of any kind. */
static bool is_there(struct sl_text rule)
{
    static const char start[] = "exists_with_different_";

    return rule.len > sizeof start && memcmp(rule.ptr, start, sizeof start - 1) == 0 &&
           !memmem(rule.ptr, rule.len, "ledger", 6);
}

/* Is each of the outcomes good? */
static bool see_outcomes(struct import *import, struct sl_text answer, const unsigned long *lines,
                         size_t count, bool accounts)
{
    const char *end = answer.ptr + answer.len;
    const char *p = memchr(answer.ptr, '[', answer.len);
    struct sl_text item;
    size_t i = 0;
    bool good = true;

    for (p = p ? p + 1 : end; i < count && bank_answer_next(&p, end, &item); i++) {
        struct sl_text rule = {"", 0}, detail = {"", 0}, events = {"", 0}, name;
        int64_t status = 0;
        (void)bank_answer_number(item, "status", &status);
        (void)bank_answer_value(item, "rule", &rule);
        (void)bank_answer_value(item, "detail", &detail);
        (void)bank_answer_value(item, "events", &events);
        if (status == 201 || status == 202) {
            const bool is_new = events.len > 2;
            import->opens += accounts && is_new;
            import->made += !accounts && is_new;
            import->plain += !accounts && is_new && import->posts[i];
        } else if (!accounts || !is_there(rule)) {
            /* An account is refused where a later row calls another ledger its own. */
            const bool named = bank_answer_value(item, "field", &name) && name.len > 0;
            const char *column = accounts ? "from or to" : column_of(named ? name : rule);
            good = complain(import, lines[i], column, "%.*s: %.*s", (int)rule.len, rule.ptr,
                            (int)detail.len, detail.ptr);
        }
    }
    if (i < count)
        fprintf(stderr, "import: %zu outcomes of %zu\n", i, count);
    return good && i == count;
}

static bool post(struct import *import, const char *command, struct body *body,
                 const unsigned long *lines, bool accounts)
{
    struct sl_error error = {0};
    struct sl_answer answer;
    char path[64];

    if (body->items == 0)
        return true;
    if (!append(body, "]"))
        return false;
    snprintf(path, sizeof path, "/bank/%s", command);
    if (sl_client_post(import->client, path, (struct sl_text){body->text, body->len},
                       (struct sl_text){0}, DEADLINE_S, &answer, &error) != SL_OK) {
        fprintf(stderr, "import: %s\n", error.message);
        return false;
    }
    const size_t count = body->items;
    body->len = body->items = 0;
    if (answer.status != 200) {
        fprintf(stderr, "import: rows %s:%lu to %lu: %s answered %d: %.*s\n", import->path,
                lines[0], lines[count - 1], path, answer.status, (int)answer.body.len,
                answer.body.ptr);
        return false;
    }
    return see_outcomes(import, answer.body, lines, count, accounts);
}

static bool flush(struct import *import)
{
    const size_t count = import->moved.items;

    if (!post(import, "OpenAccount", &import->opened, import->open_lines, true) ||
        !post(import, import->command, &import->moved, import->lines, false))
        return false;
    import->done += count;
    sl_client_progress(import->client, "import", import->done, 0);
    return true;
}

/* ---- Rows into requests ---------------------------------------------------------------------- */

/* A table does not say what kind of account it was: those that are not there are opened as
 * external ones, which any row fits. */
static bool know(struct import *import, enum column column)
{
    const struct sl_text id = field(import, column);

    if (id_table_find(&import->known, id))
        return true;
    if (!id_table_add(&import->known, id)) {
        fprintf(stderr, "import: no memory\n");
        return false;
    }
    import->open_lines[import->opened.items] = import->row_line;
    return append(&import->opened, "%s{\"id\":\"%s\",\"kind\":\"external\",\"currency\":\"%s\"}",
                  import->opened.items++ ? "," : "[", id.ptr, import->fields[CURRENCY]);
}

static bool add_row(struct import *import, int64_t amount, int64_t code)
{
    char reference[6 * FIELD_BYTES + 1];
    const bool reverses = import->fields[REVERSES][0] != 0;
    const char *command = reverses ? "ReverseTransfer" : "Transfer";

    if (import->moved.items == CHUNK || (import->moved.items > 0 && import->command != command))
        if (!flush(import))
            return false;
    import->command = command;
    if (!know(import, FROM) || !know(import, TO))
        return false;
    escape(import->fields[REFERENCE], reference);
    import->lines[import->moved.items] = import->row_line;
    import->posts[import->moved.items] = import->fields[PENDING][0] != 0;
    const char *separator = import->moved.items++ ? "," : "[";
    if (reverses)
        return append(&import->moved, "%s{\"id\":\"%s\",\"transfer\":\"%s\",\"reference\":\"%s\"}",
                      separator, import->fields[ID], import->fields[REVERSES], reference);
    return append(&import->moved,
                  "%s{\"id\":\"%s\",\"from\":\"%s\",\"to\":\"%s\",\"amount\":%" PRId64
                  ",\"currency\":\"%s\",\"code\":%" PRId64 ",\"reference\":\"%s\"}",
                  separator, import->fields[ID], import->fields[FROM], import->fields[TO], amount,
                  import->fields[CURRENCY], code, reference);
}

static bool take_row(struct import *import)
{
    const struct bank_currency *currency = bank_currency_named(import->fields[CURRENCY]);
    int64_t amount = 0, code = 0;

    if (!currency)
        return complain(import, import->row_line, columns[CURRENCY],
                        "no currency of ISO 4217: \"%s\" (ledgers that are no currency's cannot be "
                        "imported)",
                        import->fields[CURRENCY]);
    return check_id(import, ID, true) && check_id(import, FROM, true) &&
           check_id(import, TO, true) && check_id(import, REVERSES, false) &&
           read_amount(import, currency, &amount) && check_numbers(import, currency, &code) &&
           add_row(import, amount, code);
}

static bool take_table(struct import *import)
{
    bool end = false;

    if (!read_row(import, &end))
        return !end ? false : complain(import, 1, columns[0], "the file is empty");
    if (!check_header(import))
        return false;
    while (read_row(import, &end))
        if (!take_row(import))
            return false;
    return end && flush(import);
}

/* What of the rows is not in this bank now; what the table has no column for is not known here. */
static void tell_result(const struct import *import)
{
    printf("%" PRIu64 " rows, %" PRIu64 " transfers new\n", import->done, import->made);
    if (import->made > 0)
        printf("not kept: position and time of %" PRIu64 " transfers, which happened now\n",
               import->made);
    if (import->plain > 0)
        printf("not kept: what %" PRIu64 " of them posted was pending; they are plain transfers\n",
               import->plain);
    if (import->opens > 0)
        printf("not kept: kind and limit of %" PRIu64 " accounts, opened as external ones\n",
               import->opens);
}

int bank_import_table(struct sl_client *client, const char *path)
{
    struct import *import = calloc(1, sizeof *import);

    if (!import) {
        fprintf(stderr, "import: no memory\n");
        return 1;
    }
    import->client = client;
    import->path = path;
    import->line = 1;
    import->command = "Transfer";
    import->known.item_bytes = sizeof(struct id_name);
    bool good = bank_csv_open(&import->csv, path);
    if (good) {
        good = take_table(import);
        good = bank_csv_close(&import->csv, good ? path : NULL) && good;
        tell_result(import);
    }
    id_table_free(&import->known);
    free(import->opened.text);
    free(import->moved.text);
    free(import);
    return good ? 0 : 1;
}
