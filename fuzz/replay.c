/* Feeds a folder of files to a fuzzer, once each: the seeds, and what was found and fixed. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int feed(const char *folder, const char *name)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    /* Exactly as many bytes as are read, so that the sanitizer sees one too many. */
    const size_t max = 1 << 20;
    uint8_t *all = malloc(max);
    const size_t len = all ? fread(all, 1, max, file) : 0;
    uint8_t *bytes = malloc(len > 0 ? len : 1);
    if (bytes) {
        memcpy(bytes, all, len);
        LLVMFuzzerTestOneInput(bytes, len);
    }
    free(bytes);
    free(all);
    return fclose(file);
}

int main(int argc, char **argv)
{
    int failed = argc == 2 ? 0 : 1;
    int fed = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;

    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        failed += feed(argv[1], entry->d_name) != 0;
        fed++;
    }
    if (folder)
        closedir(folder);
    printf("%d fed, %d failed\n", fed, failed);
    return failed > 0 || fed == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
