#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes `message` one line of whole UTF-8 characters, however it was filled or cut. */
static void tidy(char *message, size_t room, size_t wanted)
{
    size_t len = strlen(message);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)message[i] < 0x20)
            message[i] = ' ';
    if (wanted < room)
        return;
    /* It was cut: a character of which only the first bytes fit is dropped. */
    size_t start = len;
    while (start > 0 && ((unsigned char)message[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    const unsigned char lead = (unsigned char)message[start - 1];
    const size_t wants = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (len - (start - 1) < wants)
        message[start - 1] = '\0';
}

enum sl_err sl_fail(struct sl_error *error, enum sl_err code, const char *format, ...)
{
    const int saved = errno;
    va_list arguments;

    if (!error)
        return code;
    error->code = code;
    error->os_errno = code == SL_IO ? saved : 0;

    const size_t room = sizeof error->message;
    va_start(arguments, format);
    int written = vsnprintf(error->message, room, format, arguments);
    va_end(arguments);

    size_t wanted = written > 0 ? (size_t)written : 0;
    if (code == SL_IO && saved != 0 && wanted < room) {
        char text[128];
        const char *reason = strerror_r(saved, text, sizeof text);
        written = snprintf(error->message + wanted, room - wanted, ": %s", reason);
        wanted += written > 0 ? (size_t)written : 0;
    }
    tidy(error->message, room, wanted);
    errno = saved;
    return code;
}

const char *sl_err_name(enum sl_err code)
{
    switch (code) {
    case SL_OK:
        return "ok";
    case SL_NO_MEMORY:
        return "no memory";
    case SL_IO:
        return "input/output";
    case SL_INVALID:
        return "invalid";
    case SL_NOT_FOUND:
        return "not found";
    case SL_LIMIT:
        return "limit reached";
    case SL_CORRUPT:
        return "corrupt";
    case SL_FENCED:
        return "fenced";
    case SL_CONFLICT:
        return "conflict";
    case SL_TIMEOUT:
        return "timeout";
    case SL_BUSY:
        return "busy";
    case SL_UNSUPPORTED:
        return "unsupported";
    case SL_CLOSED:
        return "closed";
    }
    return "unknown";
}

_Noreturn void sl_assert_failed(const char *file, int line, const char *condition,
                                const char *invariant)
{
    fprintf(stderr, "%s:%d: bug: not true: %s%s%s%s\n", file, line, condition,
            invariant[0] ? " (invariant " : "", invariant, invariant[0] ? ")" : "");
    abort();
}

/* ---- Marks ----------------------------------------------------------------------------------- */

/* An open-addressing table without locks: a slot's name is set once and never changes. Names are
 * literals, but the same one has several addresses when several files use it. */
enum { MARKS = 1024 };

static struct mark {
    _Atomic(const char *) name;
    atomic_uint count;
} marks[MARKS];

/* The slot of a name, claimed if `claim`; NULL: not there. */
static struct mark *mark_of(const char *name, bool claim)
{
    uint32_t hash = 2166136261U;

    for (const char *c = name; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619U;
    for (uint32_t i = 0; i < MARKS; i++) {
        struct mark *mark = &marks[(hash + i) % MARKS];
        const char *there = atomic_load_explicit(&mark->name, memory_order_relaxed);

        if (!there) {
            if (!claim)
                return NULL;
            if (atomic_compare_exchange_strong(&mark->name, &there, name))
                return mark;
        }
        if (strcmp(there, name) == 0)
            return mark;
    }
    SL_ASSERT(!claim, "M1");
    return NULL;
}

void sl_mark(const char *name)
{
    atomic_fetch_add_explicit(&mark_of(name, true)->count, 1, memory_order_relaxed);
}

unsigned sl_mark_count(const char *name)
{
    const struct mark *mark = mark_of(name, false);

    return mark ? atomic_load_explicit(&mark->count, memory_order_relaxed) : 0;
}
