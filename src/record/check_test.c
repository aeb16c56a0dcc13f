#include "record/pack.h"

#include <string.h>

#include "record/json.h"
#include "record/specimen.h"
#include "tap/tap.h"

struct pair {
    struct sl_text text;
    int32_t number;
    bool flag;
};

#define TEXT                                                          \
    {                                                                 \
        .name = "text", .kind = SL_TEXT_KIND, .offset = 0, .size = 16 \
    }
#define NUMBER                                                    \
    {                                                             \
        .name = "number", .kind = SL_I32, .offset = 16, .size = 4 \
    }
#define FLAG                                                     \
    {                                                            \
        .name = "flag", .kind = SL_BOOL, .offset = 20, .size = 1 \
    }

struct check_case {
    const char *name;
    struct sl_field fields[4];
    const char *message; /* part of it; NULL: the record is good */
};

static const struct sl_record self; /* a record that holds itself */
static const struct sl_field self_fields[] = {
    {.name = "more", .kind = SL_LIST_KIND, .size = 16, .record = &self}};
static const struct sl_record self = {"self", 16, 1, self_fields};

static const char *const no_names[] = {NULL};
static const char *const two_names[] = {"a", "a", NULL};
static const char *const empty_name[] = {"a", "", NULL};

static const struct check_case cases[] = {
    {"good", {TEXT, NUMBER, FLAG}, NULL},
    {"good in another order", {FLAG, TEXT, NUMBER}, NULL},
    {"good, optional",
     {TEXT,
      {.name = "number", .kind = SL_I32, .offset = 16, .size = 4, .optional = true, .has = 20}},
     NULL},
    {"no fields", {{0}}, "fields"},
    {"no name", {TEXT, {.kind = SL_I32, .offset = 16, .size = 4}, FLAG}, "name"},
    {"a name of signs",
     {TEXT, {.name = "a-b", .kind = SL_I32, .offset = 16, .size = 4}, FLAG},
     "\"a-b\""},
    {"a name that is too long",
     {TEXT,
      {.name = "a123456789012345678901234567890123456789012345678901234567890123",
       .kind = SL_I32,
       .offset = 16,
       .size = 4},
      FLAG},
     "no name"},
    {"a name twice",
     {TEXT, NUMBER, {.name = "text", .kind = SL_BOOL, .offset = 20, .size = 1}},
     "pair.text stands twice"},
    {"no kind", {TEXT, {.name = "number", .offset = 16, .size = 4}, FLAG}, "no kind"},
    {"an unknown kind",
     {TEXT, {.name = "number", .kind = (enum sl_kind)99, .offset = 16, .size = 4}, FLAG},
     "no kind"},
    {"another size",
     {TEXT, {.name = "number", .kind = SL_I64, .offset = 16, .size = 4}, FLAG},
     "pair.number has 4 bytes"},
    {"outside",
     {TEXT, NUMBER, {.name = "flag", .kind = SL_BOOL, .offset = 24, .size = 1}},
     "outside"},
    {"far outside",
     {TEXT, NUMBER, {.name = "flag", .kind = SL_BOOL, .offset = UINT32_MAX, .size = 1}},
     "outside"},
    {"overlap",
     {TEXT, NUMBER, {.name = "flag", .kind = SL_BOOL, .offset = 17, .size = 1}},
     "pair.flag overlaps number"},
    {"overlap of a flag",
     {TEXT,
      {.name = "number", .kind = SL_I32, .offset = 16, .size = 4, .optional = true, .has = 16},
      FLAG},
     "overlaps"},
    {"a flag twice",
     {TEXT,
      {.name = "number", .kind = SL_I32, .offset = 16, .size = 4, .optional = true, .has = 20},
      FLAG},
     "overlaps"},
    {"a flag outside",
     {TEXT,
      {.name = "number", .kind = SL_I32, .offset = 16, .size = 4, .optional = true, .has = 24},
      FLAG},
     "flag outside"},
    {"a gap inside", {TEXT, FLAG}, "pair.flag has bytes before it"},
    {"a gap at the start", {NUMBER, FLAG}, "pair.number has bytes before it"},
    {"a gap at the end", {TEXT}, "at its end"},
    {"text with .record",
     {{.name = "text", .kind = SL_TEXT_KIND, .size = 16, .record = &specimen_point_record},
      NUMBER,
      FLAG},
     ".record"},
    {"nested without .record",
     {{.name = "text", .kind = SL_NESTED, .size = 16}, NUMBER, FLAG},
     "needs .record"},
    {"nested of another size",
     {TEXT,
      {.name = "number",
       .kind = SL_NESTED,
       .offset = 16,
       .size = 4,
       .record = &specimen_point_record},
      FLAG},
     "has 4 bytes"},
    {"good, nested",
     {{.name = "text", .kind = SL_NESTED, .size = 16, .record = &specimen_point_record},
      NUMBER,
      FLAG},
     NULL},
    {"list without items",
     {{.name = "text", .kind = SL_LIST_KIND, .size = 16}, NUMBER, FLAG},
     "needs .record or .item"},
    {"list of two",
     {{.name = "text",
       .kind = SL_LIST_KIND,
       .size = 16,
       .item = SL_I8,
       .record = &specimen_point_record},
      NUMBER,
      FLAG},
     ".record and .item"},
    {"list of lists",
     {{.name = "text", .kind = SL_LIST_KIND, .size = 16, .item = SL_LIST_KIND}, NUMBER, FLAG},
     "no scalar"},
    {"list of chars",
     {{.name = "text", .kind = SL_LIST_KIND, .size = 16, .item = SL_CHARS}, NUMBER, FLAG},
     "no scalar"},
    {"number with .item",
     {TEXT, {.name = "number", .kind = SL_I32, .offset = 16, .size = 4, .item = SL_I8}, FLAG},
     "no list"},
    {"records without end",
     {{.name = "text", .kind = SL_LIST_KIND, .size = 16, .record = &self}, NUMBER, FLAG},
     "deep"},
    {"required and optional",
     {TEXT,
      {.name = "number",
       .kind = SL_I32,
       .offset = 16,
       .size = 4,
       .required = true,
       .optional = true,
       .has = 20}},
     "required and optional"},
    {"names of a text",
     {{.name = "text", .kind = SL_TEXT_KIND, .size = 16, SL_NAMES("a")}, NUMBER, FLAG},
     "no integer"},
    {"names and range",
     {TEXT,
      {.name = "number",
       .kind = SL_I32,
       .offset = 16,
       .size = 4,
       SL_RANGE(0, 1),
       SL_NAMES("a", "b")},
      FLAG},
     "names and a range"},
    {"no names",
     {TEXT, {.name = "number", .kind = SL_I32, .offset = 16, .size = 4, .names = no_names}, FLAG},
     "no names"},
    {"a choice twice",
     {TEXT, {.name = "number", .kind = SL_I32, .offset = 16, .size = 4, .names = two_names}, FLAG},
     "twice"},
    {"an empty choice",
     {TEXT, {.name = "number", .kind = SL_I32, .offset = 16, .size = 4, .names = empty_name}, FLAG},
     "empty name"},
    {"range of a text",
     {{.name = "text", .kind = SL_TEXT_KIND, .size = 16, SL_RANGE(1, 2)}, NUMBER, FLAG},
     "no number"},
    {"range backwards",
     {TEXT, {.name = "number", .kind = SL_I32, .offset = 16, .size = 4, SL_RANGE(2, 1)}, FLAG},
     "ends before"},
    {"length of a number",
     {TEXT, {.name = "number", .kind = SL_I32, .offset = 16, .size = 4, .length_max = 1}, FLAG},
     "neither text nor list"},
    {"length backwards",
     {{.name = "text", .kind = SL_TEXT_KIND, .size = 16, .length_min = 3, .length_max = 2},
      NUMBER,
      FLAG},
     "length_min"},
    {"chars that overflow",
     {TEXT, {.name = "number", .kind = SL_CHARS, .offset = 16, .size = 4, .length_max = 4}, FLAG},
     "than fit"},
    {"chars of one byte",
     {TEXT, NUMBER, {.name = "flag", .kind = SL_CHARS, .offset = 20, .size = 1}},
     "takes 2"},
    {"personal of nobody",
     {{.name = "text", .kind = SL_TEXT_KIND, .size = 16, .personal_of = "who"}, NUMBER, FLAG},
     "personal of who"},
    {"personal of a nested record",
     {{.name = "text", .kind = SL_NESTED, .size = 16, .record = &specimen_point_record},
      {.name = "number", .kind = SL_I32, .offset = 16, .size = 4, .personal_of = "text"},
      FLAG},
     "no scalar"},
    {"good, personal",
     {{.name = "text", .kind = SL_TEXT_KIND, .size = 16, .personal_of = "number"}, NUMBER, FLAG},
     NULL},
};

