/* The simulated clock and the order of actors. */
#include "base/env_sim.h"
#include "tap/tap.h"

#include <stdlib.h>
#include <string.h>

static const int64_t second = INT64_C(1000000000);

static void clocks_move_when_told(void)
{
    struct sl_env *env;

    REQUIRE(sl_env_sim_new(1, &env) == SL_OK);
    CHECK(sl_env_monotonic(env) == 0);
    CHECK(sl_env_now(env).ns == 1767225600 * second);
    sl_sim_advance(env, 5);
    sl_sim_jump(env, -second);
    CHECK(sl_env_monotonic(env) == 5);
    CHECK(sl_env_now(env).ns == 1767225599 * second + 5);
    CHECK(sl_sim_run(env, INT64_MAX) == 0 && !sl_sim_step(env));
    CHECK(sl_env_monotonic(env) == 5); /* nobody waits for anything: time need not pass */
    sl_env_free(env);
}

/* ---- Actors that write down what happens ----------------------------------------------------- */

struct diary {
    char text[4096];
    size_t len;
};

struct talker {
    struct sl_env *env;
    struct diary *diary;
    struct sl_mailbox *mailbox;
    struct talker *other;
    char name;
    unsigned posts_left; /* messages passed on */
    int64_t every;       /* ns between deadlines, 0: none */
    unsigned ticks_left;
};

static void note(struct diary *diary, char what)
{
    if (diary->len + 1 < sizeof diary->text)
        diary->text[diary->len++] = what;
}

static void talk(void *self, struct sl_message *message)
{
    struct talker *talker = self;

    note(talker->diary, talker->name);
    if (talker->other && talker->posts_left > 0) {
        talker->posts_left--;
        sl_mailbox_post(talker->other->mailbox, message);
    }
}

static int64_t end_turn(void *self)
{
    struct talker *talker = self;

    note(talker->diary, '.');
    if (talker->ticks_left == 0)
        return INT64_MAX;
    talker->ticks_left--;
    return sl_env_monotonic(talker->env) + talker->every;
}

static void start(struct sl_env *env, struct talker *talker, struct diary *diary, char name)
{
    struct sl_error error;
    const struct sl_actor actor = {"talker", talker, talk, end_turn, false};

    talker->env = env;
    talker->diary = diary;
    talker->name = name;
    CHECK(sl_env_start(env, &actor, &talker->mailbox, &error) == SL_OK);
}

static void talk_with_seed(uint64_t seed, struct diary *diary)
{
    struct sl_env *env;
    struct talker talkers[3] = {{.posts_left = 20}, {.posts_left = 20}, {.posts_left = 20}};
    struct sl_message messages[6] = {0};

    memset(diary, 0, sizeof *diary);
    REQUIRE(sl_env_sim_new(seed, &env) == SL_OK);
    for (int i = 0; i < 3; i++)
        start(env, &talkers[i], diary, (char)('a' + i));
    for (int i = 0; i < 3; i++)
        talkers[i].other = &talkers[(i + 1) % 3];
    for (int i = 0; i < 6; i++)
        sl_mailbox_post(talkers[i % 3].mailbox, &messages[i]);
    CHECK(sl_sim_run(env, INT64_MAX) == diary->len);
    for (int i = 0; i < 3; i++)
        sl_env_stop(env, talkers[i].mailbox);
    sl_env_free(env);
}

static void seeds_decide_the_order(void)
{
    static struct diary first, again, other;
    unsigned different = 0;

    for (uint64_t seed = 0; seed < 20; seed++) {
        talk_with_seed(seed, &first);
        talk_with_seed(seed, &again);
        CHECK_STRING(again.text, first.text);
        talk_with_seed(seed + 1, &other);
        different += strcmp(first.text, other.text) != 0;
    }
    CHECK(different > 15);
}

