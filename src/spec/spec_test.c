#include "spec/spec.h"

#include <stdio.h>
#include <string.h>

#include "tap/tap.h"

/* A domain that can be made to lie: chests that hold coins. */

struct coins {
    struct sl_uuid chest;
    int64_t count;
    struct sl_text from;
};

static const struct sl_record coins_record = SL_RECORD(struct coins,
    SL_FIELD(struct coins, chest, .required = true),
    SL_FIELD(struct coins, count, SL_RANGE(1, 100)),
    SL_FIELD(struct coins, from, .length_max = 20));

static const struct sl_event_type put_in = {"PutIn", 1, &coins_record, .tags = "giver=from"};
static const struct sl_event_type taken_out = {"TakenOut", 1, &coins_record, .tags = "thief=()"};
static const struct sl_event_type unlisted = {"Unlisted", 1, &coins_record};

struct chest {
    int64_t count;
    struct sl_text last_giver;
};

static const struct sl_record chest_record = SL_RECORD(struct chest,
    SL_FIELD(struct chest, count),
    SL_FIELD(struct chest, last_giver));

static void evolve_chest(void *state, const struct sl_event *event)
{
    struct chest *chest = state;
    const struct coins *coins = event->body;

    chest->count += event->type == &put_in ? coins->count : -coins->count;
    if (event->type == &put_in)
        chest->last_giver = coins->from;
}

struct giver {
    int64_t given;
};

static const struct sl_record giver_record =
    SL_RECORD(struct giver, SL_FIELD(struct giver, given));

static void evolve_giver(void *state, const struct sl_event *event)
{
    struct giver *giver = state;

    giver->given += ((const struct coins *)event->body)->count;
}

static const struct sl_aggregate chests = {"chest", &chest_record, evolve_chest};
static const struct sl_aggregate givers = {"giver", &giver_record, evolve_giver};
static const struct sl_aggregate thief = {"thief", &giver_record, evolve_giver};

static struct coins *emit(struct sl_decision *out, const struct sl_event_type *type,
                          const struct coins *command)
{
    struct coins *event = sl_emit(out, type, 0);

    *event = *command;
    return event;
}

static enum sl_verdict decide_put(const struct sl_case *c, struct sl_decision *out)
{
    emit(out, &put_in, c->command);
    return SL_ACCEPTED;
}

/* A giver may take out what he gave: `more` finds him in the chest, in its second round. */
static void more_take(const struct sl_case *c, struct sl_needs *out)
{
    const struct chest *chest = c->state[0];

    if (chest->last_giver.len > 0)
        sl_need_key(out, &givers, sl_key_of(out, SL_TEXT_KIND, &chest->last_giver));
}

static enum sl_verdict decide_take(const struct sl_case *c, struct sl_decision *out)
{
    const struct coins *command = c->command;
    const struct chest *chest = c->state[0];

    if (chest->count < command->count)
        return sl_refuse(out, "too_few", "the chest has no {count} coins");
    const struct giver *giver = c->state[1];
    if (giver->given < command->count)
        return sl_refuse(out, "not_yours", "somebody else gave them");
    emit(out, &taken_out, command)->from = chest->last_giver;
    return SL_ACCEPTED;
}

static enum sl_verdict decide_count(const struct sl_case *c, struct sl_decision *out)
{
    const struct giver *taken = c->state[0];

    return sl_refuse_item(out, "counted", "there are {count}", "coins", (size_t)taken->given);
}

/* The liars. */

static int64_t calls;

static enum sl_verdict decide_moody(const struct sl_case *c, struct sl_decision *out)
{
    emit(out, &put_in, c->command)->count = 1 + calls++ % 2;
    return SL_ACCEPTED;
}

static enum sl_verdict decide_unlisted(const struct sl_case *c, struct sl_decision *out)
{
    emit(out, &unlisted, c->command);
    return SL_ACCEPTED;
}

