/* Admission: needs in rounds, and what is read before a command's turn. */
#include "command/bench_writer.h"

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

int main(void)
{
    return TAP_RUN({"needs in rounds", rounds}, {"lists are read ahead", lists_are_read_ahead});
}
