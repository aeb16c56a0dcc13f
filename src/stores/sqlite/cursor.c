/*
 * Cursors: where a list goes on, as a text that clients hand back and need not understand.
 *
 * A cursor is base64url, without padding, of: one byte of format; one byte that says which list it
 * is of (2 × (index + 1), plus 1 where it descends); the values of the index's and the key's fields
 * of the last row handed out, packed. A search's cursor is the format byte, 0xff, a count, a
 * rank, a rowid, and weights (rank.c); a group's is the format byte, 0xfe, eight bytes of the
 * query, and its time and value, packed. Nothing in it needs to be trusted: any values are a place
 * to go on from.
 */
#include "stores/sqlite/parts.h"

#include <string.h>

#include "base/bytes.h"
#include "record/pack.h"

enum { FORMAT = 1, OF_GROUPS = 0xfe, OF_SEARCH = 0xff, FOUND_HEAD = 26 };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static enum sl_err encode(struct sl_slice bytes, struct sl_arena *arena, struct sl_text *out)
{
    const size_t len = (bytes.len * 4 + 2) / 3;
    char *text = sl_arena_take(arena, len + 1);
    uint32_t bits = 0;
    unsigned held = 0;
    size_t n = 0;

    if (!text)
        return SL_NO_MEMORY;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | bytes.ptr[i];
        for (held += 8; held >= 6; held -= 6)
            text[n++] = digits[bits >> (held - 6) & 63];
    }
    if (held > 0)
        text[n++] = digits[bits << (6 - held) & 63];
    SL_ASSERT(n == len);
    text[n] = '\0';
    *out = (struct sl_text){text, len};
    return SL_OK;
}

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

static enum sl_err decode(struct sl_text text, struct sl_arena *arena, struct sl_slice *out)
{
    uint8_t *bytes = sl_arena_take(arena, text.len + 1);
    uint32_t bits = 0;
    unsigned held = 0;
    size_t n = 0;

    if (!bytes)
        return SL_NO_MEMORY;
    for (size_t i = 0; i < text.len; i++) {
        const int value = digit_value(text.ptr[i]);
        if (value < 0)
            return SL_INVALID;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[n++] = (uint8_t)(bits >> held);
        }
    }
    *out = (struct sl_slice){bytes, n};
    return SL_OK;
}

static uint8_t list_of(const struct sl_list_query *query)
{
    return (uint8_t)(2 * (query->index + 1) + (query->descending ? 1 : 0));
}

enum sl_err sl_sqlite_cursor_write(const struct sl_sqlite_schema *schema,
                                   const struct sl_list_query *query, const void *row,
                                   struct sl_arena *arena, struct sl_text *out)
{
    struct sl_buf bytes = {0};

    sl_buf_byte(&bytes, FORMAT);
    sl_buf_byte(&bytes, list_of(query));
    sl_pack(&bytes, &schema->orders[query->index + 1].cursor, row);
    const enum sl_err err = bytes.failed ? SL_NO_MEMORY : encode(sl_buf_slice(&bytes), arena, out);
    sl_buf_close(&bytes);
    return err;
}

static enum sl_err refuse(struct sl_error *error)
{
    return sl_fail(error, SL_INVALID, "the cursor is not one of this list");
}

enum sl_err sl_sqlite_cursor_read(const struct sl_sqlite_schema *schema,
                                  const struct sl_list_query *query, struct sl_arena *arena,
                                  void *item, struct sl_error *error)
{
    struct sl_slice bytes;
    enum sl_err err = decode(query->after, arena, &bytes);

    if (err == SL_OK && (bytes.len < 2 || bytes.ptr[0] != FORMAT || bytes.ptr[1] != list_of(query)))
        err = SL_INVALID;
    if (err == SL_OK)
        err = sl_unpack(&schema->orders[query->index + 1].cursor,
                        (struct sl_slice){bytes.ptr + 2, bytes.len - 2}, arena, item, NULL);
    if (err == SL_NO_MEMORY)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a cursor");
    return err == SL_OK ? SL_OK : refuse(error);
}

enum sl_err sl_sqlite_cursor_write_found(const struct sl_sqlite_found *found,
                                         struct sl_arena *arena, struct sl_text *out)
{
    uint8_t bytes[FOUND_HEAD + SL_SQLITE_WEIGHTS_MAX] = {FORMAT, OF_SEARCH};
    uint64_t rank;

    SL_ASSERT(found->weights.len <= SL_SQLITE_WEIGHTS_MAX);
    memcpy(&rank, &found->rank, sizeof rank);
    sl_put_le64(bytes + 2, found->count);
    sl_put_le64(bytes + 10, rank);
    sl_put_le64(bytes + 18, (uint64_t)found->rowid);
    if (found->weights.len > 0)
        memcpy(bytes + FOUND_HEAD, found->weights.ptr, found->weights.len);
    return encode((struct sl_slice){bytes, FOUND_HEAD + found->weights.len}, arena, out);
}

enum sl_err sl_sqlite_cursor_read_found(struct sl_text cursor, struct sl_arena *arena,
                                        struct sl_sqlite_found *out, struct sl_error *error)
{
    struct sl_slice bytes;
    const enum sl_err err = decode(cursor, arena, &bytes);

    if (err == SL_NO_MEMORY)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a cursor");
    if (err != SL_OK || bytes.len < FOUND_HEAD || (bytes.len - FOUND_HEAD) % 8 != 0 ||
        bytes.len > FOUND_HEAD + SL_SQLITE_WEIGHTS_MAX || bytes.ptr[0] != FORMAT ||
        bytes.ptr[1] != OF_SEARCH)
        return refuse(error);
    const uint64_t rank = sl_le64(bytes.ptr + 10);
    *out = (struct sl_sqlite_found){
        .count = sl_le64(bytes.ptr + 2),
        .rowid = (int64_t)sl_le64(bytes.ptr + 18),
        .weights = {bytes.ptr + FOUND_HEAD, bytes.len - FOUND_HEAD},
    };
    memcpy(&out->rank, &rank, sizeof rank);
    return SL_OK;
}

enum sl_err sl_sqlite_cursor_write_group(const struct sl_record *order, uint64_t of,
                                         const void *row, struct sl_arena *arena,
                                         struct sl_text *out)
{
    struct sl_buf bytes = {0};

    sl_buf_byte(&bytes, FORMAT);
    sl_buf_byte(&bytes, OF_GROUPS);
    sl_buf_le64(&bytes, of);
    sl_pack(&bytes, order, row);
    const enum sl_err err = bytes.failed ? SL_NO_MEMORY : encode(sl_buf_slice(&bytes), arena, out);
    sl_buf_close(&bytes);
    return err;
}

enum sl_err sl_sqlite_cursor_read_group(const struct sl_record *order, uint64_t of,
                                        struct sl_text cursor, struct sl_arena *arena, void *row,
                                        struct sl_error *error)
{
    struct sl_slice bytes;
    enum sl_err err = decode(cursor, arena, &bytes);

    if (err == SL_OK && (bytes.len < 10 || bytes.ptr[0] != FORMAT || bytes.ptr[1] != OF_GROUPS ||
                         sl_le64(bytes.ptr + 2) != of))
        err = SL_INVALID;
    if (err == SL_OK)
        err = sl_unpack(order, (struct sl_slice){bytes.ptr + 10, bytes.len - 10}, arena, row, NULL);
    if (err == SL_NO_MEMORY)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a cursor");
    return err == SL_OK ? SL_OK : refuse(error);
}