static enum sl_verdict decide_broken(const struct sl_case *c, struct sl_decision *out)
{
    emit(out, &put_in, c->command)->count = 101;
    return SL_ACCEPTED;
}

static enum sl_verdict decide_astray(const struct sl_case *c, struct sl_decision *out)
{
    (void)c;
    sl_emit(out, &put_in, 7);
    return SL_ACCEPTED;
}

static enum sl_verdict decide_by_itself(const struct sl_case *c, struct sl_decision *out)
{
    emit(out, &taken_out, c->command);
    return sl_refuse(out, "but_noted", "it is noted");
}

#define CHEST SL_LIST(const struct sl_need, {&chests, "chest"})

static const struct sl_domain domain = {
    .name = "chests",
    .commands = SL_LIST(const struct sl_command,
        { "Put", &coins_record, decide_put, CHEST },
        { "Take", &coins_record, decide_take, CHEST, more_take },
        { "Moody", &coins_record, decide_moody, CHEST },
        { "Unlist", &coins_record, decide_unlisted, CHEST },
        { "Break", &coins_record, decide_broken, CHEST },
        { "Stray", &coins_record, decide_astray, CHEST },
        { "Count", &coins_record, decide_count,
          SL_LIST(const struct sl_need, {&thief, ""}) },
        { "Judge", &coins_record, decide_by_itself, CHEST, .ids = SL_BY_DOMAIN }),
    .events = SL_LIST(const struct sl_event_type *const, &put_in, &taken_out),
};

static bool holds(const struct sl_spec *spec, struct sl_buf *report)
{
    struct sl_json_parser *parser = NULL;
    struct sl_model model = {0};
    struct sl_error error = {0};

    sl_buf_reset(report);
    if (!CHECK(sl_json_parser_new(&parser) == SL_OK) ||
        !CHECK(sl_model_init(&model, &domain, &error) == SL_OK))
        return false;
    const bool good = sl_spec_holds(&model, spec, parser, report);
    sl_model_close(&model);
    sl_json_parser_free(parser);
    return good;
}

static void what_is_true_holds(void)
{
    static const struct sl_spec table[] = {
        {.name = "an event",
         .when = "Put {chest: c, count: 5}",
         .then = "PutIn {chest: c, count: 5}"},
        {.name = "in its stream",
         .when = "Put {chest: c, count: 5}",
         .then = "chest/c: PutIn {chest: c, count: 5}"},
        {.name = "a state",
         .given =
             "chest/c: PutIn {chest: c, count: 5, from: ada}\nchest/d: PutIn {chest: d, count: 9}",
         .when = "Take {chest: c, count: 6}",
         .refused = "too_few"},
        {.name = "a state that more names, by tag",
         .given = "chest/c: PutIn {chest: c, count: 5, from: ada}",
         .when = "Take {chest: c, count: 5}",
         .then = "TakenOut {chest: c, count: 5, from: ada}"},
        {.name = "and what it says",
         .given = "chest/c: PutIn {chest: c, count: 5, from: ada}\n"
                  "chest/c: PutIn {chest: c, count: 1, from: ben}",
         .when = "Take {chest: c, count: 5}",
         .refused = "not_yours"},
        {.name = "a command that breaks its record",
         .when = "Put {chest: c, count: 101}",
         .refused = "count: range"},
        {.name = "an item to blame, and an aggregate of which there is but one",
         .given = "chest/c: TakenOut {chest: c, count: 1}\nchest/d: TakenOut {chest: d, count: 2}",
         .when = "Count {chest: c, count: 1}",
         .refused = "counted at coins[3]"},
        {.name = "a refusal with an event",
         .when = "Judge {chest: c, count: 1}",
         .then = "TakenOut {chest: c, count: 1}",
         .refused = "but_noted"},
    };
    struct sl_buf report = {0};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!CHECK(holds(&table[i], &report)))
            tap_note("%s: %.*s", table[i].name, (int)report.len, (const char *)report.ptr);
    sl_buf_close(&report);
}

