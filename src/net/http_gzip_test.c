#include "net/http_gzip.h"

#include <string.h>
#include <zlib.h>

#include "tap/tap.h"

static void who_takes_it(void)
{
    static const struct {
        const char *given; /* Accept-Encoding; a second header behind "|" */
        bool then;
    } table[] = {
        {"gzip", true},
        {"GZIP", true},
        {"x-gzip", true},
        {"gzip, deflate, br", true},
        {"deflate, gzip;q=1.0", true},
        {" gzip ; q=0.001 ", true},
        {"br;q=1, gzip;q=0.5", true},
        {"*", true},
        {"*;q=0.1", true},
        {"identity;q=0.5, gzip;q=0.5", true},
        {"identity;q=0, gzip;q=0.1", true},
        {"deflate|gzip", true},
        {"", false},
        {"identity", false},
        {"deflate, br, zstd", false},
        {"gzip;q=0", false},
        {"gzip;q=0.000", false},
        {"*;q=0", false},
        {"gzip;q=0, *", false},
        {"identity, gzip;q=0.9", false},
        {"gzip;q=2", false},
        {"gzip;q=1.5", false},
        {"gzip;q=x", false},
        {"gzip;q=", false},
        {"gzip;q=0.5000", false},
        {"gzipped", false},
        {",,;,", false},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const char *bar = strchr(table[i].given, '|');
        const size_t len = bar ? (size_t)(bar - table[i].given) : strlen(table[i].given);
        const char *second = bar ? bar + 1 : "";
        const struct sl_header headers[] = {
            {SL_TEXT("host"), SL_TEXT("gzip")},
            {SL_TEXT("accept-encoding"), {table[i].given, len}},
            {SL_TEXT("accept-encoding"), {second, strlen(second)}},
        };
        const struct sl_request request = {.headers = headers, .header_count = 3};
        if (!CHECK(sl_http_takes_gzip(&request) == table[i].then))
            tap_note("%s", table[i].given);
    }
    CHECK(!sl_http_takes_gzip(&(struct sl_request){0}));
}

static void what_is_packed(void)
{
    static const struct {
        int status;
        const char *type;
        size_t bytes;
        bool then;
    } table[] = {
        {200, "application/json", 1024, true},
        {404, "application/problem+json", 2000, true},
        {200, "text/html; charset=utf-8", 5000, true},
        {200, "text/css", 4 << 20, true},
        {200, "application/json", 1023, false},
        {200, "application/json", (4 << 20) + 1, false},
        {204, "application/json", 5000, false},
        {304, "application/json", 5000, false},
        {200, "image/png", 5000, false},
        {200, "text/event-stream", 5000, false},
        {200, "application/jsonish", 5000, false},
        {200, NULL, 5000, false},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!CHECK(sl_http_may_gzip(table[i].status, table[i].type, table[i].bytes) ==
                   table[i].then))
            tap_note("%d %s %zu", table[i].status, table[i].type ? table[i].type : "(none)",
                     table[i].bytes);
}

static void unpack(struct sl_text packed, struct sl_text want)
{
    z_stream stream = {0};
    static uint8_t bytes[32768];

    REQUIRE(want.len < sizeof bytes && inflateInit2(&stream, MAX_WBITS + 16) == Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)packed.ptr;
    stream.avail_in = (uInt)packed.len;
    stream.next_out = bytes;
    stream.avail_out = (uInt)want.len + 1;
    CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    CHECK_U64(stream.total_out, want.len);
    CHECK(memcmp(bytes, want.ptr, want.len) == 0);
    inflateEnd(&stream);
}

static void packing(void)
{
    static char plain[20000], noise[20000];
    struct gzip *gzip = NULL;
    uint32_t state = 1;

    for (size_t i = 0; i < sizeof plain; i++) {
        plain[i] = "{\"id\":1234567890}"[i % 17];
        state = state * 1103515245 + 12345;
        noise[i] = (char)(state >> 16);
    }
    for (int round = 0; round < 3; round++) {
        struct sl_text headers = SL_TEXT("X-A: b\r\nETag: \"abc\"\r\netag: W/\"d\"\r\n");
        struct sl_text body = {plain, sizeof plain - (size_t)round};
        const struct sl_text want = body;
        CHECK(sl_http_gzip(&gzip, &headers, &body));
        CHECK(body.len < want.len / 10);
        unpack(body, want);
        CHECK_TEXT(headers, "X-A: b\r\nETag: W/\"abc\"\r\netag: W/\"d\"\r\n"
                            "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n");
    }
    struct sl_text headers = SL_TEXT("ETag: \"abc\"\r\n"), body = {noise, sizeof noise};
    CHECK(!sl_http_gzip(&gzip, &headers, &body));
    CHECK(body.ptr == noise && body.len == sizeof noise);
    CHECK_TEXT(sl_http_vary(&gzip, headers), "ETag: \"abc\"\r\nVary: Accept-Encoding\r\n");
    sl_http_free_gzip(gzip);
}

int main(void)
{
    return TAP_RUN({"who takes it", who_takes_it}, {"what is packed", what_is_packed},
                   {"packing", packing});
}
