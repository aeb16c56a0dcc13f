#include "api/glob.h"

#include <string.h>

#include "tap/tap.h"

static struct sl_text text_of(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

static void patterns(void)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"a*c", "abbc", true},
        {"a*c", "abbd", false},
        {"a*b*c", "a-bb-b-c", true},
        {"**a**", "bab", true},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"[ab]x", "bx", true},
        {"[ab]x", "cx", false},
        {"[^ab]x", "cx", true},
        {"[^ab]x", "ax", false},
        {"[a-c]1", "b1", true},
        {"[c-a]1", "b1", true},
        {"[a-c]1", "d1", false},
        {"[a\\]]", "]", true},
        {"[ab", "b", true},
        {"[", "[", false},
        {"\\*", "*", true},
        {"\\*", "x", false},
        {"a\\", "a\\", true},
        {"*.json", "x.json.json", true},
        {"desks:days:A4,*", "desks:days:A4,2026-11-23", true},
        {"desks:days:A4,*", "desks:days:A5,2026-11-23", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!CHECK(sl_glob_matches(text_of(cases[i].pattern), text_of(cases[i].text)) ==
                   cases[i].matches))
            tap_note("%s on %s", cases[i].pattern, cases[i].text);
}

/* What takes for ever where a matcher tries each star's ways anew. */
static void no_explosion(void)
{
    char pattern[257], text[513];

    for (size_t i = 0; i < 256; i += 2)
        memcpy(pattern + i, "*a", 2);
    memset(text, 'a', 512);
    pattern[256] = text[512] = '\0';
    CHECK(sl_glob_matches(text_of(pattern), text_of(text)));
    text[511] = 'b';
    CHECK(!sl_glob_matches(text_of(pattern), text_of(text)));
}

static void literals(void)
{
    CHECK(sl_glob_literal(text_of("a:b:*")) == 4);
    CHECK(sl_glob_literal(text_of("a:b:c")) == 5);
    CHECK(sl_glob_literal(text_of("[a]")) == 0);
    CHECK(sl_glob_literal(text_of("a\\*")) == 1);
    CHECK(sl_glob_literal((struct sl_text){"a\0*", 3}) == 2);
}

int main(void)
{
    return TAP_RUN({"patterns and texts", patterns}, {"many stars take no time", no_explosion},
                   {"what stands for itself", literals});
}
