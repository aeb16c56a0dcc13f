#include "conformance/view_store_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/kinds.h"
#include "record/pack.h"
#include "record/specimen.h"
#include "tap/tap.h"

static const struct view_store_bench *bench;

static const struct sl_uuid log_id = {{1, 2, 3}};
enum { SALT = 77 };

/* ---- Views that the cases use ---------------------------------------------------------------- */

static const struct sl_view specimens = {
    "specimens", &specimen_record, "id",
    .indexes = SL_LIST(const struct sl_index, {"by-state", "state, day"}, {"by-decimal", "decimal"},
                       {"by-note", "note, i8"}, {"by-wide", "u128"}, {"by-limit", "limit"},
                       {"by-time", "at"}, {"by-u64", "flag, u64"}, {"by-code", "code, id"})};

struct page {
    int64_t number;
    struct sl_text title;
    struct sl_text body;
    int32_t size;
};

static const struct sl_record page_record =
    SL_RECORD(struct page, SL_FIELD(struct page, number), SL_FIELD(struct page, title),
              SL_FIELD(struct page, body), SL_FIELD(struct page, size));

static const struct sl_view pages = {"pages", &page_record, "number",
                                     .indexes = SL_LIST(const struct sl_index, {"by-size", "size"}),
                                     .search = "title, body"};
static const struct sl_view sections = {"sections", &page_record, "title, number",
                                        .search = "body"};
static const struct sl_view pages_later = {"pages", &page_record, "number", .search = "title, body",
                                           .version = 2};

/* ---- A store that is open -------------------------------------------------------------------- */

struct fixture {
    struct sl_env *env;
    struct sl_view_store_options options;
    struct sl_view_store *store;
    struct sl_view_reader *reader;
    struct sl_arena arena;
    struct sl_error error;
};

static bool good(struct fixture *f, enum sl_err err)
{
    if (err != SL_OK)
        tap_note("%d: %s", (int)err, f->error.message);
    return err == SL_OK;
}

static bool reopen(struct fixture *f)
{
    sl_view_reader_close(f->reader);
    sl_view_store_close(f->store);
    f->reader = NULL;
    f->store = NULL;
    return CHECK(good(f,
                      sl_view_store_open(bench->ops, f->env, &f->options, &f->store, &f->error))) &&
           CHECK(good(f, sl_view_reader_open(f->store, &f->reader, &f->error)));
}

static bool begin(struct fixture *f)
{
    *f = (struct fixture){0};
    f->env = bench->start(&f->options);
    return reopen(f);
}

static void end(struct fixture *f)
{
    sl_view_reader_close(f->reader);
    sl_view_store_close(f->store);
    bench->stop(f->env);
    sl_arena_close(&f->arena);
}

static struct sl_view_shape shape_of(const struct sl_view *view)
{
    struct sl_view_shape shape;
    struct sl_error error = {0};

    if (!CHECK(sl_view_shape_init(&shape, "test", view, &error) == SL_OK)) {
        tap_note("%s", error.message);
        abort();
    }
    return shape;
}

static struct sl_checkpoint at(const struct sl_view_shape *shape, uint64_t position)
{
    return (struct sl_checkpoint){log_id, SALT, position, 1, shape->digest};
}

static struct sl_text key_of(struct fixture *f, const struct sl_view_shape *shape, const void *row)
{
    struct sl_buf buf = {0};

    CHECK(sl_place_write(&shape->key, row, &buf) == SL_OK);
    const struct sl_text key = sl_arena_text(&f->arena, sl_buf_as_text(&buf));
    sl_buf_close(&buf);
    return key;
}

static bool attach(struct fixture *f, const struct sl_view_shape *shape, struct sl_checkpoint *out)
{
    f->error = (struct sl_error){0};
    return CHECK(good(f, sl_view_store_attach(f->store, shape, out, &f->error)));
}

/* Puts one row (`present`) or removes it. */
static bool apply_one(struct fixture *f, const struct sl_view_shape *shape, const void *row,
                      bool present, uint64_t position)
{
    const struct sl_row_change change = {key_of(f, shape, row), present ? row : NULL, position};
    const struct sl_checkpoint checkpoint = at(shape, position);

    return CHECK(good(f, sl_view_store_apply(f->store, shape, &change, 1, &checkpoint, &f->error)));
}

