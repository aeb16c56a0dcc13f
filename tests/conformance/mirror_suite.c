#include "conformance/mirror_suite.h"

#include <stdlib.h>
#include <string.h>

#include "contracts/mirror_fault.h"
#include "record/pack.h"
#include "record/specimen.h"
#include "tap/tap.h"

static const struct mirror_bench *bench;

struct word {
    uint64_t id;
    struct sl_text text;
};

static const struct sl_record word_record =
    SL_RECORD(struct word, SL_FIELD(struct word, id), SL_FIELD(struct word, text));
static const struct sl_view words = {"words", &word_record, "id"};
static const struct sl_view words_later = {"words", &word_record, "id", .version = 2};
static const struct sl_view specimens = {"specimens", &specimen_record, "id"};

struct fixture {
    struct sl_env *env;
    struct sl_view_store_options options;
    struct sl_mirror *mirror;
    struct sl_mirror_fault fault;
    struct sl_view_shape shape;
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
    sl_mirror_close(f->mirror);
    f->mirror = NULL;
    f->fault.inner = bench->ops;
    f->options.wrapped = &f->fault;
    return CHECK(
        good(f, sl_mirror_open(&sl_mirror_fault_ops, f->env, &f->options, &f->mirror, &f->error)));
}

static bool begin(struct fixture *f, const struct sl_view *view)
{
    *f = (struct fixture){0};
    f->env = bench->start(&f->options);
    return CHECK(good(f, sl_view_shape_init(&f->shape, "test", view, &f->error))) && reopen(f);
}

static void end(struct fixture *f)
{
    sl_mirror_close(f->mirror);
    bench->stop(f->env);
    sl_arena_close(&f->arena);
}

static struct sl_checkpoint at(const struct fixture *f, uint64_t position)
{
    return (struct sl_checkpoint){{{7}}, 70, position, 3, f->shape.digest};
}

static bool start(struct fixture *f)
{
    const struct sl_checkpoint checkpoint = at(f, 0);

    return CHECK(good(f, sl_mirror_start(f->mirror, &f->shape, &checkpoint, &f->error)));
}

/* `text` NULL: the row goes. */
static enum sl_err put(struct fixture *f, const char *text, uint64_t version,
                       struct sl_checkpoint checkpoint)
{
    const struct word word = {5, {text, text ? strlen(text) : 0}};
    const struct sl_row_change change = {SL_TEXT("5"), text ? &word : NULL, version};

    return sl_mirror_put(f->mirror, &f->shape, &change, 1, &checkpoint, &f->error);
}

/* The row's text, or "-"; and how far the copy goes. */
static const char *see(struct fixture *f, struct sl_checkpoint *out)
{
    struct sl_row_found found = {.key = SL_TEXT("5")};
    struct sl_checkpoint checkpoint = {0};

    CHECK(good(
        f, sl_mirror_lookup(f->mirror, &f->shape, &found, 1, &f->arena, &checkpoint, &f->error)));
    if (out)
        *out = checkpoint;
    return found.row ? sl_arena_text(&f->arena, ((const struct word *)found.row)->text).ptr : "-";
}

static void starts_and_goes_on(void)
{
    struct sl_checkpoint checkpoint;
    struct fixture f;

    REQUIRE(begin(&f, &words));
    REQUIRE(good(&f, sl_mirror_checkpoint(f.mirror, &f.shape, &checkpoint, &f.error)));
    CHECK(!sl_checkpoint_exists(&checkpoint));
    CHECK_STRING(see(&f, NULL), "-");
    CHECK(put(&f, "early", 1, at(&f, 1)) == SL_CONFLICT);
    REQUIRE(start(&f));
    CHECK(good(&f, put(&f, "one", 1, at(&f, 1))));
    CHECK_STRING(see(&f, &checkpoint), "one");
    CHECK_U64(checkpoint.position, 1);
    REQUIRE(reopen(&f));
    REQUIRE(good(&f, sl_mirror_checkpoint(f.mirror, &f.shape, &checkpoint, &f.error)));
    CHECK_U64(checkpoint.position, 1);
    CHECK_U64(checkpoint.generation, 3);
    CHECK_U64(checkpoint.salt, 70);
    CHECK(good(&f, put(&f, "two", 2, at(&f, 2))));
    CHECK_STRING(see(&f, NULL), "two");
    end(&f);
}

