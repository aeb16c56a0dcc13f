/* RESP over real sockets. */
#include "net/rig.h"
#include "tap/tap.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LATER_MAX = 64 };

/* The net's thread's. */
static struct sl_resp_command *later[LATER_MAX];
static int later_count;
static struct sl_resp_session *subscriber;
static atomic_int closed_count;

static void echo(struct sl_resp_command *command)
{
    sl_resp_array(command->out, command->word_count);
    for (uint32_t i = 0; i < command->word_count; i++)
        sl_resp_bulk(command->out, command->words[i]);
}

/* Answers those that wait, the newest first, with their words. */
static void flush_later(void)
{
    while (later_count > 0) {
        struct sl_resp_command *command = later[--later_count];
        echo(command);
        sl_resp_finish(command);
    }
}

static enum sl_resp_result handle(void *context, struct sl_resp_command *command)
{
    const struct sl_text name = command->words[0];

    (void)context;
    if (sl_text_equals(name, SL_TEXT("LATER"))) {
        later[later_count++] = command;
        return SL_RESP_LATER;
    }
    if (sl_text_equals(name, SL_TEXT("SOON"))) {
        echo(command);
        sl_resp_finish(command);
        return SL_RESP_LATER;
    }
    if (sl_text_equals(name, SL_TEXT("QUIT"))) {
        sl_resp_simple(command->out, "OK");
        return SL_RESP_CLOSE;
    }
    if (sl_text_equals(name, SL_TEXT("FLUSH")))
        flush_later();
    if (sl_text_equals(name, SL_TEXT("SUBSCRIBE"))) {
        subscriber = command->session;
        *sl_resp_user(subscriber) = &subscriber;
        sl_resp_set_version(subscriber, 3);
    }
    if (sl_text_equals(name, SL_TEXT("PUSH")))
        CHECK(sl_resp_push(subscriber, SL_TEXT(">1\r\n+news\r\n")));
    if (sl_text_equals(name, SL_TEXT("BIG"))) {
        static char bytes[1 << 16];
        memset(bytes, 'b', sizeof bytes);
        sl_resp_bulk(command->out, (struct sl_text){bytes, sizeof bytes});
        return SL_RESP_DONE;
    }
    echo(command);
    return SL_RESP_DONE;
}

static void on_closed(void *context, struct sl_resp_session *session)
{
    (void)context;
    if (session == subscriber) {
        CHECK(*sl_resp_user(session) == &subscriber);
        CHECK(sl_resp_version(session) == 3);
        CHECK(!sl_resp_push(session, SL_TEXT("x")));
        subscriber = NULL;
    }
    atomic_fetch_add(&closed_count, 1);
}

static struct rig rig_of(struct sl_net_options options)
{
    later_count = 0;
    subscriber = NULL;
    atomic_store(&closed_count, 0);
    return (struct rig){.options = options,
                        .resp_handler = {.command = handle, .closed = on_closed}};
}

static void nothing(struct rig *rig)
{
    (void)rig;
}

static bool wait_closed(struct rig *rig, int count)
{
    for (int i = 0; i < 100000 && atomic_load(&closed_count) < count; i++)
        rig_call(rig, nothing);
    return atomic_load(&closed_count) == count;
}

/* ---- Cases ------------------------------------------------------------------------------------
 */

