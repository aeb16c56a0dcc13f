/* What is a repeat: by digests with a key, and by those that were remembered without one. */
#include "command/digest.h"

#include <string.h>

#include "command/bench_writer.h"
#include "tap/tap.h"

static const struct sl_uuid log_a = {{1, 2, 3}}, log_b = {{1, 2, 4}};

static struct sl_slice slice_of(const char *text)
{
    return (struct sl_slice){(const uint8_t *)text, strlen(text)};
}

static struct sl_submission submission_of(struct sl_uuid log, const char *body)
{
    const struct sl_slice part = slice_of(body);

    return (struct sl_submission){.digest = sl_digest_keyed(log, &part, 1),
                                  .plain_digest = sl_digest_plain(&part, 1)};
}

static void what_fits(void)
{
    const struct sl_submission pay = submission_of(log_a, "pay 5");
    const struct sl_submission other = submission_of(log_a, "pay 6");
    const struct sl_submission elsewhere = submission_of(log_b, "pay 5");
    struct sl_submission forged = other;

    CHECK(sl_digest_fits(&pay, pay.digest));
    CHECK(!sl_digest_fits(&other, pay.digest));
    CHECK(!sl_digest_fits(&elsewhere, pay.digest)); /* the key is the log's own */
    /* Remembered by a program that had no key. */
    CHECK(sl_digest_fits(&pay, pay.plain_digest));
    CHECK(!sl_digest_fits(&other, pay.plain_digest));
    /* Whatever a digest without a key is made to be, one with a key does not fit it. */
    forged.plain_digest = pay.digest;
    CHECK(!sl_digest_fits(&forged, pay.digest));
    /* None of it: who sends gives its own digest and no other. */
    const struct sl_submission bare = {.digest = pay.plain_digest};
    CHECK(sl_digest_fits(&bare, pay.plain_digest) && !sl_digest_fits(&bare, pay.digest));
    CHECK(!sl_digest_fits(&(struct sl_submission){.digest = pay.digest}, (struct sl_uuid){{0}}));
}

static void parts_are_as_if_joined(void)
{
    const struct sl_slice whole = slice_of("transfer 12"), parts[] = {slice_of("trans"),
                                                                      slice_of("fer 12")};

    CHECK(sl_uuid_equals(sl_digest_keyed(log_a, &whole, 1), sl_digest_keyed(log_a, parts, 2)));
    CHECK(sl_uuid_equals(sl_digest_plain(&whole, 1), sl_digest_plain(parts, 2)));
}

/* F1, C1: the outcome of an older program is given again, and not to another command. */
static void what_was_remembered_before_is_known(void)
{
    static struct rig rig;
    struct rig_command *sent[3];

    REQUIRE(rig_open(&rig, 5, (struct rig_options){0}));
    const struct sl_submission ten = submission_of(log_a, "10"), six = submission_of(log_a, "6");
    for (size_t i = 0; i < 3; i++) {
        sent[i] = rig_put(&rig, "ada", i == 2 ? 6 : 10);
        sent[i]->submission.id = sent[0]->submission.id;
        sent[i]->submission.digest = i == 0 ? ten.plain_digest : i == 1 ? ten.digest : six.digest;
        sent[i]->submission.plain_digest = i == 0   ? (struct sl_uuid){{0}}
                                           : i == 1 ? ten.plain_digest
                                                    : six.plain_digest;
        rig_send(&rig, sent[i]);
        CHECK(rig_wait_all(&rig));
    }
    CHECK_U64(sent[0]->status, 201);
    CHECK_U64(sent[1]->status, 201);
    CHECK(!sent[0]->repeated && sent[1]->repeated);
    CHECK_U64(sent[1]->position, sent[0]->position);
    CHECK_U64(sent[2]->status, 422);
    CHECK_STRING(sent[2]->rule, "id_reused");
    CHECK(!rig.bad);
    rig_close(&rig);
}

int main(void)
{
    return TAP_RUN({"what fits", what_fits},
                   {"parts are as if joined", parts_are_as_if_joined},
                   {"what was remembered before is known", what_was_remembered_before_is_known});
}
