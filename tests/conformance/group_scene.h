/*
 * A log on a simulated disk whose segments are full after one batch, for the tests of groups.
 */
#ifndef CONFORMANCE_GROUP_SCENE_H
#define CONFORMANCE_GROUP_SCENE_H

#include "conformance/event_store_bench.h"

enum {
    EVENTS_A_BATCH = 4,
    BODY_BYTES = 50000, /* of the first of them: a batch fills a segment */
    SMALL = 8,          /* segments in a group of the first level */
    IMAGE_MAX = 256 << 10,
};

/* The file of the first of them. */
extern const char *const scene_small_path;

/* Settings of the log that is opened next; scene_end takes them back. */
extern const char *scene_seal;
extern const char *scene_segment_bytes;

struct scene {
    struct bench bench;
    struct event_store_subject subject;
};

bool scene_begin(struct scene *scene, uint64_t seed);
void scene_end(struct scene *scene);
bool scene_reopen(struct scene *scene);

/* Until nothing more is to be done: what is full is sealed, what lacks a group's file has it. */
void scene_rest(struct scene *scene);

/* Events each have a stream and a tag of their own. */
struct names {
    char stream[24], tag[24];
};
void scene_name(uint64_t position, struct names *out);
void scene_append(struct scene *scene);

/* Appends until so many segments are full, and the sealer has heard of it. */
void scene_grow(struct scene *scene, uint64_t segments);

bool scene_has(struct scene *scene, const char *path);
bool scene_has_sealed(struct scene *scene, uint64_t number);

/* A file's bytes, taken from the disk and put (as scene_small_path) onto it. */
struct image {
    uint8_t bytes[IMAGE_MAX];
    size_t len;
};
bool image_take(struct scene *scene, const char *path, struct image *out);
void image_put(struct scene *scene, const struct image *image);

#endif
