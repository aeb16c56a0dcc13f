#include "stores/sqlite/columns.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "record/kinds.h"
#include "record/value.h"

enum { SMALL_BYTES = 64, SMALL_WIDE = 39, WIDE_64 = 20 };

/* ---- Names and types ------------------------------------------------------------------------- */

void sl_sqlite_name(struct sl_buf *sql, const char *name)
{
    sl_buf_byte(sql, '"');
    for (; *name; name++) {
        if (*name == '"')
            sl_buf_byte(sql, '"');
        sl_buf_byte(sql, (uint8_t)*name);
    }
    sl_buf_byte(sql, '"');
}

static void currency_name(struct sl_buf *sql, const struct sl_field *field)
{
    sl_buf_printf(sql, "\"%s_currency\"", field->name);
}

void sl_sqlite_column_names(struct sl_buf *sql, const struct sl_field *field)
{
    sl_sqlite_name(sql, field->name);
    if (field->kind == SL_MONEY) {
        SL_BUF_LITERAL(sql, ", ");
        currency_name(sql, field);
    }
}

int sl_sqlite_column_count(const struct sl_field *field)
{
    return field->kind == SL_MONEY ? 2 : 1;
}

/* A list, too, may have names: its items'. */
static bool is_enum(const struct sl_field *field)
{
    return field->names && field->kind != SL_LIST_KIND;
}

static const char *type_of(const struct sl_field *field)
{
    if (is_enum(field))
        return "TEXT";
    switch (field->kind) {
    case SL_BOOL:
    case SL_I8:
    case SL_I16:
    case SL_I32:
    case SL_I64:
    case SL_U8:
    case SL_U16:
    case SL_U32:
    case SL_MONEY:
        return "INTEGER";
    case SL_U64:
    case SL_U128:
        return "BLOB"; /* no affinity: values stay integers or texts, as they were given */
    case SL_DOUBLE:
        return "REAL";
    default:
        return "TEXT";
    }
}

void sl_sqlite_column_define(struct sl_buf *sql, const struct sl_field *field)
{
    sl_sqlite_name(sql, field->name);
    sl_buf_printf(sql, " %s", type_of(field));
    if (field->kind == SL_MONEY) {
        SL_BUF_LITERAL(sql, ", ");
        currency_name(sql, field);
        SL_BUF_LITERAL(sql, " TEXT");
    }
}

/* ---- Integers of all sizes ------------------------------------------------------------------- */

bool sl_sqlite_is_integer(const struct sl_field *field)
{
    return !field->names && field->kind >= SL_I8 && field->kind <= SL_U32;
}

int64_t sl_sqlite_integer(const struct sl_field *field, const void *item)
{
    const void *value = sl_member(field, item);

    if (field->kind == SL_BOOL)
        return *(const bool *)value;
    return sl_kind_is_signed(field->kind) ? sl_load_signed(field->kind, value)
                                          : (int64_t)sl_load_unsigned(field->kind, value);
}

static void set_integer(const struct sl_field *field, int64_t value, void *item)
{
    /* Little-endian machines only, as everywhere: the low bytes are the narrower value. */
    memcpy(sl_member_of(field, item), &value, field->size);
}

/* ---- Binding --------------------------------------------------------------------------------- */

bool sl_sqlite_binder_init(struct sl_sqlite_binder *binder, const struct sl_record *record)
{
    binder->json.bytes_max = 64u << 20;
    return sl_buf_reserve(&binder->small, (size_t)record->field_count * SMALL_BYTES) != NULL;
}

void sl_sqlite_bind_start(struct sl_sqlite_binder *binder, sqlite3_stmt *stmt)
{
    binder->stmt = stmt;
    sl_buf_reset(&binder->small);
}

void sl_sqlite_binder_close(struct sl_sqlite_binder *binder)
{
    sl_buf_close(&binder->small);
    sl_buf_close(&binder->json);
}

static int bind_text(struct sl_sqlite_binder *binder, int at, const char *ptr, size_t len)
{
    /* NULL would bind NULL, but an empty text is a text. */
    return sqlite3_bind_text(binder->stmt, at, ptr ? ptr : "", (int)len, SQLITE_STATIC);
}

