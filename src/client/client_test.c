#include "client/parts.h"

#include <string.h>

#include "tap/tap.h"

static void heads(void)
{
    static const struct {
        const char *name;
        const char *head;
        enum sl_err err;
        int status;
        size_t length;
        bool close;
        const char *position;
    } table[] = {
        {"a plain one", "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", SL_OK, 200, 12, false, ""},
        {"a position",
         "HTTP/1.1 201 Created\r\nSluice-Position:  bank:0:7\r\ncontent-length: 0\r\n\r\n", SL_OK,
         201, 0, false, "bank:0:7"},
        {"the last one", "HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 1\r\n\r\n", SL_OK,
         503, 1, true, ""},
        {"no body", "HTTP/1.1 204 No Content\r\n\r\n", SL_OK, 204, 0, false, ""},
        {"redis", "-ERR unknown command\r\n\r\n", SL_INVALID, 0, 0, false, ""},
        {"no status", "HTTP/1.1 xyz OK\r\n\r\n", SL_INVALID, 0, 0, false, ""},
        {"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", SL_INVALID, 0, 0, false,
         ""},
        {"a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", SL_INVALID, 0, 0,
         false, ""},
        {"no colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", SL_INVALID, 0, 0, false, ""},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct client_head head = {0};
        struct sl_error error = {0};
        const struct sl_text text = {table[i].head, strlen(table[i].head)};
        bool good = CHECK(client_read_head(text, &head, &error) == table[i].err);
        good &= CHECK_U64(head.status, table[i].status);
        good &= CHECK_U64(head.length, table[i].length);
        good &= CHECK(head.close == table[i].close);
        good &= CHECK_TEXT(head.position, table[i].position);
        if (!good)
            tap_note("%s", table[i].name);
    }
}

static void urls(void)
{
    static const struct {
        const char *url;
        bool good;
        const char *host;
        uint16_t port;
    } table[] = {
        {"http://127.0.0.1:7070", true, "127.0.0.1", 7070},
        {"http://shop.example", true, "shop.example", 80},
        {"http://shop.example/", true, "shop.example", 80},
        {"http://[::1]:7070", true, "::1", 7070},
        {"https://shop.example", true, "shop.example", 443},
        {"https://[::1]:7070/", true, "::1", 7070},
        {"ftp://shop.example", false, "", 0},
        {"https:/shop.example", false, "", 0},
        {"http://", false, "", 0},
        {"http://:7070", false, "", 0},
        {"http://a:0", false, "", 0},
        {"http://a:70700", false, "", 0},
        {"http://a:7070/x", false, "", 0},
        {"http://[::1", false, "", 0},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char host[256] = "";
        uint16_t port = 0;
        bool tls = false;
        if (!CHECK(sl_client_url(table[i].url, host, &port, &tls) == table[i].good))
            tap_note("%s", table[i].url);
        CHECK_STRING(host, table[i].host);
        CHECK_U64(port, table[i].port);
        CHECK(tls == (table[i].good && table[i].url[4] == 's'));
    }
}

static void nobody_answers(void)
{
    struct sl_client *client = NULL;
    struct sl_error error = {0};
    struct sl_answer answer = {0};
    char path[200];

    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK(sl_client_new(&(struct sl_client_options){.socket = path}, &client, &error) ==
          SL_INVALID);
    REQUIRE(sl_client_new(&(struct sl_client_options){.socket = "/nonexistent/sluice.sock"},
                          &client, &error) == SL_OK);
    CHECK(sl_client_get(client, "/x", SL_TEXT(""), 0, &answer, &error) == SL_IO);
    CHECK(strstr(error.message, "sluice serve") != NULL);
    CHECK(sl_client_get(client, "/x y", SL_TEXT(""), 0, &answer, &error) == SL_INVALID);
    CHECK(sl_client_post(client, "/x", SL_TEXT("{}"), SL_TEXT("a\r\nb"), 0, &answer, &error) ==
          SL_INVALID);
    CHECK_U64(answer.status, 0);
    sl_client_free(client);
}

int main(void)
{
    return TAP_RUN({"heads of answers", heads}, {"addresses", urls},
                   {"a server that is not there", nobody_answers});
}
