/*
 * A growing buffer with a ceiling.
 *
 * Zero-initialised it is empty, its ceiling 16 MiB (limit M1 of a batch or request). A failed
 * append sets `failed` and nothing more is appended, so that a writer may check once at the end.
 * One owner.
 */
#ifndef SL_BASE_BUF_H
#define SL_BASE_BUF_H

#include "base/error.h"

struct sl_buf {
    uint8_t *ptr;
    size_t len;
    size_t capacity;
    size_t bytes_max; /* 0: 16 MiB */
    bool failed;      /* an append did not fit or memory was out */
};

/* Room for `size` more bytes at the end, without moving len; NULL on failure, which sets `failed`.
 */
uint8_t *sl_buf_reserve(struct sl_buf *buf, size_t size);

/* What sl_buf_append does when the room may not suffice. */
void sl_buf_append_slow(struct sl_buf *buf, const void *bytes, size_t len);

static inline void sl_buf_append(struct sl_buf *buf, const void *bytes, size_t len)
{
    if (buf->capacity - buf->len >= len && !buf->failed) {
        if (len > 0)
            __builtin_memcpy(buf->ptr + buf->len, bytes, len);
        buf->len += len;
    } else {
        sl_buf_append_slow(buf, bytes, len);
    }
}

static inline void sl_buf_byte(struct sl_buf *buf, uint8_t byte)
{
    sl_buf_append(buf, &byte, 1);
}

static inline void sl_buf_text(struct sl_buf *buf, struct sl_text text)
{
    sl_buf_append(buf, text.ptr, text.len);
}

#define SL_BUF_LITERAL(buf, literal) sl_buf_append((buf), "" literal, sizeof(literal) - 1)

/* Whole or not at all. */
void sl_buf_printf(struct sl_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Decimal digits, without printf. */
void sl_buf_u64(struct sl_buf *buf, uint64_t value);
void sl_buf_i64(struct sl_buf *buf, int64_t value);

/* Little-endian integers of a fixed size, and LEB128 (at most 10 bytes). */
void sl_buf_le16(struct sl_buf *buf, uint16_t value);
void sl_buf_le32(struct sl_buf *buf, uint32_t value);
void sl_buf_le64(struct sl_buf *buf, uint64_t value);
void sl_buf_varint(struct sl_buf *buf, uint64_t value);

static inline struct sl_slice sl_buf_slice(const struct sl_buf *buf)
{
    return (struct sl_slice){buf->ptr, buf->len};
}

static inline struct sl_text sl_buf_as_text(const struct sl_buf *buf)
{
    return (struct sl_text){(const char *)buf->ptr, buf->len};
}

/* Empty again, memory kept, `failed` cleared. */
static inline void sl_buf_reset(struct sl_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

/* Gives the memory back; the buffer is empty and valid again, its ceiling kept. */
void sl_buf_close(struct sl_buf *buf);

#endif
