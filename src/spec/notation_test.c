#include "spec/notation.h"

#include <stdio.h>
#include <string.h>

#include "tap/tap.h"

struct inner {
    struct sl_uuid id;
    struct sl_text word;
};

static const struct sl_record inner_record =
    SL_RECORD(struct inner, SL_FIELD(struct inner, id), SL_FIELD(struct inner, word));

struct outer {
    struct sl_uuid id;
    struct sl_text word;
    int64_t number;
    sl_u128 wide;
    struct sl_date day;
    struct sl_time at;
    struct inner inner;
    struct sl_list inners;
    struct sl_list ids;
    struct sl_money money;
};

static const struct sl_record outer_record = SL_RECORD(struct outer,
    SL_FIELD(struct outer, id),
    SL_FIELD(struct outer, word),
    SL_FIELD(struct outer, number),
    SL_FIELD(struct outer, wide),
    SL_FIELD(struct outer, day),
    SL_FIELD(struct outer, at),
    SL_FIELD(struct outer, inner, .record = &inner_record),
    SL_FIELD(struct outer, inners, .record = &inner_record),
    SL_FIELD(struct outer, ids, .item = SL_UUID),
    SL_FIELD(struct outer, money));

/* What "b1" is must never change: logs of tests and pages of the manual may name it. */
#define B1 "d0f8e906-71ac-8069-87eb-b745a9af4972"
#define GIVEN "00000000-0000-4000-8000-000000000001"

static struct sl_text text_of(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

static void turns_into_json(void)
{
    static const struct {
        const char *written, *json;
    } table[] = {
        {"", "{}"},
        {"{}", "{}"},
        {" { } ", "{}"},
        {"{number: 5}", "{\"number\":5}"},
        {"{number: -5,word:a}", "{\"number\":-5,\"word\":\"a\"}"},
        {"{'number': true, \"word\": null}", "{\"number\":true,\"word\":null}"},
        {"{word: true}", "{\"word\":\"true\"}"},
        {"{word: 17}", "{\"word\":\"17\"}"},
        {"{wide: 340282366920938463463374607431768211455}",
         "{\"wide\":\"340282366920938463463374607431768211455\"}"},
        {"{day: 2026-11-20, at: 2026-11-20T10:00:00.5Z}",
         "{\"day\":\"2026-11-20\",\"at\":\"2026-11-20T10:00:00.5Z\"}"},
        {"{word: 'a \"b\" {c}'}", "{\"word\":\"a \\\"b\\\" {c}\"}"},
        {"{word: 'it\\'s \\n \\\\'}", "{\"word\":\"it's \\n \\\\\"}"},
        {"{word: \"it's \\\"so\\\"\"}", "{\"word\":\"it's \\\"so\\\"\"}"},
        {"{id: b1}", "{\"id\":\"" B1 "\"}"},
        {"{id: 'b1'}", "{\"id\":\"" B1 "\"}"},
        {"{id: " GIVEN "}", "{\"id\":\"" GIVEN "\"}"},
        {"{id: null}", "{\"id\":null}"},
        {"{word: b1}", "{\"word\":\"b1\"}"},
        {"{inner: {id: b1, word: x}}", "{\"inner\":{\"id\":\"" B1 "\",\"word\":\"x\"}}"},
        {"{inners: [{id: b1}, {word: 1}]}", "{\"inners\":[{\"id\":\"" B1 "\"},{\"word\":\"1\"}]}"},
        {"{ids: [b1, " GIVEN "]}", "{\"ids\":[\"" B1 "\",\"" GIVEN "\"]}"},
        {"{ids: []}", "{\"ids\":[]}"},
        {"{money: {minor: 5, currency: EUR}}", "{\"money\":{\"minor\":5,\"currency\":\"EUR\"}}"},
        {"{stranger: {a: [1, b]}}", "{\"stranger\":{\"a\":[1,\"b\"]}}"},
        {"{\n  number: 5,\n  word: a\n}", "{\"number\":5,\"word\":\"a\"}"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sl_buf out = {0};
        struct sl_error error = {0};
        CHECK(sl_notation_to_json(text_of(table[i].written), &outer_record, &out, &error) ==
              SL_OK);
        CHECK_TEXT(sl_buf_as_text(&out), table[i].json);
        sl_buf_close(&out);
    }
}

static void refuses_what_cannot_be_read(void)
{
    static const char deep[] =
        "{a:[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}";
    static const char *const table[] = {
        "{",        "{number}",       "{number: }",  "{number: 5",   "{number: 5,}",
        "{: 5}",    "{number 5}",     "{ids: [b1}",  "{ids: [b1 b2]}", "{number: 5} 6",
        "{word: 'open}", "{'word: 5}", "{ids: [,]}", "{number: 5 word: 6}", deep,
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sl_buf out = {0};
        struct sl_error error = {0};
        CHECK(sl_notation_to_json(text_of(table[i]), &outer_record, &out, &error) == SL_INVALID);
        CHECK(strstr(error.message, " is expected at: ") != NULL);
        sl_buf_close(&out);
    }
}

static void cuts(void)
{
    struct sl_text source = SL_TEXT("\n desk/A4,2026-11-23: Booked {a: 'a } {', b: {c: \"}\"}}\n"
                                    "Sent\n  order/o1 : Sold{}  \n\n");
    struct sl_said said;
    struct sl_error error = {0};

    REQUIRE(sl_notation_next(&source, &said, &error) == SL_OK);
    CHECK_TEXT(said.stream, "desk/A4,2026-11-23");
    CHECK_TEXT(said.name, "Booked");
    CHECK_TEXT(said.body, "{a: 'a } {', b: {c: \"}\"}}");
    REQUIRE(sl_notation_next(&source, &said, &error) == SL_OK);
    CHECK_TEXT(said.stream, "");
    CHECK_TEXT(said.name, "Sent");
    CHECK_TEXT(said.body, "");
    REQUIRE(sl_notation_next(&source, &said, &error) == SL_OK);
    CHECK_TEXT(said.stream, "order/o1");
    CHECK_TEXT(said.name, "Sold");
    CHECK_TEXT(said.body, "{}");
    CHECK(sl_notation_is_over(source));
}

static void cuts_nothing_else(void)
{
    static const char *const table[] = {"{a: 1}", "Booked {a: 1", "Booked {a: '}", "two names {}",
                                        "stream: {}", "s: two names {}"};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sl_text source = text_of(table[i]);
        struct sl_said said;
        struct sl_error error = {0};
        CHECK(sl_notation_next(&source, &said, &error) == SL_INVALID);
    }
}

static void words_are_uuids(void)
{
    const struct sl_uuid one = sl_notation_uuid(SL_TEXT("b1"));

    CHECK(sl_uuid_equals(one, sl_notation_uuid(SL_TEXT("b1"))));
    CHECK(!sl_uuid_equals(one, sl_notation_uuid(SL_TEXT("b2"))));
    CHECK(one.bytes[6] >> 4 == 8);
    CHECK(one.bytes[8] >> 6 == 2);
}

int main(void)
{
    return TAP_RUN({"handwriting turns into JSON", turns_into_json},
                   {"what cannot be read is refused", refuses_what_cannot_be_read},
                   {"events are cut from lines", cuts}, {"and nothing else", cuts_nothing_else},
                   {"words stand for UUIDs", words_are_uuids});
}
