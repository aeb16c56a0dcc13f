/*
 *     chunk   = 1*8HEXDIG [ *( ";" token [ "=" ( token / quoted-string ) ] ) ] CRLF data CRLF
 *     body    = *chunk 1*"0" [ extensions ] CRLF *( name ":" value CRLF ) CRLF
 *
 * No white space around extensions (RFC 9112 calls it bad), no bare LF, no CR elsewhere: these are
 * where chunk parsers disagree. A state per place in the grammar, a byte at a time but for data.
 */
#include "net/http_chunked.h"

#include <string.h>

enum { ASIDE_MAX = 8192, DIGITS_MAX = 8 };

enum state {
    SIZE = 0,
    EXT_NAME, /* behind ";" */
    EXT_NAME_MORE,
    EXT_VALUE, /* behind "=" */
    EXT_VALUE_MORE,
    EXT_QUOTED,
    EXT_ESCAPED, /* behind "\" */
    EXT_END,     /* behind a quoted string */
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER, /* at the start of a line behind the last chunk */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    DONE,
    BAD,
};

static bool is_token(uint8_t c)
{
    if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        return true;
    return c > ' ' && c < 0x7f && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_text(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum state in_size(struct sl_chunked *chunked, uint8_t c)
{
    const int digit = hex(c);

    if (digit >= 0) {
        chunked->left = chunked->left << 4 | (uint64_t)digit;
        return ++chunked->digits > DIGITS_MAX ? BAD : SIZE;
    }
    if (chunked->digits == 0)
        return BAD;
    return c == ';' ? EXT_NAME : c == '\r' ? SIZE_LF : BAD;
}

static enum state in_extension(enum state state, uint8_t c)
{
    const enum state end = c == ';' ? EXT_NAME : c == '\r' ? SIZE_LF : BAD;

    switch (state) {
    case EXT_NAME:
        return is_token(c) ? EXT_NAME_MORE : BAD;
    case EXT_NAME_MORE:
        return is_token(c) ? EXT_NAME_MORE : c == '=' ? EXT_VALUE : end;
    case EXT_VALUE:
        return c == '"' ? EXT_QUOTED : is_token(c) ? EXT_VALUE_MORE : BAD;
    case EXT_VALUE_MORE:
        return is_token(c) ? EXT_VALUE_MORE : end;
    case EXT_QUOTED:
        return c == '"' ? EXT_END : c == '\\' ? EXT_ESCAPED : is_text(c) ? EXT_QUOTED : BAD;
    case EXT_ESCAPED:
        return is_text(c) ? EXT_QUOTED : BAD;
    default:
        return end;
    }
}

static enum state in_trailer(enum state state, uint8_t c)
{
    switch (state) {
    case TRAILER:
        return c == '\r' ? END_LF : is_token(c) ? TRAILER_NAME : BAD;
    case TRAILER_NAME:
        return is_token(c) ? TRAILER_NAME : c == ':' ? TRAILER_VALUE : BAD;
    case TRAILER_VALUE:
        return c == '\r' ? TRAILER_LF : is_text(c) ? TRAILER_VALUE : BAD;
    case TRAILER_LF:
        return c == '\n' ? TRAILER : BAD;
    default:
        return c == '\n' ? DONE : BAD;
    }
}

static enum state step(struct sl_chunked *chunked, uint8_t c)
{
    const enum state state = (enum state)chunked->state;

    if (state == SIZE)
        return in_size(chunked, c);
    if (state == SIZE_LF) {
        if (c != '\n')
            return BAD;
        chunked->digits = 0;
        return chunked->left > 0 ? DATA : TRAILER;
    }
    if (state == DATA_CR)
        return c == '\r' ? DATA_LF : BAD;
    if (state == DATA_LF)
        return c == '\n' ? SIZE : BAD;
    if (++chunked->aside > ASIDE_MAX)
        return BAD;
    return state < SIZE_LF ? in_extension(state, c) : in_trailer(state, c);
}

enum sl_chunked_verdict sl_chunked_next(struct sl_chunked *chunked, const uint8_t *bytes,
                                        size_t len, size_t *out_used, struct sl_slice *out_data)
{
    size_t used = 0;

    while (chunked->state != DONE && chunked->state != BAD && used < len) {
        if (chunked->state != DATA) {
            chunked->state = (uint8_t)step(chunked, bytes[used++]);
            continue;
        }
        const size_t here = len - used < chunked->left ? len - used : (size_t)chunked->left;
        *out_data = (struct sl_slice){bytes + used, here};
        *out_used = used + here;
        chunked->left -= here;
        if (chunked->left == 0)
            chunked->state = DATA_CR;
        return SL_CHUNKED_DATA;
    }
    if (chunked->state == BAD)
        return SL_CHUNKED_BAD;
    *out_used = used;
    return chunked->state == DONE ? SL_CHUNKED_DONE : SL_CHUNKED_MORE;
}