/* What was appended to `small` since `start`. */
static int bind_small(struct sl_sqlite_binder *binder, int at, size_t start)
{
    SL_ASSERT(!binder->small.failed && binder->small.len - start <= SMALL_BYTES, "M1");
    return bind_text(binder, at, (const char *)binder->small.ptr + start,
                     binder->small.len - start);
}

static int bind_wide(struct sl_sqlite_binder *binder, int at, sl_u128 value, size_t digits)
{
    const size_t start = binder->small.len;
    char text[SMALL_WIDE];

    if (value <= INT64_MAX)
        return sqlite3_bind_int64(binder->stmt, at, (int64_t)value);
    for (size_t i = digits; i-- > 0; value /= 10)
        text[i] = (char)('0' + (int)(value % 10));
    sl_buf_append(&binder->small, text, digits);
    return bind_small(binder, at, start);
}

static int bind_double(struct sl_sqlite_binder *binder, int at, double value)
{
    const size_t start = binder->small.len;
    uint64_t bits;

    if (!isnan(value) && !(value == 0 && signbit(value)))
        return sqlite3_bind_double(binder->stmt, at, value);
    memcpy(&bits, &value, sizeof bits);
    sl_buf_le64(&binder->small, bits);
    return sqlite3_bind_blob(binder->stmt, at, binder->small.ptr + start, sizeof bits,
                             SQLITE_STATIC);
}

static int bind_enum(struct sl_sqlite_binder *binder, int at, const struct sl_field *field,
                     const void *item)
{
    const char *name = sl_enum_name(field, sl_member(field, item));

    if (name)
        return bind_text(binder, at, name, strlen(name));
    return sqlite3_bind_int64(binder->stmt, at, sl_sqlite_integer(field, item));
}

/* RFC 3339 leaves decimals out where they are zero, which sorts wrong: "…00Z" after "…00.5Z". */
static void write_time(struct sl_buf *buf, struct sl_time time)
{
    const int64_t second_ns = 1000000000, day_s = 86400;
    const struct sl_date day = sl_date_of(time);
    /* Not the difference to the day's start, which may lie before the range of 64 bits. */
    const int64_t rest_ns = time.ns % (day_s * second_ns);
    const int64_t ns = rest_ns < 0 ? rest_ns + day_s * second_ns : rest_ns;
    int64_t seconds = ns / second_ns;
    char text[24];

    sl_value_write_date(buf, day);
    const int hour = (int)(seconds / 3600), minute = (int)(seconds / 60 % 60);
    seconds %= 60;
    const int digits[6] = {hour / 10,   hour % 10,         minute / 10,
                           minute % 10, (int)seconds / 10, (int)seconds % 10};
    memcpy(text, "Thh:mm:ss.", 10);
    for (int i = 0; i < 6; i++)
        text[1 + i + i / 2] = (char)('0' + digits[i]);
    int64_t rest = ns % second_ns;
    for (int i = 18; i >= 10; i--, rest /= 10)
        text[i] = (char)('0' + rest % 10);
    text[19] = 'Z';
    sl_buf_append(buf, text, 20);
}

static int bind_json(struct sl_sqlite_binder *binder, int at, const struct sl_field *field,
                     const void *value)
{
    sl_buf_reset(&binder->json);
    sl_json_write_value(&binder->json, field, value);
    if (binder->json.failed)
        return SQLITE_NOMEM;
    return sqlite3_bind_text(binder->stmt, at, (const char *)binder->json.ptr,
                             (int)binder->json.len, SQLITE_TRANSIENT);
}

static int bind_money(struct sl_sqlite_binder *binder, int at, const struct sl_money *money)
{
    const int code = sqlite3_bind_int64(binder->stmt, at, money->minor);

    return code != SQLITE_OK ? code
                             : bind_text(binder, at + 1, money->currency,
                                         strnlen(money->currency, sizeof money->currency));
}

