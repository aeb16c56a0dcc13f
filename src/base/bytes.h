/* Reading encoded integers: little-endian of a fixed size, and a cursor that cannot run over. */
#ifndef SL_BASE_BYTES_H
#define SL_BASE_BYTES_H

#include "base/error.h"

static inline uint16_t sl_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t sl_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t sl_le64(const uint8_t *p)
{
    return (uint64_t)sl_le32(p) | (uint64_t)sl_le32(p + 4) << 32;
}

static inline void sl_put_le16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void sl_put_le32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

static inline void sl_put_le64(uint8_t *p, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

/* Reads never pass `end`: one that would sets `failed`, and it and all after it give zero. */
struct sl_cursor {
    const uint8_t *next;
    const uint8_t *end;
    bool failed;
};

static inline struct sl_cursor sl_cursor_of(struct sl_slice bytes)
{
    /* Adding even 0 to NULL is undefined in C. */
    return (struct sl_cursor){bytes.ptr, bytes.len > 0 ? bytes.ptr + bytes.len : bytes.ptr, false};
}

static inline size_t sl_cursor_left(const struct sl_cursor *cursor)
{
    return cursor->failed ? 0 : (size_t)(cursor->end - cursor->next);
}

/* The next `len` bytes, borrowed; an empty slice with NULL on failure. */
struct sl_slice sl_cursor_take(struct sl_cursor *cursor, size_t len);
uint8_t sl_cursor_u8(struct sl_cursor *cursor);
uint16_t sl_cursor_le16(struct sl_cursor *cursor);
uint32_t sl_cursor_le32(struct sl_cursor *cursor);
uint64_t sl_cursor_le64(struct sl_cursor *cursor);
/* Refuses more than 10 bytes and values over 64 bits. */
uint64_t sl_cursor_varint(struct sl_cursor *cursor);
/* Passes over so many of them, whatever their values. */
void sl_cursor_skip_varints(struct sl_cursor *cursor, size_t count);

#endif
