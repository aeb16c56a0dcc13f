/*
 * sluice bank import: accounts and transactions of a PaySim run, sent in arrays. Each array has the
 * number of its first item for an id, from which the ids of its items follow. So sending it again
 * after a lost answer, or running the whole import again, changes nothing, and an import that was
 * cut short goes on where it ended. That needs the same arrays each time: a --limit is rounded up
 * to whole ones. With --check every refusal and every balance after each row is compared with the
 * data.
 */
#include "domains/bank/answer.h"
#include "domains/bank/bank.h"
#include "domains/bank/csv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CHUNK = 500,
    ID_BYTES = 40,
    DEADLINE_S = 60,
    KNOWN_SLOTS = 1 << 20, /* names of external accounts that were opened */
};

struct row {
    int64_t sequence;
    bool refused;
    bool has_to;
    bool credits; /* CASH_IN: the client stands on the credited side */
    int64_t from_after, to_after;
};

struct import {
    struct sl_client *client;
    bool check;
    char *body; /* the array being made */
    size_t body_len, body_size;
    size_t items;
    struct row rows[CHUNK];
    char *opened; /* JSON of external accounts to be opened first */
    size_t opened_len, opened_size;
    size_t opened_items;
    uint64_t open_arrays;
    char (*known)[ID_BYTES + 1];
    size_t known_count;
    uint64_t done, refused, differences;
    uint64_t total;
    bool failed;
};

/* ---- Making arrays --------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static bool append(char **body, size_t *len, size_t *size,
                                                         const char *format, ...)
{
    va_list arguments;

    if (*size - *len < 512) {
        char *grown = realloc(*body, *size + 65536);
        if (!grown)
            return false;
        *body = grown;
        *size += 65536;
    }
    va_start(arguments, format);
    const int written = vsnprintf(*body + *len, *size - *len, format, arguments);
    va_end(arguments);
    if (written < 0 || (size_t)written >= *size - *len)
        return false;
    *len += (size_t)written;
    return true;
}

/* Sends an array and leaves the answer in `out`; false: said on stderr. */
static bool post(struct import *import, const char *path, const char *body, size_t len,
                 const char *id, struct sl_answer *out)
{
    struct sl_error error = {0};

    if (sl_client_post(import->client, path, (struct sl_text){body, len},
                       (struct sl_text){id, strlen(id)}, DEADLINE_S, out, &error) != SL_OK) {
        fprintf(stderr, "import: %s\n", error.message);
        return false;
    }
    if (out->status != 200) {
        fprintf(stderr, "import: %s answered %d: %.*s\n", path, out->status, (int)out->body.len,
                out->body.ptr);
        return false;
    }
    return true;
}

/* ---- Reading answers ------------------------------------------------------------------------- */

/* The number at the end of an element's position token; false: it has none. */
static bool position_of(struct sl_text element, uint64_t *out)
{
    static const char name[] = "\"position\":\"";
    const char *found = memmem(element.ptr, element.len, name, sizeof name - 1);

    if (!found)
        return false;
    const char *start = found + sizeof name - 1;
    const char *quote = memchr(start, '"', element.len - (size_t)(start - element.ptr));
    const char *colon = quote ? memrchr(start, ':', (size_t)(quote - start)) : NULL;
    if (!colon)
        return false;
    *out = strtoull(colon + 1, NULL, 10);
    return true;
}

static void differs(struct import *import, const struct row *row, const char *what, int64_t got,
                    int64_t want)
{
    if (import->differences++ < 20)
        fprintf(stderr, "row %" PRId64 ": %s is %" PRId64 ", the data says %" PRId64 "\n",
                row->sequence, what, got, want);
}

/* Compares the balances that the events of [first, last] carry with those of the rows they came
 * from. */
