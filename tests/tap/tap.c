#include "tap/tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static unsigned case_failures;
static const char *case_skip;

bool tap_check(bool good, const char *file, int line, const char *what)
{
    if (!good) {
        case_failures++;
        printf("# %s:%d: failed: %s\n", file, line, what);
    }
    return good;
}

bool tap_check_u64(uint64_t got, uint64_t want, const char *file, int line, const char *what)
{
    if (got != want)
        printf("# got %llu, want %llu\n", (unsigned long long)got, (unsigned long long)want);
    return tap_check(got == want, file, line, what);
}

bool tap_check_text(const char *got, size_t got_len, const char *want, const char *file, int line,
                    const char *what)
{
    const size_t want_len = strlen(want);
    const bool good = got_len == want_len && (want_len == 0 || memcmp(got, want, want_len) == 0);

    if (!good)
        printf("# got  [%.*s]\n# want [%s]\n", (int)got_len, got ? got : "", want);
    return tap_check(good, file, line, what);
}

void tap_skip(const char *reason)
{
    case_skip = reason;
}

void tap_note(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("# ", stdout);
    vprintf(format, arguments);
    fputc('\n', stdout);
    va_end(arguments);
}

int tap_run(const struct tap_case *cases, size_t count)
{
    unsigned failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        case_failures = 0;
        case_skip = NULL;
        cases[i].run();
        printf("%sok %zu - %s%s%s\n", case_failures ? "not " : "", i + 1, cases[i].name,
               case_skip ? " # SKIP " : "", case_skip ? case_skip : "");
        failed += case_failures > 0;
    }
    return failed > 0;
}