static void refuses_what_is_wrong(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_record record = {"pair", sizeof(struct pair), 0, cases[i].fields};
        struct sl_error error = {0};
        const char *want = cases[i].message;
        while (record.field_count < 4 && cases[i].fields[record.field_count].size > 0)
            record.field_count++;
        const enum sl_err err = sl_record_check(&record, &error);
        if (!(CHECK(err == (want ? SL_INVALID : SL_OK)) &&
              CHECK(!want || strstr(error.message, want))))
            tap_note("%s: %s", cases[i].name, error.message);
        CHECK(!want || strstr(error.message, "pair") || strstr(error.message, "self"));
    }
    CHECK(sl_record_check(&(struct sl_record){NULL, 24, 1, cases[0].fields}, NULL) == SL_INVALID);
}

static void choices_fit_their_type(void)
{
    static const char *names[258];
    static char letters[257][4];
    struct sl_field field = {.name = "a", .kind = SL_I8, .size = 1, .names = names};
    const struct sl_record record = {"r", 1, 1, &field};
    struct sl_error error = {0};

    for (int i = 0; i < 257; i++)
        names[i] =
            memcpy(letters[i], (char[]){'n', (char)('a' + i / 16), (char)('a' + i % 16), 0}, 4);
    names[128] = NULL;
    CHECK(sl_record_check(&record, &error) == SL_OK);
    names[128] = letters[128];
    CHECK(sl_record_check(&record, &error) == SL_INVALID);
    field.kind = SL_U8;
    CHECK(sl_record_check(&record, &error) == SL_INVALID);
    names[256] = NULL;
    CHECK(sl_record_check(&record, &error) == SL_OK);
}