static void compare_balances(struct import *import, const uint64_t *positions)
{
    for (size_t i = 0; i < import->items;) {
        if (import->rows[i].refused || positions[i] == UINT64_MAX) {
            i++;
            continue;
        }
        char path[96];
        struct sl_answer answer;
        struct sl_error error = {0};
        if (positions[i] == 0)
            snprintf(path, sizeof path, "/bank/events?limit=1000");
        else
            snprintf(path, sizeof path, "/bank/events?limit=1000&after=%" PRIu64, positions[i] - 1);
        if (sl_client_get(import->client, path, (struct sl_text){0}, DEADLINE_S, &answer, &error) !=
                SL_OK ||
            answer.status != 200) {
            fprintf(stderr, "import: events cannot be read: %s\n", error.message);
            import->failed = true;
            return;
        }
        const char *end = answer.body.ptr + answer.body.len;
        const char *p = memchr(answer.body.ptr, '[', answer.body.len);
        struct sl_text event;
        const size_t before = i;
        for (p = p ? p + 1 : end; i < import->items && bank_answer_next(&p, end, &event);) {
            int64_t position, from, to;
            while (i < import->items && (import->rows[i].refused || positions[i] == UINT64_MAX))
                i++;
            if (i == import->items)
                break;
            const struct row *row = &import->rows[i];
            if (!bank_answer_number(event, "position", &position) ||
                (uint64_t)position != positions[i])
                continue; /* somebody else's event lies between */
            if (!bank_answer_number(event, "from_balance", &from) ||
                !bank_answer_number(event, "to_balance", &to)) {
                differs(import, row, "a balance", 0, row->from_after);
            } else {
                const int64_t client = row->credits ? to : from;
                if (client != row->from_after)
                    differs(import, row, "the balance after it", client, row->from_after);
                if (row->has_to && to != row->to_after)
                    differs(import, row, "the receiver's balance after it", to, row->to_after);
            }
            i++;
        }
        if (i == before) {
            differs(import, &import->rows[i], "the event's place", -1, (int64_t)positions[i]);
            i++;
        }
    }
}

/* Compares outcomes with the data. */
static void compare(struct import *import, struct sl_text body)
{
    static uint64_t positions[CHUNK];
    const char *end = body.ptr + body.len;
    const char *p = memchr(body.ptr, '[', body.len);
    struct sl_text item;
    size_t i = 0;

    for (p = p ? p + 1 : end; i < import->items && bank_answer_next(&p, end, &item); i++) {
        const struct row *row = &import->rows[i];
        int64_t status = 0;

        positions[i] = UINT64_MAX;
        bank_answer_number(item, "status", &status);
        import->refused += status == 422;
        if (status != (row->refused ? 422 : 201)) {
            differs(import, row, "the status", status, row->refused ? 422 : 201);
        } else if (status == 201) {
            uint64_t after = 0;
            if (position_of(item, &after) && after > 0)
                positions[i] = after - 1;
            else
                differs(import, row, "the position", 0, 1);
        }
    }
    if (i < import->items)
        differs(import, &import->rows[i], "the number of outcomes", (int64_t)i,
                (int64_t)import->items);
    else if (import->check)
        compare_balances(import, positions);
}

/* Is every outcome an acceptance? The first that is not is said on stderr. */
static bool all_accepted(struct sl_text body, size_t count)
{
    const char *end = body.ptr + body.len;
    const char *p = memchr(body.ptr, '[', body.len);
    struct sl_text item;
    size_t i = 0;

    for (p = p ? p + 1 : end; bank_answer_next(&p, end, &item); i++) {
        int64_t status = 0;
        if (!bank_answer_number(item, "status", &status) || status != 201) {
            fprintf(stderr, "import: not accepted: %.*s\n", (int)item.len, item.ptr);
            return false;
        }
    }
    return i == count;
}

/* ---- Accounts -------------------------------------------------------------------------------- */

static bool flush_opened(struct import *import)
{
    struct sl_answer answer;
    char id[64];

    if (import->opened_items == 0)
        return true;
    if (!append(&import->opened, &import->opened_len, &import->opened_size, "]"))
        return false;
    snprintf(id, sizeof id, "paysim-open-%" PRIu64, import->open_arrays++);
    const bool good =
        post(import, "/bank/OpenAccount", import->opened, import->opened_len, id, &answer) &&
        all_accepted(answer.body, import->opened_items);
    import->opened_len = import->opened_items = 0;
    return good;
}

