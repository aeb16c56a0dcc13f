/* Days and instants as text: the proleptic Gregorian calendar, years 0001 to 9999, and RFC 3339. */
#include "record/value.h"

#include <string.h>

enum {
    DAYS_PER_ERA = 146097, /* 400 years */
    EPOCH_DAYS = 719468,   /* from 0000-03-01 to 1970-01-01 */
    FIRST_DAY = -719162,   /* 0001-01-01 */
    LAST_DAY = 2932896,    /* 9999-12-31 */
    SECONDS_PER_DAY = 86400,
};

static const int64_t ns_per_second = INT64_C(1000000000);

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Years are counted from March here, so that the leap day is a year's last and months follow the
 * pattern of (153 × month + 2) / 5 days. */
static int32_t days_of(int year, int month, int day)
{
    const int march_year = month > 2 ? year : year - 1;
    const int march_month = month > 2 ? month - 3 : month + 9;
    const int leaps = march_year / 4 - march_year / 100 + march_year / 400;

    return march_year * 365 + leaps + (153 * march_month + 2) / 5 + day - 1 - EPOCH_DAYS;
}

static void digits_of(char *out, int value, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Ten bytes at `out`. */
static void write_day(char *out, int32_t days)
{
    const int since = days + EPOCH_DAYS; /* 0000-03-01 and later: never negative */
    const int in_era = since % DAYS_PER_ERA;
    /* Takes the leap days off before dividing by a plain year. */
    const int year_in_era =
        (in_era - in_era / 1460 + in_era / 36524 - in_era / (DAYS_PER_ERA - 1)) / 365;
    const int in_year = in_era - (year_in_era * 365 + year_in_era / 4 - year_in_era / 100);
    const int march_month = (5 * in_year + 2) / 153;
    const int month = march_month < 10 ? march_month + 3 : march_month - 9;
    const int year = since / DAYS_PER_ERA * 400 + year_in_era + (month <= 2 ? 1 : 0);

    digits_of(out, year, 4);
    out[4] = '-';
    digits_of(out + 5, month, 2);
    out[7] = '-';
    digits_of(out + 8, in_year - (153 * march_month + 2) / 5 + 1, 2);
}

void sl_value_write_date(struct sl_buf *buf, struct sl_date value)
{
    char text[10];
    int32_t days = value.days;

    if (days < FIRST_DAY)
        days = FIRST_DAY;
    if (days > LAST_DAY)
        days = LAST_DAY;
    write_day(text, days);
    sl_buf_append(buf, text, sizeof text);
}

void sl_value_write_time(struct sl_buf *buf, struct sl_time value)
{
    char text[30] = "0000-00-00T00:00:00.000000000";
    const int32_t days = sl_date_of(value).days;
    size_t len = 19;

    /* Unsigned, because the first day's start lies below the least int64_t. */
    const uint64_t in_day =
        (uint64_t)value.ns - (uint64_t)((int64_t)days * SECONDS_PER_DAY) * (uint64_t)ns_per_second;
    const int seconds = (int)(in_day / (uint64_t)ns_per_second);
    const int fraction = (int)(in_day % (uint64_t)ns_per_second);
    write_day(text, days);
    digits_of(text + 11, seconds / 3600, 2);
    digits_of(text + 14, seconds / 60 % 60, 2);
    digits_of(text + 17, seconds % 60, 2);
    if (fraction > 0) {
        digits_of(text + 20, fraction, 9);
        for (len = 29; text[len - 1] == '0';)
            len--;
    }
    text[len] = 'Z';
    sl_buf_append(buf, text, len + 1);
}

/* `count` digits at text[at]; -1 where there are not as many. */
static int number_at(struct sl_text text, size_t at, size_t count)
{
    int value = 0;

    if (text.len < at + count)
        return -1;
    for (size_t i = at; i < at + count; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return -1;
        value = value * 10 + (text.ptr[i] - '0');
    }
    return value;
}

bool sl_value_read_date(struct sl_text text, struct sl_date *out)
{
    if (text.len != 10 || text.ptr[4] != '-' || text.ptr[7] != '-')
        return false;
    const int year = number_at(text, 0, 4);
    const int month = number_at(text, 5, 2);
    const int day = number_at(text, 8, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    out->days = days_of(year, month, day);
    return true;
}

/* Reads ".5" at `*at` and moves behind it; 0 where no point stands there. */
static bool read_fraction(struct sl_text text, size_t *at, int64_t *out_ns)
{
    int64_t unit = ns_per_second;

    *out_ns = 0;
    if (*at >= text.len || text.ptr[*at] != '.')
        return true;
    size_t i = *at + 1;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
        if (unit == 1)
            return false; /* a tenth decimal would be lost */
        unit /= 10;
        *out_ns += unit * (text.ptr[i] - '0');
    }
    if (i == *at + 1)
        return false;
    *at = i;
    return true;
}

/* "Z" or "+01:00" must be the rest of the text. */
static bool read_offset(struct sl_text text, size_t at, int64_t *out_seconds)
{
    *out_seconds = 0;
    if (at + 1 == text.len && text.ptr[at] == 'Z')
        return true;
    if (at + 6 != text.len || text.ptr[at + 3] != ':')
        return false;
    if (text.ptr[at] != '+' && text.ptr[at] != '-')
        return false;
    const int hours = number_at(text, at + 1, 2);
    const int minutes = number_at(text, at + 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *out_seconds = hours * 3600 + minutes * 60;
    if (text.ptr[at] == '-')
        *out_seconds = -*out_seconds;
    return true;
}

bool sl_value_read_time(struct sl_text text, struct sl_time *out)
{
    struct sl_date day;
    int64_t fraction_ns, offset_s;
    size_t at = 19;

    if (text.len < 20 || !sl_value_read_date((struct sl_text){text.ptr, 10}, &day))
        return false;
    if (text.ptr[10] != 'T' || text.ptr[13] != ':' || text.ptr[16] != ':')
        return false;
    const int hour = number_at(text, 11, 2);
    const int minute = number_at(text, 14, 2);
    const int second = number_at(text, 17, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return false;
    if (!read_fraction(text, &at, &fraction_ns) || !read_offset(text, at, &offset_s))
        return false;
    /* 128 bits on the way: the sum may fit although its first part does not. */
    __extension__ typedef __int128 wide;
    const int64_t seconds =
        (int64_t)day.days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset_s;
    const wide ns = (wide)seconds * ns_per_second + fraction_ns;
    if (ns < INT64_MIN || ns > INT64_MAX)
        return false;
    out->ns = (int64_t)ns;
    return true;
}
