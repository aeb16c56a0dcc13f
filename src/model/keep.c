#include "model/keep.h"

bool sl_keep_read(const char *text, int64_t *out_ns)
{
    int64_t number = 0, unit;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *at - '0', &number))
            return false;
    switch (*at) {
    case 's':
        unit = 1;
        break;
    case 'm':
        unit = 60;
        break;
    case 'h':
        unit = 3600;
        break;
    case 'd':
        unit = 86400;
        break;
    default:
        return false;
    }
    return at > text && at[1] == '\0' &&
           !__builtin_mul_overflow(number, unit * INT64_C(1000000000), out_ns);
}