/* The row, or NULL; and the checkpoint it was read at. */
static const void *look(struct fixture *f, const struct sl_view_shape *shape, struct sl_text key,
                        struct sl_checkpoint *out)
{
    struct sl_row_found found = {.key = key};
    struct sl_checkpoint checkpoint = {0};

    CHECK(good(f, sl_view_reader_begin(f->reader, &f->error)));
    CHECK(good(
        f, sl_view_reader_lookup(f->reader, shape, &found, 1, &f->arena, &checkpoint, &f->error)));
    sl_view_reader_end(f->reader);
    if (out)
        *out = checkpoint;
    return found.row;
}

/* ---- Rows and checkpoints -------------------------------------------------------------------- */

static void starts_empty(void)
{
    const struct sl_view_shape shape = shape_of(&pages);
    const struct page page = {.number = 7, .title = SL_TEXT("seven"), .size = 3};
    struct sl_checkpoint checkpoint = {.position = 9};
    struct fixture f;

    REQUIRE(begin(&f));
    REQUIRE(attach(&f, &shape, &checkpoint));
    CHECK(!sl_checkpoint_exists(&checkpoint));
    CHECK_U64(checkpoint.position, 0);
    CHECK_U64(checkpoint.generation, 0);
    CHECK(look(&f, &shape, SL_TEXT("7"), NULL) == NULL);
    REQUIRE(apply_one(&f, &shape, &page, true, 12));
    REQUIRE(reopen(&f) && attach(&f, &shape, &checkpoint));
    CHECK(sl_uuid_equals(checkpoint.log, log_id));
    CHECK_U64(checkpoint.salt, SALT);
    CHECK_U64(checkpoint.position, 12);
    CHECK_U64(checkpoint.generation, 1);
    CHECK_U64(checkpoint.digest, shape.digest);
    const struct page *found = look(&f, &shape, SL_TEXT("7"), NULL);
    REQUIRE(found);
    CHECK(sl_record_equals(&page_record, found, &page));
    end(&f);
}

static void moves_the_checkpoint_alone(void)
{
    const struct sl_view_shape shape = shape_of(&pages);
    struct sl_checkpoint checkpoint = at(&shape, 40);
    struct fixture f;

    REQUIRE(begin(&f));
    struct sl_checkpoint found;
    REQUIRE(attach(&f, &shape, &found));
    REQUIRE(good(&f, sl_view_store_apply(f.store, &shape, NULL, 0, &checkpoint, &f.error)));
    checkpoint.salt = UINT64_MAX;
    checkpoint.position = UINT64_MAX - 1;
    REQUIRE(good(&f, sl_view_store_apply(f.store, &shape, NULL, 0, &checkpoint, &f.error)));
    REQUIRE(reopen(&f) && attach(&f, &shape, &found));
    CHECK_U64(found.salt, UINT64_MAX);
    CHECK_U64(found.position, UINT64_MAX - 1);
    end(&f);
}

enum { SPECIMENS = 300 };

static void keeps_every_kind(void)
{
    const struct sl_view_shape shape = shape_of(&specimens);
    static struct specimen rows[SPECIMENS];
    static struct sl_row_change changes[SPECIMENS];
    const struct sl_checkpoint checkpoint = at(&shape, SPECIMENS);
    struct sl_checkpoint found;
    struct fixture f;
    uint64_t seed = 11;
    unsigned equal = 0;

    REQUIRE(begin(&f));
    REQUIRE(attach(&f, &shape, &found));
    for (unsigned i = 0; i < SPECIMENS; i++) {
        specimen_fill(&rows[i], &seed, &f.arena);
        changes[i] = (struct sl_row_change){key_of(&f, &shape, &rows[i]), &rows[i], i + 1};
    }
    REQUIRE(
        good(&f, sl_view_store_apply(f.store, &shape, changes, SPECIMENS, &checkpoint, &f.error)));
    for (unsigned i = 0; i < SPECIMENS; i++) {
        const struct specimen *row = look(&f, &shape, changes[i].key, NULL);
        const bool same = row && sl_record_equals(&specimen_record, row, &rows[i]);
        for (uint32_t n = 0; row && !same && n < specimen_record.field_count; n++) {
            const struct sl_record alone = {"one field", sizeof *row, 1,
                                            &specimen_record.fields[n]};
            if (!sl_record_equals(&alone, row, &rows[i]))
                tap_note("row %u differs in %s", i, specimen_record.fields[n].name);
        }
        equal += same;
    }
    CHECK_U64(equal, SPECIMENS);
    end(&f);
}

