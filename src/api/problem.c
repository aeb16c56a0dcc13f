#include "api/problem.h"

#include <string.h>

#include "record/json.h"

/* "desk_taken" → "Desk taken"; rules are lower_case names, which JSON takes as they are. */
static void write_title(struct sl_buf *out, struct sl_text rule)
{
    for (size_t i = 0; i < rule.len; i++) {
        char c = rule.ptr[i];
        if (i == 0 && c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        sl_buf_byte(out, (uint8_t)(c == '_' ? ' ' : c));
    }
}

static void write_member(struct sl_buf *out, const char *name, struct sl_text value)
{
    if (value.len == 0)
        return;
    sl_buf_printf(out, ",\"%s\":", name);
    sl_json_write_text(out, value);
}

void sl_problem_write(struct sl_buf *out, const struct sl_problem *problem)
{
    const struct sl_rule *known = sl_rule_find(problem->rule);

    SL_BUF_LITERAL(out, "{\"type\":\"/errors/");
    sl_buf_text(out, problem->rule);
    SL_BUF_LITERAL(out, "\",\"title\":\"");
    if (known)
        sl_buf_append(out, known->title, strlen(known->title));
    else
        write_title(out, problem->rule);
    SL_BUF_LITERAL(out, "\",\"status\":");
    sl_buf_i64(out, problem->status);
    write_member(out, "detail", problem->detail);
    SL_BUF_LITERAL(out, ",\"rule\":\"");
    sl_buf_text(out, problem->rule);
    sl_buf_byte(out, '"');
    write_member(out, "field", problem->field);
    write_member(out, "id", problem->id);
    write_member(out, "position", problem->position);
    sl_buf_byte(out, '}');
}