static void takes_every_kind(void)
{
    struct sl_error error = {0};

    if (!CHECK(sl_record_check(&specimen_record, &error) == SL_OK))
        tap_note("%s", error.message);
}

/* ---- Descriptions ---------------------------------------------------------------------------- */

static void descriptions_are_as_documented(void)
{
    static const char want[] =
        "{\"name\":\"specimen_part\",\"fields\":[{\"name\":\"sku\",\"kind\":\"text\"},"
        "{\"name\":\"quantity\",\"kind\":\"i64\"},"
        "{\"name\":\"price\",\"kind\":\"money\",\"optional\":true},"
        "{\"name\":\"marks\",\"kind\":\"list\",\"item\":\"text\"},"
        "{\"name\":\"point\",\"kind\":\"record\",\"optional\":true,\"record\":\"specimen_point\","
        "\"fields\":[{\"name\":\"latitude\",\"kind\":\"double\"},"
        "{\"name\":\"longitude\",\"kind\":\"double\"}]}]}";
    struct sl_buf buf = {0};

    sl_record_describe(&buf, &specimen_part_record);
    CHECK_TEXT(sl_buf_as_text(&buf), want);
    /* Logs and snapshots know this number. */
    CHECK_U64(sl_record_digest(&specimen_part_record), UINT64_C(17436456399419454642));
    sl_buf_close(&buf);
}

/* A program that has never seen the struct reads its bytes and shows them as JSON. */
static void strangers_read_the_bytes(void)
{
    struct sl_arena arena = {0}, round_arena = {0};
    struct sl_buf description = {0}, again = {0}, packed = {0}, json = {0}, strange = {0};
    const struct sl_record *stranger = NULL;
    struct sl_error error = {0};
    uint64_t seed = 37;
    int failures = 0;

    sl_record_describe(&description, &specimen_record);
    if (!CHECK(sl_record_from_description(sl_buf_as_text(&description), &arena, &stranger,
                                          &error) == SL_OK))
        tap_note("%s", error.message);
    REQUIRE(stranger);
    sl_record_describe(&again, stranger);
    CHECK(sl_text_equals(sl_buf_as_text(&description), sl_buf_as_text(&again)));
    CHECK_U64(sl_record_digest(stranger), sl_record_digest(&specimen_record));
    for (int round = 0; round < 500; round++) {
        struct specimen item;
        sl_arena_reset(&round_arena);
        sl_buf_reset(&packed);
        sl_buf_reset(&json);
        sl_buf_reset(&strange);
        specimen_fill(&item, &seed, &round_arena);
        void *out = sl_arena_zeroed(&round_arena, 1, stranger->size);
        sl_pack(&packed, &specimen_record, &item);
        failures += sl_unpack(stranger, sl_buf_slice(&packed), &round_arena, out, &error) != SL_OK;
        sl_json_write(&json, &specimen_record, &item);
        sl_json_write(&strange, stranger, out);
        failures += !sl_text_equals(sl_buf_as_text(&json), sl_buf_as_text(&strange));
        sl_buf_reset(&strange);
        sl_pack(&strange, stranger, out);
        failures += !sl_text_equals(sl_buf_as_text(&packed), sl_buf_as_text(&strange));
    }
    CHECK(failures == 0);
    sl_buf_close(&description);
    sl_buf_close(&again);
    sl_buf_close(&packed);
    sl_buf_close(&json);
    sl_buf_close(&strange);
    sl_arena_close(&arena);
    sl_arena_close(&round_arena);
}