/* What rules forbid a command to say, a projection may well store. */
static void keeps_what_rules_forbid(void)
{
    const struct sl_view_shape shape = shape_of(&specimens);
    struct specimen_part part = {.quantity = 5000};
    struct specimen row = {.id = {{9}}, .i32 = INT32_MAX, .u8 = 255, .parts = {&part, 1}};
    struct sl_checkpoint found;
    struct fixture f;

    REQUIRE(begin(&f));
    REQUIRE(attach(&f, &shape, &found));
    row.point.latitude = 1000;
    row.number = -0.0;
    REQUIRE(apply_one(&f, &shape, &row, true, 1));
    const struct specimen *got = look(&f, &shape, key_of(&f, &shape, &row), NULL);
    REQUIRE(got);
    CHECK(sl_record_equals(&specimen_record, got, &row));
    CHECK(memcmp(&got->number, &row.number, sizeof row.number) == 0);
    end(&f);
}

static void replaces_and_removes(void)
{
    const struct sl_view *const views[] = {&pages, &sections};

    for (size_t v = 0; v < 2; v++) {
        const struct sl_view_shape shape = shape_of(views[v]);
        struct page page = {.number = -5, .title = SL_TEXT("a,b/c%"), .body = SL_TEXT("one")};
        struct sl_checkpoint found;
        struct fixture f;

        REQUIRE(begin(&f));
        REQUIRE(attach(&f, &shape, &found));
        const struct sl_text key = key_of(&f, &shape, &page);
        REQUIRE(apply_one(&f, &shape, &page, true, 1));
        page.body = SL_TEXT("two");
        page.size = 2;
        REQUIRE(apply_one(&f, &shape, &page, true, 2));
        const struct page *got = look(&f, &shape, key, &found);
        REQUIRE(got);
        CHECK(sl_record_equals(&page_record, got, &page));
        CHECK_U64(found.position, 2);
        REQUIRE(apply_one(&f, &shape, &page, false, 3));
        REQUIRE(apply_one(&f, &shape, &page, false, 4));
        CHECK(!look(&f, &shape, key, &found));
        CHECK_U64(found.position, 4);
        REQUIRE(apply_one(&f, &shape, &page, true, 5));
        CHECK(look(&f, &shape, key, NULL));
        end(&f);
    }
}

static void finds_nothing_for_what_is_no_key(void)
{
    const struct sl_view_shape shape = shape_of(&pages);
    const struct page page = {.number = 1};
    static const char *const keys[] = {"", "one", "1,2", "1x", "99999999999999999999"};
    struct sl_checkpoint found;
    struct fixture f;

    REQUIRE(begin(&f));
    REQUIRE(attach(&f, &shape, &found));
    REQUIRE(apply_one(&f, &shape, &page, true, 1));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        CHECK(!look(&f, &shape, (struct sl_text){keys[i], strlen(keys[i])}, NULL));
    CHECK(look(&f, &shape, SL_TEXT("1"), NULL));
    end(&f);
}

/* V1: between begin and end, one committed state; the row and its checkpoint always agree. */
static void reads_one_state(void)
{
    const struct sl_view_shape shape = shape_of(&pages);
    struct page page = {.number = 1, .size = 1};
    struct sl_row_found rows[2] = {{.key = SL_TEXT("1")}, {.key = SL_TEXT("1")}};
    struct sl_checkpoint found;
    struct fixture f;

    REQUIRE(begin(&f));
    REQUIRE(attach(&f, &shape, &found));
    REQUIRE(apply_one(&f, &shape, &page, true, 1));
    REQUIRE(good(&f, sl_view_reader_begin(f.reader, &f.error)));
    for (unsigned i = 0; i < 2; i++) {
        REQUIRE(good(
            &f, sl_view_reader_lookup(f.reader, &shape, &rows[i], 1, &f.arena, &found, &f.error)));
        REQUIRE(rows[i].row);
        CHECK_U64(((const struct page *)rows[i].row)->size, 1);
        CHECK_U64(found.position, 1);
        CHECK_U64(rows[i].version, 1);
        page.size = 2;
        REQUIRE(apply_one(&f, &shape, &page, true, 2 + i));
    }
    sl_view_reader_end(f.reader);
    const struct page *now = look(&f, &shape, SL_TEXT("1"), &found);
    REQUIRE(now);
    CHECK_U64(now->size, 2);
    CHECK_U64(found.position, 3);
    end(&f);
}