/* Of two versions the greater stays, whatever the order; a tie changes nothing. */
static void the_greater_version_stays(void)
{
    static const struct {
        const char *first;
        uint64_t first_version;
        const char *second;
        uint64_t second_version;
        const char *then;
    } cases[] = {
        {"a", 1, "b", 2, "b"},
        {"a", 2, "b", 1, "a"},
        {"a", 2, "b", 2, "a"},
        {"a", 1, NULL, 2, "-"},
        {"a", 2, NULL, 1, "a"},
        {"a", 2, NULL, 2, "a"},
        {NULL, 2, "b", 1, "-"},
        {NULL, 2, "b", 2, "-"},
        {NULL, 1, "b", 2, "b"},
        {"a", 9, "b", 10, "b"},
        {"a", UINT32_MAX, "b", UINT64_C(1) << 40, "b"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_checkpoint checkpoint;
        struct fixture f;

        REQUIRE(begin(&f, &words));
        REQUIRE(start(&f));
        CHECK(good(&f, put(&f, cases[i].first, cases[i].first_version, at(&f, 100))));
        CHECK(good(&f, put(&f, cases[i].second, cases[i].second_version, at(&f, 50))));
        if (!CHECK_STRING(see(&f, &checkpoint), cases[i].then))
            tap_note("case %zu", i);
        CHECK_U64(checkpoint.position, 100); /* never back */
        REQUIRE(reopen(&f));
        CHECK_STRING(see(&f, NULL), cases[i].then);
        end(&f);
    }
}

/* P9: what belongs to another copy is refused, until this one is started. */
static void another_copy_conflicts(void)
{
    for (unsigned how = 0; how < 3; how++) {
        struct sl_checkpoint other, checkpoint;
        struct fixture f;

        REQUIRE(begin(&f, &words));
        REQUIRE(start(&f));
        CHECK(good(&f, put(&f, "old", 9, at(&f, 9))));
        other = at(&f, 20);
        if (how == 0)
            other.log.bytes[0]++;
        else if (how == 1)
            other.salt++;
        else
            other.generation++;
        CHECK(put(&f, "new", 20, other) == SL_CONFLICT);
        CHECK_STRING(see(&f, NULL), "old");
        other.position = 0;
        REQUIRE(good(&f, sl_mirror_start(f.mirror, &f.shape, &other, &f.error)));
        CHECK_STRING(see(&f, &checkpoint), "-");
        CHECK_U64(checkpoint.position, 0);
        other.position = 3;
        CHECK(good(&f, put(&f, "new", 3, other))); /* an old version counts no more */
        CHECK_STRING(see(&f, NULL), "new");
        CHECK(put(&f, "late", 30, at(&f, 30)) == SL_CONFLICT);
        CHECK_STRING(see(&f, NULL), "new");
        end(&f);
    }
}

static void another_digest_is_another_copy(void)
{
    struct sl_checkpoint checkpoint;
    struct fixture f;

    REQUIRE(begin(&f, &words));
    REQUIRE(start(&f));
    CHECK(good(&f, put(&f, "old", 9, at(&f, 9))));
    sl_mirror_close(f.mirror);
    f.mirror = NULL;
    REQUIRE(good(&f, sl_view_shape_init(&f.shape, "test", &words_later, &f.error)));
    REQUIRE(reopen(&f));
    REQUIRE(good(&f, sl_mirror_checkpoint(f.mirror, &f.shape, &checkpoint, &f.error)));
    CHECK(!sl_checkpoint_exists(&checkpoint));
    CHECK_STRING(see(&f, NULL), "-");
    CHECK(put(&f, "new", 20, at(&f, 20)) == SL_CONFLICT);
    REQUIRE(start(&f));
    CHECK(good(&f, put(&f, "new", 20, at(&f, 20))));
    CHECK_STRING(see(&f, NULL), "new");
    end(&f);
}

static void keeps_every_kind(void)
{
    enum { COUNT = 100 };
    static struct specimen rows[COUNT];
    static struct sl_row_change changes[COUNT];
    static struct sl_row_found found[COUNT];
    struct sl_checkpoint checkpoint;
    struct fixture f;
    uint64_t seed = 5;
    unsigned equal = 0;

    REQUIRE(begin(&f, &specimens));
    REQUIRE(start(&f));
    for (unsigned i = 0; i < COUNT; i++) {
        struct sl_buf key = {0};
        specimen_fill(&rows[i], &seed, &f.arena);
        CHECK(sl_place_write(&f.shape.key, &rows[i], &key) == SL_OK);
        changes[i] =
            (struct sl_row_change){sl_arena_text(&f.arena, sl_buf_as_text(&key)), &rows[i], i + 1};
        found[i] = (struct sl_row_found){.key = changes[i].key};
        sl_buf_close(&key);
    }
    checkpoint = at(&f, COUNT);
    /* Twice, as after an answer that was lost. */
    for (unsigned i = 0; i < 2; i++)
        REQUIRE(good(&f, sl_mirror_put(f.mirror, &f.shape, changes, COUNT, &checkpoint, &f.error)));
    REQUIRE(good(
        &f, sl_mirror_lookup(f.mirror, &f.shape, found, COUNT, &f.arena, &checkpoint, &f.error)));
    for (unsigned i = 0; i < COUNT; i++)
        equal += found[i].row && found[i].version == i + 1 &&
                 sl_record_equals(&specimen_record, found[i].row, &rows[i]);
    CHECK_U64(equal, COUNT);
    end(&f);
}

/* A call fails, done or not; whoever puts again what it does not know to be there ends up right. */
static void putting_again_does_no_harm(void)
{
    static const char *const texts[] = {"one", "two", NULL, "four"};

    for (uint64_t nth = 1; nth <= 6; nth++) {
        for (int done = 0; done < 2; done++) {
            struct sl_checkpoint checkpoint = {0};
            unsigned failed = 0;
            struct fixture f;

            REQUIRE(begin(&f, &words));
            REQUIRE(start(&f));
            f.fault.done_before = done != 0;
            sl_mirror_fail_at(&f.fault, nth, SL_IO);
            for (unsigned rounds = 0; rounds < 20; rounds++) {
                const enum sl_err err =
                    sl_mirror_checkpoint(f.mirror, &f.shape, &checkpoint, &f.error);
                const uint64_t next = err == SL_OK ? checkpoint.position + 1 : 1;
                if (next > 4)
                    break;
                failed += err != SL_OK || put(&f, texts[next - 1], next, at(&f, next)) != SL_OK;
            }
            CHECK_U64(failed, 1);
            CHECK_STRING(see(&f, &checkpoint), "four");
            CHECK_U64(checkpoint.position, 4);
            end(&f);
        }
    }
}

int mirror_suite(const struct mirror_bench *of)
{
    bench = of;
    return TAP_RUN({"a copy is started, and goes on", starts_and_goes_on},
                   {"of two versions the greater stays", the_greater_version_stays},
                   {"P9: another copy conflicts", another_copy_conflicts},
                   {"another digest is another copy", another_digest_is_another_copy},
                   {"values of every kind come back equal", keeps_every_kind},
                   {"putting again does no harm", putting_again_does_no_harm});
}
