#include "record/place.h"

#include <string.h>

#include "record/pack.h"
#include "record/specimen.h"
#include "tap/tap.h"

static void parses(void)
{
    static const struct {
        const char *text;
        enum sl_err err;
        uint32_t count;
    } cases[] = {
        {"id", SL_OK, 1},
        {" id ,\n text", SL_OK, 2},
        {"id,text,u8,i8,u16,i16,u32,i32", SL_OK, 8},
        {"id,text,u8,i8,u16,i16,u32,i32,u64", SL_LIMIT, 0},
        {"note", SL_OK, 1},
        {"", SL_INVALID, 0},
        {"id,", SL_INVALID, 0},
        {",id", SL_INVALID, 0},
        {"id text", SL_INVALID, 0},
        {"id;text", SL_INVALID, 0},
        {"{id}", SL_INVALID, 0},
        {"id, id", SL_INVALID, 0},
        {"number", SL_INVALID, 0},
        {"money", SL_INVALID, 0},
        {"parts", SL_INVALID, 0},
        {"point", SL_INVALID, 0},
        {"desk", SL_NOT_FOUND, 0},
        {"i", SL_NOT_FOUND, 0},
        {"idx", SL_NOT_FOUND, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_place place = {.count = 77};
        struct sl_error error = {0};
        if (!CHECK(sl_place_parse(&specimen_record, cases[i].text, &place, &error) == cases[i].err))
            tap_note("\"%s\": %s", cases[i].text, error.message);
        CHECK_U64(place.count, cases[i].err ? 77 : cases[i].count);
        CHECK((error.message[0] != '\0') == (cases[i].err != SL_OK));
    }
}

struct desk {
    struct sl_text desk;
    struct sl_date day;
    struct sl_time at;
    char code[6];
    bool lit;
    uint8_t state;
    bool has_floor;
    int16_t floor;
};

static const struct sl_record desk_record = SL_RECORD(struct desk,
    SL_FIELD(struct desk, desk),
    SL_FIELD(struct desk, day),
    SL_FIELD(struct desk, at),
    SL_FIELD(struct desk, code),
    SL_FIELD(struct desk, lit),
    SL_FIELD(struct desk, state, SL_NAMES("free", "a/b")),
    SL_FIELD(struct desk, floor, SL_HAS(struct desk, has_floor)));

static void writes(void)
{
    static const struct {
        const char *place;
        struct desk item;
        const char *text;
    } cases[] = {
        {"desk, day", {.desk = {"A4", 2}, .day = {20780}}, "A4,2026-11-23"},
        {"day, desk", {.desk = {"A4", 2}, .day = {20780}}, "2026-11-23,A4"},
        {"desk", {.desk = {"a,b/c:d%e\n\x7f", 11}}, "a%2Cb%2Fc%3Ad%25e%0A%7F"},
        {"desk", {.desk = {"Zürich ü", 10}}, "Zürich ü"},
        {"desk, code", {.desk = {"", 0}, .code = ""}, ","},
        {"code, lit", {.code = "a,b", .lit = true}, "a%2Cb,true"},
        {"at", {.at = {1500000000}}, "1970-01-01T00%3A00%3A01.5Z"},
        {"state", {.state = 1}, "a%2Fb"},
        {"state", {.state = 9}, "9"},
        {"floor", {.has_floor = true, .floor = -2}, "-2"},
        {"floor, lit", {.has_floor = false}, "%-,false"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_place place;
        struct sl_arena arena = {0};
        struct sl_buf buf = {0};
        struct desk back = {0};
        struct sl_error error = {0};
        REQUIRE(sl_place_parse(&desk_record, cases[i].place, &place, &error) == SL_OK);
        SL_BUF_LITERAL(&buf, "desk/");
        CHECK(sl_place_write(&place, &cases[i].item, &buf) == SL_OK);
        const struct sl_text text = {(const char *)buf.ptr + 5, buf.len - 5};
        CHECK_TEXT(text, cases[i].text);
        if (cases[i].item.state < 2) {
            CHECK(sl_place_read(&place, text, &arena, &back, &error) == SL_OK);
            CHECK(sl_record_equals(&desk_record, &back, &cases[i].item));
        }
        sl_buf_close(&buf);
        sl_arena_close(&arena);
    }
}

static void refuses_to_read(void)
{
    static const struct {
        const char *place;
        const char *text;
    } cases[] = {
        {"desk, day", "A4"},
        {"desk, day", "A4,2026-11-23,"},
        {"desk, day", "A4,2026-11-31"},
        {"desk", "a,b"},
        {"desk", "a/b"},
        {"desk", "a:b"},
        {"desk", "a%"},
        {"desk", "a%2"},
        {"desk", "a%2g"},
        {"desk", "%00"},
        {"desk", "%-"},
        {"desk", "\xff"},
        {"desk", "%FF"},
        {"desk", "a\nb"},
        {"code", "longer"},
        {"lit", "yes"},
        {"lit", "True"},
        {"state", "0"},
        {"floor", "40000"},
        {"floor", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_place place;
        struct sl_arena arena = {0};
        struct desk back = {0};
        struct sl_error error = {0};
        REQUIRE(sl_place_parse(&desk_record, cases[i].place, &place, NULL) == SL_OK);
        if (!CHECK(sl_place_read(&place, (struct sl_text){cases[i].text, strlen(cases[i].text)},
                                 &arena, &back, &error) == SL_INVALID))
            tap_note("\"%s\"", cases[i].text);
        CHECK(error.message[0] != '\0');
        sl_arena_close(&arena);
    }
}

static void stays_below_512_bytes(void)
{
    struct sl_place place;
    struct sl_arena arena = {0};
    struct sl_buf buf = {0};
    char bytes[600];
    struct desk back = {0};

    memset(bytes, 'a', sizeof bytes);
    REQUIRE(sl_place_parse(&desk_record, "desk", &place, NULL) == SL_OK);
    CHECK(sl_place_write(&place, &(struct desk){.desk = {bytes, 512}}, &buf) == SL_OK);
    CHECK(sl_place_read(&place, sl_buf_as_text(&buf), &arena, &back, NULL) == SL_OK);
    CHECK_U64(back.desk.len, 512);
    CHECK(sl_place_write(&place, &(struct desk){.desk = {bytes, 513}}, &buf) == SL_LIMIT);
    CHECK_U64(buf.len, 512);
    bytes[0] = ',';
    CHECK(sl_place_write(&place, &(struct desk){.desk = {bytes, 511}}, &buf) == SL_LIMIT);
    CHECK(sl_place_write(&place, &(struct desk){.desk = {bytes, 600}}, &buf) == SL_LIMIT);
    CHECK_U64(buf.len, 512);
    CHECK(sl_place_read(&place, (struct sl_text){bytes, 513}, &arena, &back, NULL) == SL_INVALID);
    sl_buf_close(&buf);

    struct sl_buf small = {.bytes_max = 100};
    CHECK(sl_place_write(&place, &(struct desk){.desk = {bytes, 300}}, &small) == SL_NO_MEMORY);
    CHECK_U64(small.len, 0);
    sl_buf_close(&small);
    sl_arena_close(&arena);
}

static void knows_what_is_empty(void)
{
    struct sl_place place;

    REQUIRE(sl_place_parse(&desk_record, "desk, floor, day", &place, NULL) == SL_OK);
    CHECK(sl_place_is_empty(&place, &(struct desk){.lit = true}));
    CHECK(sl_place_is_empty(&place, &(struct desk){.floor = 3}));
    CHECK(sl_place_is_empty(&place, &(struct desk){.has_floor = true}));
    CHECK(!sl_place_is_empty(&place, &(struct desk){.has_floor = true, .floor = 3}));
    CHECK(!sl_place_is_empty(&place, &(struct desk){.desk = {"a", 1}}));
    CHECK(!sl_place_is_empty(&place, &(struct desk){.day = {-1}}));
}

/* Two structs have the same place only where their fields are the same. */
static void random_places_come_back(void)
{
    struct sl_place place;
    struct sl_arena arena = {0};
    struct sl_buf buf = {0}, again = {0};
    uint64_t seed = 7;
    int failures = 0;

    REQUIRE(sl_place_parse(&specimen_record, "code, at, u128, decimal, note, state, i8, flag",
                           &place, NULL) == SL_OK);
    for (int round = 0; round < 2000; round++) {
        struct specimen item, back = {0};
        struct sl_error error = {0};
        sl_arena_reset(&arena);
        sl_buf_reset(&buf);
        sl_buf_reset(&again);
        specimen_fill(&item, &seed, &arena);
        failures += sl_place_write(&place, &item, &buf) != SL_OK;
        failures += sl_place_read(&place, sl_buf_as_text(&buf), &arena, &back, &error) != SL_OK;
        failures += sl_place_write(&place, &back, &again) != SL_OK;
        failures += !sl_text_equals(sl_buf_as_text(&buf), sl_buf_as_text(&again));
        failures += back.has_note != item.has_note || back.u128 != item.u128;
        failures += item.has_note && !sl_text_equals(back.note, item.note);
        if (error.code)
            tap_note("%s", error.message);
    }
    CHECK(failures == 0);
    sl_buf_close(&buf);
    sl_buf_close(&again);
    sl_arena_close(&arena);
}

static void parses_tags(void)
{
    struct sl_tag_rule rules[SL_TAGS_MAX];
    size_t count = 77;

    REQUIRE(sl_tags_parse(&desk_record, "desk, room=code , desk-day = ( desk  day ),a_1=(lit)",
                          rules, &count, NULL) == SL_OK);
    REQUIRE(count == 4);
    CHECK_TEXT(rules[0].name, "desk");
    CHECK(rules[0].place.fields[0] == &desk_record.fields[0]);
    CHECK_TEXT(rules[1].name, "room");
    CHECK(rules[1].place.count == 1 && rules[1].place.fields[0] == &desk_record.fields[3]);
    CHECK_TEXT(rules[2].name, "desk-day");
    CHECK(rules[2].place.count == 2 && rules[2].place.fields[1] == &desk_record.fields[1]);
    CHECK_TEXT(rules[3].name, "a_1");
    CHECK(sl_tags_parse(&desk_record, "a=()", rules, &count, NULL) == SL_OK && count == 1);
    CHECK(rules[0].place.count == 0 && !sl_place_is_empty(&rules[0].place, NULL));
    CHECK(sl_tags_parse(&desk_record, NULL, rules, &count, NULL) == SL_OK && count == 0);
    CHECK(sl_tags_parse(&desk_record, "  ", rules, &count, NULL) == SL_OK && count == 0);
}

static void refuses_tags(void)
{
    static const struct {
        const char *text;
        enum sl_err err;
    } cases[] = {
        {"desk,", SL_INVALID},
        {",desk", SL_INVALID},
        {"desk day", SL_INVALID},
        {"desk=", SL_INVALID},
        {"=desk", SL_INVALID},
        {"a=(desk", SL_INVALID},
        {"a=(desk, day)", SL_INVALID},
        {"a=(desk desk)", SL_INVALID},
        {"table", SL_NOT_FOUND},
        {"a=table", SL_NOT_FOUND},
        {"a=lit,b=lit,c=lit,d=lit,e=lit,f=lit,g=lit,h=lit,i=lit,j=lit,k=lit,l=lit,m=lit,n=lit,"
         "o=lit,p=lit,q=lit",
         SL_LIMIT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_tag_rule rules[SL_TAGS_MAX];
        struct sl_error error = {0};
        size_t count = 77;
        if (!CHECK(sl_tags_parse(&desk_record, cases[i].text, rules, &count, &error) ==
                   cases[i].err))
            tap_note("\"%s\": %s", cases[i].text, error.message);
        CHECK_U64(count, 77);
    }
}

int main(void)
{
    return TAP_RUN({"parses", parses}, {"writes and reads", writes},
                   {"refuses to read", refuses_to_read},
                   {"stays below 512 bytes", stays_below_512_bytes},
                   {"knows what is empty", knows_what_is_empty},
                   {"random places come back", random_places_come_back},
                   {"parses tags", parses_tags}, {"refuses tags", refuses_tags});
}