static void another_digest_starts_over(void)
{
    const struct sl_view_shape shape = shape_of(&pages), later = shape_of(&pages_later);
    const struct page page = {.number = 1};
    struct sl_checkpoint found;
    struct fixture f;

    CHECK(shape.digest != later.digest);
    REQUIRE(begin(&f));
    REQUIRE(attach(&f, &shape, &found));
    REQUIRE(apply_one(&f, &shape, &page, true, 5));
    REQUIRE(reopen(&f) && attach(&f, &later, &found));
    CHECK(!sl_checkpoint_exists(&found));
    CHECK_U64(found.generation, 1);
    CHECK(!look(&f, &later, SL_TEXT("1"), NULL));
    REQUIRE(apply_one(&f, &later, &page, true, 5));
    CHECK(look(&f, &later, SL_TEXT("1"), NULL));
    end(&f);
}

static void clears(void)
{
    const struct sl_view_shape shape = shape_of(&pages);
    const struct page page = {.number = 1, .body = SL_TEXT("word")};
    struct sl_checkpoint found;
    struct fixture f;

    REQUIRE(begin(&f));
    REQUIRE(attach(&f, &shape, &found));
    REQUIRE(apply_one(&f, &shape, &page, true, 5));
    CHECK(look(&f, &shape, SL_TEXT("1"), NULL));
    REQUIRE(good(&f, sl_view_store_clear(f.store, &shape, &f.error)));
    CHECK(!look(&f, &shape, SL_TEXT("1"), NULL));
    REQUIRE(reopen(&f) && attach(&f, &shape, &found));
    CHECK(!sl_checkpoint_exists(&found));
    CHECK_U64(found.generation, 1);
    end(&f);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static int compare_numbers(const struct sl_field *field, const void *a, const void *b)
{
    if (field->kind == SL_BOOL)
        return *(const bool *)a - *(const bool *)b;
    if (sl_kind_is_signed(field->kind)) {
        const int64_t left = sl_load_signed(field->kind, a);
        const int64_t right = sl_load_signed(field->kind, b);
        return (left > right) - (left < right);
    }
    const uint64_t left = sl_load_unsigned(field->kind, a);
    const uint64_t right = sl_load_unsigned(field->kind, b);
    return (left > right) - (left < right);
}

static int compare_texts(struct sl_text a, struct sl_text b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static long double decimal_of(struct sl_decimal decimal)
{
    long double value = decimal.unscaled;

    for (unsigned i = 0; i < decimal.scale; i++)
        value /= 10;
    return value;
}

static int compare_values(const struct sl_field *field, const void *a, const void *b)
{
    switch (field->kind) {
    case SL_TEXT_KIND:
        return compare_texts(*(const struct sl_text *)a, *(const struct sl_text *)b);
    case SL_CHARS:
        return compare_texts(sl_chars_text(field, a), sl_chars_text(field, b));
    case SL_UUID:
        return memcmp(a, b, 16);
    case SL_DATE: {
        const int32_t left = ((const struct sl_date *)a)->days;
        const int32_t right = ((const struct sl_date *)b)->days;
        return (left > right) - (left < right);
    }
    case SL_TIME: {
        const int64_t left = ((const struct sl_time *)a)->ns;
        const int64_t right = ((const struct sl_time *)b)->ns;
        return (left > right) - (left < right);
    }
    case SL_U128: {
        const sl_u128 left = *(const sl_u128 *)a, right = *(const sl_u128 *)b;
        return (left > right) - (left < right);
    }
    case SL_DECIMAL: {
        const long double left = decimal_of(*(const struct sl_decimal *)a);
        const long double right = decimal_of(*(const struct sl_decimal *)b);
        return (left > right) - (left < right);
    }
    default:
        if (field->names) {
            const char *left = sl_enum_name(field, a), *right = sl_enum_name(field, b);
            return compare_texts((struct sl_text){left, strlen(left)},
                                 (struct sl_text){right, strlen(right)});
        }
        return compare_numbers(field, a, b);
    }
}

static int compare_place(const struct sl_place *place, uint32_t count, const void *a, const void *b)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct sl_field *field = place->fields[i];
        const bool left = sl_field_is_there(field, a), right = sl_field_is_there(field, b);
        int order = left - right;

        if (order == 0 && left)
            order = compare_values(field, sl_member(field, a), sl_member(field, b));
        if (order != 0)
            return order;
    }
    return 0;
}

