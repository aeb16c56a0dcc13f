/* The loop: sleeping, time limits, stopping, listeners. */
#include "net/rig.h"
#include "tap/tap.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define NONE ((struct sl_text){NULL, 0})

/* The net's thread's, and the test's after rig_stop. */
static struct sl_request *held;
static struct sl_stream *stream;
static atomic_int gone_count;
static struct sl_net_numbers numbers;

static void on_stream_gone(void *context)
{
    (void)context;
    atomic_fetch_add(&gone_count, 1);
    sl_stream_end(stream);
    stream = NULL;
}

static void handle(void *context, struct sl_request *request)
{
    (void)context;
    if (sl_text_equals(request->path, SL_TEXT("/hold"))) {
        held = request;
        return;
    }
    if (sl_text_equals(request->path, SL_TEXT("/stream"))) {
        stream = sl_request_stream(request, NONE);
        sl_stream_on_gone(stream, on_stream_gone, NULL);
        return;
    }
    if (sl_text_equals(request->path, SL_TEXT("/big"))) {
        static char bytes[8 << 20];
        sl_request_answer(request, 200, NULL, NONE, (struct sl_text){bytes, sizeof bytes});
        return;
    }
    sl_request_answer(request, 200, "text/plain", NONE,
                      request->local ? SL_TEXT("local") : SL_TEXT("remote"));
}

static struct rig rig_of(struct sl_net_options options)
{
    held = NULL;
    stream = NULL;
    atomic_store(&gone_count, 0);
    return (struct rig){.options = options, .handler = handle};
}

static void nothing(struct rig *rig)
{
    (void)rig;
}

static void take_numbers(struct rig *rig)
{
    numbers = sl_net_numbers(rig->net);
}

static void stop_kindly(struct rig *rig)
{
    sl_net_stop(rig->net, 60000);
}

static void answer_held(struct rig *rig)
{
    (void)rig;
    sl_request_answer(held, 200, "text/plain", NONE, SL_TEXT("held"));
    held = NULL;
}

static bool hold(struct rig *rig, int fd)
{
    if (!client_send(fd, GET("/hold")))
        return false;
    for (int i = 0; i < 100000; i++) {
        rig_call(rig, take_numbers);
        if (numbers.requests_total > 0)
            return true;
    }
    return false;
}

/* ---- Sleeping -----------------------------------------------------------------------------------
 */

/* Connections with a second to live yet must not wake the loop before: each call of ours is one
 * wake-up (two where the mail was taken before its signal), and a tick would show as many more. */
static void sleeps(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http), other = client_open(rig.http);
    const struct timespec pause = {.tv_nsec = 300000000};

    CHECK(client_send(fd, GET("/a")) && client_answer(fd, &body) == 200);
    CHECK(client_send(other, GET("/a")) && client_answer(other, &body) == 200);
    rig_call(&rig, take_numbers);
    const uint64_t before = numbers.wakeups;
    nanosleep(&pause, NULL); /* the one test about time that passes: nothing may happen in it */
    rig_call(&rig, take_numbers);
    CHECK(numbers.wakeups - before <= 3);
    close(fd);
    close(other);
    rig_close(&rig);
}

static struct sl_env *turn_env; /* both set before the net's thread starts */
static int64_t turn_deadline_ns;
static atomic_bool met;

/* Other turns may come before: each gives the same deadline until it has been reached. */
static int64_t turn(void *context)
{
    (void)context;
    if (sl_env_monotonic(turn_env) < turn_deadline_ns)
        return turn_deadline_ns;
    atomic_store(&met, true);
    return INT64_MAX;
}

/* The deadline that `turn` gives is met by another turn. */
static void meets_deadlines(void)
{
    struct rig rig = rig_of((struct sl_net_options){.turn = turn});
    REQUIRE(sl_env_posix_new(&turn_env, NULL) == SL_OK);

    atomic_store(&met, false);
    turn_deadline_ns = sl_env_monotonic(turn_env) + 20000000;
    REQUIRE(rig_start(&rig));
    while (!atomic_load(&met) && sl_env_monotonic(turn_env) < turn_deadline_ns + 5000000000)
        continue;
    CHECK(atomic_load(&met));
    rig_close(&rig);
    sl_env_free(turn_env);
}

