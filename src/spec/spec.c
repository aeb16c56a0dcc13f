#include "spec/spec.h"

#include <sluice/sluice.h>

#include <stdio.h>
#include <string.h>

#include "record/pack.h"
#include "record/value.h"
#include "spec/world.h"

/* An event, expected or come. An expected one may leave its stream open. */
struct outcome_event {
    const struct sl_event_type *type;
    const void *body;
    struct sl_text stream;
};

struct outcome {
    struct sl_text rule;    /* refused by it; empty: accepted */
    struct sl_text message; /* what it said */
    struct outcome_event *events;
    size_t count;
};

struct run {
    struct sl_world world;
    const struct sl_command_model *command;
    const void *body;
    struct sl_decision decision;
    struct outcome wanted, came;
    struct sl_error error;
};

static struct sl_text text_of(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

static bool cannot(struct run *run, const char *what, const char *why)
{
    struct sl_error error = {0};

    sl_fail(&error, SL_INVALID, "%s: %s", what, why);
    run->error = error;
    return false;
}

/* ---- What is wanted -------------------------------------------------------------------------- */

static bool read_wanted_event(struct run *run, const struct sl_said *said)
{
    struct sl_world *world = &run->world;
    const struct sl_event_model *model = sl_model_event_named(world->model, said->name);
    struct outcome_event *event = &run->wanted.events[run->wanted.count];
    struct sl_broken_rule broken = {0};
    struct sl_error error = {0};
    void *body;

    if (!model)
        return cannot(run, "then", "it names an event that the domain does not have");
    if (run->wanted.count == SL_WORLD_EVENTS_MAX)
        return cannot(run, "then", "too many events");
    if (sl_world_read_body(world, said->body, model->type->record, &body, &broken, &error))
        return cannot(run, "then", broken.rule[0] ? broken.message : error.message);
    *event = (struct outcome_event){.type = model->type, .body = body};
    if (said->stream.len > 0 && sl_world_stream(world, said->stream, model->type->record, body,
                                                &event->stream, &error) != SL_OK)
        return cannot(run, "then", error.message);
    run->wanted.count++;
    return true;
}

static bool read_wanted(struct run *run, const struct sl_spec *spec)
{
    struct sl_text source = text_of(spec->then ? spec->then : "");
    struct sl_error error = {0};
    struct sl_said said;

    run->wanted.rule = text_of(spec->refused ? spec->refused : "");
    run->wanted.events =
        sl_arena_zeroed(&run->world.arena, SL_WORLD_EVENTS_MAX, sizeof *run->wanted.events);
    if (!run->wanted.events)
        return cannot(run, "then", "memory is out");
    while (!sl_notation_is_over(source)) {
        if (sl_notation_next(&source, &said, &error) != SL_OK)
            return cannot(run, "then", error.message);
        if (!read_wanted_event(run, &said))
            return false;
    }
    return true;
}

/* ---- What comes ------------------------------------------------------------------------------ */

/* Reads the command. One that breaks its record is refused as the doors would refuse it, by field
 * and rule ("amount: range"): then run->body stays NULL. */
static bool read_command(struct run *run, const char *when)
{
    struct sl_text source = text_of(when ? when : "");
    struct sl_broken_rule broken = {0};
    struct sl_error error = {0};
    struct sl_said said;
    void *body = NULL;

    if (sl_notation_is_over(source))
        return cannot(run, "when", "a command is missing");
    if (sl_notation_next(&source, &said, &error) != SL_OK)
        return cannot(run, "when", error.message);
    if (!sl_notation_is_over(source) || said.stream.len > 0)
        return cannot(run, "when", "it is one command, without a stream");
    run->command = sl_model_command(run->world.model, said.name);
    if (!run->command)
        return cannot(run, "when", "it names a command that the domain does not have");
    if (sl_world_read_body(&run->world, said.body, run->command->command->record, &body, &broken,
                           &error) == SL_OK) {
        run->body = body;
    } else if (broken.rule[0]) {
        run->came.rule = sl_arena_printf(&run->world.arena, "%s: %s", broken.field, broken.rule);
        run->came.message = sl_arena_text(&run->world.arena, text_of(broken.message));
    } else {
        return cannot(run, "when", error.message);
    }
    return true;
}

/* Takes the decision's events over, each checked as the write side does before it appends. */
static bool take_events(struct run *run, const struct sl_world_needs *needs, struct outcome *out)
{
    const struct sl_decision *decision = &run->decision;

    out->count = decision->count;
    out->events = sl_arena_zeroed(&run->world.arena, decision->count + 1, sizeof *out->events);
    if (!out->events)
        return cannot(run, "decide", "memory is out");
    for (size_t i = 0; i < decision->count; i++) {
        const struct sl_emitted *emitted = &decision->events[i];
        struct sl_broken_rule broken = {0};

        if (!sl_model_event(run->world.model, emitted->type))
            return cannot(run, emitted->type->name, "the domain does not list this event");
        if (sl_record_validate(emitted->type->record, emitted->body, &broken) != SL_OK)
            return cannot(run, emitted->type->name, broken.message);
        out->events[i] =
            (struct outcome_event){emitted->type, emitted->body, needs->streams[emitted->need]};
    }
    return true;
}

static bool decide(struct run *run, struct outcome *out)
{
    static const struct sl_principal nobody;
    struct sl_world_needs *needs = sl_arena_zeroed(&run->world.arena, 1, sizeof *needs);
    struct sl_case c = {.command = run->body,
                        .now = run->world.now,
                        .id = sl_notation_uuid(SL_TEXT("command")),
                        .principal = &nobody};
    struct sl_buf message = {0};
    struct sl_error error = {0};

    if (!needs)
        return cannot(run, "needs", "memory is out");
    if (sl_world_need(&run->world, run->command, &c, needs, &error) != SL_OK)
        return cannot(run, "needs", error.message);
    sl_decision_reset(&run->decision, &run->world.arena, needs->count);
    if (sl_decide(run->command->command, &c, &run->decision) == SL_REFUSED) {
        sl_message_fill(&message, run->decision.message, run->command->command->record, run->body);
        out->rule = run->decision.field
                        ? sl_arena_printf(&run->world.arena, "%s at %s[%zu]", run->decision.rule,
                                          run->decision.field, run->decision.item)
                        : text_of(run->decision.rule);
        out->message = sl_arena_text(&run->world.arena, sl_buf_as_text(&message));
        sl_buf_close(&message);
    }
    if (run->decision.failed)
        return cannot(run, "decide",
                      run->decision.failed == SL_INVALID ? "it emits to a need that is not there"
                                                         : "it emits more than there may be");
    return take_events(run, needs, out);
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static bool same_event(const struct outcome_event *wanted, const struct outcome_event *came)
{
    return wanted->type == came->type &&
           (wanted->stream.len == 0 || sl_text_equals(wanted->stream, came->stream)) &&
           sl_record_equals(wanted->type->record, wanted->body, came->body);
}

static bool same(const struct outcome *wanted, const struct outcome *came)
{
    if (!sl_text_equals(wanted->rule, came->rule) || wanted->count != came->count)
        return false;
    for (size_t i = 0; i < wanted->count; i++)
        if (!same_event(&wanted->events[i], &came->events[i]))
            return false;
    return true;
}

static void write_event(struct sl_buf *out, char mark, const struct outcome_event *event)
{
    sl_buf_printf(out, "%c ", mark);
    if (event->stream.len > 0)
        sl_buf_printf(out, "%.*s: ", (int)event->stream.len, event->stream.ptr);
    sl_buf_printf(out, "%s ", event->type->name);
    sl_json_write(out, event->type->record, event->body);
    sl_buf_byte(out, '\n');
}

static void write_rule(struct sl_buf *out, char mark, const struct outcome *outcome)
{
    if (outcome->rule.len == 0)
        sl_buf_printf(out, "%c accepted\n", mark);
    else if (outcome->message.len == 0)
        sl_buf_printf(out, "%c refused: %.*s\n", mark, (int)outcome->rule.len, outcome->rule.ptr);
    else
        sl_buf_printf(out, "%c refused: %.*s (%.*s)\n", mark, (int)outcome->rule.len,
                      outcome->rule.ptr, (int)outcome->message.len, outcome->message.ptr);
}

static void write_difference(struct sl_buf *out, const struct outcome *wanted,
                             const struct outcome *came)
{
    const bool same_rule = sl_text_equals(wanted->rule, came->rule);

    if (!same_rule)
        write_rule(out, '-', wanted);
    write_rule(out, same_rule ? ' ' : '+', came);
    for (size_t i = 0; i < wanted->count || i < came->count; i++) {
        const bool both = i < wanted->count && i < came->count;
        if (both && same_event(&wanted->events[i], &came->events[i])) {
            write_event(out, ' ', &came->events[i]);
            continue;
        }
        if (i < wanted->count)
            write_event(out, '-', &wanted->events[i]);
        if (i < came->count)
            write_event(out, '+', &came->events[i]);
    }
}

/* ---- Running --------------------------------------------------------------------------------- */

/* False where the specification, or what the domain did, makes no sense: see run->error. */
static bool carry_out(struct run *run, const struct sl_spec *spec, bool *out_repeats)
{
    struct sl_error error = {0};
    struct outcome again = {0};

    *out_repeats = true;
    if (sl_world_set_now(&run->world, spec->now, &error) != SL_OK ||
        sl_world_happen(&run->world, spec->given, &error) != SL_OK)
        return cannot(run, "given", error.message);
    if (!read_wanted(run, spec) || !read_command(run, spec->when))
        return false;
    if (!run->body)
        return true;
    if (!decide(run, &run->came) || !decide(run, &again))
        return false;
    *out_repeats = same(&run->came, &again);
    return true;
}

bool sl_spec_holds(const struct sl_model *model, const struct sl_spec *spec,
                   struct sl_json_parser *parser, struct sl_buf *report)
{
    struct run run = {.world = {.model = model, .parser = parser}};
    bool repeats;
    bool good = carry_out(&run, spec, &repeats);

    if (!good) {
        sl_buf_printf(report, "%s\n", run.error.message);
    } else if (!repeats) {
        /* C2: whoever asks a second time must be told the same. */
        good = false;
        SL_BUF_LITERAL(report, "decide gives another answer when it is asked again\n");
    } else if (!same(&run.wanted, &run.came)) {
        good = false;
        write_difference(report, &run.wanted, &run.came);
    }
    sl_decision_close(&run.decision);
    sl_world_close(&run.world);
    return good;
}

static void print_lines(const struct sl_buf *report)
{
    const struct sl_text text = sl_buf_as_text(report);

    for (size_t i = 0, start = 0; i < text.len; i++)
        if (text.ptr[i] == '\n') {
            printf("#   %.*s\n", (int)(i - start), text.ptr + start);
            start = i + 1;
        }
}

int sl_run_specs(const struct sl_domain *domain, const struct sl_spec *specs, size_t count)
{
    struct sl_json_parser *parser = NULL;
    struct sl_model model = {0};
    struct sl_error error = {0};
    struct sl_buf report = {0};
    int failed = 0;

    printf("1..%zu\n", count);
    if (sl_json_parser_new(&parser) != SL_OK || sl_model_init(&model, domain, &error) != SL_OK) {
        printf("Bail out! %s\n", error.message[0] ? error.message : "memory is out");
        sl_json_parser_free(parser);
        return count > 0 ? (int)count : 1;
    }
    for (size_t i = 0; i < count; i++) {
        sl_buf_reset(&report);
        const bool good = sl_spec_holds(&model, &specs[i], parser, &report);
        printf("%sok %zu - %s\n", good ? "" : "not ", i + 1, specs[i].name);
        if (!good)
            print_lines(&report);
        failed += !good;
    }
    fflush(stdout);
    sl_buf_close(&report);
    sl_model_close(&model);
    sl_json_parser_free(parser);
    return failed;
}
