#include "conformance/group_scene.h"

#include "base/env_sim.h"
#include "stores/log/log_store.h"
#include "tap/tap.h"

#include <stdio.h>
#include <string.h>

const char *const scene_small_path = "data/log/00000000000000000000.8.group";
const char *scene_seal;
const char *scene_segment_bytes = "65536";

static const char *fresh(void)
{
    return "data/log";
}

static const char *setting(void *context, const char *key)
{
    (void)context;
    if (strcmp(key, "seal") == 0)
        return scene_seal;
    return strcmp(key, "segment_bytes") == 0 ? scene_segment_bytes : NULL;
}

bool scene_begin(struct scene *scene, uint64_t seed)
{
    *scene = (struct scene){0};
    scene->subject = (struct event_store_subject){
        .ops = &sl_log_store_ops, .simulated = true, .fresh = fresh, .setting = setting};
    return CHECK(sl_env_sim_new(seed, &scene->subject.env) == SL_OK) &&
           bench_begin(&scene->bench, &scene->subject);
}

void scene_end(struct scene *scene)
{
    bench_end(&scene->bench);
    sl_env_free(scene->subject.env);
    scene_seal = NULL;
    scene_segment_bytes = "65536";
}

void scene_rest(struct scene *scene)
{
    (void)sl_sim_run(scene->subject.env, INT64_MAX);
}

bool scene_reopen(struct scene *scene)
{
    if (scene->bench.store)
        bench_close(&scene->bench);
    return bench_open(&scene->bench) && bench_claim(&scene->bench);
}

void scene_name(uint64_t position, struct names *out)
{
    snprintf(out->stream, sizeof out->stream, "rare/%llu", (unsigned long long)position);
    snprintf(out->tag, sizeof out->tag, "mark:%llu", (unsigned long long)position);
}

void scene_append(struct scene *scene)
{
    static const uint8_t body[BODY_BYTES];
    static const struct sl_schema *const schemas[] = {&bench_schemas[0]};
    struct sl_stored_event events[EVENTS_A_BATCH] = {{0}};
    struct names names[EVENTS_A_BATCH];
    struct sl_text tags[EVENTS_A_BATCH];
    struct bench *bench = &scene->bench;

    for (uint64_t i = 0; i < EVENTS_A_BATCH; i++) {
        scene_name(bench->next + i, &names[i]);
        tags[i] = (struct sl_text){names[i].tag, strlen(names[i].tag)};
        events[i] = (struct sl_stored_event){.position = bench->next + i,
                                             .schema = schemas[0],
                                             .stream = {names[i].stream, strlen(names[i].stream)},
                                             .tags = &tags[i],
                                             .tag_count = 1,
                                             .body = {body, i == 0 ? BODY_BYTES : i}};
    }
    struct sl_append append = {.message = {.reply_to = bench->mailbox, .kind = 9},
                               .epoch = bench->claim.epoch,
                               .position = bench->next,
                               .events = events,
                               .event_count = EVENTS_A_BATCH,
                               .schemas = schemas,
                               .schema_count = bench->next == 0,
                               .bytes = BODY_BYTES + 1000};
    CHECK_U64(bench_put(bench, &append), SL_APPEND_DURABLE);
    bench->next += EVENTS_A_BATCH;
}

bool scene_has(struct scene *scene, const char *path)
{
    struct sl_slice bytes;

    return sl_sim_disk_peek(scene->subject.env, path, &bytes) == SL_OK;
}

bool scene_has_sealed(struct scene *scene, uint64_t number)
{
    char path[64];

    snprintf(path, sizeof path, "data/log/%020llu.sealed", (unsigned long long)number);
    return scene_has(scene, path);
}

void scene_grow(struct scene *scene, uint64_t segments)
{
    char path[64];

    snprintf(path, sizeof path, "data/log/%020llu.seg", (unsigned long long)segments);
    while (!scene_has(scene, path))
        scene_append(scene);
    scene_rest(scene);
    scene_append(scene); /* what could not be told when the segment began is told now */
}

bool image_take(struct scene *scene, const char *path, struct image *out)
{
    struct sl_slice bytes;

    if (!CHECK(sl_sim_disk_peek(scene->subject.env, path, &bytes) == SL_OK) ||
        !CHECK(bytes.len <= sizeof out->bytes))
        return false;
    memcpy(out->bytes, bytes.ptr, bytes.len);
    out->len = bytes.len;
    return true;
}

void image_put(struct scene *scene, const struct image *image)
{
    struct sl_error error = {0};
    struct sl_file *file;

    REQUIRE(sl_disk_open(scene->subject.env, scene_small_path, SL_OPEN_WRITE | SL_OPEN_CREATE,
                         &file, &error) == SL_OK);
    CHECK(sl_file_truncate(file, 0, &error) == SL_OK);
    CHECK(image->len == 0 ||
          sl_file_write_durable(file, 0, image->bytes, image->len, &error) == SL_OK);
    sl_file_close(file);
}