static void refuses_bad_descriptions(void)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"name\":\"a\"}",
        "{\"name\":\"a\",\"fields\":[]}",
        "{\"name\":\"a\",\"fields\":[{}]}",
        "{\"name\":\"a\",\"fields\":[{\"name\":\"b\"}]}",
        "{\"name\":\"a\",\"fields\":[{\"name\":\"b\",\"kind\":\"i128\"}]}",
        "{\"name\":\"a\",\"fields\":[{\"name\":\"b\",\"kind\":\"chars\"}]}",
        "{\"name\":\"a\",\"fields\":[{\"name\":\"b\",\"kind\":\"chars\",\"size\":1}]}",
        "{\"name\":\"a\",\"fields\":[{\"name\":\"b\",\"kind\":\"list\"}]}",
        "{\"name\":\"a\",\"fields\":[{\"name\":\"b\",\"kind\":\"list\",\"item\":\"list\"}]}",
        "{\"name\":\"a\",\"fields\":[{\"name\":\"b\",\"kind\":\"record\"}]}",
        "{\"name\":\"a\",\"fields\":[{\"name\":\"b\",\"kind\":\"i8\",\"names\":[\"\"]}]}",
        "{\"name\":\"a\",\"fields\":[{\"name\":\"b\",\"kind\":\"i8\",\"more\":1}]}",
        "{\"name\":\"a\",\"fields\":[{\"name\":\"B c\",\"kind\":\"i8\"}]}",
        ("{\"name\":\"a\",\"fields\":[{\"name\":\"b\",\"kind\":\"i8\"},"
         "{\"name\":\"b\",\"kind\":\"i8\"}]}"),
    };
    struct sl_arena arena = {0};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct sl_record *record = NULL;
        struct sl_error error = {0};
        if (!CHECK(sl_record_from_description((struct sl_text){bad[i], strlen(bad[i])}, &arena,
                                              &record, &error) == SL_INVALID))
            tap_note("%s", bad[i]);
        CHECK(record == NULL && error.message[0] != '\0');
    }
    sl_arena_close(&arena);
}

/* A description can hold itself as often as it likes; its JSON cannot. */
static void deep_descriptions_are_refused(void)
{
    struct sl_buf json = {0};
    struct sl_arena arena = {0};

    for (int levels = 1; levels < 40; levels++) {
        const struct sl_record *record = NULL;
        struct sl_error error = {0};
        sl_buf_reset(&json);
        SL_BUF_LITERAL(&json, "{\"name\":\"r\"");
        for (int i = 1; i < levels; i++)
            SL_BUF_LITERAL(&json,
                           ",\"fields\":[{\"name\":\"a\",\"kind\":\"list\",\"record\":\"r\"");
        SL_BUF_LITERAL(&json, ",\"fields\":[{\"name\":\"a\",\"kind\":\"i8\"");
        for (int i = 0; i < levels; i++)
            SL_BUF_LITERAL(&json, "}]");
        SL_BUF_LITERAL(&json, "}");
        CHECK(sl_record_from_description(sl_buf_as_text(&json), &arena, &record, &error) ==
              (levels <= 8 ? SL_OK : SL_INVALID));
        const char *why = levels <= 8 ? "" : levels < 16 ? "records deep" : "more than 32 levels";
        if (!CHECK(strstr(error.message, why)))
            tap_note("%d levels: %s", levels, error.message);
    }
    sl_buf_close(&json);
    sl_arena_close(&arena);
}

/* What changes the bytes changes the digest, and nothing else does. */
static void digests_tell_packed_forms_apart(void)
{
    const struct sl_field plain = {.name = "a", .kind = SL_I32, .size = 4};
    struct sl_field other = plain;
    const struct sl_record record = {"struct r", 4, 1, &plain};
    const struct sl_record changed = {"struct r", 4, 1, &other};
    const uint64_t digest = sl_record_digest(&record);

    CHECK(sl_record_digest(&changed) == digest);
    other.ranged = true, other.max = 9, other.required = true, other.help = "help";
    CHECK(sl_record_digest(&changed) == digest);
    other = plain, other.kind = SL_U32;
    CHECK(sl_record_digest(&changed) != digest);
    other = plain, other.name = "b";
    CHECK(sl_record_digest(&changed) != digest);
    other = plain, other.optional = true;
    CHECK(sl_record_digest(&changed) != digest);
    other = plain, other.names = (const char *const[]){"x", NULL};
    CHECK(sl_record_digest(&changed) != digest);
}

int main(void)
{
    return TAP_RUN({"refuses what is wrong", refuses_what_is_wrong},
                   {"choices fit their type", choices_fit_their_type},
                   {"takes every kind", takes_every_kind},
                   {"descriptions are as documented", descriptions_are_as_documented},
                   {"strangers read the bytes", strangers_read_the_bytes},
                   {"refuses bad descriptions", refuses_bad_descriptions},
                   {"deep descriptions are refused", deep_descriptions_are_refused},
                   {"digests tell packed forms apart", digests_tell_packed_forms_apart});
}
