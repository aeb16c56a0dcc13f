#include "conformance/view_past_suite.h"

#include "tap/tap.h"

static const struct view_store_bench *bench;

struct page {
    int64_t number;
    struct sl_text title;
    int32_t size;
};

static const struct sl_record page_record = SL_RECORD(struct page, SL_FIELD(struct page, number),
                                                      SL_FIELD(struct page, title),
                                                      SL_FIELD(struct page, size));

/* Tables differ with the key and with the search. */
static const struct sl_view views[] = {
    {"pages", &page_record, "number", .temporal = true},
    {"pages", &page_record, "number", .search = "title", .temporal = true},
    {"pages", &page_record, "title, number", .temporal = true},
    {"pages", &page_record, "title", .search = "title", .temporal = true},
};
static const struct sl_view plain_view = {"plain", &page_record, "number"};

static struct fixture {
    struct sl_env *env;
    struct sl_view_store_options options;
    struct sl_view_store *store;
    struct sl_view_reader *reader;
    struct sl_view_shape shape, plain;
    struct sl_arena arena;
    struct sl_error error;
} f;

static bool good(enum sl_err err)
{
    if (err != SL_OK)
        tap_note("%d: %s", (int)err, f.error.message);
    return err == SL_OK;
}

static bool reopen(uint64_t position)
{
    struct sl_checkpoint found, other;

    sl_view_reader_close(f.reader);
    sl_view_store_close(f.store);
    f.reader = NULL;
    f.store = NULL;
    return CHECK(good(sl_view_store_open(bench->ops, f.env, &f.options, &f.store, &f.error))) &&
           CHECK(good(sl_view_store_attach(f.store, &f.shape, &found, &f.error))) &&
           CHECK(good(sl_view_store_attach(f.store, &f.plain, &other, &f.error))) &&
           CHECK(good(sl_view_reader_open(f.store, &f.reader, &f.error))) &&
           CHECK_U64(found.position, position);
}

static bool begin(const struct sl_view *view)
{
    f = (struct fixture){0};
    f.env = bench->start(&f.options);
    return CHECK(good(sl_view_shape_init(&f.shape, "test", view, &f.error))) &&
           CHECK(good(sl_view_shape_init(&f.plain, "test", &plain_view, &f.error))) && reopen(0);
}

static void end(void)
{
    sl_view_reader_close(f.reader);
    sl_view_store_close(f.store);
    bench->stop(f.env);
    sl_arena_close(&f.arena);
}

static struct sl_text key_of(const struct page *page)
{
    struct sl_buf key = {0};

    CHECK(sl_place_write(&f.shape.key, page, &key) == SL_OK);
    const struct sl_text copy = sl_arena_text(&f.arena, sl_buf_as_text(&key));
    sl_buf_close(&key);
    return copy;
}

static bool apply(const struct sl_row_change *changes, size_t count, uint64_t position)
{
    const struct sl_checkpoint checkpoint = {{{1}}, 77, position, 1, f.shape.digest};

    return CHECK(
        good(sl_view_store_apply(f.store, &f.shape, changes, count, &checkpoint, &f.error)));
}

/* The size of the page as it was, or is (UINT64_MAX); 0: there was none. */
static int32_t size_at(struct sl_text key, uint64_t position)
{
    struct sl_row_found found = {.key = key};
    struct sl_checkpoint checkpoint;
    enum sl_err err;

    CHECK(good(sl_view_reader_begin(f.reader, &f.error)));
    if (position == UINT64_MAX)
        err = sl_view_reader_lookup(f.reader, &f.shape, &found, 1, &f.arena, &checkpoint, &f.error);
    else
        err = sl_view_reader_lookup_at(f.reader, &f.shape, position, &found, &f.arena, &checkpoint,
                                       &f.error);
    CHECK(good(err));
    sl_view_reader_end(f.reader);
    return found.row ? ((const struct page *)found.row)->size : 0;
}

static const struct page first = {7, {"a,b", 3}, 10}, last = {7, {"a,b", 3}, 30};
static const struct page other = {-3, {"a", 1}, 77};

static void check_past(void)
{
    static const int32_t sizes[] = {0, 0, 10, 10, 0, 30, 30}, others[] = {0, 0, 0, 77, 77, 77, 77};

    for (uint64_t position = 0; position < 7; position++) {
        CHECK(size_at(key_of(&first), position) == sizes[position]);
        CHECK(size_at(key_of(&other), position) == others[position]);
    }
    CHECK(size_at(key_of(&first), UINT64_MAX - 1) == 30);
    CHECK(size_at(key_of(&first), UINT64_MAX) == 30);
    CHECK(size_at(key_of(&other), UINT64_MAX) == 77);
}

/* Several versions of a row come at once, in any order; and once more, as after a commit of which
 * nobody knows whether it was one. */
static void keeps_all_versions(void)
{
    for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
        REQUIRE(begin(&views[v]));
        const struct sl_row_change changes[] = {{key_of(&first), &last, 5},
                                                {key_of(&other), &other, 3},
                                                {key_of(&first), NULL, 4},
                                                {key_of(&first), &first, 2}};
        REQUIRE(apply(changes, 4, 6) && apply(changes, 4, 6));
        check_past();
        REQUIRE(reopen(6));
        check_past();
        end();
    }
}

static void goes_on(void)
{
    for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
        REQUIRE(begin(&views[v]));
        const struct sl_text key = key_of(&first);
        REQUIRE(apply(&(struct sl_row_change){key, &first, 2}, 1, 2));
        REQUIRE(apply(&(struct sl_row_change){key, NULL, 9}, 1, 9));
        CHECK(size_at(key, UINT64_MAX) == 0);
        CHECK(size_at(key, 8) == 10 && size_at(key, 9) == 0);
        REQUIRE(good(sl_view_store_clear(f.store, &f.shape, &f.error)));
        CHECK(size_at(key, 8) == 0);
        end();
    }
}

static void others_have_none(void)
{
    struct sl_row_found found = {.key = SL_TEXT("7")};
    struct sl_checkpoint checkpoint;

    REQUIRE(begin(&views[0]));
    REQUIRE(good(sl_view_reader_begin(f.reader, &f.error)));
    CHECK(sl_view_reader_lookup_at(f.reader, &f.plain, 5, &found, &f.arena, &checkpoint,
                                   &f.error) == SL_UNSUPPORTED);
    sl_view_reader_end(f.reader);
    end();
}

int view_past_suite(const struct view_store_bench *of)
{
    bench = of;
    return TAP_RUN({"all versions of a row are kept", keeps_all_versions},
                   {"a row that goes is kept as it was, until all is cleared", goes_on},
                   {"views that are not temporal keep none", others_have_none});
}
