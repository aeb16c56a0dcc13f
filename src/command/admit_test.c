/* Admission: needs in rounds, and what is read before a command's turn. */
#include "command/bench_writer.h"

#include <string.h>

#include "tap/tap.h"

static struct rig rig;

static bool begin(void)
{
    return CHECK(rig_open(&rig, 7, (struct rig_options){0}));
}

static void end(void)
{
    CHECK(!rig.bad);
    rig_close(&rig);
}

static void rounds(void)
{
    static const struct {
        uint32_t rounds, width;
        int status;
    } cases[] = {{0, 1, 422},     {1, 1, 201},    {4, 1, 201},     {5, 1, 413},
                 {1, 16, 201},    {1, 17, 201},   {4, 17, 201},    {2, 1000, 201},
                 {1, 32768, 201}, {4, 8192, 201}, {1, 32769, 413}, {4, 8193, 413}};

    REQUIRE(begin());
    CHECK_U64(rig_do(&rig, rig_put(&rig, "ada", 1)), 201);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig_command *chain = rig_chain(&rig, cases[i].rounds, cases[i].width);
        if (!CHECK_U64(rig_do(&rig, chain), cases[i].status))
            tap_note("%u rounds of %u", cases[i].rounds, cases[i].width);
    }
    end();
}

/* What commands without needs in their table name by their lists is read while those before them
 * wait for theirs, and once. */
static void lists_are_read_ahead(void)
{
    struct sl_writer_numbers numbers;

    REQUIRE(begin());
    CHECK_U64(rig_do(&rig, rig_put(&rig, "ada", 1)), 201);
    sl_writer_numbers(rig.writer, &numbers);
    const uint64_t before = numbers.loads;
    const struct rig_command *chains[] = {rig_chain(&rig, 1, 1), rig_chain(&rig, 2, 20)};
    rig_send(&rig, &rig.commands[rig.command_count - 2]);
    rig_send(&rig, &rig.commands[rig.command_count - 1]);
    for (int i = 0; i < 1000 && numbers.loads == before; i++) {
        rig_step(&rig, 1);
        sl_writer_numbers(rig.writer, &numbers);
    }
    CHECK_U64(numbers.loads - before, 20); /* the second one's first round */
    CHECK(chains[0]->status == 0 && chains[1]->status == 0);
    CHECK(rig_wait_all(&rig));
    CHECK_U64(chains[0]->status, 201);
    CHECK_U64(chains[1]->status, 201);
    sl_writer_numbers(rig.writer, &numbers);
    CHECK_U64(numbers.loads - before, 40);
    end();
}

/* ---- Commands that take their time ---------------------------------------------------------- */

enum { COMMAND_NS = 50000 };

static void (*more_of_chain)(const struct sl_case *c, struct sl_needs *out);
static uint64_t asked;

static void slow_more(const struct sl_case *c, struct sl_needs *out)
{
    asked++;
    sl_sim_advance(rig.env, COMMAND_NS);
    more_of_chain(c, out);
}

/* Hundreds that come at once are prepared and decided in turns of about a millisecond; who looks
 * something up meanwhile waits for one of them. */
static void many_take_many_turns(void)
{
    enum { COMMANDS = 500, TURN_ASKS = 2 * 1000000 / COMMAND_NS };
    static struct sl_command commands[16];
    struct sl_domain slow = rig_domain;
    uint64_t most = 0;
    const unsigned before = sl_mark_count("writer: the rest is prepared in another turn");

    for (size_t i = 0; i < rig_domain.commands.count; i++) {
        commands[i] = rig_domain.commands.items[i];
        if (strcmp(commands[i].name, "Chain") != 0)
            continue;
        more_of_chain = commands[i].more;
        commands[i].more = slow_more;
    }
    slow.commands.items = commands;
    REQUIRE(CHECK(rig_open(&rig, 7, (struct rig_options){.domain = &slow})));
    asked = 0;
    const size_t first = rig.command_count;
    for (int i = 0; i < COMMANDS; i++) {
        rig_chain(&rig, 1, 1);
        rig_send(&rig, &rig.commands[rig.command_count - 1]);
    }
    for (int i = 0; i < 100000 && rig.commands[first + COMMANDS - 1].status == 0; i++) {
        const uint64_t so_far = asked;
        rig_step(&rig, 1);
        most = asked - so_far > most ? asked - so_far : most;
    }
    CHECK(rig_wait_all(&rig));
    for (size_t i = first; i < rig.command_count; i++)
        CHECK_U64(rig.commands[i].status, 201);
    tap_note("at most %llu in a turn, of %llu", (unsigned long long)most,
             (unsigned long long)asked);
    CHECK(most <= TURN_ASKS);
    CHECK(asked >= COMMANDS);
    CHECK(sl_mark_count("writer: the rest is prepared in another turn") > before);
    end();
}

int main(void)
{
    return TAP_RUN({"needs in rounds", rounds}, {"lists are read ahead", lists_are_read_ahead},
                   {"many commands take many turns", many_take_many_turns});
}