static bool open_later(struct import *import, struct sl_text id, const char *kind, int64_t limit)
{
    if (import->opened_items == CHUNK && !flush_opened(import))
        return false;
    return append(&import->opened, &import->opened_len, &import->opened_size,
                  "%s{\"id\":\"%.*s\",\"kind\":\"%s\",\"currency\":\"XXX\",\"limit\":%" PRId64 "}",
                  import->opened_items++ ? "," : "[", (int)id.len, id.ptr, kind, limit);
}

/* Opens an external account when its name is met first. */
static bool know_external(struct import *import, struct sl_text id)
{
    uint64_t hash = 1469598103934665603u; /* FNV-1a */

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (uint8_t)id.ptr[i]) * 1099511628211u;
    size_t slot = hash % KNOWN_SLOTS;
    while (import->known[slot][0]) {
        if (strlen(import->known[slot]) == id.len &&
            memcmp(import->known[slot], id.ptr, id.len) == 0)
            return true;
        slot = (slot + 1) % KNOWN_SLOTS;
    }
    if (import->known_count == KNOWN_SLOTS / 2) {
        fprintf(stderr, "import: more than %d external accounts\n", KNOWN_SLOTS / 2);
        return false;
    }
    memcpy(import->known[slot], id.ptr, id.len);
    import->known_count++;
    return open_later(import, id, "external", 0);
}

/* ---- Transactions ---------------------------------------------------------------------------- */

static bool flush_rows(struct import *import, const char *what)
{
    struct sl_answer answer;
    char id[64];

    if (import->items == 0)
        return true;
    if (!flush_opened(import) || !append(&import->body, &import->body_len, &import->body_size, "]"))
        return false;
    snprintf(id, sizeof id, "paysim-%s-%" PRIu64, what, import->done);
    if (!post(import, "/bank/Transfer", import->body, import->body_len, id, &answer))
        return false;
    if (strcmp(what, "row") == 0)
        compare(import, answer.body);
    else if (!all_accepted(answer.body, import->items))
        return false;
    import->done += import->items;
    import->body_len = import->items = 0;
    sl_client_progress(import->client, what, import->done, import->total);
    return !import->failed;
}

static bool add_transfer(struct import *import, struct sl_text from, struct sl_text to,
                         int64_t amount, const char *reference, int64_t number)
{
    return append(&import->body, &import->body_len, &import->body_size,
                  "%s{\"from\":\"%.*s\",\"to\":\"%.*s\",\"amount\":%" PRId64
                  ",\"currency\":\"XXX\",\"reference\":\"%s %" PRId64 "\"}",
                  import->items ? "," : "[", (int)from.len, from.ptr, (int)to.len, to.ptr, amount,
                  reference, number);
}

static bool import_accounts(struct import *import, const char *path)
{
    struct bank_csv csv;
    bool good = true;

    if (!bank_csv_open(&csv, path))
        return false;
    good = know_external(import, SL_TEXT("OPENING"));
    while (good && bank_csv_next(&csv)) {
        int64_t opening, floor;
        if (csv.line == 1)
            continue;
        if (csv.field_count != 3 || csv.fields[0].len > ID_BYTES ||
            !bank_csv_number(csv.fields[1], &opening) || !bank_csv_number(csv.fields[2], &floor)) {
            fprintf(stderr, "%s:%lu: not account,opening,overdraft_floor\n", path, csv.line);
            good = false;
            break;
        }
        good = open_later(import, csv.fields[0], "client", -floor);
        if (good && opening > 0) {
            import->rows[import->items] = (struct row){0};
            good = add_transfer(import, SL_TEXT("OPENING"), csv.fields[0], opening, "opening",
                                (int64_t)csv.line);
            import->items++;
        }
        if (good && import->items == CHUNK)
            good = flush_rows(import, "opening");
    }
    good =
        bank_csv_close(&csv, path) && good && flush_opened(import) && flush_rows(import, "opening");
    import->done = 0;
    return good;
}

