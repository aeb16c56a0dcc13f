/* RESP values, as the protocol writes them. */
#include "net/net.h"

#include <string.h>

static void put_count(struct sl_buf *out, char kind, uint64_t count)
{
    sl_buf_byte(out, (uint8_t)kind);
    sl_buf_u64(out, count);
    SL_BUF_LITERAL(out, "\r\n");
}

void sl_resp_simple(struct sl_buf *out, const char *text)
{
    sl_buf_byte(out, '+');
    sl_buf_append(out, text, strlen(text));
    SL_BUF_LITERAL(out, "\r\n");
}

void sl_resp_error(struct sl_buf *out, const char *code, struct sl_text text)
{
    sl_buf_byte(out, '-');
    sl_buf_append(out, code, strlen(code));
    sl_buf_byte(out, ' ');
    /* A line break would end the error, and what follows be taken for an answer. */
    for (size_t i = 0; i < text.len; i++) {
        const bool breaks = text.ptr[i] == '\r' || text.ptr[i] == '\n';
        sl_buf_byte(out, breaks ? ' ' : (uint8_t)text.ptr[i]);
    }
    SL_BUF_LITERAL(out, "\r\n");
}

void sl_resp_integer(struct sl_buf *out, int64_t value)
{
    sl_buf_byte(out, ':');
    sl_buf_i64(out, value);
    SL_BUF_LITERAL(out, "\r\n");
}

void sl_resp_bulk(struct sl_buf *out, struct sl_text text)
{
    put_count(out, '$', text.len);
    sl_buf_text(out, text);
    SL_BUF_LITERAL(out, "\r\n");
}

void sl_resp_null(struct sl_buf *out, int version)
{
    if (version == 3)
        SL_BUF_LITERAL(out, "_\r\n");
    else
        SL_BUF_LITERAL(out, "$-1\r\n");
}

void sl_resp_array(struct sl_buf *out, size_t count)
{
    put_count(out, '*', count);
}

void sl_resp_map(struct sl_buf *out, size_t pairs, int version)
{
    if (version == 3)
        put_count(out, '%', pairs);
    else
        put_count(out, '*', pairs * 2);
}
