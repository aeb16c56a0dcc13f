/*
 * Many waiters for a position. The log moves as the test says and counts how often it is asked how
 * far it is: that, not a clock, shows that the work grows with the waiters and not with their
 * square.
 */
#include "engine/core.h"
#include "tap/tap.h"

enum { WAITERS = 10000 };

static struct sl_writer_log log_state;
static uint64_t looks;
static struct sl_core core;
static struct sl_core_domain domain = {.core = &core};
static struct sl_wait waits[WAITERS];
static size_t ended, late;
static void (*when_ended)(struct sl_wait *wait);

static struct sl_view_status view_state;

/* What wait.c asks of the rest of the engine. */
const struct sl_writer_log *sl_writer_log(const struct sl_writer *writer)
{
    (void)writer;
    looks++;
    return &log_state;
}

struct sl_view_status sl_view_table_status(const struct sl_view_table *table)
{
    (void)table;
    return view_state;
}

enum sl_lookup_result sl_view_lookup(struct sl_view_table *table, struct sl_text key,
                                     struct sl_view_row *out)
{
    (void)table, (void)key, (void)out;
    return SL_LOOKUP_ABSENT;
}

enum sl_err sl_view_fetch(struct sl_view_table *table, struct sl_text key)
{
    (void)table, (void)key;
    return SL_OK;
}

void sl_view_hurry(struct sl_view_table *table)
{
    (void)table;
}

void sl_core_saw_reader(struct sl_core *seen)
{
    (void)seen;
}

static void done(struct sl_wait *wait, bool is_there, uint64_t at)
{
    ended++;
    late += !is_there || at < wait->position;
    if (when_ended)
        when_ended(wait);
}

static void begin(size_t i, uint64_t position)
{
    waits[i] = (struct sl_wait){.domain = &domain,
                                .path = SL_PATH_LOG,
                                .position = position,
                                .until_ns = 1000,
                                .done = done};
    sl_core_wait(&waits[i]);
}

static void start(size_t count)
{
    sl_core_cancel_all(&domain);
    log_state.durable = 0;
    when_ended = NULL;
    ended = late = 0;
    for (size_t i = 0; i < count; i++)
        begin(i, 1 + i);
    looks = 0;
}

static void ten_thousand_end_in_linear_work(void)
{
    start(WAITERS);
    log_state.durable = WAITERS / 2;
    sl_core_check_waits(&domain);
    CHECK_U64(ended, WAITERS / 2);
    log_state.durable = WAITERS;
    sl_core_check_waits(&domain);
    CHECK_U64(ended, WAITERS);
    CHECK_U64(late, 0);
    CHECK(looks <= 3 * WAITERS);
    CHECK(domain.waits == NULL);
}

/* The newest stands first: waits[3] ends first, and the walk's next one would be waits[2]. */
static void cancel_the_next(struct sl_wait *wait)
{
    if (wait == &waits[3])
        sl_core_wait_cancel(&waits[2]);
}

static void a_callback_cancels_the_next(void)
{
    start(4);
    when_ended = cancel_the_next;
    log_state.durable = 4;
    sl_core_check_waits(&domain);
    CHECK_U64(ended, 3);
    CHECK(domain.waits == NULL);
}

static void move_on_and_wait_again(struct sl_wait *wait)
{
    if (wait == &waits[0] && log_state.durable == 1) {
        begin(0, 4);
        log_state.durable = 5;
    }
}

static void a_callback_moves_the_log_and_waits_again(void)
{
    start(3);
    when_ended = move_on_and_wait_again;
    log_state.durable = 1;
    sl_core_check_waits(&domain);
    when_ended = NULL;
    CHECK_U64(ended, 4);
    CHECK_U64(late, 0);
    CHECK(domain.waits == NULL);
}

static void late_ones_are_told(void)
{
    start(3);
    log_state.durable = 1;
    sl_core_check_waits(&domain);
    sl_core_expire_waits(&core, 999);
    CHECK_U64(ended, 1);
    sl_core_expire_waits(&core, 1000);
    CHECK_U64(ended, 3);
    CHECK_U64(late, 2);
    sl_heap_close(&core.deadlines);
}

/* A view that is degraded below the position never gets there; one that only stands may. */
static void a_degraded_view_is_not_waited_for(void)
{
    static struct sl_wait wait;

    start(0);
    view_state = (struct sl_view_status){
        .state = SL_VIEW_RUNNING, .attached = true, .position = 2, .stored = 1, .unsettled = true};
    for (int i = 0; i < 2; i++) {
        wait = (struct sl_wait){.domain = &domain,
                                .path = i == 0 ? SL_PATH_LOOKUP : SL_PATH_LIST,
                                .position = 3,
                                .until_ns = 1000,
                                .done = done};
        view_state.state = SL_VIEW_RUNNING;
        sl_core_wait(&wait);
        sl_core_check_waits(&domain);
        CHECK_U64(ended, (uint64_t)i);
        view_state.state = SL_VIEW_DEGRADED;
        sl_core_check_waits(&domain);
        CHECK_U64(ended, (uint64_t)i + 1);
        CHECK_U64(late, (uint64_t)i + 1);
        CHECK(domain.waits == NULL);
    }
    /* What it has applied will be stored. */
    wait.position = 2;
    sl_core_wait(&wait);
    sl_core_check_waits(&domain);
    CHECK_U64(ended, 2);
    view_state.stored = 2;
    sl_core_check_waits(&domain);
    CHECK_U64(ended, 3);
    CHECK_U64(late, 2);
    wait.position = 3;
    sl_core_wait(&wait);
    CHECK_U64(ended, 4);
    CHECK_U64(late, 3);
    sl_heap_close(&core.deadlines);
}

int main(void)
{
    return TAP_RUN({"ten thousand end in linear work", ten_thousand_end_in_linear_work},
                   {"a callback cancels the next", a_callback_cancels_the_next},
                   {"a callback moves the log and waits again",
                    a_callback_moves_the_log_and_waits_again},
                   {"late ones are told", late_ones_are_told},
                   {"a degraded view is not waited for", a_degraded_view_is_not_waited_for});
}