static void speaks(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.resp);

    CHECK(client_send(fd, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"));
    CHECK(client_expect(fd, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"));
    CHECK(client_send(fd, "PING\r\n\r\n*0\r\nSAY \"a b\"\n"));
    CHECK(client_expect(fd, "*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nSAY\r\n$3\r\na b\r\n"));
    CHECK(client_send(fd, "QUIT\r\nPING\r\n"));
    CHECK(client_expect(fd, "+OK\r\n"));
    CHECK(client_ended(fd));
    close(fd);
    CHECK(wait_closed(&rig, 1));
    rig_close(&rig);
}

/* LATER, at once, LATER …: in order, whatever order the answers come in. */
static void answers_in_order(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.resp);

    CHECK(client_send(fd, "NOW\r\nSOON\r\nLATER 1\r\nNOW\r\nSOON\r\nLATER 2\r\nFLUSH\r\nQUIT\r\n"));
    CHECK(client_expect(fd, "*1\r\n$3\r\nNOW\r\n*1\r\n$4\r\nSOON\r\n"
                            "*2\r\n$5\r\nLATER\r\n$1\r\n1\r\n*1\r\n$3\r\nNOW\r\n"
                            "*1\r\n$4\r\nSOON\r\n*2\r\n$5\r\nLATER\r\n$1\r\n2\r\n"
                            "*1\r\n$5\r\nFLUSH\r\n+OK\r\n"));
    CHECK(client_ended(fd));
    close(fd);
    rig_close(&rig);
}

/* The words of a LATER command stay while much more is read behind it. */
static void keeps_words(void)
{
    struct rig rig = rig_of((struct sl_net_options){.pipeline_max = 100000});
    enum { COUNT = 20000 };
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.resp);

    CHECK(client_send(fd, "LATER aWordToKeep\r\n"));
    for (int i = 0; i < COUNT; i++)
        CHECK(client_send(fd, "X\r\n"));
    CHECK(client_send(fd, "FLUSH\r\n"));
    CHECK(client_expect(fd, "*2\r\n$5\r\nLATER\r\n$11\r\naWordToKeep\r\n"));
    for (int i = 0; i < COUNT; i++)
        REQUIRE(client_expect(fd, "*1\r\n$1\r\nX\r\n"));
    CHECK(client_expect(fd, "*1\r\n$5\r\nFLUSH\r\n"));
    close(fd);
    rig_close(&rig);
}

static void takes_long_words(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    enum { LEN = 50000 };
    static char text[LEN + 64];
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.resp);

    strcpy(text, "*2\r\n$3\r\nSET\r\n$50000\r\n");
    const size_t head = strlen(text);
    memset(text + head, 'w', LEN);
    strcpy(text + head + LEN, "\r\n");
    /* In two parts, so that the first word is parsed before the block must grow. */
    CHECK(client_send_bytes(fd, text, head + 10));
    rig_call(&rig, nothing);
    CHECK(client_send_bytes(fd, text + head + 10, LEN + 2 - 10));
    CHECK(client_expect(fd, text));
    close(fd);
    rig_close(&rig);
}

static void refuses(void)
{
    static const struct {
        const char *bytes;
        const char *answer;
    } cases[] = {
        {"*1\r\nGET\r\n", "-ERR Protocol error: expected '$' before each word\r\n"},
        {"*9999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
        {"NOW\r\n*x\r\n", "*1\r\n$3\r\nNOW\r\n-ERR Protocol error: invalid multibulk length\r\n"},
        {"SOON\r\nPOST / HTTP/1.1\r\n",
         "*1\r\n$4\r\nSOON\r\n-ERR Protocol error: this is not an HTTP port\r\n"},
    };
    struct rig rig = rig_of((struct sl_net_options){0});
    REQUIRE(rig_start(&rig));

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int fd = client_open(rig.resp);
        CHECK(client_send(fd, cases[i].bytes) && client_send(fd, "NOW\r\n"));
        CHECK(client_expect(fd, cases[i].answer));
        CHECK(client_ended(fd));
        close(fd);
    }
    rig_close(&rig);
}

/* A broken command behind one that is not answered yet: its error waits, too. */
static void refuses_in_order(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    const unsigned before = sl_mark_count("resp protocol error");
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.resp), other = client_open(rig.resp);

    CHECK(client_send(fd, "LATER\r\n*x\r\n"));
    for (int i = 0; i < 100000 && sl_mark_count("resp protocol error") == before; i++)
        rig_call(&rig, nothing);
    CHECK(client_send(other, "FLUSH\r\n"));
    CHECK(client_expect(fd, "*1\r\n$5\r\nLATER\r\n"
                            "-ERR Protocol error: invalid multibulk length\r\n"));
    CHECK(client_ended(fd));
    close(fd);
    close(other);
    rig_close(&rig);
}

static void push(struct rig *rig)
{
    (void)rig;
    CHECK(subscriber && sl_resp_push(subscriber, SL_TEXT(">1\r\n+news\r\n")));
}

static void flood(struct rig *rig)
{
    static char text[65536];

    (void)rig;
    memset(text, 'x', sizeof text);
    int sent = 0;
    while (sent < 1000 && sl_resp_push(subscriber, (struct sl_text){text, sizeof text}))
        sent++;
    CHECK(sent >= 15 && sent <= 16); /* 1 MiB */
}

