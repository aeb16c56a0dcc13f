#include "base/env_sim_parts.h"

#include <stdlib.h>
#include <string.h>

static void image_resize(struct sim_image *image, size_t size)
{
    if (size > image->capacity) {
        size_t capacity = image->capacity > 0 ? image->capacity : SIM_SECTOR;
        while (capacity < size)
            capacity *= 2;
        uint8_t *bytes = sim_zeroed(capacity, 1);
        if (image->size > 0)
            memcpy(bytes, image->bytes, image->size);
        free(image->bytes);
        image->bytes = bytes;
        image->capacity = capacity;
    } else if (size < image->size) {
        memset(image->bytes + size, 0, image->size - size);
    }
    image->size = size;
}

/* Bytes of sector `sector` that lie within `size`. */
static size_t sector_len(uint64_t sector, size_t size)
{
    const uint64_t start = sector * SIM_SECTOR;

    if (start >= size)
        return 0;
    return size - start < SIM_SECTOR ? (size_t)(size - start) : SIM_SECTOR;
}

/* Of a sector beyond the image's end nothing arrives: blocks without a size are in no file. */
static void image_apply(struct sim_image *image, const struct sim_piece *piece)
{
    if (piece->is_size) {
        image_resize(image, (size_t)piece->at);
        return;
    }
    const size_t len = sector_len(piece->at, image->size);
    if (len > 0)
        memcpy(image->bytes + piece->at * SIM_SECTOR, piece->bytes, len);
}

struct sim_inode *sim_inode_new(struct sim_env *sim)
{
    struct sim_inode *inode = sim_zeroed(1, sizeof *inode);

    inode->next = sim->disk.inodes;
    sim->disk.inodes = inode;
    return inode;
}

void sim_inode_release(struct sim_env *sim, struct sim_inode *inode)
{
    struct sim_inode **place = &sim->disk.inodes;

    if (!inode || --inode->refs > 0)
        return;
    while (*place != inode)
        place = &(*place)->next;
    *place = inode->next;
    free(inode->now.bytes);
    free(inode->durable.bytes);
    free(inode->pieces);
    free(inode);
}

static struct sim_piece *add_piece(struct sim_inode *inode, uint64_t op, bool is_size, uint64_t at)
{
    inode->pieces =
        sim_room(inode->pieces, &inode->piece_capacity, inode->piece_count, sizeof *inode->pieces);
    struct sim_piece *piece = &inode->pieces[inode->piece_count++];
    *piece = (struct sim_piece){.op = op, .is_size = is_size, .at = at};
    return piece;
}

void sim_inode_write(struct sim_env *sim, struct sim_inode *inode, uint64_t offset,
                     const void *bytes, size_t len)
{
    const uint64_t op = sim->disk.next_op++;

    if (len == 0)
        return;
    if (offset + len > inode->now.size) {
        image_resize(&inode->now, (size_t)offset + len);
        add_piece(inode, op, true, inode->now.size);
    }
    memcpy(inode->now.bytes + offset, bytes, len);
    const uint64_t last = (offset + len - 1) / SIM_SECTOR;
    for (uint64_t sector = offset / SIM_SECTOR; sector <= last; sector++) {
        struct sim_piece *piece = add_piece(inode, op, false, sector);
        memcpy(piece->bytes, inode->now.bytes + sector * SIM_SECTOR,
               sector_len(sector, inode->now.size));
    }
}

/* Pieces for which `keep` is false are gone, the others stay in order. */
static void filter_pieces(struct sim_inode *inode,
                          bool (*keep)(const struct sim_piece *piece, uint64_t first,
                                       uint64_t last),
                          uint64_t first, uint64_t last)
{
    size_t kept = 0;

    for (size_t i = 0; i < inode->piece_count; i++)
        if (keep(&inode->pieces[i], first, last))
            inode->pieces[kept++] = inode->pieces[i];
    inode->piece_count = kept;
}

static bool is_before_sector(const struct sim_piece *piece, uint64_t first, uint64_t last)
{
    (void)last;
    return piece->is_size || piece->at < first;
}

static bool is_outside(const struct sim_piece *piece, uint64_t first, uint64_t last)
{
    return !piece->is_size && (piece->at < first || piece->at > last);
}

void sim_inode_resize(struct sim_env *sim, struct sim_inode *inode, size_t size)
{
    const uint64_t op = sim->disk.next_op++;

    if (size < inode->now.size) {
        /* What was written beyond the new end must never come back when the file grows again. */
        const uint64_t edge = size / SIM_SECTOR;
        filter_pieces(inode, is_before_sector, size % SIM_SECTOR ? edge + 1 : edge, 0);
        for (size_t i = 0; i < inode->piece_count; i++)
            if (!inode->pieces[i].is_size && inode->pieces[i].at == edge)
                memset(inode->pieces[i].bytes + size % SIM_SECTOR, 0,
                       SIM_SECTOR - size % SIM_SECTOR);
    }
    image_resize(&inode->now, size);
    add_piece(inode, op, true, size);
}

void sim_inode_harden(struct sim_inode *inode, uint64_t offset, size_t len)
{
    SL_ASSERT(len > 0 && offset + len <= inode->now.size);
    const uint64_t first = offset / SIM_SECTOR, last = (offset + len - 1) / SIM_SECTOR;

    for (size_t i = 0; i < inode->piece_count; i++)
        if (inode->pieces[i].is_size)
            image_apply(&inode->durable, &inode->pieces[i]);
    filter_pieces(inode, is_outside, first, last);
    image_resize(&inode->durable, inode->now.size);
    const uint64_t start = first * SIM_SECTOR;
    const uint64_t end = last * SIM_SECTOR + sector_len(last, inode->now.size);
    memcpy(inode->durable.bytes + start, inode->now.bytes + start, (size_t)(end - start));
}

void sim_inode_sync(struct sim_inode *inode)
{
    for (size_t i = 0; i < inode->piece_count; i++)
        image_apply(&inode->durable, &inode->pieces[i]);
    inode->piece_count = 0;
}

void sim_inode_settle(struct sim_env *sim, struct sim_inode *inode, struct sim_mood mood)
{
    enum sim_fate fate = SIM_DROPPED;

    for (size_t i = 0; i < inode->piece_count; i++) {
        const struct sim_piece *piece = &inode->pieces[i];

        if (i == 0 || piece->op != piece[-1].op)
            fate = sim_fate(sim, mood, piece->op);
        if (fate == SIM_KEPT || (fate == SIM_TORN && sim_random(sim, 2) == 0))
            image_apply(&inode->durable, piece);
    }
    inode->piece_count = 0;
}

void sim_inode_revert(struct sim_inode *inode)
{
    image_resize(&inode->now, inode->durable.size);
    if (inode->durable.size > 0)
        memcpy(inode->now.bytes, inode->durable.bytes, inode->durable.size);
    inode->piece_count = 0;
    inode->locked_by = NULL;
}
