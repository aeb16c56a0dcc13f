#include "record/json.h"

#include <math.h>
#include <string.h>

#include "record/specimen.h"
#include "tap/tap.h"

struct person {
    struct sl_text name;
    bool has_age;
    uint8_t age;
    enum { FREE, BUSY } state;
    struct sl_money balance;
    sl_u128 account;
    double score;
    struct sl_list tags;
    struct specimen_part part; /* may be missing, but its fields may not */
    struct specimen_point point;
};

static const struct sl_record person_record = SL_RECORD(struct person,
    SL_FIELD(struct person, name, .required = true, .help = "What she is \"called\"."),
    SL_FIELD(struct person, age, SL_HAS(struct person, has_age), SL_RANGE(0, 150)),
    SL_FIELD(struct person, state, SL_NAMES("free", "b\"usy")),
    SL_FIELD(struct person, balance),
    SL_FIELD(struct person, account),
    SL_FIELD(struct person, score),
    SL_FIELD(struct person, tags, .item = SL_TEXT_KIND, .length_max = 3),
    SL_FIELD(struct person, part, .record = &specimen_part_record),
    SL_FIELD(struct person, point, .record = &specimen_point_record));

static void writes_records(void)
{
    struct sl_text tags[] = {{"a", 1}, {"", 0}};
    const struct person full = {
        .name = {"A\nd\"a", 5},
        .has_age = true,
        .age = 36,
        .state = BUSY,
        .balance = {-1050, "EUR"},
        .account = (sl_u128)1 << 64,
        .score = 0.1,
        .tags = {tags, 2},
        .part = {.sku = {"s", 1}, .quantity = 1, .has_price = true, .price = {5, "USD"}},
        .point = {1.5, -2},
    };
    const struct person none = {.age = 9};
    struct sl_buf buf = {0};

    sl_json_write(&buf, &person_record, &full);
    CHECK_TEXT(
        sl_buf_as_text(&buf),
        "{\"name\":\"A\\nd\\\"a\",\"age\":36,\"state\":\"b\\\"usy\","
        "\"balance\":{\"minor\":-1050,\"currency\":\"EUR\"},"
        "\"account\":\"18446744073709551616\",\"score\":0.1,\"tags\":[\"a\",\"\"],"
        "\"part\":{\"sku\":\"s\",\"quantity\":1,\"price\":{\"minor\":5,\"currency\":\"USD\"},"
        "\"marks\":[]},\"point\":{\"latitude\":1.5,\"longitude\":-2}}");
    sl_buf_reset(&buf);
    sl_json_write(&buf, &person_record, &none);
    CHECK_TEXT(sl_buf_as_text(&buf),
               "{\"name\":\"\",\"state\":\"free\",\"balance\":null,\"account\":\"0\",\"score\":0,"
               "\"tags\":[],\"part\":null,\"point\":{\"latitude\":0,\"longitude\":0}}");
    sl_buf_close(&buf);
}

struct sparse {
    bool has_a, has_b;
    bool a, b;
};

static const struct sl_record sparse_record = SL_RECORD(struct sparse,
    SL_FIELD(struct sparse, a, SL_HAS(struct sparse, has_a)),
    SL_FIELD(struct sparse, b, SL_HAS(struct sparse, has_b)));

static void leaves_out_what_is_absent(void)
{
    struct sl_buf buf = {0};

    sl_json_write(&buf, &sparse_record, &(struct sparse){.a = true});
    sl_json_write(&buf, &sparse_record, &(struct sparse){.has_b = true, .b = true});
    sl_json_write(&buf, &sparse_record, &(struct sparse){.has_a = true, .has_b = true});
    CHECK_TEXT(sl_buf_as_text(&buf), "{}{\"b\":true}{\"a\":false,\"b\":false}");
    sl_buf_close(&buf);
}

static void writes_texts(void)
{
    static const struct {
        const char *text;
        const char *json;
    } cases[] = {
        {"", "\"\""},
        {"plain text of more than eight bytes", "\"plain text of more than eight bytes\""},
        {"\"", "\"\\\"\""},
        {"1234567\"", "\"1234567\\\"\""},
        {"12345678\\90123456", "\"12345678\\\\90123456\""},
        {"\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""},
        {"\x01\x1f\x7f ", "\"\\u0001\\u001f\x7f \""},
        {"1234567\x1f 9012345678", "\"1234567\\u001f 9012345678\""},
        {"12\x1f 4567890\"2\n", "\"12\\u001f 4567890\\\"2\\n\""},
        {"/ä€𝄞\xf0\x9d\x84\x9e", "\"/ä€𝄞\xf0\x9d\x84\x9e\""},
    };
    struct sl_buf buf = {0};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sl_buf_reset(&buf);
        sl_json_write_text(&buf, (struct sl_text){cases[i].text, strlen(cases[i].text)});
        CHECK_TEXT(sl_buf_as_text(&buf), cases[i].json);
    }
    sl_buf_reset(&buf);
    sl_json_write_text(&buf, (struct sl_text){NULL, 0});
    sl_json_write_text(&buf, (struct sl_text){"a\0b", 3});
    CHECK_TEXT(sl_buf_as_text(&buf), "\"\"\"a\\u0000b\"");
    sl_buf_close(&buf);
}

