#include "api/url.h"

#include <string.h>

#include "tap/tap.h"

static struct sl_text text(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

/* NULL: malformed. */
struct key_case {
    const char *raw;
    const char *then;
};

static void check_keys(const struct key_case *table, size_t count,
                       struct sl_text (*read)(struct sl_text, struct sl_arena *))
{
    struct sl_arena arena = {0};

    for (size_t i = 0; i < count; i++) {
        const struct sl_text key = read(text(table[i].raw), &arena);
        const bool good =
            table[i].then ? key.ptr && sl_text_equals(key, text(table[i].then)) : key.ptr == NULL;
        if (!CHECK(good))
            tap_note("%s gives %.*s", table[i].raw, (int)key.len, key.len ? key.ptr : "");
    }
    sl_arena_close(&arena);
}

static void keys(void)
{
    static const struct key_case table[] = {
        {"C1", "C1"},
        {"A4,2026-11-23", "A4,2026-11-23"},
        {"%41%34,2026%2d11%2D23", "A4,2026-11-23"},
        {"a%2Fb", "a%2Fb"},
        {"a%2fb", "a%2Fb"},
        {"a%2Cb,c", "a%2Cb,c"},
        {"12:30", "12%3A30"},
        {"12%3A30", "12%3A30"},
        {"100%25", "100%25"},
        {"a b", "a b"},
        {"a%20b", "a b"},
        {"a+b", "a+b"},
        {"%0A", "%0A"},
        {"M%C3%BCller", "M\xc3\xbcller"},
        {"%C3", NULL},
        {"%C0%80", NULL},
        {"%ED%A0%80", NULL},
        {"%F4%90%80%80", NULL},
        {"%F0%9F%98%80", "\xf0\x9f\x98\x80"},
        {"%4", NULL},
        {"%", NULL},
        {"%zz", NULL},
    };

    check_keys(table, sizeof table / sizeof *table, sl_url_key);
}

static void streams(void)
{
    static const struct key_case table[] = {
        {"account/7", "account/7"},
        {"desk-day/A4,2026-11-23", "desk-day/A4,2026-11-23"},
        {"doc/a%2Fb", "doc/a%2Fb"},
        {"doc/a/b", "doc/a%2Fb"},
        {"account", NULL},
        {"/7", NULL},
        {"account/", NULL},
        {"account/%", NULL},
        {"", NULL},
    };

    check_keys(table, sizeof table / sizeof *table, sl_url_stream);
}

static void pairs(void)
{
    static const struct {
        const char *query;
        const char *then; /* "name=value|…" */
        bool broken;
    } table[] = {
        {"", "", false},
        {"a=1", "a=1|", false},
        {"a=1&b=2", "a=1|b=2|", false},
        {"&&a=1&", "a=1|", false},
        {"a", "a=|", false},
        {"a=", "a=|", false},
        {"a=b=c", "a=b=c|", false},
        {"na%6de=x%20y+z%2B", "name=x y z+|", false},
        {"a=1&b=%", "a=1|", true},
        {"%zz=1", "", true},
        {"a=%FF", "", true},
    };
    struct sl_arena arena = {0};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sl_text rest = text(table[i].query), name, value;
        char got[128] = "";
        bool broken = false;
        while (sl_url_pair(&rest, &arena, &name, &value, &broken)) {
            strncat(got, name.ptr, name.len);
            strcat(got, "=");
            strncat(got, value.ptr, value.len);
            strcat(got, "|");
        }
        CHECK_STRING(got, table[i].then);
        if (!CHECK(broken == table[i].broken))
            tap_note("%s", table[i].query);
    }
    sl_arena_close(&arena);
}

static void numbers(void)
{
    uint64_t number = 7;
    bool flag = false;

    CHECK(sl_url_number(text("0"), &number) && number == 0);
    CHECK(sl_url_number(text("18446744073709551615"), &number) && number == UINT64_MAX);
    CHECK(!sl_url_number(text("18446744073709551616"), &number));
    CHECK(!sl_url_number(text(""), &number));
    CHECK(!sl_url_number(text("-1"), &number));
    CHECK(!sl_url_number(text("1 "), &number));
    CHECK_U64(number, UINT64_MAX);
    CHECK(sl_url_flag(text("true"), &flag) && flag);
    CHECK(sl_url_flag(text("0"), &flag) && !flag);
    CHECK(sl_url_flag(text(""), &flag) && flag);
    CHECK(!sl_url_flag(text("maybe"), &flag));
}

static void lists(void)
{
    CHECK(sl_url_accepts(text("text/html"), "text/html"));
    CHECK(sl_url_accepts(text("application/json, Text/HTML;q=0.9"), "text/html"));
    CHECK(!sl_url_accepts(text("text/htmlx"), "text/html"));
    CHECK(!sl_url_accepts(text("*/*"), "text/html"));
    CHECK(!sl_url_accepts(text(""), "text/html"));
    CHECK(sl_url_accepts(text("application/json; charset=utf-8"), "application/json"));

    CHECK(sl_url_etag_matches(text("\"a\""), text("\"a\"")));
    CHECK(sl_url_etag_matches(text("\"b\", W/\"a\""), text("\"a\"")));
    CHECK(sl_url_etag_matches(text("*"), text("\"a\"")));
    CHECK(!sl_url_etag_matches(text("\"b\""), text("\"a\"")));
    CHECK(!sl_url_etag_matches(text("a"), text("\"a\"")));
}

int main(void)
{
    return TAP_RUN({"keys", keys}, {"streams", streams}, {"queries", pairs},
                   {"numbers and flags", numbers}, {"headers that are lists", lists});
}
