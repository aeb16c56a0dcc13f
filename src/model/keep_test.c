#include "model/keep.h"

#include "model/model.h"
#include "tap/tap.h"

#include <string.h>

static void spans_are_read(void)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } table[] = {
        {"0s", 0},      {"90d", 90 * 86400}, {"12h", 43200}, {"30m", 1800},
        {"45s", 45},    {"106751d", INT64_C(106751) * 86400}, {"106752d", -1},
        {"", -1},       {"d", -1},           {"90", -1},     {"90 d", -1},
        {"-1d", -1},    {"1w", -1},          {"1dd", -1},    {"99999999999999999999s", -1},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t ns = -1;
        tap_note("'%s'", table[i].text);
        const bool good = sl_keep_read(table[i].text, &ns);
        CHECK(good == (table[i].seconds >= 0));
        if (good)
            CHECK(ns == table[i].seconds * INT64_C(1000000000));
    }
}

struct reading {
    uint32_t value;
};

static const struct sl_record reading_record =
    SL_RECORD(struct reading, SL_FIELD(struct reading, value));

static enum sl_err model_of(const struct sl_event_type *type, struct sl_model *out,
                            struct sl_error *error)
{
    static struct sl_domain domain;

    domain = (struct sl_domain){.name = "meters", .events = {&type, 1}};
    return sl_model_init(out, &domain, error);
}

static void a_type_says_how_long_it_is_kept(void)
{
    static const struct sl_event_type good = {"Read", 1, &reading_record, .keep = "90d"};
    static const struct sl_event_type bad = {"Read", 1, &reading_record, .keep = "3 weeks"};
    struct sl_model model = {0};
    struct sl_error error = {0};

    CHECK_U64(model_of(&good, &model, &error), SL_OK);
    sl_model_close(&model);
    CHECK_U64(model_of(&bad, &model, &error), SL_INVALID);
    CHECK(strstr(error.message, "event Read, keep: 3 weeks is no span of time"));
    sl_model_close(&model);
}

static void a_stone_is_handed_to_nobody(void)
{
    static const struct sl_event_type type = {"Read", 1, &reading_record, .keep = "0s"};
    static const struct sl_schema schema = {.version = 1, .name = {"Read", 4}};
    static const uint8_t one = 1;
    struct sl_stored_event stored = {.schema = &schema, .stream = {"meter/1", 7}};
    struct sl_model model = {0};
    struct sl_arena arena = {0};
    struct sl_error error = {0};
    struct sl_event event;

    REQUIRE(model_of(&type, &model, &error) == SL_OK);
    stored.is_stone = true;
    CHECK_U64(sl_model_decode(&model, &stored, &arena, &event, &error), SL_NOT_FOUND);
    stored.is_stone = false;
    stored.body = (struct sl_slice){&one, 1};
    CHECK_U64(sl_model_decode(&model, &stored, &arena, &event, &error), SL_OK);
    sl_arena_close(&arena);
    sl_model_close(&model);
}

int main(void)
{
    return TAP_RUN({"spans are read", spans_are_read},
                   {"a type says how long it is kept", a_type_says_how_long_it_is_kept},
                   {"a stone is handed to nobody", a_stone_is_handed_to_nobody});
}