static void a_full_buffer_fails(void)
{
    struct sl_arena arena = {0};
    uint64_t seed = 5;
    struct specimen item;

    specimen_fill(&item, &seed, &arena);
    for (size_t max = 1; max < 400; max += 13) {
        struct sl_buf buf = {.bytes_max = max};
        sl_json_write(&buf, &specimen_record, &item);
        CHECK(buf.failed && buf.len <= max);
        sl_buf_close(&buf);
    }
    sl_arena_close(&arena);
}

static struct sl_text bad_marks[] = {{"", 0}, {"\xc3", 1}};

static void validates_structs(void)
{
    static const struct {
        struct specimen_part part;
        const char *field;
        const char *rule;
    } cases[] = {
        {{.sku = {"a", 1}, .quantity = 1}, "", ""},
        {{.sku = {"a", 1}, .quantity = 1, .price = {5, "xx"}}, "", ""}, /* not there */
        {{.sku = {"", 0}, .quantity = 1}, "sku", "required"},
        {{.sku = {"a", 1}, .quantity = 0}, "quantity", "range"},
        {{.sku = {"a\0b", 3}, .quantity = 1}, "sku", "utf8"},
        {{.sku = {"\xff", 1}, .quantity = 1}, "sku", "utf8"},
        {{.sku = {"123456789012345678901234567890123", 33}, .quantity = 1}, "sku", "length"},
        {{.sku = {"a", 1}, .quantity = 1, .has_price = true}, "price", "format"},
        {{.sku = {"a", 1}, .quantity = 1, .has_point = true, .point = {91, 0}},
         "point.latitude",
         "range"},
        {{.sku = {"a", 1}, .quantity = 1, .has_point = true, .point = {0, (double)NAN}},
         "point.longitude",
         "range"},
        {{.sku = {"a", 1}, .quantity = 1, .marks = {bad_marks, 2}}, "marks[1]", "utf8"},
        {{.sku = {"a", 1}, .quantity = 1, .marks = {NULL, 5}}, "marks", "length"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_broken_rule broken = {0};
        const bool good = cases[i].rule[0] == '\0';
        if (!(CHECK(sl_record_validate(&specimen_part_record, &cases[i].part, &broken) ==
                    (good ? SL_OK : SL_INVALID)) &&
              CHECK_STRING(broken.field, cases[i].field) &&
              CHECK_STRING(broken.rule, cases[i].rule)))
            tap_note("case %zu: %s", i, broken.message);
    }
}

static void validates_every_kind(void)
{
    struct sl_broken_rule broken = {0};
    const struct specimen good = {.u8 = 3};
    struct specimen bad;

    CHECK(sl_record_validate(&specimen_record, &good, &broken) == SL_OK);
    CHECK(sl_record_validate(&specimen_record, &(struct specimen){0}, &broken) == SL_OK);
    bad = good, bad.u8 = 2;
    CHECK(sl_record_validate(&specimen_record, &bad, &broken) == SL_INVALID);
    CHECK_STRING(broken.rule, "range");
    bad = good, bad.state = (enum specimen_state)3;
    CHECK(sl_record_validate(&specimen_record, &bad, &broken) == SL_INVALID);
    CHECK_STRING(broken.rule, "enum");
    bad = good, bad.day.days = 2932897;
    CHECK(sl_record_validate(&specimen_record, &bad, &broken) == SL_INVALID);
    CHECK_STRING(broken.field, "day");
    bad = good, bad.decimal.scale = 19;
    CHECK(sl_record_validate(&specimen_record, &bad, &broken) == SL_INVALID);
    CHECK_STRING(broken.field, "decimal");
    bad = good, bad.states = (struct sl_list){(uint8_t[]){0, 1, 2}, 3};
    CHECK(sl_record_validate(&specimen_record, &bad, &broken) == SL_INVALID);
    CHECK_STRING(broken.field, "states[2]");
    bad = good, memcpy(bad.code, "12345678", 8);
    CHECK(sl_record_validate(&specimen_record, &bad, &broken) == SL_INVALID);
    CHECK_STRING(broken.field, "code");
    bad = good, bad.money = (struct sl_money){-501, "EUR"};
    CHECK(sl_record_validate(&specimen_record, &bad, &broken) == SL_INVALID);
    CHECK_STRING(broken.message, "money must lie between -500 and 9223372036854775807");
}

static void writes_schemas(void)
{
    struct sl_buf buf = {0};

    sl_json_write_schema(&buf, &person_record);
    CHECK_TEXT(
        sl_buf_as_text(&buf),
        "{\"type\":\"object\",\"properties\":{"
        "\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":65536,"
        "\"description\":\"What she is \\\"called\\\".\"},"
        "\"age\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":150},"
        "\"state\":{\"type\":\"string\",\"enum\":[\"free\",\"b\\\"usy\"]},"
        "\"balance\":{\"type\":[\"object\",\"null\"],\"properties\":{"
        "\"minor\":{\"type\":\"integer\",\"format\":\"int64\"},"
        "\"currency\":{\"type\":\"string\",\"pattern\":\"^[A-Z]{3}$\"}},"
        "\"required\":[\"minor\",\"currency\"],\"additionalProperties\":false},"
        "\"account\":{\"type\":\"string\",\"pattern\":\"^(0|[1-9][0-9]{0,38})$\"},"
        "\"score\":{\"type\":\"number\",\"format\":\"double\"},"
        "\"tags\":{\"type\":\"array\",\"maxItems\":3,\"items\":{\"type\":\"string\"}},"
        "\"part\":{\"type\":[\"object\",\"null\"],\"properties\":{"
        "\"sku\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":32},"
        "\"quantity\":{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1,\"maximum\":1000},"
        "\"price\":{\"type\":\"object\",\"properties\":{"
        "\"minor\":{\"type\":\"integer\",\"format\":\"int64\"},"
        "\"currency\":{\"type\":\"string\",\"pattern\":\"^[A-Z]{3}$\"}},"
        "\"required\":[\"minor\",\"currency\"],\"additionalProperties\":false},"
        "\"marks\":{\"type\":\"array\",\"maxItems\":4,\"items\":{\"type\":\"string\"}},"
        "\"point\":{\"type\":\"object\",\"properties\":{"
        "\"latitude\":{\"type\":\"number\",\"format\":\"double\",\"minimum\":-90,\"maximum\":90},"
        "\"longitude\":{\"type\":\"number\",\"format\":\"double\",\"minimum\":-180,"
        "\"maximum\":180}},\"additionalProperties\":false}},"
        "\"required\":[\"sku\",\"quantity\"],\"additionalProperties\":false},"
        "\"point\":{\"type\":[\"object\",\"null\"],\"properties\":{"
        "\"latitude\":{\"type\":\"number\",\"format\":\"double\",\"minimum\":-90,\"maximum\":90},"
        "\"longitude\":{\"type\":\"number\",\"format\":\"double\",\"minimum\":-180,"
        "\"maximum\":180}},\"additionalProperties\":false}},"
        "\"required\":[\"name\"],\"additionalProperties\":false}");
    sl_buf_close(&buf);
}