static bool read_row(const struct bank_csv *csv, struct row *row, int64_t *amount)
{
    int64_t refused;
    const struct sl_text *fields = csv->fields;

    *row = (struct row){.credits = sl_text_equals(fields[2], SL_TEXT("CASH_IN"))};
    if (csv->field_count != 10 || !bank_csv_number(fields[0], &row->sequence) ||
        !bank_csv_number(fields[3], amount) || !bank_csv_number(fields[6], &refused) ||
        !bank_csv_number(fields[8], &row->from_after) || fields[4].len > ID_BYTES ||
        fields[5].len > ID_BYTES || fields[4].len == 0 || fields[5].len == 0)
        return false;
    row->refused = refused != 0;
    row->has_to = bank_csv_number(fields[9], &row->to_after);
    return true;
}

static bool import_rows(struct import *import, const char *path, uint64_t limit)
{
    struct bank_csv csv;
    bool good = true;
    uint64_t rows = 0;

    if (!bank_csv_open(&csv, path))
        return false;
    while (good && rows < limit && bank_csv_next(&csv)) {
        struct row row;
        int64_t amount;
        if (csv.line == 1)
            continue;
        if (!read_row(&csv, &row, &amount)) {
            fprintf(stderr, "%s:%lu: not a transaction of ten fields\n", path, csv.line);
            good = false;
            break;
        }
        const struct sl_text client = csv.fields[4], other = csv.fields[5];
        good = (other.ptr[0] == 'C' || know_external(import, other)) &&
               add_transfer(import, row.credits ? other : client, row.credits ? client : other,
                            amount, "row", row.sequence);
        import->rows[import->items++] = row;
        rows++;
        if (good && import->items == CHUNK)
            good = flush_rows(import, "row");
    }
    /* A limit leaves the rest unread, which is no failure of the file. */
    const bool whole = good && rows < limit;
    const bool closed = bank_csv_close(&csv, whole ? path : NULL);
    return (closed || !whole) && good && flush_rows(import, "row");
}

int bank_import(struct sl_client *client, int argc, char **argv)
{
    struct import import = {.client = client, .total = 0};
    const char *paths[2] = {NULL, NULL};
    uint64_t limit = UINT64_MAX;
    size_t path_count = 0;
    struct timespec start, end;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--check") == 0) {
            import.check = true;
        } else if (strcmp(argv[i], "--limit") == 0 && i + 1 < argc) {
            limit = strtoull(argv[++i], NULL, 10);
            limit = limit > UINT64_MAX - CHUNK ? limit : (limit + CHUNK - 1) / CHUNK * CHUNK;
        } else if (argv[i][0] == '-' || path_count == 2) {
            fprintf(stderr,
                    "usage: sluice bank import TABLE.csv[.zst]\n"
                    "       sluice bank import ACCOUNTS.csv TRANSACTIONS.csv[.zst] [--check] "
                    "[--limit N]\n\n"
                    "  TABLE.csv  as sluice bank export --format csv writes it; the rest is for "
                    "data of PaySim\n"
                    "  --check    compares every refusal and every balance with the data\n"
                    "  --limit N  the first N rows, rounded up to arrays of %d; a later import "
                    "goes on from there\n",
                    CHUNK);
            return 2;
        } else {
            paths[path_count++] = argv[i];
        }
    }
    if (path_count == 1 && !import.check && limit == UINT64_MAX)
        return bank_import_table(client, paths[0]);
    if (path_count != 2) {
        fprintf(stderr, "import: one file is needed, as export --format csv writes it, or two: "
                        "accounts and transactions of PaySim\n");
        return 2;
    }
    import.known = calloc(KNOWN_SLOTS, sizeof *import.known);
    if (!import.known) {
        fprintf(stderr, "import: no memory\n");
        return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    const bool good = import_accounts(&import, paths[0]) && import_rows(&import, paths[1], limit);
    clock_gettime(CLOCK_MONOTONIC, &end);
    free(import.known);
    free(import.body);
    free(import.opened);
    const double seconds =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    printf("%" PRIu64 " transactions, %" PRIu64 " refused, %" PRIu64 " differ from the data, in "
           "%.1f s (%.0f a second)\n",
           import.done, import.refused, import.differences, seconds,
           seconds > 0 ? (double)import.done / seconds : 0);
    return good && import.differences == 0 ? 0 : 1;
}
