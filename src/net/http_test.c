/* HTTP over real sockets. */
#include "net/rig.h"
#include "tap/tap.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define NONE ((struct sl_text){NULL, 0})

enum { LATER_MAX = 64 };

/* The net's thread's; the test's thread looks at it inside rig_call or after rig_stop. */
static struct sl_request *later[LATER_MAX];
static int later_count;
static struct sl_stream *stream;
static atomic_int gone_count;

static void on_gone(struct sl_request *request)
{
    (void)request;
    atomic_fetch_add(&gone_count, 1);
}

static void answer_text(struct sl_request *request, struct sl_text text)
{
    sl_request_answer(request, 200, "text/plain", NONE, text);
}

/* Answers those that wait, the newest first. */
static void flush_later(void)
{
    while (later_count > 0) {
        struct sl_request *request = later[--later_count];
        answer_text(request, request->path);
    }
}

static void on_stream_gone(void *context)
{
    (void)context;
    atomic_fetch_add(&gone_count, 1);
    sl_stream_end(stream);
    stream = NULL;
}

static void handle_big(struct sl_request *request)
{
    const struct sl_text size = sl_request_query(request, "size");
    char text[16] = "";

    memcpy(text, size.ptr, size.len < 15 ? size.len : 15);
    const size_t len = strtoul(text, NULL, 10);
    char *bytes = sl_arena_take(request->arena, len);
    memset(bytes, 'b', len);
    answer_text(request, (struct sl_text){bytes, len});
}

static void handle(void *context, struct sl_request *request)
{
    (void)context;
    if (sl_text_equals(request->path, SL_TEXT("/echo"))) {
        sl_request_answer(request, 200, "text/plain", SL_TEXT("X-Echo: yes\r\n"), request->body);
    } else if (request->path.len >= 6 && memcmp(request->path.ptr, "/later", 6) == 0) {
        request->gone = on_gone;
        later[later_count++] = request;
    } else if (sl_text_equals(request->path, SL_TEXT("/flush"))) {
        flush_later();
        answer_text(request, request->path);
    } else if (sl_text_equals(request->path, SL_TEXT("/query"))) {
        const struct sl_text value = sl_request_query(request, "q");
        answer_text(request, value.ptr ? value : SL_TEXT("(none)"));
    } else if (sl_text_equals(request->path, SL_TEXT("/agent"))) {
        answer_text(request, sl_request_header(request, "user-agent"));
    } else if (sl_text_equals(request->path, SL_TEXT("/nothing"))) {
        sl_request_answer(request, 204, NULL, NONE, NONE);
    } else if (sl_text_equals(request->path, SL_TEXT("/big"))) {
        handle_big(request);
    } else if (sl_text_equals(request->path, SL_TEXT("/stream"))) {
        stream = sl_request_stream(request, SL_TEXT("X-More: 1\r\n"));
        sl_stream_on_gone(stream, on_stream_gone, NULL);
        sl_stream_send(stream, SL_TEXT("7"), SL_TEXT("row"), SL_TEXT("one\ntwo"));
    } else {
        answer_text(request, request->path);
    }
}

static struct rig rig_of(struct sl_net_options options)
{
    later_count = 0;
    stream = NULL;
    atomic_store(&gone_count, 0);
    return (struct rig){.options = options, .handler = handle};
}

/* Waits until the net's thread has counted `count`; each turn of the loop is asked for by a call,
 * so nothing is slept. */
static void nothing(struct rig *rig)
{
    (void)rig;
}

static bool wait_gone(struct rig *rig, int count)
{
    for (int i = 0; i < 100000 && atomic_load(&gone_count) < count; i++)
        rig_call(rig, nothing);
    return atomic_load(&gone_count) == count;
}

/* ---- Cases ---------------------------------------------------------------------------------- */