/* What has a text of its own in the row, or one that fits into SMALL_BYTES. */
static int bind_textual(struct sl_sqlite_binder *binder, int at, const struct sl_field *field,
                        const void *value)
{
    const size_t start = binder->small.len;

    switch (field->kind) {
    case SL_TEXT_KIND:
        return bind_text(binder, at, ((const struct sl_text *)value)->ptr,
                         ((const struct sl_text *)value)->len);
    case SL_CHARS:
        return bind_text(binder, at, value, strnlen(value, field->size));
    case SL_UUID:
        sl_value_write_uuid(&binder->small, *(const struct sl_uuid *)value);
        break;
    case SL_DATE:
        sl_value_write_date(&binder->small, *(const struct sl_date *)value);
        break;
    case SL_TIME:
        write_time(&binder->small, *(const struct sl_time *)value);
        break;
    case SL_DECIMAL:
        sl_value_write_decimal(&binder->small, *(const struct sl_decimal *)value);
        break;
    default:
        return bind_json(binder, at, field, value);
    }
    return bind_small(binder, at, start);
}

int sl_sqlite_bind(struct sl_sqlite_binder *binder, int at, const struct sl_field *field,
                   const void *item)
{
    const void *value = sl_member(field, item);

    if (!sl_field_is_there(field, item)) {
        const int code = sqlite3_bind_null(binder->stmt, at);
        return code != SQLITE_OK || field->kind != SL_MONEY
                   ? code
                   : sqlite3_bind_null(binder->stmt, at + 1);
    }
    if (is_enum(field))
        return bind_enum(binder, at, field, item);
    if (field->kind == SL_BOOL || sl_sqlite_is_integer(field))
        return sqlite3_bind_int64(binder->stmt, at, sl_sqlite_integer(field, item));
    switch (field->kind) {
    case SL_U64:
        return bind_wide(binder, at, (uint64_t)sl_sqlite_integer(field, item), WIDE_64);
    case SL_U128:
        return bind_wide(binder, at, *(const sl_u128 *)value, SMALL_WIDE);
    case SL_DOUBLE:
        return bind_double(binder, at, *(const double *)value);
    case SL_MONEY:
        return bind_money(binder, at, value);
    default:
        return bind_textual(binder, at, field, value);
    }
}

/* ---- Reading --------------------------------------------------------------------------------- */

static struct sl_text column_text(sqlite3_stmt *stmt, int column)
{
    /* The text first: asking for it may convert the value, and its length is that of the result. */
    const char *ptr = (const char *)sqlite3_column_text(stmt, column);

    return (struct sl_text){ptr ? ptr : "", (size_t)sqlite3_column_bytes(stmt, column)};
}

static enum sl_err read_enum(sqlite3_stmt *stmt, int column, const struct sl_field *field,
                             void *item)
{
    const struct sl_text text = column_text(stmt, column);
    int64_t number = sl_value_enum(field, text);

    if (number < 0 && !sl_value_read_i64(text, &number))
        return SL_CORRUPT;
    set_integer(field, number, item);
    return SL_OK;
}

static enum sl_err read_wide(sqlite3_stmt *stmt, int column, const struct sl_field *field,
                             void *value)
{
    sl_u128 wide = 0;

    if (sqlite3_column_type(stmt, column) == SQLITE_INTEGER) {
        wide = (uint64_t)sqlite3_column_int64(stmt, column);
    } else {
        struct sl_text text = column_text(stmt, column);
        while (text.len > 1 && text.ptr[0] == '0') {
            text.ptr++;
            text.len--;
        }
        if (!sl_value_read_u128(text, &wide))
            return SL_CORRUPT;
    }
    memcpy(value, &wide, field->size);
    return SL_OK;
}

static void read_double(sqlite3_stmt *stmt, int column, double *value)
{
    if (sqlite3_column_type(stmt, column) == SQLITE_BLOB &&
        sqlite3_column_bytes(stmt, column) == sizeof *value) {
        const uint64_t bits = sl_le64(sqlite3_column_blob(stmt, column));
        memcpy(value, &bits, sizeof bits);
    } else {
        *value = sqlite3_column_double(stmt, column);
    }
}

