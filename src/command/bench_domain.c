/* The domain of the write side's tests. */
#include "command/bench_writer.h"

#include <stdio.h>
#include <string.h>

#define LONG_TEXT .length_max = 4 << 20

static const struct sl_record account_record = SL_RECORD(struct rig_account,
    SL_FIELD(struct rig_account, balance),
    SL_FIELD(struct rig_account, events),
    SL_FIELD(struct rig_account, folded),
    SL_FIELD(struct rig_account, note));
static const struct sl_record put_record = SL_RECORD(struct rig_put,
    SL_FIELD(struct rig_put, id),
    SL_FIELD(struct rig_put, amount));
static const struct sl_record move_record = SL_RECORD(struct rig_move,
    SL_FIELD(struct rig_move, id),
    SL_FIELD(struct rig_move, from),
    SL_FIELD(struct rig_move, to),
    SL_FIELD(struct rig_move, amount));
static const struct sl_record ping_record = SL_RECORD(struct rig_ping,
    SL_FIELD(struct rig_ping, id),
    SL_FIELD(struct rig_ping, account));
static const struct sl_record note_record = SL_RECORD(struct rig_note,
    SL_FIELD(struct rig_note, id),
    SL_FIELD(struct rig_note, note));
static const struct sl_record noted_record = SL_RECORD(struct rig_noted,
    SL_FIELD(struct rig_noted, id),
    SL_FIELD(struct rig_noted, before),
    SL_FIELD(struct rig_noted, after));
static const struct sl_record many_record = SL_RECORD(struct rig_many,
    SL_FIELD(struct rig_many, id),
    SL_FIELD(struct rig_many, count),
    SL_FIELD(struct rig_many, bytes));
static const struct sl_record text_record = SL_RECORD(struct rig_text,
    SL_FIELD(struct rig_text, id),
    SL_FIELD(struct rig_text, text, LONG_TEXT));
static const struct sl_record chain_record = SL_RECORD(struct rig_chain,
    SL_FIELD(struct rig_chain, id),
    SL_FIELD(struct rig_chain, rounds),
    SL_FIELD(struct rig_chain, width));
static const struct sl_record blame_record =
    SL_RECORD(struct rig_blame, SL_FIELD(struct rig_blame, id));
static const struct sl_record look_record =
    SL_RECORD(struct rig_look, SL_FIELD(struct rig_look, id));
static const struct sl_record seen_record = SL_RECORD(struct rig_seen,
    SL_FIELD(struct rig_seen, id),
    SL_FIELD(struct rig_seen, balance),
    SL_FIELD(struct rig_seen, events),
    SL_FIELD(struct rig_seen, folded),
    SL_FIELD(struct rig_seen, note));

static const struct sl_event_type put_type = {"WasPut", 1, &put_record, .tags = "holder=id"};
static const struct sl_event_type moved_type = {"Moved", 1, &move_record,
                                                .tags = "account=from, account=to"};
static const struct sl_event_type pinged_type = {"Pinged", 1, &ping_record, .tags = "account"};
const struct sl_event_type rig_noted_type = {"Noted", 1, &noted_record};
static const struct sl_event_type text_type = {"Written", 1, &text_record};
static const struct sl_event_type chained_type = {"Chained", 1, &chain_record};
static const struct sl_event_type blamed_type = {"Blamed", 1, &blame_record, .tags = "book=()"};
const struct sl_event_type rig_seen_type = {"Seen", 1, &seen_record};