/* Lists all that is equal in the first fields, a few at a time, and checks it against the rows. */
static unsigned list_all(struct fixture *f, const struct sl_view_shape *shape,
                         struct sl_list_query query, const struct specimen *rows, size_t count)
{
    const struct sl_place *place = query.index < 0 ? &shape->key : &shape->indexes[query.index];
    const void *last = NULL;
    unsigned listed = 0, wanted = 0, wrong = 0;

    for (size_t i = 0; i < count; i++)
        wanted += query.equal_count == 0 ||
                  compare_place(place, query.equal_count, &rows[i], query.equal) == 0;
    for (;;) {
        struct sl_list_page page;

        CHECK(good(f, sl_view_reader_begin(f->reader, &f->error)));
        const enum sl_err err =
            sl_view_reader_list(f->reader, shape, &query, &f->arena, &page, &f->error);
        sl_view_reader_end(f->reader);
        if (!CHECK(good(f, err)) || listed > wanted)
            break;
        for (uint32_t i = 0; i < page.count; i++) {
            const void *row = page.rows[i].row;
            int order = last ? compare_place(place, place->count, last, row) : -1;
            if (order == 0)
                order = compare_place(&shape->key, shape->key.count, last, row);
            wrong += last && (query.descending ? order <= 0 : order >= 0);
            wrong += query.equal_count > 0 &&
                     compare_place(place, query.equal_count, row, query.equal) != 0;
            wrong += !sl_text_equals(page.rows[i].key, key_of(f, shape, row));
            last = row;
        }
        listed += page.count;
        query.after = page.next;
        if (page.next.len == 0)
            break;
        wrong += page.count != query.limit;
    }
    if (wrong > 0 || listed != wanted)
        tap_note("index %d, equal %u, descending %d: %u of %u rows, %u wrong", query.index,
                 query.equal_count, query.descending, listed, wanted, wrong);
    return wrong + (listed != wanted);
}

static void lists_in_order(void)
{
    const struct sl_view_shape shape = shape_of(&specimens);
    static struct specimen rows[SPECIMENS];
    static struct sl_row_change changes[SPECIMENS];
    const struct sl_checkpoint checkpoint = at(&shape, SPECIMENS);
    struct sl_checkpoint found;
    struct fixture f;
    uint64_t seed = 23;
    unsigned wrong = 0;

    REQUIRE(begin(&f));
    REQUIRE(attach(&f, &shape, &found));
    for (unsigned i = 0; i < SPECIMENS; i++) {
        specimen_fill(&rows[i], &seed, &f.arena);
        /* Few different values, so that later fields and the key decide, too. */
        rows[i].day.days = (int32_t)(specimen_random(&seed) % 5);
        rows[i].at.ns = (int64_t)(specimen_random(&seed) % 4) * 500000000;
        rows[i].decimal = (struct sl_decimal){(int64_t)(specimen_random(&seed) % 40) - 20,
                                              (uint8_t)(specimen_random(&seed) % 3)};
        if (rows[i].decimal.unscaled % 10 == 0)
            rows[i].decimal.scale = 0; /* 1.0 and 1 are one value to our comparison */
        changes[i] = (struct sl_row_change){key_of(&f, &shape, &rows[i]), &rows[i], i + 1};
    }
    REQUIRE(
        good(&f, sl_view_store_apply(f.store, &shape, changes, SPECIMENS, &checkpoint, &f.error)));
    for (int index = -1; index < (int)shape.view->indexes.count; index++)
        for (int descending = 0; descending < 2; descending++)
            for (uint32_t equal = 0; equal <= 2; equal++) {
                const uint32_t fields = index < 0 ? shape.key.count : shape.indexes[index].count;
                for (unsigned i = 0; i < (equal > 0 ? 4 : 1) && equal <= fields; i++)
                    wrong += list_all(&f, &shape,
                                      (struct sl_list_query){.index = index,
                                                             .equal_count = equal,
                                                             .equal = &rows[i * 7],
                                                             .descending = descending != 0,
                                                             .limit = equal > 0 ? 3 : 17},
                                      rows, SPECIMENS);
            }
    CHECK_U64(wrong, 0);
    end(&f);
}

