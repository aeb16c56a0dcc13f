#include "base/queue.h"
#include "tap/tap.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

static int64_t monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

enum { SENDERS = 4, EACH = 5000 };

struct letter {
    struct sl_message message;
    unsigned sender;
    unsigned number;
};

struct sender {
    struct sl_mailbox *mailbox;
    unsigned number;
    struct letter letters[EACH];
};

static struct sender senders[SENDERS];

static void *send_all(void *context)
{
    struct sender *sender = context;

    for (unsigned i = 0; i < EACH; i++) {
        sender->letters[i] = (struct letter){.sender = sender->number, .number = i};
        sl_mailbox_post(sender->mailbox, &sender->letters[i].message);
    }
    return NULL;
}

/* Every message arrives once, those of one sender in their order. */
static void receives_from_many(void)
{
    struct sl_mailbox *mailbox;
    pthread_t threads[SENDERS];
    unsigned next[SENDERS] = {0}, received = 0;

    REQUIRE(sl_mailbox_new(NULL, NULL, &mailbox) == SL_OK);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i].mailbox = mailbox;
        senders[i].number = i;
        REQUIRE(pthread_create(&threads[i], NULL, send_all, &senders[i]) == 0);
    }
    while (received < SENDERS * EACH) {
        struct sl_message *message = sl_mailbox_wait(mailbox, INT64_MAX);
        REQUIRE(message);
        for (; message; message = message->next, received++) {
            const struct letter *letter = (const struct letter *)message;
            REQUIRE(letter->number == next[letter->sender]++);
        }
    }
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(!sl_mailbox_has_mail(mailbox));
    sl_mailbox_free(mailbox);
}

static void takes_oldest_first(void)
{
    struct sl_mailbox *mailbox;
    struct sl_message messages[3];

    REQUIRE(sl_mailbox_new(NULL, NULL, &mailbox) == SL_OK);
    CHECK(!sl_mailbox_has_mail(mailbox) && !sl_mailbox_take_all(mailbox));
    for (int i = 0; i < 3; i++)
        sl_mailbox_post(mailbox, &messages[i]);
    CHECK(sl_mailbox_has_mail(mailbox));
    CHECK(sl_mailbox_take_all(mailbox) == &messages[0]);
    CHECK(messages[0].next == &messages[1] && messages[1].next == &messages[2] &&
          !messages[2].next);
    CHECK(!sl_mailbox_take_all(mailbox));
    sl_mailbox_post(mailbox, &messages[2]);
    CHECK(sl_mailbox_wait(mailbox, INT64_MAX) == &messages[2]);
    sl_mailbox_free(mailbox);
    sl_mailbox_free(NULL);
}

static void waits_until_the_deadline(void)
{
    struct sl_mailbox *mailbox;
    struct sl_message message;

    REQUIRE(sl_mailbox_new(NULL, NULL, &mailbox) == SL_OK);
    CHECK(!sl_mailbox_wait(mailbox, 0));
    CHECK(!sl_mailbox_wait(mailbox, INT64_MIN));
    const int64_t deadline = monotonic() + 5000000;
    CHECK(!sl_mailbox_wait(mailbox, deadline));
    CHECK(monotonic() >= deadline);
    sl_mailbox_post(mailbox, &message);
    CHECK(sl_mailbox_wait(mailbox, 0) == &message);
    sl_mailbox_free(mailbox);
}

/* A receiver that rests can be borrowed; what is posted meanwhile it gets afterwards, and a
 * deadline that passes meanwhile is kept late. */
struct sleeper {
    struct sl_mailbox *mailbox;
    int64_t deadline;
    struct sl_message *got;
    atomic_bool back;
};

static void *sleep_once(void *context)
{
    struct sleeper *sleeper = context;

    sleeper->got = sl_mailbox_wait(sleeper->mailbox, sleeper->deadline);
    atomic_store(&sleeper->back, true);
    return NULL;
}

static void borrow_when_it_rests(struct sl_mailbox *mailbox)
{
    while (!sl_mailbox_borrow(mailbox))
        sched_yield();
}

