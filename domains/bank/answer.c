#include "domains/bank/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Goes to the end of the value at p: a string, an object, an array or a word. */
static const char *skip(const char *p, const char *end)
{
    int depth = 0;

    for (; p < end; p++) {
        if (*p == '"') {
            for (p++; p < end && *p != '"'; p++)
                p += *p == '\\';
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            if (depth-- == 0)
                return p;
        } else if (*p == ',' && depth == 0) {
            return p;
        }
    }
    return end;
}

bool bank_answer_next(const char **p, const char *end, struct sl_text *out)
{
    while (*p < end && (**p == ',' || **p == ' ' || **p == '\n'))
        (*p)++;
    if (*p >= end || **p == ']')
        return false;
    const char *stop = skip(*p, end);
    *out = (struct sl_text){*p, (size_t)(stop - *p)};
    *p = stop;
    return true;
}

bool bank_answer_value(struct sl_text element, const char *name, struct sl_text *out)
{
    char quoted[40];
    const int len = snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *end = element.ptr + element.len;
    const char *found = memmem(element.ptr, element.len, quoted, (size_t)len);

    if (!found)
        return false;
    const char *start = found + len, *stop = skip(start, end);
    if (stop > start + 1 && *start == '"') {
        start++;
        stop--;
    }
    *out = (struct sl_text){start, (size_t)(stop - start)};
    return true;
}

bool bank_answer_number(struct sl_text element, const char *name, int64_t *out)
{
    struct sl_text value;
    char digits[24], *end;

    if (!bank_answer_value(element, name, &value) || value.len == 0 || value.len >= sizeof digits)
        return false;
    memcpy(digits, value.ptr, value.len);
    digits[value.len] = 0;
    const int64_t number = strtoll(digits, &end, 10);
    if (*end)
        return false;
    *out = number;
    return true;
}

bool bank_answer_u128(struct sl_text element, const char *name, sl_u128 *out)
{
    struct sl_text value;
    sl_u128 number = 0;

    if (!bank_answer_value(element, name, &value) || value.len == 0 || value.len > 39)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return false;
        number = number * 10 + (unsigned)(value.ptr[i] - '0');
    }
    *out = number;
    return true;
}