/* A cursor is a place, not a number: rows that come and go elsewhere do not shift it. */
static void goes_on_where_it_was(void)
{
    const struct sl_view_shape shape = shape_of(&pages);
    struct sl_list_query query = {.index = 0, .limit = 2};
    struct sl_list_page page;
    struct sl_checkpoint found;
    struct fixture f;

    REQUIRE(begin(&f));
    REQUIRE(attach(&f, &shape, &found));
    for (int i = 1; i <= 4; i++)
        REQUIRE(
            apply_one(&f, &shape, &(struct page){.number = i, .size = 10 * i}, true, (uint64_t)i));
    REQUIRE(good(&f, sl_view_reader_begin(f.reader, &f.error)));
    REQUIRE(good(&f, sl_view_reader_list(f.reader, &shape, &query, &f.arena, &page, &f.error)));
    sl_view_reader_end(f.reader);
    CHECK_U64(page.count, 2);
    REQUIRE(apply_one(&f, &shape, &(struct page){.number = 2, .size = 20}, false, 5));
    REQUIRE(apply_one(&f, &shape, &(struct page){.number = 9, .size = 5}, true, 6));
    REQUIRE(apply_one(&f, &shape, &(struct page){.number = 8, .size = 25}, true, 7));
    query.after = page.next;
    query.limit = 5;
    REQUIRE(good(&f, sl_view_reader_begin(f.reader, &f.error)));
    REQUIRE(good(&f, sl_view_reader_list(f.reader, &shape, &query, &f.arena, &page, &f.error)));
    sl_view_reader_end(f.reader);
    REQUIRE(page.count == 3);
    CHECK_U64(((const struct page *)page.rows[0].row)->size, 25);
    CHECK_U64(((const struct page *)page.rows[2].row)->size, 40);
    CHECK_U64(page.next.len, 0);
    CHECK_U64(page.checkpoint.position, 7);
    end(&f);
}

static void refuses_bad_queries(void)
{
    const struct sl_view_shape shape = shape_of(&pages);
    const struct page some = {.size = 1};
    const struct sl_list_query bad[] = {
        {.index = -1, .limit = 0},
        {.index = -1, .limit = 1001},
        {.index = 1, .limit = 10},
        {.index = -2, .limit = 10},
        {.index = 0, .limit = 10, .equal_count = 2, .equal = &some},
        {.index = 0, .limit = 10, .after = SL_TEXT("!")},
        {.index = 0, .limit = 10, .after = SL_TEXT("AQI")},
        {.index = 0, .limit = 10, .after = SL_TEXT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")},
        {.limit = 10, .search = SL_TEXT("  ")},
        {.limit = 10, .search = SL_TEXT("word"), .after = SL_TEXT("zzzz")},
    };
    struct sl_list_page page;
    struct sl_checkpoint found;
    struct fixture f;

    REQUIRE(begin(&f));
    REQUIRE(attach(&f, &shape, &found));
    REQUIRE(good(&f, sl_view_reader_begin(f.reader, &f.error)));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const enum sl_err err =
            sl_view_reader_list(f.reader, &shape, &bad[i], &f.arena, &page, &f.error);
        if (!CHECK(err == SL_INVALID))
            tap_note("query %zu: %d %s", i, (int)err, f.error.message);
    }
    sl_view_reader_end(f.reader);
    end(&f);
}