static void turns_follow_all_mail(void)
{
    struct sl_env *env;
    static struct diary diary;
    struct talker talker = {0};
    struct sl_message messages[3] = {0};

    diary = (struct diary){0};
    REQUIRE(sl_env_sim_new(1, &env) == SL_OK);
    start(env, &talker, &diary, 'a');
    CHECK(!sl_sim_step(env)); /* no turn before the first message */
    sl_mailbox_post(talker.mailbox, &messages[0]);
    sl_mailbox_post(talker.mailbox, &messages[1]);
    CHECK(sl_sim_step(env));
    sl_mailbox_post(talker.mailbox, &messages[2]); /* waits for the next turn */
    while (sl_sim_step(env))
        ;
    CHECK_STRING(diary.text, "aa.a.");
    sl_mailbox_post(talker.mailbox, &messages[0]);
    sl_env_stop(env, talker.mailbox);
    CHECK_STRING(diary.text, "aa.a.a.");
    sl_env_free(env);
}

static void time_passes_to_deadlines(void)
{
    struct sl_env *env;
    static struct diary diary;
    struct talker fast = {.every = second, .ticks_left = 10};
    struct talker slow = {.every = 4 * second, .ticks_left = 2};
    struct sl_message messages[2] = {0};

    diary = (struct diary){0};
    REQUIRE(sl_env_sim_new(7, &env) == SL_OK);
    start(env, &fast, &diary, 'f');
    start(env, &slow, &diary, 's');
    sl_mailbox_post(fast.mailbox, &messages[0]);
    sl_mailbox_post(slow.mailbox, &messages[1]);
    /* Two steps, their turns, and the fast one's three first deadlines. */
    CHECK_U64(sl_sim_run(env, 3 * second + 500), 7);
    CHECK(sl_env_monotonic(env) == 3 * second + 500);
    CHECK(sl_env_now(env).ns == 1767225603 * second + 500);
    CHECK_U64(sl_sim_run(env, 2 * second), 0); /* that time is over */
    CHECK(sl_env_monotonic(env) == 3 * second + 500);
    CHECK_U64(fast.ticks_left, 6);
    /* Seven deadlines of the one and two of the other. */
    CHECK_U64(sl_sim_run(env, INT64_MAX), 9);
    CHECK(sl_env_monotonic(env) == 10 * second);
    sl_env_stop(env, fast.mailbox);
    sl_env_stop(env, slow.mailbox);
    sl_env_free(env);
}

static void advancing_makes_deadlines_due(void)
{
    struct sl_env *env;
    static struct diary diary;
    struct talker talker = {.every = second, .ticks_left = 1};
    struct sl_message message = {0};

    diary = (struct diary){0};
    REQUIRE(sl_env_sim_new(7, &env) == SL_OK);
    start(env, &talker, &diary, 'a');
    sl_mailbox_post(talker.mailbox, &message);
    CHECK(sl_sim_step(env) && sl_sim_step(env) && !sl_sim_step(env));
    sl_sim_advance(env, second - 1);
    CHECK(!sl_sim_step(env));
    sl_sim_advance(env, 1);
    CHECK(sl_sim_step(env) && !sl_sim_step(env));
    CHECK_STRING(diary.text, "a..");
    sl_env_stop(env, talker.mailbox);
    sl_env_free(env);
}

/* With the system's whims another order comes out; the same seed gives the same digest again, and
 * another seed another one. Returns the digest. */
static uint64_t talk_unfairly(uint64_t seed, uint64_t steps_max, struct diary *diary)
{
    struct sl_env *env;
    struct talker talkers[2] = {0};
    struct sl_message messages[80] = {0};

    memset(diary, 0, sizeof *diary);
    if (!CHECK(sl_env_sim_new(seed, &env) == SL_OK))
        return 0;
    sl_sim_unfair(env, steps_max);
    for (int i = 0; i < 2; i++)
        start(env, &talkers[i], diary, (char)('a' + i));
    for (int i = 0; i < 80; i++)
        sl_mailbox_post(talkers[i % 2].mailbox, &messages[i]);
    sl_sim_run(env, INT64_MAX);
    const uint64_t digest = sl_sim_digest(env);
    for (int i = 0; i < 2; i++)
        sl_env_stop(env, talkers[i].mailbox);
    sl_env_free(env);
    return digest;
}