static void read_money(sqlite3_stmt *stmt, int column, struct sl_money *money)
{
    const struct sl_text currency = column_text(stmt, column + 1);

    money->minor = sqlite3_column_int64(stmt, column);
    memcpy(money->currency, currency.ptr,
           currency.len < sizeof money->currency ? currency.len : sizeof money->currency - 1);
}

/* A list or nested record: an object of this one field is read by a record of this one field. */
static enum sl_err read_json(struct sl_text json, const struct sl_record *loose,
                             const struct sl_field *field, struct sl_json_parser *parser,
                             struct sl_arena *arena, void *item)
{
    const struct sl_record alone = {
        .name = loose->name, .size = loose->size, .field_count = 1, .fields = field};
    struct sl_broken_rule broken;
    const struct sl_text object =
        sl_arena_printf(arena, "{\"%s\":%.*s}", field->name, (int)json.len, json.ptr);

    if (!object.ptr)
        return SL_NO_MEMORY;
    const enum sl_err err = sl_json_read(parser, &alone, object, arena, item, &broken);
    return err == SL_INVALID ? SL_CORRUPT : err;
}

static enum sl_err read_textual(struct sl_text text, const struct sl_field *field,
                                struct sl_arena *arena, void *value)
{
    bool good = true;

    switch (field->kind) {
    case SL_TEXT_KIND: {
        const struct sl_text copy = sl_arena_text(arena, text);
        if (!copy.ptr)
            return SL_NO_MEMORY;
        *(struct sl_text *)value = copy;
        break;
    }
    case SL_CHARS:
        good = text.len < field->size;
        if (good)
            memcpy(value, text.ptr, text.len);
        break;
    case SL_UUID:
        good = sl_value_read_uuid(text, value);
        break;
    case SL_DATE:
        good = sl_value_read_date(text, value);
        break;
    case SL_TIME:
        good = sl_value_read_time(text, value);
        break;
    case SL_DECIMAL:
        good = sl_value_read_decimal(text, value);
        break;
    default:
        good = false;
    }
    return good ? SL_OK : SL_CORRUPT;
}

enum sl_err sl_sqlite_read(sqlite3_stmt *stmt, int column, const struct sl_record *loose,
                           uint32_t which, struct sl_json_parser *parser, struct sl_arena *arena,
                           void *item)
{
    const struct sl_field *field = &loose->fields[which];
    void *value = sl_member_of(field, item);

    if (field->optional && sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return SL_OK;
    sl_field_set_there(field, item);
    if (is_enum(field))
        return read_enum(stmt, column, field, item);
    switch (field->kind) {
    case SL_U64:
    case SL_U128:
        return read_wide(stmt, column, field, value);
    case SL_DOUBLE:
        read_double(stmt, column, value);
        return SL_OK;
    case SL_MONEY:
        read_money(stmt, column, value);
        return SL_OK;
    case SL_LIST_KIND:
    case SL_NESTED:
        return read_json(column_text(stmt, column), loose, field, parser, arena, item);
    default:
        break;
    }
    if (field->kind == SL_BOOL || sl_sqlite_is_integer(field)) {
        set_integer(field, sqlite3_column_int64(stmt, column), item);
        return SL_OK;
    }
    return read_textual(column_text(stmt, column), field, arena, value);
}

const struct sl_record *sl_sqlite_loosen(const struct sl_record *record, struct sl_arena *arena)
{
    struct sl_record *loose = sl_arena_zeroed(arena, 1, sizeof *loose);
    struct sl_field *fields = sl_arena_zeroed(arena, record->field_count, sizeof *fields);

    if (!loose || !fields)
        return NULL;
    *loose = *record;
    loose->fields = fields;
    for (uint32_t i = 0; i < record->field_count; i++) {
        fields[i] = record->fields[i];
        fields[i].required = false;
        fields[i].ranged = false;
        fields[i].length_min = 0;
        fields[i].length_max = UINT32_MAX;
        if (fields[i].record && !(fields[i].record = sl_sqlite_loosen(fields[i].record, arena)))
            return NULL;
    }
    return loose;
}