/* ---- Search ---------------------------------------------------------------------------------- */

static unsigned find(struct fixture *f, const struct sl_view_shape *shape, const char *words,
                     int64_t *first)
{
    const struct sl_list_query query = {.search = {words, strlen(words)}, .limit = 100};
    struct sl_list_page page = {0};

    CHECK(good(f, sl_view_reader_begin(f->reader, &f->error)));
    if (!CHECK(good(f, sl_view_reader_list(f->reader, shape, &query, &f->arena, &page, &f->error))))
        tap_note("searching %s", words);
    sl_view_reader_end(f->reader);
    if (page.count > 0 && first)
        *first = ((const struct page *)page.rows[0].row)->number;
    return page.count;
}

static void searches(void)
{
    static const struct {
        const char *words;
        unsigned count;
    } cases[] = {
        {"blue", 2},
        {"BLUE", 2},
        {"blue chair", 1},
        {"chair blue", 1},
        {"cafe", 1},
        {"Café", 1},
        {"gre", 0},
        {"gre*", 1},
        {"nothing", 0},
        {"blue OR red", 0},
        {"NOT blue", 0},
        {"title:blue", 0},
        {"\"blue\"", 2},
        {"blue\"", 2},
        {"(blue", 2},
        {"blue)", 2},
        {"* blue", 2},
        {"-blue", 2},
        {"^blue", 2},
        {"blue + chair", 1},
        {"{blue}", 2},
        {"'blue'; --", 2},
        {"NEAR(blue chair)", 0},
    };
    const struct sl_view *const views[] = {&pages, &sections};

    for (size_t v = 0; v < 2; v++) {
        const struct sl_view_shape shape = shape_of(views[v]);
        const struct page rows[] = {
            {.number = 1, .title = SL_TEXT("one"), .body = SL_TEXT("a blue chair")},
            {.number = 2, .title = SL_TEXT("two"), .body = SL_TEXT("the Blue table, café")},
            {.number = 3, .title = SL_TEXT("three"), .body = SL_TEXT("green grass")},
        };
        struct sl_checkpoint found;
        struct fixture f;

        REQUIRE(begin(&f));
        REQUIRE(attach(&f, &shape, &found));
        for (unsigned i = 0; i < 3; i++)
            REQUIRE(apply_one(&f, &shape, &rows[i], true, i + 1));
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const unsigned count = find(&f, &shape, cases[i].words, NULL);
            if (!CHECK_U64(count, cases[i].count))
                tap_note("searching %s", cases[i].words);
        }
        end(&f);
    }
}

static void search_follows_changes(void)
{
    const struct sl_view *const views[] = {&pages, &sections};

    for (size_t v = 0; v < 2; v++) {
        const struct sl_view_shape shape = shape_of(views[v]);
        struct page page = {.number = 1, .title = SL_TEXT("t"), .body = SL_TEXT("old words")};
        struct sl_checkpoint found;
        struct fixture f;

        REQUIRE(begin(&f));
        REQUIRE(attach(&f, &shape, &found));
        REQUIRE(apply_one(&f, &shape, &page, true, 1));
        page.body = SL_TEXT("new words");
        REQUIRE(apply_one(&f, &shape, &page, true, 2));
        CHECK_U64(find(&f, &shape, "old", NULL), 0);
        CHECK_U64(find(&f, &shape, "new", NULL), 1);
        page.size = 4; /* not a word of it */
        REQUIRE(apply_one(&f, &shape, &page, true, 3));
        CHECK_U64(find(&f, &shape, "new", NULL), 1);
        REQUIRE(apply_one(&f, &shape, &page, false, 4));
        CHECK_U64(find(&f, &shape, "words", NULL), 0);
        end(&f);
    }
}

