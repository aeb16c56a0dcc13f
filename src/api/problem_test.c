#include "api/problem.h"

#include <string.h>

#include "tap/tap.h"

static void documents(void)
{
    static const struct {
        const char *name;
        struct sl_problem given;
        const char *then;
    } table[] = {
        {"a rule of ours",
         {.status = 404, .rule = {"no_row", 6}},
         "{\"type\":\"/errors/no_row\",\"title\":\"There is no such row\",\"status\":404,"
         "\"rule\":\"no_row\"}"},
        {"a rule of a domain",
         {.status = 422, .rule = {"desk_taken", 10}, .detail = {"desk \"A4\"", 9}, .id = {"7", 1}},
         "{\"type\":\"/errors/desk_taken\",\"title\":\"Desk taken\",\"status\":422,"
         "\"detail\":\"desk \\\"A4\\\"\",\"rule\":\"desk_taken\",\"id\":\"7\"}"},
        {"a field and a position",
         {.status = 400,
          .rule = {"range", 5},
          .field = {"lines[2].n", 10},
          .position = {"a:0:1", 5}},
         "{\"type\":\"/errors/range\",\"title\":\"A number is out of range\",\"status\":400,"
         "\"rule\":\"range\",\"field\":\"lines[2].n\",\"position\":\"a:0:1\"}"},
    };
    struct sl_buf out = {0};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sl_buf_reset(&out);
        sl_problem_write(&out, &table[i].given);
        if (!CHECK_TEXT(sl_buf_as_text(&out), table[i].then))
            tap_note("%s", table[i].name);
    }
    sl_buf_close(&out);
}

/* Each rule can be found, has a page's worth of words, and stands once. */
static void table_is_sound(void)
{
    const struct sl_rule *rule;
    size_t count = 0;

    for (; (rule = sl_rule_at(count)); count++) {
        const struct sl_text name = {rule->name, strlen(rule->name)};
        bool good = CHECK(sl_rule_find(name) == rule);
        good &= CHECK(rule->status >= 400 && rule->status < 600);
        good &= CHECK(strlen(rule->title) > 5 && rule->title[strlen(rule->title) - 1] != '.');
        good &= CHECK(strlen(rule->meaning) > 20 && strlen(rule->advice) > 10);
        good &= CHECK(strspn(rule->name, "abcdefghijklmnopqrstuvwxyz_0123456789") == name.len);
        if (!good)
            tap_note("%s", rule->name);
    }
    CHECK(count > 40);
    CHECK(sl_rule_find(SL_TEXT("desk_taken")) == NULL);
    CHECK(sl_rule_find(SL_TEXT("")) == NULL);
}

/* What records and the engine answer has a page: their names as their headers list them. */
static void others_rules_are_known(void)
{
    static const char *const names[] = {
        "required",
        "range",
        "length",
        "type",
        "unknown_field",
        "duplicate_field",
        "enum",
        "format",
        "syntax",
        "depth",
        "utf8",
        "id_reused",
        "closing",
        "unexpected_revision",
        "conflict",
        "too_large",
        "invalid_event",
        "overloaded",
        "load_failed",
        "log_failed",
        "outcome_unknown",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!CHECK(sl_rule_find((struct sl_text){names[i], strlen(names[i])}) != NULL))
            tap_note("%s", names[i]);
}

int main(void)
{
    return TAP_RUN({"documents", documents}, {"the table is sound", table_is_sound},
                   {"rules of records and of the engine have pages", others_rules_are_known});
}