static void what_is_not_is_told(void)
{
    static const struct {
        struct sl_spec spec;
        const char *told; /* somewhere in the report */
    } table[] = {
        {{.when = "Put {chest: c, count: 5}", .then = "PutIn {chest: c, count: 6}"},
         "  accepted\n- PutIn {"},
        {{.when = "Put {chest: c, count: 5}", .then = "PutIn {chest: c, count: 6}"},
         "\"count\":5,\"from\":\"\"}\n"},
        {{.when = "Put {chest: c, count: 5}", .then = "chest/d: PutIn {chest: c, count: 5}"},
         "- chest/"},
        {{.when = "Put {chest: c, count: 5}", .then = "TakenOut {chest: c, count: 5}"},
         "- TakenOut {"},
        {{.when = "Put {chest: c, count: 5}"}, "  accepted\n+ chest/"},
        {{.when = "Put {chest: c, count: 5}",
          .then = "PutIn {chest: c, count: 5}\nPutIn {chest: c, count: 5}"},
         "\n- PutIn {"},
        {{.when = "Take {chest: c, count: 5}", .refused = "not_yours"},
         "- refused: not_yours\n+ refused: too_few (the chest has no 5 coins)\n"},
        {{.when = "Take {chest: c, count: 5}"}, "- accepted\n+ refused: too_few"},
        {{.when = "Put {chest: c, count: 101}", .then = "PutIn {chest: c, count: 5}"},
         "- accepted\n+ refused: count: range (count must"},
        {{.when = "Judge {chest: c, count: 1}", .refused = "but_noted"}, "+ chest/"},
        {{.when = "Count {chest: c, count: 1}", .refused = "counted"},
         "- refused: counted\n+ refused: counted at coins[0] (there are 1)"},
        {{.when = "Count {chest: c, count: 1}", .refused = "counted at coins[1]"},
         "+ refused: counted at coins[0]"},
        {{.when = "Moody {chest: c, count: 1}", .then = "PutIn {chest: c, count: 1}"},
         "another answer"},
        {{.when = "Unlist {chest: c}", .then = "PutIn {chest: c}"}, "Unlisted: the domain does"},
        {{.when = "Break {chest: c}", .then = "PutIn {chest: c}"}, "PutIn: count must"},
        {{.when = "Stray {chest: c}", .then = "PutIn {chest: c}"}, "a need that is not there"},
        {{.when = "Fly {chest: c}"}, "when: it names a command"},
        {{.then = "PutIn {chest: c}"}, "when: a command is missing"},
        {{.when = "Put {chest: c}\nPut {chest: c}"}, "when: it is one command"},
        {{.when = "Put {chest: }"}, "when: a value is expected at: }"},
        {{.when = "Put {chest: c}", .then = "Flown {chest: c}"}, "then: it names an event"},
        {{.when = "Put {chest: c}", .then = "PutIn {chest: c, count: x}"}, "then: count"},
        {{.given = "PutIn {chest: c}", .when = "Put {chest: c}"},
         "given: a stream is AGGREGATE/KEY"},
        {{.given = "chest/c: Flown {}", .when = "Put {chest: c}"},
         "given: there is no event Flown"},
        {{.given = "chest/c: PutIn {}", .when = "Put {chest: c}"},
         "given: PutIn could not have happened: chest"},
        {{.now = "noon", .when = "Put {chest: c}"}, "now is a day or an instant, not noon"},
    };
    struct sl_buf report = {0};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CHECK(!holds(&table[i].spec, &report));
        sl_buf_byte(&report, 0);
        if (!CHECK(strstr((const char *)report.ptr, table[i].told) != NULL))
            tap_note("%zu: wanted \"%s\" in: %s", i, table[i].told, (const char *)report.ptr);
    }
    sl_buf_close(&report);
}

int main(void)
{
    return TAP_RUN({"what is true holds", what_is_true_holds},
                   {"what is not is told", what_is_not_is_told});
}