/* The schema of every kind is JSON. */
static void schemas_are_json(void)
{
    struct sl_json_parser *parser;
    struct sl_arena arena = {0};
    struct sl_buf buf = {0};
    struct sl_text found = {"", 0};

    REQUIRE(sl_json_parser_new(&parser) == SL_OK);
    sl_json_write_schema(&buf, &specimen_record);
    CHECK(sl_json_find(parser, sl_buf_as_text(&buf), "properties.text.x-personal-of", &arena,
                       &found) == SL_OK);
    CHECK_TEXT(found, "id");
    CHECK(sl_json_find(parser, sl_buf_as_text(&buf), "properties.u64.maximum", &arena, &found) ==
          SL_OK);
    CHECK_TEXT(found, "18446744073709551615");
    CHECK(sl_json_find(parser, sl_buf_as_text(&buf), "properties.i8.minimum", &arena, &found) ==
          SL_OK);
    CHECK_TEXT(found, "-128");
    sl_buf_close(&buf);
    sl_json_parser_free(parser);
    sl_arena_close(&arena);
}

int main(void)
{
    return TAP_RUN({"writes records", writes_records},
                   {"leaves out what is absent", leaves_out_what_is_absent},
                   {"writes texts", writes_texts}, {"a full buffer fails", a_full_buffer_fails},
                   {"validates structs", validates_structs},
                   {"validates every kind", validates_every_kind},
                   {"writes schemas", writes_schemas}, {"schemas are JSON", schemas_are_json});
}
