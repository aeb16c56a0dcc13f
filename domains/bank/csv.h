/* Lines of a CSV file without quotes, plain or compressed by zstd. */
#ifndef BANK_CSV_H
#define BANK_CSV_H

#include <stdio.h>

#include <sluice/types.h>

#define BANK_CSV_FIELDS 10

struct bank_csv {
    FILE *file;
    bool piped;
    unsigned long line;
    char text[1024];
    struct sl_text fields[BANK_CSV_FIELDS];
    size_t field_count;
};

/* Opens a file; one whose name ends in .zst is read through the program zstd. False: said on
 * stderr. */
bool bank_csv_open(struct bank_csv *csv, const char *path);

/* The next line, cut into fields that live until the next call. False: the end. */
bool bank_csv_next(struct bank_csv *csv);

/* False: reading or zstd failed; said on stderr, unless `path` is NULL (the rest was not
 * wanted). */
bool bank_csv_close(struct bank_csv *csv, const char *path);

/* A whole number; false where it is none. */
bool bank_csv_number(struct sl_text text, int64_t *out);

#endif
