/* What operators are told about files of groups that are right, damaged, or of others. */
#include "stores/log/group_audit.h"

#include "stores/log/group.h"
#include "conformance/group_scene.h"
#include "tap/tap.h"

#include <string.h>

/* With the first group of the first level made. */
static bool begin(struct scene *scene, struct sl_log_folder *folder)
{
    *folder = (struct sl_log_folder){.path = "data/log"};
    if (!scene_begin(scene, 1))
        return false;
    folder->env = scene->subject.env;
    scene_grow(scene, SMALL + 1);
    scene_rest(scene);
    return CHECK(scene_has(scene, scene_small_path));
}

static struct sl_log_group_audit look(const struct sl_log_folder *folder, bool reads)
{
    struct sl_log_group_audit found;
    struct sl_error error = {0};

    CHECK(sl_log_group_audit(folder, reads, &found, &error) == SL_OK);
    return found;
}

static void what_is_right(void)
{
    struct sl_log_folder folder;
    struct scene scene;

    if (begin(&scene, &folder)) {
        for (int reads = 0; reads < 2; reads++) {
            const struct sl_log_group_audit found = look(&folder, reads);
            CHECK_U64(found.files, 1);
            CHECK(found.bytes >= SL_LOG_BLOCK + SL_LOG_PAGE && found.bytes % SL_LOG_PAGE == 0);
            CHECK(found.unused == 0 && found.damaged == 0 && !found.why);
        }
    }
    scene_end(&scene);
}

static void flip(struct image *image, size_t at)
{
    image->bytes[at] ^= 0x40;
}

static void flip_magic(struct image *image)
{
    flip(image, 3);
}

static void flip_identity(struct image *image)
{
    flip(image, 64);
}

static void flip_page(struct image *image)
{
    flip(image, SL_LOG_BLOCK + 2000);
}

static void cut_page(struct image *image)
{
    image->len = SL_LOG_BLOCK + SL_LOG_PAGE / 2;
}

static void cut_all(struct image *image)
{
    image->len = 0;
}

/* Every checksum is right, and no key in it. */
static void deny(struct image *image)
{
    const struct sl_log_page_head head = {.kind = SL_LOG_PAGES_FILTER};

    memset(image->bytes + SL_LOG_BLOCK, 0, SL_LOG_PAGE);
    sl_log_page_seal(&head, sl_le64(image->bytes + 64), 1, image->bytes + SL_LOG_BLOCK);
}

static void become_of_others(struct image *image)
{
    struct sl_log_group_head head = {.first = sl_le64(image->bytes + 48),
                                     .segment_count = sl_le32(image->bytes + 56),
                                     .page_count = sl_le32(image->bytes + 60),
                                     .identity = sl_le64(image->bytes + 64) + 1};

    memcpy(head.log.bytes, image->bytes + 32, 16);
    sl_log_group_head_write(&head, image->bytes);
}

static void what_is_not(void)
{
    static const struct {
        void (*change)(struct image *image);
        uint64_t offset;
        const char *why; /* NULL: it is of others */
    } cases[] = {
        {flip_magic, 0, "its header"},
        {flip_identity, 0, "its header"},
        {cut_all, 0, "its header"},
        {flip_page, SL_LOG_PAGE, "a page of the filter"},
        {cut_page, SL_LOG_PAGE, "a page of the filter"},
        {deny, SL_LOG_PAGE, "it denies what a segment has"},
        {become_of_others, 0, NULL},
    };
    static struct image good, bad;
    struct sl_log_folder folder;
    struct scene scene;

    if (!begin(&scene, &folder) || !image_take(&scene, scene_small_path, &good)) {
        scene_end(&scene);
        return;
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bad = good;
        cases[i].change(&bad);
        image_put(&scene, &bad);
        const struct sl_log_group_audit found = look(&folder, true);
        CHECK_U64(found.files, 1);
        CHECK_U64(found.damaged, cases[i].why != NULL);
        CHECK_U64(found.unused, cases[i].why == NULL);
        if (!cases[i].why || !CHECK(found.why))
            continue;
        CHECK_STRING(found.why, cases[i].why);
        CHECK_STRING(found.path, scene_small_path);
        CHECK_U64(found.offset, cases[i].offset);
        CHECK_U64(look(&folder, false).damaged, 0); /* it only counts */
    }
    scene_end(&scene);
}

int main(void)
{
    return TAP_RUN({"nothing is said of what is right", what_is_right},
                   {"file, offset and reason of what is not", what_is_not});
}
