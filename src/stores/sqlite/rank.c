/*
 * How well a row answers a search: BM25 over all searched fields, as FTS5 has it, but with the
 * weights given. They depend on all rows, and so change with each that is written; a cursor carries
 * those of its first page. The score of a row that does not change is then the same to the last bit
 * on each page, and (score, rowid) is an order to go on in.
 */
#include "stores/sqlite/parts.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"

static double get_double(const uint8_t *bytes)
{
    const uint64_t bits = sl_le64(bytes);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static void put_double(uint8_t *bytes, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    sl_put_le64(bytes, bits);
}

static int count_row(const Fts5ExtensionApi *fts, Fts5Context *found, void *count)
{
    (void)fts;
    (void)found;
    ++*(sqlite3_int64 *)count;
    return SQLITE_OK;
}

/* The mean length of a row, then for each phrase how telling it is. */
static void weigh(const Fts5ExtensionApi *fts, Fts5Context *found, sqlite3_context *context,
                  int argc, sqlite3_value **argv)
{
    uint8_t bytes[SL_SQLITE_WEIGHTS_MAX];
    const int phrases = fts->xPhraseCount(found);
    sqlite3_int64 rows = 0, tokens = 0;
    int code = (size_t)phrases < sizeof bytes / 8 ? SQLITE_OK : SQLITE_TOOBIG;

    (void)argc;
    (void)argv;
    if (code == SQLITE_OK && (code = fts->xRowCount(found, &rows)) == SQLITE_OK)
        code = fts->xColumnTotalSize(found, -1, &tokens);
    put_double(bytes, rows > 0 && tokens > 0 ? (double)tokens / (double)rows : 1.0);
    for (int i = 0; i < phrases && code == SQLITE_OK; i++) {
        sqlite3_int64 hits = 0;
        code = fts->xQueryPhrase(found, i, &hits, count_row);
        const double telling = log(((double)(rows - hits) + 0.5) / ((double)hits + 0.5));
        put_double(bytes + 8 * (size_t)(i + 1), telling > 1e-6 ? telling : 1e-6);
    }
    if (code == SQLITE_OK)
        sqlite3_result_blob(context, bytes, 8 * (phrases + 1), SQLITE_TRANSIENT);
    else
        sqlite3_result_error_code(context, code);
}

/* Less is better. Weights that a client made up give some order; a phrase without one counts 0. */
static void rank(const Fts5ExtensionApi *fts, Fts5Context *found, sqlite3_context *context,
                 int argc, sqlite3_value **argv)
{
    const double k1 = 1.2, b = 0.75;
    double often[SL_SQLITE_WEIGHTS_MAX / 8] = {0}, score = 0;
    const uint8_t *weights = argc == 1 ? sqlite3_value_blob(argv[0]) : NULL;
    const int count = weights ? sqlite3_value_bytes(argv[0]) / 8 - 1 : 0;
    int hits = 0, length = 0, code = fts->xInstCount(found, &hits);

    for (int i = 0; i < hits && code == SQLITE_OK; i++) {
        int phrase, column, place;
        code = fts->xInst(found, i, &phrase, &column, &place);
        if (code == SQLITE_OK && phrase < count)
            often[phrase]++;
    }
    if (code == SQLITE_OK)
        code = fts->xColumnSize(found, -1, &length);
    if (code != SQLITE_OK) {
        sqlite3_result_error_code(context, code);
        return;
    }
    for (int i = 0; i < count; i++)
        score += get_double(weights + 8 * (size_t)(i + 1)) * often[i] * (k1 + 1) /
                 (often[i] + k1 * (1 - b + b * length / get_double(weights)));
    sqlite3_result_double(context, -score);
}

enum sl_err sl_sqlite_rank_add(struct sl_sqlite_db *db, struct sl_error *error)
{
    sqlite3_stmt *stmt;
    fts5_api *fts = NULL;
    enum sl_err err = sl_sqlite_prepare(db, "SELECT fts5(?1)", &stmt, error);

    if (err != SL_OK)
        return err;
    (void)sqlite3_bind_pointer(stmt, 1, (void *)&fts, "fts5_api_ptr", NULL);
    (void)sqlite3_step(stmt);
    (void)sqlite3_finalize(stmt);
    int code = fts ? SQLITE_OK : SQLITE_ERROR;
    if (code == SQLITE_OK)
        code = fts->xCreateFunction(fts, "sluice_weights", NULL, weigh, NULL);
    if (code == SQLITE_OK)
        code = fts->xCreateFunction(fts, "sluice_rank", NULL, rank, NULL);
    return code == SQLITE_OK ? SL_OK : sl_sqlite_fail(db, code, "rank a search", error);
}