static size_t longest_run(const struct diary *diary)
{
    size_t longest = 0, run = 0;

    for (size_t i = 0; i < diary->len; i++) {
        run = i > 0 && diary->text[i] == diary->text[i - 1] ? run + 1 : 1;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void seeds_leave_actors_alone(void)
{
    static struct diary diary;
    size_t fair = 0, unfair = 0;
    unsigned different = 0;

    for (uint64_t seed = 0; seed < 20; seed++) {
        talk_unfairly(seed, 0, &diary);
        fair += longest_run(&diary);
        const uint64_t digest = talk_unfairly(seed, 60, &diary);
        unfair += longest_run(&diary);
        CHECK_U64(diary.len, 84); /* held, but not for ever: 80 messages and four turns */
        CHECK_U64(talk_unfairly(seed, 60, &diary), digest);
        different += talk_unfairly(seed + 1, 60, &diary) != digest;
    }
    CHECK(unfair > 3 * fair / 2);
    CHECK_U64(different, 20);
}

/* ---- Power loss ------------------------------------------------------------------------------ */

static void actors_die_with_the_power(void)
{
    struct sl_env *env;
    static struct diary diary;
    struct talker dead = {.every = second, .ticks_left = 5}, forgotten = {0}, next = {0};
    struct sl_message messages[3] = {0};

    diary = (struct diary){0};
    REQUIRE(sl_env_sim_new(7, &env) == SL_OK);
    start(env, &dead, &diary, 'd');
    start(env, &forgotten, &diary, 'x');
    sl_mailbox_post(dead.mailbox, &messages[0]);
    CHECK_U64(sl_sim_run(env, second), 3);
    sl_mailbox_post(dead.mailbox, &messages[1]);
    sl_sim_power_loss(env);
    CHECK_U64(sl_sim_run(env, INT64_MAX), 0);
    start(env, &next, &diary, 'n');
    sl_mailbox_post(next.mailbox, &messages[2]);
    CHECK_U64(sl_sim_run(env, INT64_MAX), 2);
    sl_env_stop(env, dead.mailbox); /* runs nothing, frees it */
    CHECK_STRING(diary.text, "d..n.");
    sl_env_stop(env, next.mailbox);
    sl_env_free(env); /* frees the one that nobody stopped */
}

struct writer {
    struct sl_file *file;
    unsigned good;
    unsigned failed;
};

static void write_one(void *self, struct sl_message *message)
{
    struct writer *writer = self;

    (void)message;
    if (sl_file_write_durable(writer->file, 0, "x", 1, NULL) == SL_OK)
        writer->good++;
    else
        writer->failed++;
}

/* After the step in which the power failed nobody does anything. */
static void a_run_ends_with_the_power(void)
{
    struct sl_env *env;
    struct sl_error error;
    struct sl_mailbox *mailbox;
    struct writer writer = {0};
    struct sl_message messages[6] = {0};

    REQUIRE(sl_env_sim_new(7, &env) == SL_OK);
    REQUIRE(sl_disk_open(env, "f", SL_OPEN_WRITE | SL_OPEN_CREATE, &writer.file, &error) == SL_OK);
    const struct sl_actor actor = {.name = "writer", .self = &writer, .step = write_one};
    REQUIRE(sl_env_start(env, &actor, &mailbox, &error) == SL_OK);
    for (int i = 0; i < 6; i++)
        sl_mailbox_post(mailbox, &messages[i]);
    CHECK_U64(sl_sim_disk_calls(env), 1);
    sl_sim_power_loss_at(env, 3);
    CHECK_U64(sl_sim_run(env, INT64_MAX), 3);
    CHECK(sl_sim_power_is_out(env));
    CHECK(writer.good == 2 && writer.failed == 1);
    sl_sim_power_loss(env);
    CHECK(!sl_sim_power_is_out(env));
    CHECK(sl_file_write(writer.file, 0, "x", 1, &error) == SL_IO);
    sl_file_close(writer.file);
    sl_env_stop(env, mailbox);
    sl_env_free(env);
}

int main(void)
{
    return TAP_RUN({"clocks move when told", clocks_move_when_told},
                   {"seeds decide the order", seeds_decide_the_order},
                   {"seeds leave actors alone", seeds_leave_actors_alone},
                   {"turns follow all mail", turns_follow_all_mail},
                   {"time passes to deadlines", time_passes_to_deadlines},
                   {"advancing makes deadlines due", advancing_makes_deadlines_due},
                   {"actors die with the power", actors_die_with_the_power},
                   {"a run ends with the power", a_run_ends_with_the_power});
}
