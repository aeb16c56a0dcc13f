#include "command/digest.h"

#include <string.h>

#include "base/hash.h"
#include "base/siphash.h"

/* What a keyed digest begins with. Of those without a key one in 2^32 does by chance, and is then
 * not known again; 96 bits that nobody can compute are left. */
static const uint8_t keyed_mark[4] = {'k', 'e', 'y', 1};

struct sl_uuid sl_digest_keyed(struct sl_uuid log, const struct sl_slice *parts, size_t count)
{
    struct sl_uuid digest = sl_siphash128(log, parts, count);

    memcpy(digest.bytes, keyed_mark, sizeof keyed_mark);
    return digest;
}

struct sl_uuid sl_digest_plain(const struct sl_slice *parts, size_t count)
{
    return sl_hash128(parts, count, 0);
}

bool sl_digest_fits(const struct sl_submission *submission, struct sl_uuid known)
{
    if (sl_uuid_equals(known, submission->digest))
        return true;
    /* Without a key others can be made to equal it: never where a keyed one is remembered. */
    return memcmp(known.bytes, keyed_mark, sizeof keyed_mark) != 0 &&
           !sl_uuid_is_nil(submission->plain_digest) &&
           sl_uuid_equals(known, submission->plain_digest);
}