static void keeps_the_connection(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    for (int i = 0; i < 3; i++) {
        CHECK(client_send(fd, GET("/a")));
        CHECK(client_answer(fd, &body) == 200);
        CHECK_STRING(body, "/a");
    }
    CHECK(strstr(client_head(), "\r\nDate: ") && strstr(client_head(), " GMT\r\n"));
    CHECK(strstr(client_head(), "Content-Type: text/plain\r\n") != NULL);
    CHECK(strstr(client_head(), "Connection") == NULL);
    CHECK(client_send(fd, "GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    CHECK(client_answer(fd, &body) == 200);
    CHECK(strstr(client_head(), "Connection: close\r\n") != NULL);
    CHECK(client_ended(fd));
    close(fd);
    rig_close(&rig);
}

static void speaks_http_1_0(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    CHECK(client_send(fd, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    CHECK(client_answer(fd, &body) == 200);
    CHECK(strstr(client_head(), "Connection: keep-alive\r\n") != NULL);
    CHECK(client_send(fd, "GET /a HTTP/1.0\r\n\r\n"));
    CHECK(client_answer(fd, &body) == 200);
    CHECK(client_ended(fd));
    close(fd);
    rig_close(&rig);
}

/* Answers given in the opposite order leave in the order of the requests. */
static void answers_in_order(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    static const char *const paths[] = {"/later1", "/now", "/later2", "/later3", "/flush", "/end"};
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    CHECK(client_send(fd, GET("/later1") GET("/now") GET("/later2") GET("/later3") GET("/flush")
                              GET("/end")));
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        CHECK(client_answer(fd, &body) == 200);
        CHECK_STRING(body, paths[i]);
    }
    close(fd);
    rig_close(&rig);
}

/* With so many in work, the connection is not read; the one that would free them comes on another.
 */
static void stops_reading_when_full(void)
{
    struct rig rig = rig_of((struct sl_net_options){.pipeline_max = 2});
    const char *body;
    const unsigned before = sl_mark_count("net blocked");
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http), other = client_open(rig.http);

    CHECK(client_send(fd, GET("/later1") GET("/later2") GET("/later3")));
    for (int i = 0; i < 100000 && sl_mark_count("net blocked") == before; i++)
        rig_call(&rig, nothing);
    CHECK(sl_mark_count("net blocked") > before);
    CHECK(client_send(other, GET("/flush")));
    CHECK(client_answer(other, &body) == 200);
    CHECK(client_answer(fd, &body) == 200);
    CHECK(client_answer(fd, &body) == 200);
    CHECK_STRING(body, "/later2");
    /* Only now the third is taken: the second flush finds it, if it was. */
    do
        CHECK(client_send(other, GET("/flush")) && client_answer(other, &body) == 200);
    while (recv(fd, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) < 0);
    CHECK(client_answer(fd, &body) == 200);
    CHECK_STRING(body, "/later3");
    close(fd);
    close(other);
    rig_close(&rig);
}

static void reads_bodies(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    CHECK(client_send(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"));
    CHECK(client_answer(fd, &body) == 200);
    CHECK_STRING(body, "hello");
    CHECK(strstr(client_head(), "X-Echo: yes\r\n") != NULL);
    CHECK(client_send(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\n\r\n" GET("/next")));
    CHECK(client_answer(fd, &body) == 200);
    CHECK_STRING(body, "abcde");
    CHECK(client_answer(fd, &body) == 200);
    CHECK_STRING(body, "/next");
    close(fd);
    rig_close(&rig);
}

/* A body larger than any block, in pieces, with another request right behind it. */
static void reads_long_bodies(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    enum { LEN = 300000 };
    char *bytes = malloc(LEN);
    char head[128];
    const char *body;
    REQUIRE(bytes && rig_start(&rig));
    const int fd = client_open(rig.http);

    for (int i = 0; i < LEN; i++)
        bytes[i] = (char)('a' + i % 26);
    snprintf(head, sizeof head, "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", LEN);
    CHECK(client_send(fd, head));
    CHECK(client_send_bytes(fd, bytes, LEN));
    CHECK(client_send(fd, GET("/next")));
    CHECK(client_answer(fd, &body) == 200);
    CHECK(strlen(body) == LEN && memcmp(body, bytes, LEN) == 0);
    CHECK(client_answer(fd, &body) == 200);
    CHECK_STRING(body, "/next");
    free(bytes);
    close(fd);
    rig_close(&rig);
}

/* Every cut of two requests in two gives the same answers. */
static void does_not_mind_cuts(void)
{
    static const char bytes[] =
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\nde\r\n0\r\n\r\n";
    struct rig rig = rig_of((struct sl_net_options){0});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    for (size_t cut = 1; cut + 1 < sizeof bytes; cut++) {
        CHECK(client_send_bytes(fd, bytes, cut));
        rig_call(&rig, nothing);
        CHECK(client_send_bytes(fd, bytes + cut, sizeof bytes - 1 - cut));
        REQUIRE(client_answer(fd, &body) == 200);
        CHECK_STRING(body, "abc");
        REQUIRE(client_answer(fd, &body) == 200);
        CHECK_STRING(body, "de");
    }
    close(fd);
    rig_close(&rig);
}

static void waits_for_continue(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    CHECK(client_send(fd, GET("/later") "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                                        "Expect: 100-continue\r\n\r\n"));
    /* The interim answer has its place behind the answer before it. */
    const int other = client_open(rig.http);
    do
        CHECK(client_send(other, GET("/flush")) && client_answer(other, &body) == 200);
    while (recv(fd, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) < 0);
    CHECK(client_answer(fd, &body) == 200);
    CHECK_STRING(body, "/later");
    CHECK(client_expect(fd, "HTTP/1.1 100 Continue\r\n\r\n"));
    CHECK(client_send(fd, "ok"));
    CHECK(client_answer(fd, &body) == 200);
    CHECK_STRING(body, "ok");
    close(fd);
    close(other);
    rig_close(&rig);
}

static void sends_no_body_to_head(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    CHECK(client_send(fd, "HEAD /abc HTTP/1.1\r\nHost: a\r\n\r\n" GET("/nothing")));
    const char *head = client_until(fd, "\r\n\r\n");
    CHECK(head && strstr(head, "Content-Length: 4\r\n"));
    head = client_until(fd, "\r\n\r\n");
    CHECK(head && strstr(head, "HTTP/1.1 204 No Content\r\n") == head);
    CHECK(head && !strstr(head, "Content-Length"));
    close(fd);
    rig_close(&rig);
}

static void looks_into_requests(void)
{
    static const struct {
        const char *request;
        const char *body;
    } cases[] = {
        {GET("/query?a=1&q=x%20y+z&q=2"), "x y z"},
        {GET("/query?q"), ""},
        {GET("/query?qq=1"), "(none)"},
        {GET("/query?%71=1"), "1"},
        {GET("/query"), "(none)"},
        {GET("/a%2Fb%20c"), "/a/b c"},
        {"GET /agent HTTP/1.1\r\nHost: a\r\nUSER-Agent:  me \r\n\r\n", "me"},
    };
    struct rig rig = rig_of((struct sl_net_options){0});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK(client_send(fd, cases[i].request));
        CHECK(client_answer(fd, &body) == 200);
        CHECK_STRING(body, cases[i].body);
    }
    close(fd);
    rig_close(&rig);
}

static void refuses(void)
{
    static const struct {
        const char *request;
        int status;
        const char *rule;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400, "/errors/host_missing"},
        {GET("/a/%2e%2e/b"), 400, "/errors/bad_path"},
        {GET("/a%00"), 400, "/errors/bad_path"},
        {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501, "/errors/method_not_known"},
        {"GET / HTTP/3.0\r\n", 505, "/errors/version_not_supported"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413,
         "/errors/body_too_large"},
        {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n", 413,
         "/errors/body_too_large"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400,
         "/errors/bad_chunk"},
    };
    struct rig rig = rig_of((struct sl_net_options){.body_bytes_max = 1000});
    const char *body;
    REQUIRE(rig_start(&rig));

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int fd = client_open(rig.http);
        /* What follows a refused request is not carried out. */
        CHECK(client_send(fd, cases[i].request) && client_send(fd, GET("/smuggled")));
        CHECK_U64(client_answer(fd, &body), cases[i].status);
        CHECK(strstr(body, cases[i].rule) != NULL);
        CHECK(strstr(client_head(), "application/problem+json") != NULL);
        CHECK(strstr(client_head(), "Connection: close") != NULL);
        CHECK(client_ended(fd));
        close(fd);
    }
    rig_stop(&rig, 0);
    CHECK_U64(sl_net_numbers(rig.net).requests_bad, sizeof cases / sizeof cases[0]);
    CHECK_U64(sl_net_numbers(rig.net).requests_total, 0);
    rig_close(&rig);
}

static void limits_heads_and_chunked_bodies(void)
{
    struct rig rig =
        rig_of((struct sl_net_options){.body_bytes_max = 1000, .head_bytes_max = 20000});
    struct sl_buf bytes = {0};
    const char *body;
    REQUIRE(rig_start(&rig));
    int fd = client_open(rig.http);

    /* Longer than a block, shorter than the limit. */
    SL_BUF_LITERAL(&bytes, "GET /long HTTP/1.1\r\nHost: a\r\nX: ");
    while (bytes.len < 19000)
        sl_buf_byte(&bytes, 'x');
    SL_BUF_LITERAL(&bytes, "\r\n\r\n");
    CHECK(client_send_bytes(fd, bytes.ptr, bytes.len));
    CHECK(client_answer(fd, &body) == 200);
    CHECK_STRING(body, "/long");
    bytes.len -= 4;
    while (bytes.len < 20001)
        sl_buf_byte(&bytes, 'x');
    CHECK(client_send_bytes(fd, bytes.ptr, bytes.len));
    CHECK(client_answer(fd, &body) == 431);
    close(fd);

    fd = client_open(rig.http);
    CHECK(client_send(fd, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 11; i++)
        CHECK(client_send(fd, "5f\r\n01234567890123456789012345678901234567890123456789"
                              "012345678901234567890123456789012345678901234\r\n"));
    CHECK(client_answer(fd, &body) == 413);
    close(fd);
    sl_buf_close(&bytes);
    rig_close(&rig);
}

static void tells_that_the_peer_has_gone(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http), other = client_open(rig.http);

    CHECK(client_send(fd, GET("/later1") GET("/later2")));
    close(fd);
    CHECK(wait_gone(&rig, 2));
    /* They are answered all the same, into nothing. */
    CHECK(client_send(other, GET("/flush")));
    CHECK(client_answer(other, &body) == 200);
    close(other);
    rig_close(&rig);
    CHECK_U64(atomic_load(&gone_count), 2);
}

/* Who has only shut his sending side down still gets his answer. */
static void answers_after_half_close(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http), other = client_open(rig.http);

    CHECK(client_send(fd, GET("/later")));
    CHECK(shutdown(fd, SHUT_WR) == 0);
    CHECK(wait_gone(&rig, 1));
    CHECK(client_send(other, GET("/flush")));
    CHECK(client_answer(other, &body) == 200);
    CHECK(client_answer(fd, &body) == 200);
    CHECK_STRING(body, "/later");
    CHECK(client_ended(fd));
    close(fd);
    close(other);
    rig_close(&rig);
}

/* More than the system's buffers hold: the rest follows as the peer reads. */
static void sends_much(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    const unsigned before = sl_mark_count("net partial write");
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open_small(rig.http);

    for (int i = 0; i < 8; i++)
        CHECK(client_send(fd, GET("/big?size=1900000")));
    for (int i = 0; i < 100000 && sl_mark_count("net partial write") == before; i++)
        rig_call(&rig, nothing);
    for (int i = 0; i < 8; i++) {
        CHECK(client_answer(fd, &body) == 200);
        CHECK_U64(strlen(body), 1900000);
    }
    CHECK(sl_mark_count("net partial write") > before);
    CHECK(client_send(fd, GET("/a")));
    CHECK(client_answer(fd, &body) == 200);
    close(fd);
    rig_close(&rig);
}

/* Bytes that left in one turn of the loop, at most. */
static uint64_t most_bytes, last_bytes;

static int64_t see_bytes(void *context)
{
    const uint64_t bytes = sl_net_numbers(((const struct rig *)context)->net).bytes_out;

    if (bytes - last_bytes > most_bytes)
        most_bytes = bytes - last_bytes;
    last_bytes = bytes;
    return INT64_MAX;
}

/* However many large answers are due, a turn sends little of them, and others are answered. */
static void sends_large_answers_in_pieces(void)
{
    enum { READERS = 7, SIZE = 1500000, TURN_BYTES = 4 * (128 << 10) + READERS * 1024 };
    struct rig rig = rig_of((struct sl_net_options){.turn = see_bytes});
    const char *body;
    int fds[READERS];

    most_bytes = last_bytes = 0;
    REQUIRE(rig_start(&rig));
    for (int i = 0; i < READERS; i++) {
        fds[i] = client_open(rig.http);
        CHECK(client_send(fds[i], GET("/big?size=1500000") GET("/a") GET("/big?size=200000")));
    }
    for (int i = 0; i < READERS; i++) {
        CHECK(client_answer(fds[i], &body) == 200);
        CHECK_U64(strlen(body), SIZE);
        CHECK(client_answer(fds[i], &body) == 200);
        CHECK_STRING(body, "/a");
        CHECK(client_answer(fds[i], &body) == 200);
        CHECK_U64(strlen(body), 200000);
        close(fds[i]);
    }
    rig_close(&rig);
    tap_note("at most %llu bytes in a turn", (unsigned long long)most_bytes);
    CHECK(most_bytes <= TURN_BYTES);
}

/* Packed by another thread, and in its place among the answers; who goes meanwhile harms nobody. */
static void packs_large_answers_elsewhere(void)
{
#define PACKED(path) "GET " path " HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
    struct rig rig = rig_of((struct sl_net_options){0});
    const unsigned before = sl_mark_count("net packed elsewhere");
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http), gone = client_open(rig.http);

    CHECK(client_send(gone, PACKED("/big?size=2000000") GET("/a")));
    close(gone);
    CHECK(client_send(fd, PACKED("/big?size=100000") GET("/a") PACKED("/big?size=5000")));
    CHECK(client_answer(fd, &body) == 200);
    CHECK(strstr(client_head(), "Content-Encoding: gzip\r\n") != NULL);
    CHECK(memcmp(body, "\x1f\x8b", 2) == 0);
    CHECK(client_answer(fd, &body) == 200);
    CHECK_STRING(body, "/a");
    CHECK(client_answer(fd, &body) == 200);
    CHECK(strstr(client_head(), "Content-Encoding: gzip\r\n") != NULL);
    CHECK(sl_mark_count("net packed elsewhere") > before);
    /* Nobody waits for those that are with the packer when the net ends. */
    for (int i = 0; i < 3; i++)
        CHECK(client_send(fd, PACKED("/big?size=2000000")));
    CHECK(client_send(fd, GET("/later")));
    rig_stop(&rig, 0);
    rig_close(&rig);
    close(fd);
#undef PACKED
}

/* ---- Streams ----------------------------------------------------------------------------------
 */

static void send_event(struct rig *rig)
{
    (void)rig;
    CHECK(sl_stream_send(stream, NONE, NONE, SL_TEXT("three")));
}

static void end_stream(struct rig *rig)
{
    (void)rig;
    sl_stream_end(stream);
    stream = NULL;
}

static void streams_events(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    CHECK(client_send(fd, GET("/stream")));
    const char *head = client_until(fd, "\r\n\r\n");
    REQUIRE(head);
    CHECK(strstr(head, "Content-Type: text/event-stream\r\n") != NULL);
    CHECK(strstr(head, "Cache-Control: no-store\r\n") != NULL);
    CHECK(strstr(head, "X-Accel-Buffering: no\r\n") != NULL);
    CHECK(strstr(head, "X-More: 1\r\n") != NULL);
    CHECK(!strstr(head, "Content-Length"));
    CHECK(client_expect(fd, "id: 7\nevent: row\ndata: one\ndata: two\n\n"));
    rig_call(&rig, send_event);
    CHECK(client_expect(fd, "data: three\n\n"));
    rig_call(&rig, end_stream);
    CHECK(client_ended(fd));
    close(fd);
    rig_close(&rig);
    CHECK_U64(atomic_load(&gone_count), 0);
}

static void silent_streams_beat(void)
{
    struct rig rig = rig_of((struct sl_net_options){.beat_ms = 5});
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    CHECK(client_send(fd, GET("/stream")));
    CHECK(client_until(fd, "data: two\n\n") != NULL);
    for (int i = 0; i < 3; i++)
        CHECK(client_expect(fd, ":\n\n"));
    rig_call(&rig, send_event);
    CHECK(client_until(fd, "data: three\n\n") != NULL);
    CHECK(client_expect(fd, ":\n\n"));
    close(fd);
    CHECK(wait_gone(&rig, 1));
    rig_close(&rig);
}

static void stream_behind_another_waits(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    const char *body;
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http), other = client_open(rig.http);

    CHECK(client_send(fd, GET("/later") GET("/stream")));
    do
        CHECK(client_send(other, GET("/flush")) && client_answer(other, &body) == 200);
    while (recv(fd, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) < 0);
    CHECK(client_answer(fd, &body) == 200);
    CHECK_STRING(body, "/later");
    CHECK(client_until(fd, "data: two\n\n") != NULL);
    close(fd);
    CHECK(wait_gone(&rig, 1));
    close(other);
    rig_close(&rig);
}

static void tells_a_stream_that_the_peer_has_gone(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    CHECK(client_send(fd, GET("/stream")));
    CHECK(client_until(fd, "data: two\n\n") != NULL);
    close(fd);
    CHECK(wait_gone(&rig, 1));
    rig_close(&rig);
}

static void flood(struct rig *rig)
{
    static char text[65536];

    (void)rig;
    memset(text, 'x', sizeof text);
    int sent = 0;
    while (sent < 1000 && sl_stream_send(stream, NONE, NONE, (struct sl_text){text, sizeof text}))
        sent++;
    CHECK(sent >= 15 && sent <= 16); /* 1 MiB */
}

static void drops_a_slow_reader(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    REQUIRE(rig_start(&rig));
    const int fd = client_open_small(rig.http);

    CHECK(client_send(fd, GET("/stream")));
    CHECK(client_until(fd, "data: two\n\n") != NULL);
    rig_call(&rig, flood);
    CHECK(wait_gone(&rig, 1));
    close(fd);
    rig_close(&rig);
}

static void head_of_a_stream(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.http);

    CHECK(client_send(fd, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n"));
    CHECK(client_until(fd, "\r\n\r\n") != NULL);
    CHECK(client_ended(fd));
    CHECK(wait_gone(&rig, 1));
    close(fd);
    rig_close(&rig);
}

int main(void)
{
    return TAP_RUN(
        {"a connection is kept", keeps_the_connection}, {"HTTP/1.0", speaks_http_1_0},
        {"answers leave in the order of the requests", answers_in_order},
        {"a full pipeline is not read", stops_reading_when_full},
        {"bodies by length and in chunks", reads_bodies}, {"long bodies", reads_long_bodies},
        {"requests cut anywhere", does_not_mind_cuts},
        {"100 Continue, in its place", waits_for_continue},
        {"HEAD and 204 have no body", sends_no_body_to_head},
        {"queries, headers and escapes", looks_into_requests},
        {"refusals are problems as JSON and end the connection", refuses},
        {"limits of heads and chunked bodies", limits_heads_and_chunked_bodies},
        {"handlers are told that the peer has gone", tells_that_the_peer_has_gone},
        {"a half-closed connection gets its answer", answers_after_half_close},
        {"answers larger than the system's buffers", sends_much},
        {"large answers leave in pieces", sends_large_answers_in_pieces},
        {"large answers are packed elsewhere", packs_large_answers_elsewhere},
        {"server-sent events", streams_events},
                   {"silent streams beat", silent_streams_beat},
        {"a stream waits for the answer before it", stream_behind_another_waits},
        {"a stream is told that the peer has gone", tells_a_stream_that_the_peer_has_gone},
        {"a slow reader is dropped at 1 MiB", drops_a_slow_reader},
        {"HEAD of a stream", head_of_a_stream});
}