static void lends_a_receiver_that_rests(void)
{
    const struct {
        bool posts;
        int64_t in_ns; /* its deadline */
    } cases[] = {{true, INT64_MAX}, {false, 20000000}, {true, 20000000}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sleeper sleeper = {.deadline = INT64_MAX};
        struct sl_message message;
        pthread_t thread;

        REQUIRE(sl_mailbox_new(NULL, NULL, &sleeper.mailbox) == SL_OK);
        CHECK(!sl_mailbox_borrow(sleeper.mailbox)); /* nobody is there yet */
        if (cases[i].in_ns != INT64_MAX)
            sleeper.deadline = monotonic() + cases[i].in_ns;
        REQUIRE(pthread_create(&thread, NULL, sleep_once, &sleeper) == 0);
        borrow_when_it_rests(sleeper.mailbox);
        if (cases[i].posts)
            sl_mailbox_post(sleeper.mailbox, &message);
        while (cases[i].in_ns != INT64_MAX && monotonic() < sleeper.deadline + 1000000)
            sched_yield();
        CHECK(!atomic_load(&sleeper.back));
        sl_mailbox_give_back(sleeper.mailbox);
        pthread_join(thread, NULL);
        CHECK(sleeper.got == (cases[i].posts ? &message : NULL));
        CHECK(!sl_mailbox_borrow(sleeper.mailbox)); /* it has something in hand */
        sl_mailbox_free(sleeper.mailbox);
    }
}

static void count_wake(void *context)
{
    atomic_uint *wakes = context;

    atomic_fetch_add(wakes, 1);
}

static void wakes_when_it_was_empty(void)
{
    struct sl_mailbox *mailbox;
    struct sl_message messages[3];
    atomic_uint wakes = 0;

    REQUIRE(sl_mailbox_new(count_wake, &wakes, &mailbox) == SL_OK);
    CHECK(sl_mailbox_context(mailbox) == &wakes);
    sl_mailbox_post(mailbox, &messages[0]);
    CHECK_U64(wakes, 1);
    sl_mailbox_post(mailbox, &messages[1]);
    CHECK_U64(wakes, 1);
    CHECK(sl_mailbox_take_all(mailbox) == &messages[0]);
    sl_mailbox_post(mailbox, &messages[2]);
    CHECK_U64(wakes, 2);
    CHECK(sl_mailbox_take_all(mailbox) == &messages[2]);
    sl_mailbox_free(mailbox);
}

/* Two threads hand one message back and forth, each waiting for ever: a lost wake would hang here.
 */
struct pong {
    struct sl_mailbox *here;
    struct sl_mailbox *there;
};

static void *send_back(void *context)
{
    const struct pong *pong = context;

    for (int i = 0; i < 3000; i++)
        sl_mailbox_post(pong->there, sl_mailbox_wait(pong->here, INT64_MAX));
    return NULL;
}

static void loses_no_wake(void)
{
    struct pong pong;
    struct sl_message ball;
    pthread_t thread;

    REQUIRE(sl_mailbox_new(NULL, NULL, &pong.here) == SL_OK);
    REQUIRE(sl_mailbox_new(NULL, NULL, &pong.there) == SL_OK);
    REQUIRE(pthread_create(&thread, NULL, send_back, &pong) == 0);
    for (int i = 0; i < 3000; i++) {
        sl_mailbox_post(pong.here, &ball);
        REQUIRE(sl_mailbox_wait(pong.there, INT64_MAX) == &ball);
    }
    pthread_join(thread, NULL);
    sl_mailbox_free(pong.here);
    sl_mailbox_free(pong.there);
}

int main(void)
{
    return TAP_RUN(
        {"receives from many", receives_from_many}, {"takes oldest first", takes_oldest_first},
        {"waits until the deadline", waits_until_the_deadline},
        {"wakes when it was empty", wakes_when_it_was_empty}, {"loses no wake", loses_no_wake},
        {"lends a receiver that rests", lends_a_receiver_that_rests});
}