static void search_shows_the_best_first_in_pages(void)
{
    const struct sl_view_shape shape = shape_of(&pages);
    struct sl_list_query query = {.search = SL_TEXT("apple"), .limit = 4};
    struct sl_checkpoint found;
    struct fixture f;
    unsigned seen = 0, mask = 0;
    int64_t first = 0;

    REQUIRE(begin(&f));
    REQUIRE(attach(&f, &shape, &found));
    for (int i = 1; i <= 10; i++)
        REQUIRE(apply_one(&f, &shape,
                          &(struct page){.number = i,
                                         .body = i == 7 ? SL_TEXT("apple apple apple")
                                                        : SL_TEXT("an apple among other words")},
                          true, (uint64_t)i));
    CHECK_U64(find(&f, &shape, "apple", &first), 10);
    CHECK_U64(first, 7);
    for (unsigned i = 0; i < 5; i++) {
        struct sl_list_page page;
        REQUIRE(good(&f, sl_view_reader_begin(f.reader, &f.error)));
        REQUIRE(good(&f, sl_view_reader_list(f.reader, &shape, &query, &f.arena, &page, &f.error)));
        sl_view_reader_end(f.reader);
        for (uint32_t r = 0; r < page.count; r++)
            mask |= 1u << ((const struct page *)page.rows[r].row)->number;
        seen += page.count;
        query.after = page.next;
        if (page.next.len == 0)
            break;
    }
    CHECK_U64(seen, 10);
    CHECK_U64(mask, 0x7fe);
    end(&f);
}

/* ---- Builds beside one another --------------------------------------------------------------- */

static void builds_stand_beside_one_another(void)
{
    struct sl_view_shape old = shape_of(&pages), new = shape_of(&pages);
    const struct page page = {.number = 7, .size = 3}, later = {.number = 7, .size = 4};
    struct sl_checkpoint found;
    struct fixture f;

    REQUIRE(begin(&f));
    REQUIRE(good(&f, sl_view_store_serving(f.store, &old, &old.build, &f.error)));
    CHECK_U64(old.build, 0);
    REQUIRE(attach(&f, &old, &found) && apply_one(&f, &old, &page, true, 5));
    new.build = 1;
    REQUIRE(attach(&f, &new, &found));
    CHECK(!sl_checkpoint_exists(&found));
    CHECK(look(&f, &new, SL_TEXT("7"), NULL) == NULL);
    REQUIRE(apply_one(&f, &new, &later, true, 9) && apply_one(&f, &old, &page, true, 6));
    REQUIRE(good(&f, sl_view_store_serve(f.store, &new, &f.error)));
    /* Each has its own rows and checkpoint, and whoever reads the old one goes on. */
    const struct page *row = look(&f, &old, SL_TEXT("7"), &found);
    CHECK(row && row->size == 3 && found.position == 6);
    row = look(&f, &new, SL_TEXT("7"), &found);
    CHECK(row && row->size == 4 && found.position == 9);
    sl_view_reader_forget(f.reader, &old);
    REQUIRE(good(&f, sl_view_store_discard(f.store, &old, &f.error)));
    struct sl_view_shape serving = shape_of(&pages);
    REQUIRE(reopen(&f));
    REQUIRE(good(&f, sl_view_store_serving(f.store, &serving, &serving.build, &f.error)));
    CHECK_U64(serving.build, 1);
    REQUIRE(attach(&f, &serving, &found) && found.position == 9);
    REQUIRE(attach(&f, &old, &found) && !sl_checkpoint_exists(&found));
    end(&f);
}

int view_store_suite(const struct view_store_bench *of)
{
    bench = of;
    return TAP_RUN(
        {"a view starts empty, and is there again after opening anew", starts_empty},
        {"the checkpoint moves without rows", moves_the_checkpoint_alone},
        {"values of every kind come back equal", keeps_every_kind},
        {"rows that break rules are kept", keeps_what_rules_forbid},
        {"rows are replaced and removed", replaces_and_removes},
        {"what is no key finds nothing", finds_nothing_for_what_is_no_key},
        {"reads between begin and end see one state", reads_one_state},
        {"another digest starts the view over", another_digest_starts_over},
        {"clearing leaves nothing but the count of builds", clears},
        {"lists are in order, forwards and backwards", lists_in_order},
        {"a cursor is a place, not a number", goes_on_where_it_was},
        {"bad queries are refused", refuses_bad_queries},
        {"searches find words, and nothing else", searches},
        {"a search follows changes", search_follows_changes},
        {"a search shows the best first, in pages", search_shows_the_best_first_in_pages},
        {"builds stand beside one another", builds_stand_beside_one_another});
}