static void pushes(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    REQUIRE(rig_start(&rig));
    const int fd = client_open_small(rig.resp);

    CHECK(client_send(fd, "SUBSCRIBE\r\n"));
    CHECK(client_expect(fd, "*1\r\n$9\r\nSUBSCRIBE\r\n"));
    rig_call(&rig, push);
    CHECK(client_expect(fd, ">1\r\n+news\r\n"));
    rig_call(&rig, flood);
    CHECK(wait_closed(&rig, 1));
    close(fd);
    rig_close(&rig);
}

/* What is pushed because of an answer must not overtake it, when that waits for earlier ones. */
static void pushes_keep_their_place(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    REQUIRE(rig_start(&rig));
    const int fd = client_open_small(rig.resp);

    CHECK(client_send(fd, "LATER\r\nSUBSCRIBE\r\nLATER\r\nPUSH\r\nFLUSH\r\n"));
    CHECK(client_expect(fd, "*1\r\n$5\r\nLATER\r\n*1\r\n$9\r\nSUBSCRIBE\r\n>1\r\n+news\r\n"
                            "*1\r\n$5\r\nLATER\r\n*1\r\n$4\r\nPUSH\r\n"));
    close(fd);
    rig_close(&rig);
}

/* A peer that asks for much and reads nothing is not read either; when it reads, all comes. */
static void stops_reading_when_answers_wait(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    const unsigned before = sl_mark_count("net blocked");
    enum { COUNT = 400 }; /* 25 MiB of answers */
    static char answer[(1 << 16) + 64];
    REQUIRE(rig_start(&rig));
    const int fd = client_open_small(rig.resp);

    strcpy(answer, "$65536\r\n");
    memset(answer + 8, 'b', 1 << 16);
    strcpy(answer + 8 + (1 << 16), "\r\n");
    for (int i = 0; i < COUNT; i++)
        CHECK(client_send(fd, "BIG\r\n"));
    for (int i = 0; i < 100000 && sl_mark_count("net blocked") == before; i++)
        rig_call(&rig, nothing);
    CHECK(sl_mark_count("net blocked") > before);
    for (int i = 0; i < COUNT; i++) {
        static char got[(1 << 16) + 64];
        const ssize_t n = recv(fd, got, strlen(answer), MSG_WAITALL);
        REQUIRE(n == (ssize_t)strlen(answer) && memcmp(got, answer, (size_t)n) == 0);
    }
    close(fd);
    rig_close(&rig);
}

static void answers_who_is_gone(void)
{
    struct rig rig = rig_of((struct sl_net_options){0});
    REQUIRE(rig_start(&rig));
    const int fd = client_open(rig.resp), other = client_open(rig.resp);
    const struct linger reset = {.l_onoff = 1};

    CHECK(client_send(fd, "LATER\r\n"));
    rig_call(&rig, nothing);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    CHECK(wait_closed(&rig, 1));
    CHECK(client_send(other, "FLUSH\r\n"));
    CHECK(client_expect(other, "*1\r\n$5\r\nFLUSH\r\n"));
    close(other);
    rig_close(&rig);
}

static void writes_values(void)
{
    struct sl_buf out = {0};

    sl_resp_simple(&out, "OK");
    sl_resp_error(&out, "ERR", SL_TEXT("a\r\nb"));
    sl_resp_integer(&out, -42);
    sl_resp_bulk(&out, SL_TEXT("xy"));
    sl_resp_null(&out, 2);
    sl_resp_null(&out, 3);
    sl_resp_array(&out, 2);
    sl_resp_map(&out, 3, 2);
    sl_resp_map(&out, 3, 3);
    CHECK_TEXT(sl_buf_as_text(&out), "+OK\r\n-ERR a  b\r\n:-42\r\n$2\r\nxy\r\n$-1\r\n_\r\n"
                                     "*2\r\n*6\r\n%3\r\n");
    sl_buf_close(&out);
}

int main(void)
{
    return TAP_RUN({"arrays and inline commands", speaks},
                   {"answers leave in the order of the commands", answers_in_order},
                   {"words of a command stay until its answer", keeps_words},
                   {"long words", takes_long_words},
                   {"protocol errors end the connection", refuses},
                   {"a protocol error waits for the answers before it", refuses_in_order},
                   {"pushes, and a reader that is too slow", pushes},
                   {"pushes keep their place among the answers", pushes_keep_their_place},
                   {"who does not read is not read", stops_reading_when_answers_wait},
                   {"a command of a session that is gone", answers_who_is_gone},
                   {"the values of the protocol", writes_values});
}
