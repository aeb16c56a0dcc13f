#include "base/error.h"
#include "tap/tap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void fills_an_error(void)
{
    struct sl_error error = {0};

    errno = ENOENT;
    CHECK(sl_fail(&error, SL_IO, "cannot open %s", "x") == SL_IO);
    CHECK(error.code == SL_IO && error.os_errno == ENOENT);
    CHECK_STRING(error.message, "cannot open x: No such file or directory");
    CHECK(sl_fail(&error, SL_INVALID, "line %d:\n\ttoo long", 7) == SL_INVALID);
    CHECK(error.os_errno == 0);
    CHECK_STRING(error.message, "line 7:  too long");
    CHECK(sl_fail(NULL, SL_LIMIT, "nobody looks") == SL_LIMIT);
}

static void cuts_between_characters(void)
{
    struct sl_error error;
    char text[300];

    /* Two bytes a letter: with one byte before, a letter would be cut in half at the end. */
    for (size_t i = 0; i < sizeof text - 2; i += 2)
        memcpy(text + i, "\xC3\xA4", 2);
    text[sizeof text - 2] = '\0';
    CHECK(sl_fail(&error, SL_INVALID, "%s", text) == SL_INVALID);
    CHECK_U64(strlen(error.message), sizeof error.message - 2);
    CHECK(sl_fail(&error, SL_INVALID, "a%s", text) == SL_INVALID);
    CHECK_U64(strlen(error.message), sizeof error.message - 1);
    CHECK((uint8_t)error.message[sizeof error.message - 2] == 0xA4);
}

static void names_every_code(void)
{
    for (int code = SL_OK; code <= SL_CLOSED; code++)
        CHECK(strcmp(sl_err_name((enum sl_err)code), "unknown") != 0);
    CHECK_STRING(sl_err_name(SL_NO_MEMORY), "no memory");
    CHECK_STRING(sl_err_name((enum sl_err)99), "unknown");
}

static void *mark_often(void *name)
{
    for (int i = 0; i < 1000; i++) {
        sl_mark(name);
        sl_mark("error test: both");
    }
    return NULL;
}

static void counts_marks(void)
{
    static char first[] = "error test: first", second[] = "error test: second";
    pthread_t threads[2];

    CHECK_U64(sl_mark_count("error test: both"), 0);
    REQUIRE(pthread_create(&threads[0], NULL, mark_often, first) == 0);
    REQUIRE(pthread_create(&threads[1], NULL, mark_often, second) == 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK_U64(sl_mark_count("error test: both"), 2000);
    CHECK_U64(sl_mark_count("error test: first"), 1000);
    CHECK_U64(sl_mark_count("error test: second"), 1000);
    CHECK_U64(sl_mark_count("error test: never"), 0);
}

static void bugs_abort(void)
{
    int ends[2], status;
    char said[256] = {0};

    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        SL_ASSERT(ends[0] >= 0);
        SL_ASSERT(ends[0] < 0, "L1");
        _exit(0);
    }
    close(ends[1]);
    CHECK(read(ends[0], said, sizeof said - 1) > 0);
    close(ends[0]);
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(strstr(said, "error_test.c:") && strstr(said, "ends[0] < 0 (invariant L1)"));
}

int main(void)
{
    return TAP_RUN({"fills an error", fills_an_error},
                   {"cuts between characters", cuts_between_characters},
                   {"names every code", names_every_code}, {"counts marks", counts_marks},
                   {"bugs abort", bugs_abort});
}
