#include "record/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/pack.h"
#include "record/specimen.h"
#include "tap/tap.h"

static struct sl_text text_of(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

struct line {
    struct sl_text sku;
    int64_t quantity;
};

static const struct sl_record line_record = SL_RECORD(struct line,
    SL_FIELD(struct line, sku, .required = true, .length_max = 8),
    SL_FIELD(struct line, quantity, .required = true, SL_RANGE(1, 1000)));

struct order {
    struct sl_uuid id;
    struct sl_list lines;
    char code[6];
    struct sl_money total;
    enum { ORDER_OPEN, ORDER_PAID } state;
    bool has_note;
    struct sl_text note;
    uint8_t small;
    uint64_t large;
    sl_u128 wide;
    double factor;
    struct sl_date day;
    struct sl_time at;
    struct sl_decimal rate;
    bool gift;
    struct line extra;
    struct sl_list names;
};

static const struct sl_record order_record = SL_RECORD(struct order,
    SL_FIELD(struct order, id),
    SL_FIELD(struct order, lines, .record = &line_record, .length_max = 4),
    SL_FIELD(struct order, code, .length_min = 2),
    SL_FIELD(struct order, total, SL_RANGE(0, 100000)),
    SL_FIELD(struct order, state, SL_NAMES("open", "paid")),
    SL_FIELD(struct order, note, SL_HAS(struct order, has_note), .length_min = 1),
    SL_FIELD(struct order, small, SL_RANGE(1, 9)),
    SL_FIELD(struct order, large),
    SL_FIELD(struct order, wide),
    SL_FIELD(struct order, factor, SL_RANGE(-1, 1)),
    SL_FIELD(struct order, day),
    SL_FIELD(struct order, at),
    SL_FIELD(struct order, rate, SL_RANGE(-5, 5)),
    SL_FIELD(struct order, gift),
    SL_FIELD(struct order, extra, .record = &line_record),
    SL_FIELD(struct order, names, .item = SL_TEXT_KIND));

static void reads_an_order(void)
{
    static const char json[] =
        "{ \"id\" : \"550e8400-e29b-41d4-a716-446655440000\",\n"
        "  \"lines\": [ {\"sku\":\"A\\u0034\", \"quantity\": 3 }, "
        "{\"quantity\":\"1000\",\"sku\":\"B\"}],"
        "\"code\":\"x\\ty\", \"total\": {\"currency\":\"EUR\",\"minor\":-0},\"state\":\"paid\","
        "\"note\":\"\\ud834\\udd1e \\\"quoted\\\" \\/ \\\\ ä\",\"small\":9,"
        "\"large\":18446744073709551615,\"wide\":340282366920938463463374607431768211455,"
        "\"factor\":-1e-3,\"day\":\"2026-11-23\",\"at\":\"2026-11-23T10:00:00+01:00\","
        "\"rate\":\"-4.99\",\"gift\":true,\"extra\":{\"sku\":\"E\",\"quantity\":1},"
        "\"n\\u0061mes\":[\"\",\"two\", \"3\"]}\r\n";
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};
    struct sl_broken_rule broken = {0};
    struct order order = {0};
    char *copy = malloc(sizeof json);

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    memcpy(copy, json, sizeof json);
    const enum sl_err err = sl_json_read(
        parser, &order_record, (struct sl_text){copy, sizeof json - 1}, &arena, &order, &broken);
    free(copy); /* the text may go */
    if (!CHECK(err == SL_OK))
        tap_note("%s: %s: %s", broken.field, broken.rule, broken.message);
    CHECK(order.id.bytes[0] == 0x55);
    REQUIRE(order.lines.count == 2);
    const struct line *lines = order.lines.items;
    CHECK_TEXT(lines[0].sku, "A4");
    CHECK(lines[0].quantity == 3 && lines[1].quantity == 1000);
    CHECK_STRING(order.code, "x\ty");
    CHECK(order.total.minor == 0 && strcmp(order.total.currency, "EUR") == 0);
    CHECK(order.state == ORDER_PAID && order.small == 9 && order.large == UINT64_MAX);
    CHECK(order.has_note);
    CHECK_TEXT(order.note, "𝄞 \"quoted\" / \\ ä");
    CHECK(order.wide == ~(sl_u128)0 && order.factor == -1e-3 && order.day.days == 20780);
    CHECK(order.at.ns == INT64_C(1795424400000000000));
    CHECK(order.rate.unscaled == -499 && order.rate.scale == 2 && order.gift);
    CHECK(order.extra.quantity == 1);
    REQUIRE(order.names.count == 3);
    CHECK_TEXT(((struct sl_text *)order.names.items)[0], "");
    CHECK_TEXT(((struct sl_text *)order.names.items)[2], "3");
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

struct bad_case {
    const char *json;
    const char *field;
    const char *rule;
};

static void check_bad(const struct bad_case *cases, size_t count)
{
    static const uint8_t zeros[sizeof(struct order)];
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    for (size_t i = 0; i < count; i++) {
        struct sl_broken_rule broken = {0};
        struct order order;
        memset(&order, 0, sizeof order);
        sl_arena_reset(&arena);
        const bool good = CHECK(sl_json_read(parser, &order_record, text_of(cases[i].json), &arena,
                                             &order, &broken) == SL_INVALID) &&
                          CHECK_STRING(broken.field, cases[i].field) &&
                          CHECK_STRING(broken.rule, cases[i].rule) &&
                          CHECK(broken.message[0] != '\0') &&
                          CHECK(memcmp(&order, zeros, sizeof order) == 0);
        if (!good)
            tap_note("%s: %s", cases[i].json, broken.message);
    }
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

#define CHECK_BAD(cases) check_bad((cases), sizeof(cases) / sizeof((cases)[0]))

static void refuses_what_is_no_json(void)
{
    static const struct bad_case cases[] = {
        {"", "", "syntax"},
        {" \n ", "", "syntax"},
        {"{", "", "syntax"},
        {"}", "", "syntax"},
        {"{}}", "", "syntax"},
        {"{} {}", "", "syntax"},
        {"{},", "", "syntax"},
        {"{\"gift\"}", "", "syntax"},
        {"{\"gift\":}", "gift", "syntax"},
        {"{\"gift\" true}", "", "syntax"},
        {"{\"gift\":true,}", "", "syntax"},
        {"{,\"gift\":true}", "", "syntax"},
        {"{\"gift\":true \"small\":1}", "", "syntax"},
        {"{\"gift\":true]", "", "syntax"},
        {"{\"gift\":truee}", "gift", "syntax"},
        {"{\"gift\":True}", "gift", "syntax"},
        {"{\"gift\":nul}", "gift", "syntax"},
        {"{gift:true}", "", "syntax"},
        {"{'gift':true}", "", "syntax"},
        {"{\"small\":01}", "small", "syntax"},
        {"{\"small\":+1}", "small", "syntax"},
        {"{\"small\":-}", "small", "syntax"},
        {"{\"small\":1.}", "small", "syntax"},
        {"{\"small\":1e}", "small", "syntax"},
        {"{\"factor\":.5}", "factor", "syntax"},
        {"{\"factor\":NaN}", "factor", "syntax"},
        {"{\"factor\":-Infinity}", "factor", "syntax"},
        {"{\"note\":\"a\\x\"}", "note", "syntax"},
        {"{\"note\":\"\\u12g4\"}", "note", "syntax"},
        {"{\"note\":\"\\u12\"}", "note", "syntax"},
        {"{\"note\":\"a", "", "syntax"},
        {"{\"note\":\"a\\\"}", "", "syntax"},
        {"{\"note\":\"a\nb\"}", "", "syntax"},
        {"{\"note\":\"a\" \"b\"}", "", "syntax"},
        {"{\"note\":\"a\"x}", "", "syntax"},
        {"{\"note\":/* no */\"a\"}", "note", "syntax"},
        {"{\"small\":1\"a\"}", "small", "syntax"},
        {"{\"lines\":[}", "lines[0]", "syntax"},
        {"{\"names\":[\"a\",]}", "names[1]", "syntax"},
        {"{\"names\":[\"a\" \"b\"]}", "names[0]", "syntax"},
        {"{\"names\":[\"a\"", "names[0]", "syntax"},
        {"{\"total\":{\"minor\":1,}}", "total", "syntax"},
        {"{\"total\":{\"minor\" 1}}", "total", "syntax"},
        {"\xef\xbb\xbf{}", "", "syntax"},
        {"{\"note\":\"\xff\"}", "", "utf8"},
        {"{\"note\":\"\xed\xa0\x80\"}", "", "utf8"},
        {"{\"note\":\"\\ud834\"}", "note", "utf8"},
        {"{\"note\":\"\\ud834\\u0041\"}", "note", "utf8"},
        {"{\"note\":\"\\udd1e\"}", "note", "utf8"},
        {"{\"note\":\"a\\u0000b\"}", "note", "format"},
        {"{\"code\":\"\\u0000\"}", "code", "format"},
        {"{\"names\":[\"\\u0000\"]}", "names[0]", "format"},
        {"{\"\\u0000\":1}", "", "format"},
    };

    CHECK_BAD(cases);
}

static void refuses_other_types(void)
{
    static const struct bad_case cases[] = {
        {"[]", "", "type"},
        {"1", "", "type"},
        {"\"a\"", "", "type"},
        {"null", "", "type"},
        {"{\"gift\":1}", "gift", "type"},
        {"{\"gift\":\"true\"}", "gift", "type"},
        {"{\"gift\":[]}", "gift", "type"},
        {"{\"small\":true}", "small", "type"},
        {"{\"small\":1.0}", "small", "type"},
        {"{\"small\":1e0}", "small", "type"},
        {"{\"small\":\"\"}", "small", "type"},
        {"{\"small\":\"one\"}", "small", "type"},
        {"{\"small\":\" 1\"}", "small", "type"},
        {"{\"small\":{}}", "small", "type"},
        {"{\"wide\":1.5}", "wide", "type"},
        {"{\"factor\":\"1\"}", "factor", "type"},
        {"{\"note\":1}", "note", "type"},
        {"{\"code\":false}", "code", "type"},
        {"{\"id\":7}", "id", "type"},
        {"{\"day\":20261123}", "day", "type"},
        {"{\"rate\":1.5}", "rate", "type"},
        {"{\"state\":1}", "state", "type"},
        {"{\"total\":100}", "total", "type"},
        {"{\"total\":{\"minor\":true,\"currency\":\"EUR\"}}", "total.minor", "type"},
        {"{\"lines\":{}}", "lines", "type"},
        {"{\"lines\":[1]}", "lines[0]", "type"},
        {"{\"lines\":[null]}", "lines[0]", "type"},
        {"{\"names\":[\"a\",null]}", "names[1]", "type"},
        {"{\"extra\":[]}", "extra", "type"},
    };

    CHECK_BAD(cases);
}

static void refuses_broken_rules(void)
{
    static const struct bad_case cases[] = {
        {"{\"colour\":1}", "colour", "unknown_field"},
        {"{\"smal\":1}", "smal", "unknown_field"},
        {"{\"smalls\":1}", "smalls", "unknown_field"},
        {"{\"\":1}", "", "unknown_field"},
        {"{\"lines\":[{\"sku\":\"a\",\"x\":[[[\"", "", "syntax"},
        {"{\"lines\":[{\"sku\":\"a\",\"qty\":1}]}", "lines[0].qty", "unknown_field"},
        {"{\"total\":{\"minor\":1,\"unit\":\"EUR\"}}", "total", "unknown_field"},
        {"{\"small\":1,\"small\":2}", "small", "duplicate_field"},
        {"{\"small\":null,\"small\":2}", "small", "duplicate_field"},
        {"{\"small\":1,\"sm\\u0061ll\":2}", "small", "duplicate_field"},
        {"{\"total\":{\"minor\":1,\"minor\":1}}", "total.minor", "duplicate_field"},
        {"{\"lines\":[{\"sku\":\"a\"}]}", "lines[0].quantity", "required"},
        {"{\"lines\":[{}]}", "lines[0].sku", "required"},
        {"{\"extra\":{\"sku\":null,\"quantity\":1}}", "extra.sku", "required"},
        {"{\"extra\":{\"sku\":\"\",\"quantity\":1}}", "extra.sku", "required"},
        {"{\"extra\":{}}", "extra.sku", "required"},
        {"{\"total\":{\"minor\":1}}", "total", "required"},
        {"{\"total\":{}}", "total", "required"},
        {"{\"small\":10}", "small", "range"},
        {"{\"small\":\"10\"}", "small", "range"},
        {"{\"small\":256}", "small", "range"},
        {"{\"small\":-1}", "small", "range"},
        {"{\"small\":99999999999999999999999999999999999999999}", "small", "range"},
        {"{\"large\":18446744073709551616}", "large", "range"},
        {"{\"large\":-1}", "large", "range"},
        {"{\"wide\":340282366920938463463374607431768211456}", "wide", "range"},
        {"{\"wide\":\"-1\"}", "wide", "range"},
        {"{\"factor\":1.0000001}", "factor", "range"},
        {"{\"factor\":-1.0000001}", "factor", "range"},
        {"{\"factor\":1e999}", "factor", "range"},
        {"{\"total\":{\"minor\":-1,\"currency\":\"EUR\"}}", "total", "range"},
        {"{\"rate\":\"5.01\"}", "rate", "range"},
        {"{\"rate\":\"-6\"}", "rate", "range"},
        {"{\"lines\":[{\"sku\":\"a\",\"quantity\":1},{\"sku\":\"a\",\"quantity\":0}]}",
         "lines[1].quantity", "range"},
        {"{\"extra\":{\"sku\":\"123456789\",\"quantity\":1}}", "extra.sku", "length"},
        {"{\"code\":\"1\"}", "code", "length"},
        {"{\"code\":\"123456\"}", "code", "length"},
        {"{\"code\":\"12345\\u0036\"}", "code", "length"},
        {"{\"note\":\"\"}", "note", "length"},
        {"{\"lines\":[{},{},{},{},{}]}", "lines", "length"},
        {"{\"state\":\"Open\"}", "state", "enum"},
        {"{\"state\":\"\"}", "state", "enum"},
        {"{\"id\":\"550e8400\"}", "id", "format"},
        {"{\"day\":\"2026-02-30\"}", "day", "format"},
        {"{\"at\":\"2016-12-31T23:59:60Z\"}", "at", "format"},
        {"{\"rate\":\"1,5\"}", "rate", "format"},
        {"{\"total\":{\"minor\":1,\"currency\":\"eur\"}}", "total", "format"},
        {"{\"total\":{\"minor\":1,\"currency\":\"EU\"}}", "total", "format"},
        {"{\"total\":{\"minor\":1,\"currency\":\"EURO\"}}", "total.currency", "length"},
        {"{\"total\":{\"minor\":1,\"currency\":\"\"}}", "total", "format"},
    };

    CHECK_BAD(cases);
}

static void messages_are_for_people(void)
{
    static const struct {
        const char *json;
        const char *message;
    } cases[] = {
        {"{\"small\":10}", "small must lie between 1 and 9"},
        {"{\"small\":1000}", "small must lie between 1 and 9"},
        {"{\"large\":-1}", "large must be a whole number of 64 bits without a sign"},
        {"{\"state\":\"gone\"}", "state must be one of open, paid"},
        {"{\"lines\":[{},{},{},{},{}]}", "lines must have at most 4 items, not 5"},
        {"{\"code\":\"1\"}", "code must have 2 to 5 bytes, not 1"},
        {"{\"extra\":{}}", "sku must be given"},
        {"{\"extra\":{\"sku\":\"\"}}", "sku must not be empty"},
        {"{\"gift\":0}", "gift must be true or false"},
        {"{\"day\":\"soon\"}", "day must be a date such as 2026-11-23"},
        {"{\"colour\":0}", "there is no field colour here"},
        {"{\"gift\":true,}", "this is not JSON near byte 13"},
    };
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_broken_rule broken = {0};
        struct order order = {0};
        CHECK(sl_json_read(parser, &order_record, text_of(cases[i].json), &arena, &order,
                           &broken) == SL_INVALID);
        CHECK_STRING(broken.message, cases[i].message);
    }
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

/* Absent, null and zero are the same where a field is neither required nor optional. */
static void zero_passes_where_nothing_is_asked(void)
{
    static const char *const cases[] = {
        "{}",
        "{\"id\":null,\"lines\":null,\"code\":null,\"total\":null,\"state\":null,\"note\":null,"
        "\"small\":null,\"large\":null,\"wide\":null,\"factor\":null,\"day\":null,\"at\":null,"
        "\"rate\":null,\"gift\":null,\"extra\":null,\"names\":null}",
        "{\"id\":\"00000000-0000-0000-0000-000000000000\",\"lines\":[],\"code\":\"\","
        "\"state\":\"open\",\"small\":-0,\"large\":\"0\",\"wide\":-0,\"factor\":0.0,"
        "\"day\":\"1970-01-01\",\"at\":\"1970-01-01T00:00:00Z\",\"rate\":\"0\",\"gift\":false,"
        "\"names\":[ ]}",
    };
    static const uint8_t zeros[sizeof(struct order)];
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_broken_rule broken = {0};
        struct order order;
        memset(&order, 0, sizeof order);
        if (!CHECK(sl_json_read(parser, &order_record, text_of(cases[i]), &arena, &order,
                                &broken) == SL_OK))
            tap_note("%s %s", broken.field, broken.message);
        CHECK(memcmp(&order, zeros, sizeof order) == 0);
    }
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

static void long_places_are_cut_whole(void)
{
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};
    struct sl_buf json = {0};

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    for (size_t len = 80; len < 110; len++) {
        struct sl_broken_rule broken = {0};
        struct order order = {0};
        sl_buf_reset(&json);
        SL_BUF_LITERAL(&json, "{\"lines\":[{\"");
        for (size_t i = 0; i < len; i++)
            SL_BUF_LITERAL(&json, "ä");
        SL_BUF_LITERAL(&json, "\":1}]}");
        CHECK(sl_json_read(parser, &order_record, sl_buf_as_text(&json), &arena, &order, &broken) ==
              SL_INVALID);
        CHECK_STRING(broken.rule, "unknown_field");
        CHECK(strncmp(broken.field, "lines[0].ä", strlen("lines[0].ä")) == 0);
        CHECK(strlen(broken.field) % 2 == 1); /* nine bytes and whole characters of two */
    }
    sl_buf_close(&json);
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

static void random_structs_come_back(void)
{
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};
    struct sl_buf json = {0}, again = {0};
    uint64_t seed = 29;
    int failures = 0;

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    for (int round = 0; round < 2000; round++) {
        struct sl_broken_rule broken = {0};
        struct specimen item, back = {0};
        sl_arena_reset(&arena);
        sl_buf_reset(&json);
        sl_buf_reset(&again);
        specimen_fill(&item, &seed, &arena);
        failures += sl_record_validate(&specimen_record, &item, &broken) != SL_OK;
        sl_json_write(&json, &specimen_record, &item);
        const enum sl_err err =
            sl_json_read(parser, &specimen_record, sl_buf_as_text(&json), &arena, &back, &broken);
        if (err)
            tap_note("%s: %s: %.*s", broken.field, broken.message, (int)json.len,
                     (const char *)json.ptr);
        failures += err != SL_OK || !sl_record_equals(&specimen_record, &item, &back);
        sl_json_write(&again, &specimen_record, &back);
        failures += !sl_text_equals(sl_buf_as_text(&json), sl_buf_as_text(&again));
    }
    CHECK(failures == 0);
    sl_buf_close(&json);
    sl_buf_close(&again);
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

/* Damaged text never reads outside of its memory, and what is taken keeps every rule. */
static void damage_is_survived(void)
{
    static const char bytes[] = "\"\\{}[]:,0159.-eEtfn \n\x01\xc3\xa4u";
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};
    struct sl_buf json = {0};
    uint64_t seed = 31;
    int taken = 0, refused = 0, odd = 0;

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    for (int round = 0; round < 10000; round++) {
        struct sl_broken_rule broken = {0};
        struct specimen item, back = {0};
        sl_arena_reset(&arena);
        sl_buf_reset(&json);
        specimen_fill(&item, &seed, &arena);
        sl_json_write(&json, &specimen_record, &item);
        const size_t len = json.len - specimen_random(&seed) % 2;
        char *damaged = malloc(len);
        memcpy(damaged, json.ptr, len);
        for (uint64_t i = 0; i <= specimen_random(&seed) % 2; i++)
            damaged[specimen_random(&seed) % len] =
                bytes[specimen_random(&seed) % (sizeof bytes - 1)];
        const enum sl_err err = sl_json_read(
            parser, &specimen_record, (struct sl_text){damaged, len}, &arena, &back, &broken);
        free(damaged);
        taken += err == SL_OK;
        refused += err == SL_INVALID && broken.rule[0] != '\0';
        if (err == SL_OK)
            odd += sl_record_validate(&specimen_record, &back, &broken) != SL_OK;
    }
    CHECK(taken > 100 && refused > 5000);
    CHECK_U64(taken + refused, 10000);
    CHECK_U64(odd, 0);
    sl_buf_close(&json);
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

static void texts_of_every_length_are_read(void)
{
    struct note {
        struct sl_text text;
    };
    static const struct sl_field fields[] = {
        {.name = "text", .kind = SL_TEXT_KIND, .size = sizeof(struct sl_text)}};
    static const struct sl_record record = {"note", sizeof(struct note), 1, fields};
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};
    struct sl_buf text = {0}, json = {0};

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    for (size_t len = 0; len <= 65537; len = len < 140 ? len + 1 : len * 2 + 1) {
        for (int place = -1; place < 2; place++) {
            struct sl_broken_rule broken = {0};
            struct note note = {0};
            const bool fits = len <= 65536;
            sl_arena_reset(&arena);
            sl_buf_reset(&text);
            sl_buf_reset(&json);
            for (size_t i = 0; i < len; i++)
                sl_buf_byte(&text, (uint8_t)('a' + i % 26));
            if (place >= 0 && len > 0)
                text.ptr[place * (int)(len - 1)] = '"';
            SL_BUF_LITERAL(&json, "{\"text\":");
            sl_json_write_text(&json, sl_buf_as_text(&text));
            SL_BUF_LITERAL(&json, "}");
            CHECK(sl_json_read(parser, &record, sl_buf_as_text(&json), &arena, &note, &broken) ==
                  (fits ? SL_OK : SL_INVALID));
            CHECK(!fits || sl_text_equals(note.text, sl_buf_as_text(&text)));
        }
    }
    sl_buf_close(&text);
    sl_buf_close(&json);
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

static void deep_texts_are_refused(void)
{
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};
    char json[256];
    struct sl_text found;

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    for (int depth = 30; depth < 100; depth++) {
        memset(json, '[', (size_t)depth);
        memset(json + depth, ']', (size_t)depth);
        const struct sl_text text = {json, 2 * (size_t)depth};
        CHECK(sl_json_find(parser, text, "", &arena, &found) == (depth <= 32 ? SL_OK : SL_INVALID));
    }
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

/* ---- Arrays ---------------------------------------------------------------------------------- */

static void arrays_are_checked_one_by_one(void)
{
    static const char json[] = "[ {\"sku\":\"a\",\"quantity\":1}, {\"sku\":\"b\",\"quantity\":0},"
                               "{\"sku\":\"c\",\"colour\":[{\"x\":\"\\ud800\\u0000\"}]}, 7,"
                               "{\"sku\":\"\\u0000\"},{\"sku\":\"d\",\"quantity\":2}]";
    static const char *const rules[] = {"", "range", "unknown_field", "type", "format", ""};
    static const char *const fields[] = {"", "quantity", "colour", "", "sku", ""};
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};
    struct sl_broken_rule whole = {0}, *broken;
    void *items;
    size_t count;

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    REQUIRE(sl_json_read_array(parser, &line_record, text_of(json), 6, &arena, &items, &broken,
                               &count, &whole) == SL_OK);
    REQUIRE(count == 6);
    for (size_t i = 0; i < count; i++) {
        CHECK_STRING(broken[i].rule, rules[i]);
        CHECK_STRING(broken[i].field, fields[i]);
        CHECK((broken[i].message[0] != '\0') == (rules[i][0] != '\0'));
    }
    const struct line *lines = items;
    CHECK(lines[0].quantity == 1 && lines[5].quantity == 2);
    CHECK(lines[1].sku.ptr == NULL && lines[2].sku.len == 0);
    CHECK(sl_json_read_array(parser, &line_record, text_of(json), 5, &arena, &items, &broken,
                             &count, &whole) == SL_LIMIT);
    REQUIRE(sl_json_read_array(parser, &line_record, text_of(" [ ] "), 5, &arena, &items, &broken,
                               &count, &whole) == SL_OK);
    CHECK_U64(count, 0);
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

static void broken_arrays_are_refused_whole(void)
{
    static const struct {
        const char *json;
        const char *rule;
    } cases[] = {
        {"", "syntax"},
        {"{}", "type"},
        {"7", "type"},
        {"[", "syntax"},
        {"[]]", "syntax"},
        {"[,]", "syntax"},
        {"[{\"sku\":\"a\",\"quantity\":1},]", "syntax"},
        {"[{\"sku\":\"a\",\"quantity\":1}", "syntax"},
        {"[{\"sku\":\"a\",\"quantity\":1}{\"sku\":\"a\",\"quantity\":1}]", "syntax"},
        {"[{\"sku\":\"a\",\"quantity\":01}]", "syntax"},
        {"[{\"x\":\"\\q\"},{\"sku\":\"a\",\"quantity\":1}]", "syntax"},
        {"[{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}]", "depth"},
        {"[\"\xff\"]", "utf8"},
    };
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_broken_rule whole = {0}, *broken = NULL;
        void *items = NULL;
        size_t count = 77;
        if (!(CHECK(sl_json_read_array(parser, &line_record, text_of(cases[i].json), 100, &arena,
                                       &items, &broken, &count, &whole) == SL_INVALID) &&
              CHECK_STRING(whole.rule, cases[i].rule)))
            tap_note("%s: %s", cases[i].json, whole.message);
        CHECK(items == NULL && broken == NULL && count == 77);
    }
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

static void memory_has_a_ceiling(void)
{
    struct sl_json_parser *parser;
    struct sl_arena arena = {.bytes_max = 64};
    struct sl_broken_rule whole = {0}, *broken;
    struct order order = {0};
    void *items;
    size_t count;

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    CHECK(sl_json_read(parser, &order_record,
                       text_of("{\"names\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]}"), &arena, &order,
                       &whole) == SL_NO_MEMORY);
    CHECK(order.names.count == 0);
    sl_arena_reset(&arena);
    CHECK(sl_json_read_array(parser, &line_record, text_of("[{\"sku\":\"a\",\"quantity\":1}]"), 5,
                             &arena, &items, &broken, &count, &whole) == SL_NO_MEMORY);
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

static void large_texts_are_read_and_their_memory_given_back(void)
{
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};
    struct sl_buf json = {0};
    struct sl_broken_rule whole = {0}, *broken;
    void *items;
    size_t count = 0;
    int64_t sum = 0;

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    for (int round = 0; round < 2; round++) {
        sl_buf_reset(&json);
        sl_arena_reset(&arena);
        for (int i = 0; i < 60000; i++)
            sl_buf_printf(&json, "%c{\"quantity\":%d,\"sku\":\"s%d\"}", i == 0 ? '[' : ',',
                          i % 1000 + 1, i);
        SL_BUF_LITERAL(&json, "]");
        REQUIRE(sl_json_read_array(parser, &line_record, sl_buf_as_text(&json), 60000, &arena,
                                   &items, &broken, &count, &whole) == SL_OK);
        CHECK_U64(count, 60000);
        for (size_t i = 0; i < count; i++)
            sum += ((struct line *)items)[i].quantity;
    }
    CHECK_U64(sum, 2 * 30030000);
    sl_buf_close(&json);
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

/* ---- Finding --------------------------------------------------------------------------------- */

static void finds(void)
{
    static const char json[] = " {\"a\": {\"b\" : [1, \"t\\u0077o\" , {\"c\":-1.50e+2}, [ ] ]},"
                               "\"e\\u0066\":true, \"n\":null, \"a\":2, \"\":3} ";
    static const struct {
        const char *path;
        enum sl_err err;
        const char *text;
    } cases[] = {
        {"a.b.0", SL_OK, "1"},
        {"a.b.1", SL_OK, "two"},
        {"a.b.2.c", SL_OK, "-1.50e+2"},
        {"a.b.2", SL_OK, "{\"c\":-1.50e+2}"},
        {"a.b.3", SL_OK, "[ ]"},
        {"a.b.4", SL_NOT_FOUND, ""},
        {"a.b.x", SL_NOT_FOUND, ""},
        {"a.b.-1", SL_NOT_FOUND, ""},
        {"a.b.3.0", SL_NOT_FOUND, ""},
        {"ef", SL_OK, "true"},
        {"n", SL_OK, "null"},
        {"n.x", SL_NOT_FOUND, ""},
        {"b", SL_NOT_FOUND, ""},
        {"a.b", SL_OK, "[1, \"t\\u0077o\" , {\"c\":-1.50e+2}, [ ] ]"},
    };
    static const char *const bad[] = {
        "",
        "{",
        "{\"a\":1",
        "{\"a\":1}}",
        "{\"a\":01}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1,\"b\":\"\\x\"}",
        "{\"a\":1,\"b\":tru}",
        "[1",
        "[1,]",
        "{\"a\":1}x",
        "{1:2}",
        "{\"a\":1]",
        "{\"a\":[1}}",
    };
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_text found = {"", 0};
        if (!(CHECK(sl_json_find(parser, text_of(json), cases[i].path, &arena, &found) ==
                    cases[i].err) &&
              CHECK_TEXT(found, cases[i].text)))
            tap_note("%s", cases[i].path);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sl_text found;
        if (!CHECK(sl_json_find(parser, text_of(bad[i]), "a", &arena, &found) == SL_INVALID))
            tap_note("%s", bad[i]);
    }
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

static void tells_arrays(void)
{
    CHECK(sl_json_is_array(SL_TEXT("[]")));
    CHECK(sl_json_is_array(SL_TEXT(" \t\r\n[")));
    CHECK(!sl_json_is_array(SL_TEXT("{}")));
    CHECK(!sl_json_is_array(SL_TEXT("  ")));
    CHECK(!sl_json_is_array((struct sl_text){NULL, 0}));
}

int main(void)
{
    return TAP_RUN({"reads an order", reads_an_order},
                   {"refuses what is no JSON", refuses_what_is_no_json},
                   {"refuses other types", refuses_other_types},
                   {"refuses broken rules", refuses_broken_rules},
                   {"messages are for people", messages_are_for_people},
                   {"zero passes where nothing is asked", zero_passes_where_nothing_is_asked},
                   {"long places are cut whole", long_places_are_cut_whole},
                   {"random structs come back", random_structs_come_back},
                   {"damage is survived", damage_is_survived},
                   {"texts of every length are read", texts_of_every_length_are_read},
                   {"deep texts are refused", deep_texts_are_refused},
                   {"arrays are checked one by one", arrays_are_checked_one_by_one},
                   {"broken arrays are refused whole", broken_arrays_are_refused_whole},
                   {"memory has a ceiling", memory_has_a_ceiling},
                   {"large texts are read", large_texts_are_read_and_their_memory_given_back},
                   {"finds", finds}, {"tells arrays", tells_arrays});
}