static void fold(struct rig_account *account, uint64_t number)
{
    account->folded = (account->folded ^ number) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static void evolve_account(void *state, const struct sl_event *event)
{
    struct rig_account *account = state;

    if (event->type == &rig_seen_type)
        return;
    account->events++;
    fold(account, event->position);
    if (event->type == &put_type) {
        account->balance += ((const struct rig_put *)event->body)->amount;
    } else if (event->type == &moved_type) {
        /* Which of the two it is, the state does not know: both fold the amount. */
        fold(account, (uint64_t)((const struct rig_move *)event->body)->amount);
    } else if (event->type == &rig_noted_type) {
        account->note = ((const struct rig_noted *)event->body)->after;
    }
}

static void evolve_nothing(void *state, const struct sl_event *event)
{
    struct rig_account *account = state;

    (void)event;
    account->events++;
}

static const struct sl_aggregate accounts = {"account", &account_record, evolve_account};
static const struct sl_aggregate books = {"book", &account_record, evolve_nothing};
static const struct sl_aggregate others = {"other", &account_record, evolve_nothing};

static void evolve_otherwise(void *state, const struct sl_event *event)
{
    struct rig_account *account = state;

    evolve_account(state, event);
    if (event->type != &rig_seen_type)
        fold(account, 12345);
}

static const struct sl_record reordered_record = SL_RECORD(struct rig_account,
    SL_FIELD(struct rig_account, note),
    SL_FIELD(struct rig_account, folded),
    SL_FIELD(struct rig_account, balance),
    SL_FIELD(struct rig_account, events));

static const struct sl_aggregate evolved = {"account", &account_record, evolve_otherwise, 2};
static const struct sl_aggregate reordered = {"account", &reordered_record, evolve_otherwise};

static enum sl_verdict decide_put(const struct sl_case *c, struct sl_decision *out)
{
    const struct rig_put *put = c->command;
    const struct rig_account *account = c->state[0];

    if (account->balance + put->amount < 0)
        return sl_refuse(out, "too_little", "{id} has too little");
    *(struct rig_put *)sl_emit(out, &put_type, 0) = *put;
    return SL_ACCEPTED;
}

static enum sl_verdict decide_move(const struct sl_case *c, struct sl_decision *out)
{
    *(struct rig_move *)sl_emit(out, &moved_type, 0) = *(const struct rig_move *)c->command;
    return SL_ACCEPTED;
}

static enum sl_verdict decide_ping(const struct sl_case *c, struct sl_decision *out)
{
    *(struct rig_ping *)sl_emit(out, &pinged_type, 0) = *(const struct rig_ping *)c->command;
    return SL_ACCEPTED;
}

static enum sl_verdict decide_note(const struct sl_case *c, struct sl_decision *out)
{
    const struct rig_note *command = c->command;
    const struct rig_account *account = c->state[0];

    /* Both carry the note as the command found it: by the second, the state has another. */
    for (int i = 0; i < 2; i++) {
        struct rig_noted *event = sl_emit(out, &rig_noted_type, 0);
        *event = (struct rig_noted){command->id, account->note, command->note};
    }
    return SL_ACCEPTED;
}

static enum sl_verdict decide_many(const struct sl_case *c, struct sl_decision *out)
{
    const struct rig_many *many = c->command;
    char *text = sl_room(out, many->bytes + 1, 1);

    memset(text, 'x', many->bytes);
    for (uint32_t i = 0; i < many->count; i++) {
        struct rig_text *event = sl_emit(out, &text_type, 0);
        *event = (struct rig_text){many->id, {text, many->bytes}};
    }
    return SL_ACCEPTED;
}

static void more_chain(const struct sl_case *c, struct sl_needs *out)
{
    const struct rig_chain *chain = c->command;
    const uint64_t round = chain->width ? c->state_count / chain->width : 0;

    for (uint32_t i = 0; round < chain->rounds && i < chain->width; i++) {
        const uint64_t number = round * chain->width + i;
        sl_need_key(out, &accounts, sl_key_of(out, SL_U64, &number));
    }
}

static enum sl_verdict decide_chain(const struct sl_case *c, struct sl_decision *out)
{
    if (c->state_count == 0)
        return sl_refuse(out, "nothing_named", "no account was named");
    *(struct rig_chain *)sl_emit(out, &chained_type, c->state_count - 1) =
        *(const struct rig_chain *)c->command;
    return SL_ACCEPTED;
}

static void more_blame(const struct sl_case *c, struct sl_needs *out)
{
    (void)c;
    sl_need_key(out, &books, SL_TEXT(""));
}

static enum sl_verdict decide_blame(const struct sl_case *c, struct sl_decision *out)
{
    const struct rig_account *book = c->state[1];

    *(struct rig_blame *)sl_emit(out, &blamed_type, 0) = *(const struct rig_blame *)c->command;
    return sl_refuse_item(out, "blamed", "{id} is to blame", "lines", book->events);
}

static enum sl_verdict decide_look(const struct sl_case *c, struct sl_decision *out)
{
    const struct rig_look *look = c->command;
    const struct rig_account *account = c->state[0];
    struct rig_seen *seen = sl_emit(out, &rig_seen_type, 0);

    *seen = (struct rig_seen){look->id, account->balance, account->events, account->folded,
                              account->note};
    return SL_ACCEPTED;
}

#define NEEDS(...) SL_LIST(const struct sl_need, __VA_ARGS__)

#define COMMANDS_ON(account)                                                                       \
    {"Put", &put_record, decide_put, NEEDS({&(account), "id"})},                                   \
    {"Move", &move_record, decide_move,                                                            \
     NEEDS({&others, "id"}, {&(account), "from"}, {&(account), "to"})},                            \
    {"Ping", &ping_record, decide_ping, NEEDS({&others, "id"})},                                   \
    {"Note", &note_record, decide_note, NEEDS({&(account), "id"})},                                \
    {"Many", &many_record, decide_many, NEEDS({&(account), "id"})},                                \
    {"Look", &look_record, decide_look, NEEDS({&(account), "id"})}
#define EVENTS                                                                                     \
    SL_LIST(const struct sl_event_type *const, &put_type, &moved_type, &pinged_type,               \
            &rig_noted_type, &text_type, &chained_type, &blamed_type, &rig_seen_type)

const struct sl_domain rig_domain = {
    .name = "rig",
    .commands = SL_LIST(const struct sl_command, COMMANDS_ON(accounts),
        {"Chain", &chain_record, decide_chain, .more = more_chain},
        {"Blame", &blame_record, decide_blame, NEEDS({&accounts, "id"}), more_blame,
         SL_BY_DOMAIN}),
    .events = EVENTS,
};

const struct sl_domain rig_domain_evolved = {
    .name = "rig",
    .commands = SL_LIST(const struct sl_command, COMMANDS_ON(evolved)),
    .events = EVENTS,
};

const struct sl_domain rig_domain_reordered = {
    .name = "rig",
    .commands = SL_LIST(const struct sl_command, COMMANDS_ON(reordered)),
    .events = EVENTS,
};
