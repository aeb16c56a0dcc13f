/*
 * Values that records are made of.
 *
 * All are plain values: copy them freely. Those with a pointer inside (text, list) borrow what they
 * point at; the place that hands one out says how long it lives.
 */
#ifndef SLUICE_TYPES_H
#define SLUICE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that somebody else owns. `ptr` may be NULL only when `len` is 0. */
struct sl_slice {
    const uint8_t *ptr;
    size_t len;
};

/* UTF-8 text that somebody else owns; not terminated. */
struct sl_text {
    const char *ptr;
    size_t len;
};

/* A list's items lie one after the other; their shape stands in the field's description. */
struct sl_list {
    void *items;
    size_t count;
};

/* 16 bytes in the order in which they are written; the nil UUID is all zero. */
struct sl_uuid {
    uint8_t bytes[16];
};

/* A day of the proleptic Gregorian calendar, counted from 1970-01-01. Years 0001 to 9999. */
struct sl_date {
    int32_t days;
};

/* An instant in UTC, nanoseconds since 1970-01-01T00:00:00Z. Years 1678 to 2261. */
struct sl_time {
    int64_t ns;
};

/* An amount in minor units (cents) of an ISO 4217 currency: three capital letters and a zero. */
struct sl_money {
    int64_t minor;
    char currency[4];
};

/* unscaled × 10^-scale, scale 0 to 18. */
struct sl_decimal {
    int64_t unscaled;
    uint8_t scale;
};

__extension__ typedef unsigned __int128 sl_u128;

/* A literal as text: SL_TEXT("hello"). Lives for ever. */
#define SL_TEXT(literal) ((struct sl_text){"" literal, sizeof(literal) - 1})

/* What a call into the library answers. Outputs are untouched unless it is SL_OK. */
enum sl_err {
    SL_OK = 0,
    SL_NO_MEMORY,   /* an allocation failed or a memory limit was reached */
    SL_IO,          /* the operating system or a server failed; `os_errno` may say how */
    SL_INVALID,     /* input breaks a rule of its format; the message names field, rule and place */
    SL_NOT_FOUND,   /* no such thing */
    SL_LIMIT,       /* a stated maximum was reached */
    SL_CORRUPT,     /* stored bytes do not say what they must; file and offset in the message */
    SL_FENCED,      /* a later epoch has been claimed: this writer's reign is over */
    SL_CONFLICT,    /* another state than the one expected */
    SL_TIMEOUT,     /* the deadline passed */
    SL_BUSY,        /* a queue is full, or a resource is held by another process: try later */
    SL_UNSUPPORTED, /* a version or capability that this program or store does not have */
    SL_CLOSED,      /* the object is closing */
};

/* Filled where a failure enters the program; zero-initialise it before the call. */
struct sl_error {
    enum sl_err code;
    int os_errno;
    char message[240]; /* one line, terminated, says what to do where that is known */
};

/* Equal length and bytes. */
static inline bool sl_text_equals(struct sl_text a, struct sl_text b)
{
    return a.len == b.len && (a.len == 0 || __builtin_memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool sl_uuid_equals(struct sl_uuid a, struct sl_uuid b)
{
    return __builtin_memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

static inline bool sl_uuid_is_nil(struct sl_uuid a)
{
    return sl_uuid_equals(a, (struct sl_uuid){{0}});
}

static inline bool sl_date_before(struct sl_date a, struct sl_date b)
{
    return a.days < b.days;
}

static inline bool sl_time_before(struct sl_time a, struct sl_time b)
{
    return a.ns < b.ns;
}

/* The UTC day in which the instant lies. */
static inline struct sl_date sl_date_of(struct sl_time time)
{
    const int64_t day_ns = INT64_C(86400) * 1000000000;
    int64_t days = time.ns / day_ns;
    if (time.ns % day_ns < 0)
        days--;
    return (struct sl_date){(int32_t)days};
}

/* The instant `seconds` later; saturates at the ends of the range. */
static inline struct sl_time sl_time_after(struct sl_time time, int64_t seconds)
{
    int64_t span, sum;
    if (__builtin_mul_overflow(seconds, INT64_C(1000000000), &span) ||
        __builtin_add_overflow(time.ns, span, &sum))
        return (struct sl_time){seconds < 0 ? INT64_MIN : INT64_MAX};
    return (struct sl_time){sum};
}

#endif