/* ---- Time limits --------------------------------------------------------------------------------
 */

static void closes_idle_connections(void)
{
    struct rig rig = rig_of((struct sl_net_options){.idle_ms = 20});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http), used = client_open(rig.http);

    CHECK(client_send(used, GET("/a")) && client_answer(used, &body) == 200);
    CHECK(client_ended(used));
    CHECK(client_ended(fd));
    close(fd);
    close(used);
    rig_close(&rig);
}

static void does_not_wait_for_slow_senders(void)
{
    static const char *const starts[] = {
        "G",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
    };
    struct rig rig = rig_of((struct sl_net_options){.head_ms = 20, .request_ms = 20});
    const char *body;
    REQUIRE(rig_start(&rig));

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        const int fd = client_open(rig.http);
        CHECK(client_send(fd, starts[i]));
        CHECK(client_answer(fd, &body) == 408);
        CHECK(strstr(body, "/errors/request_too_slow") != NULL);
        CHECK(client_ended(fd));
        close(fd);
    }
    rig_close(&rig);
}

/* A sender that drips a byte now and then is not saved by it: the limit is for the whole head. */
static void is_not_fooled_by_drips(void)
{
    struct rig rig = rig_of((struct sl_net_options){.head_ms = 30});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    CHECK(client_send(fd, "GET /"));
    while (recv(fd, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN)
        client_send(fd, "a");
    const int status = client_answer(fd, &body);
    CHECK(status == 408 || status == 414); /* the second on a fast machine */
    close(fd);
    rig_close(&rig);
}

enum { LIMIT_MS = 30, SLOW_BYTES = 100000 };

/* How long a peer paused at most. On a machine that has no time for it, that may be longer than the
 * limit: then nothing can be said. */
static int64_t longest_ns, latest_ns;

static void go_on(struct rig *rig)
{
    const int64_t now_ns = sl_env_monotonic(rig->env);

    if (latest_ns > 0 && now_ns - latest_ns > longest_ns)
        longest_ns = now_ns - latest_ns;
    latest_ns = now_ns;
}

static bool was_steady(void)
{
    const bool steady = longest_ns < LIMIT_MS * INT64_C(1000000) / 4;

    longest_ns = latest_ns = 0;
    return steady;
}

/* Long enough to see that a limit is not met; what must come is waited for. */
enum { PATIENT_MS = 3 * LIMIT_MS, CERTAIN_MS = 20000 };

/* Drips a body for so long, or until there is an answer. */
static int drip(struct rig *rig, int ms)
{
    const char *body;
    const int fd = client_open(rig->http);
    const int64_t end_ns = sl_env_monotonic(rig->env) + ms * INT64_C(1000000);
    int sent = 0;

    CHECK(client_send(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"));
    while (sl_env_monotonic(rig->env) < end_ns &&
           recv(fd, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN) {
        if (sent < SLOW_BYTES / 2 && client_send(fd, "a"))
            sent++;
        rig_call(rig, nothing);
        go_on(rig);
    }
    while (sent < SLOW_BYTES && client_send(fd, "a"))
        sent++;
    go_on(rig);
    const int status = client_answer(fd, &body);
    close(fd);
    return status;
}

static void takes_bodies_at_their_rate(void)
{
    struct rig rig =
        rig_of((struct sl_net_options){.request_ms = LIMIT_MS, .body_rate_min = 1 << 30});
    REQUIRE(rig_start(&rig));
    CHECK_U64(drip(&rig, CERTAIN_MS), 408);
    was_steady();
    rig_close(&rig);

    rig = rig_of((struct sl_net_options){.request_ms = LIMIT_MS, .body_rate_min = 1});
    REQUIRE(rig_start(&rig));
    const int status = drip(&rig, PATIENT_MS);
    CHECK(status == 200 || !was_steady());
    rig_close(&rig);
}

/* Reads what has come, for so long. It must be all of it: of a few bytes taken from a full buffer
 * the sender hears nothing before they are many. True: it was dropped. */
static bool sip(struct rig *rig, int ms)
{
    const unsigned before = sl_mark_count("net slow reader");
    const int fd = client_open_small(rig->http);
    const int64_t end_ns = sl_env_monotonic(rig->env) + ms * INT64_C(1000000);

    go_on(rig);
    CHECK(client_send(fd, GET("/big")));
    while (sl_env_monotonic(rig->env) < end_ns && sl_mark_count("net slow reader") == before) {
        char bytes[8192];
        (void)!recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        rig_call(rig, nothing);
        go_on(rig);
    }
    close(fd);
    return sl_mark_count("net slow reader") > before;
}

static void serves_readers_at_their_rate(void)
{
    struct rig rig = rig_of((struct sl_net_options){.send_ms = LIMIT_MS, .send_rate_min = 1 << 30});
    REQUIRE(rig_start(&rig));
    CHECK(sip(&rig, CERTAIN_MS));
    was_steady();
    rig_close(&rig);

    rig = rig_of((struct sl_net_options){.send_ms = LIMIT_MS, .send_rate_min = 1});
    REQUIRE(rig_start(&rig));
    const bool dropped = sip(&rig, PATIENT_MS);
    CHECK(!dropped || !was_steady());
    rig_close(&rig);
}

static void drops_who_does_not_read(void)
{
    struct rig rig = rig_of((struct sl_net_options){.send_ms = 30});
    const unsigned before = sl_mark_count("net slow reader");
    REQUIRE(rig_start(&rig));
    const int fd = client_open_small(rig.http);

    CHECK(client_send(fd, GET("/big")));
    for (int i = 0; i < 1000000 && sl_mark_count("net slow reader") == before; i++)
        rig_call(&rig, nothing);
    CHECK(sl_mark_count("net slow reader") > before);
    close(fd);
    rig_close(&rig);
}

/* ---- Stopping
 * ------------------------------------------------------------------------------------ */

static void stops_gracefully(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http), idle = client_open(rig.http),
              half = client_open(rig.http);

    CHECK(client_send(half, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"));
    REQUIRE(hold(&rig, fd));
    rig_call(&rig, stop_kindly);
    CHECK(client_ended(idle));
    CHECK(client_open(rig.http) < 0);
    rig_call(&rig, answer_held);
    CHECK(client_answer(fd, &body) == 200);
    CHECK_STRING(body, "held");
    CHECK(strstr(client_head(), "Connection: close\r\n") != NULL);
    CHECK(client_ended(fd));
    CHECK(client_send(half, "ab"));
    CHECK(client_answer(half, &body) == 200);
    CHECK(strstr(client_head(), "Connection: close\r\n") != NULL);
    CHECK(client_ended(half));
    close(fd);
    close(idle);
    close(half);
    rig_join(&rig);
    rig_close(&rig);
}

/* With no grace, the connection is cut and the request never answered; freeing the net frees it. */
static void stops_at_once(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    REQUIRE(hold(&rig, fd));
    rig_stop(&rig, 0);
    CHECK(client_ended(fd));
    close(fd);
    rig_close(&rig);
}

static void ends_streams(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    CHECK(client_send(fd, GET("/stream")));
    CHECK(client_until(fd, "\r\n\r\n") != NULL);
    rig_call(&rig, stop_kindly);
    CHECK(client_ended(fd));
    close(fd);
    rig_join(&rig);
    CHECK_U64(atomic_load(&gone_count), 1);
    rig_close(&rig);
}

static void on_signal(void *context, int number)
{
    CHECK(number == SIGTERM);
    sl_net_stop(context, 0);
}

static void hears_signals(void)
{
    struct sl_net *net;
    struct sl_env *env;
    REQUIRE(sl_env_posix_new(&env, NULL) == SL_OK);
    REQUIRE(sl_net_new(&(struct sl_net_options){.env = env}, &net, NULL) == SL_OK);

    REQUIRE(sl_net_on_signal(net, on_signal, net, NULL) == SL_OK);
    raise(SIGTERM);
    CHECK(sl_net_run(net, NULL) == SL_OK);
    sl_net_free(net);
    sl_env_free(env);
}

/* ---- Listeners
 * ------------------------------------------------------------------------------------ */

static void says_that_a_port_is_taken(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    struct sl_error error = {0};
    struct sl_net *net;
    char want[128];
    REQUIRE(rig_start(&rig));
    REQUIRE(sl_net_new(&(struct sl_net_options){.env = rig.env}, &net, NULL) == SL_OK);

    CHECK(sl_http_listen(net, "127.0.0.1", rig.http, handle, NULL, NULL, &error) == SL_BUSY);
    snprintf(want, sizeof want,
             "port %u is taken: choose another with --port, or stop the program that has it",
             rig.http);
    CHECK_STRING(error.message, want);
    CHECK(sl_http_listen(net, "not an address", 0, handle, NULL, NULL, &error) == SL_INVALID);
    CHECK(sl_http_listen(net, "203.0.113.1", 0, handle, NULL, NULL, &error) == SL_INVALID);
    sl_net_free(net);
    rig_close(&rig);
}

static void refuses_too_many(void)
{
    struct rig rig = rig_of((struct sl_net_options){.connections_max = 1});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    CHECK(client_send(fd, GET("/a")) && client_answer(fd, &body) == 200);
    const int other = client_open(rig.http);
    CHECK(client_ended(other));
    CHECK(client_send(fd, GET("/a")) && client_answer(fd, &body) == 200);
    rig_call(&rig, take_numbers);
    CHECK_U64(numbers.connections_now, 1);
    CHECK_U64(numbers.connections_refused, 1);
    close(fd);
    close(other);
    rig_close(&rig);
}

static void listens_on_unix_sockets(void)
{
    char path[64];
    struct stat info;
    struct sl_error error = {0};
    struct sl_net *net;
    const char *body;

    snprintf(path, sizeof path, "/tmp/sluice-net-test-%d.sock", (int)getpid());
    /* What a dead program leaves: a bound socket that nobody listens on. */
    struct sockaddr_un stale = {.sun_family = AF_UNIX};
    strcpy(stale.sun_path, path);
    const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(dead, (const struct sockaddr *)&stale, sizeof stale) == 0);
    close(dead);

    struct rig rig = rig_of((struct sl_net_options){0});
    rig.unix_path = path;
    REQUIRE(rig_start(&rig));
    CHECK(stat(path, &info) == 0 && (info.st_mode & 0777) == 0600);
    const int fd = client_open_unix(path);
    CHECK(client_send(fd, GET("/a")) && client_answer(fd, &body) == 200);
    CHECK_STRING(body, "local");
    REQUIRE(sl_net_new(&(struct sl_net_options){.env = rig.env}, &net, NULL) == SL_OK);
    CHECK(sl_http_listen_unix(net, path, handle, NULL, &error) == SL_BUSY);
    sl_net_free(net);
    close(fd);
    rig_close(&rig);
    CHECK(stat(path, &info) != 0 && errno == ENOENT);
}

int main(void)
{
    return TAP_RUN({"nothing happens when nothing happens", sleeps},
                   {"the deadline of a turn is met", meets_deadlines},
                   {"idle connections are closed", closes_idle_connections},
                   {"slow senders get 408", does_not_wait_for_slow_senders},
                   {"drips do not save a slow sender", is_not_fooled_by_drips},
                   {"a body has a rate", takes_bodies_at_their_rate},
                   {"so has a reader", serves_readers_at_their_rate},
                   {"who does not read is dropped", drops_who_does_not_read},
                   {"a graceful stop", stops_gracefully}, {"a stop at once", stops_at_once},
                   {"a stop ends streams", ends_streams},
                   {"signals are heard on the loop", hears_signals},
                   {"a taken port is named", says_that_a_port_is_taken},
                   {"connections over the limit are refused", refuses_too_many},
                   {"Unix sockets", listens_on_unix_sockets});
}
