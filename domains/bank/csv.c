#include "domains/bank/csv.h"

#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* The shell must not see a path that could end its quotes. */
static FILE *open_compressed(const char *path)
{
    char command[1200];

    if (strchr(path, '\'') || strlen(path) > 1000) {
        fprintf(stderr, "%s: a compressed file's path has no quotes and at most 1000 bytes\n",
                path);
        return NULL;
    }
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        return NULL;
    }
    if (fclose(file) != 0)
        return NULL;
    snprintf(command, sizeof command, "zstd -dcq -- '%s'", path);
    return popen(command, "r"); /* NOLINT(cert-env33-c) */
}

bool bank_csv_open(struct bank_csv *csv, const char *path)
{
    *csv = (struct bank_csv){.piped = ends_with(path, ".zst")};
    csv->file = csv->piped ? open_compressed(path) : fopen(path, "r");
    if (!csv->file && !csv->piped)
        perror(path);
    return csv->file != NULL;
}

bool bank_csv_next(struct bank_csv *csv)
{
    if (!fgets(csv->text, sizeof csv->text, csv->file))
        return false;
    csv->line++;
    char *p = csv->text;
    p[strcspn(p, "\r\n")] = 0;
    csv->field_count = 0;
    while (csv->field_count < BANK_CSV_FIELDS) {
        const size_t length = strcspn(p, ",");
        csv->fields[csv->field_count++] = (struct sl_text){p, length};
        if (!p[length])
            break;
        p += length + 1;
    }
    return true;
}

bool bank_csv_close(struct bank_csv *csv, const char *path)
{
    const bool broken = ferror(csv->file) != 0;
    const int status = csv->piped ? pclose(csv->file) : fclose(csv->file);

    if (!path)
        return !broken && status == 0;
    if (status != 0 && csv->piped)
        fprintf(stderr, "%s: zstd could not read it (is the package zstd installed?)\n", path);
    else if (broken || status != 0)
        fprintf(stderr, "%s: could not be read to its end\n", path);
    return !broken && status == 0;
}

bool bank_csv_number(struct sl_text text, int64_t *out)
{
    char digits[24];
    char *end;

    if (text.len == 0 || text.len >= sizeof digits)
        return false;
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = 0;
    *out = strtoll(digits, &end, 10);
    return *end == 0;
}
