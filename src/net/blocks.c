/* Memory that connections share: blocks of received bytes, and buffers for what is sent. */
#include "net/conn.h"

#include <stdlib.h>
#include <string.h>

enum { USUAL = BLOCK_BYTES - sizeof(struct block), ROOM_MIN = 2048 };

struct block *sl_block_take(struct sl_net *net, size_t size)
{
    struct block *block = net->spare_blocks;

    if (size <= USUAL && block) {
        net->spare_blocks = block->next;
        net->spare_block_count--;
    } else {
        if (size < USUAL)
            size = USUAL;
        block = malloc(sizeof *block + size);
        if (!block)
            return NULL;
        block->size = size;
    }
    block->next = NULL;
    block->refs = 1;
    return block;
}

void sl_block_drop(struct sl_net *net, struct block *block)
{
    if (!block || --block->refs > 0)
        return;
    if (block->size > USUAL || net->spare_block_count == SPARES_MAX) {
        free(block);
        return;
    }
    block->next = net->spare_blocks;
    net->spare_blocks = block;
    net->spare_block_count++;
}

void sl_block_release(struct conn *conn)
{
    sl_block_drop(conn->net, conn->in);
    conn->in = NULL;
    conn->in_from = conn->in_to = 0;
}

bool sl_block_make_room(struct conn *conn)
{
    const size_t here = conn->in_to - conn->in_from;
    struct block *in = conn->in;

    if (in && in->refs == 1 && here == 0)
        conn->in_from = conn->in_to = 0;
    if (in && in->size - conn->in_from >= conn->in_want &&
        (conn->in_want > here || in->size - conn->in_to >= ROOM_MIN))
        return true;
    size_t size = here + ROOM_MIN > conn->in_want ? here + ROOM_MIN : conn->in_want;
    if (in && in->refs == 1 && in->size >= size) {
        /* Nobody points into the block but us. */
        memmove(in->bytes, in->bytes + conn->in_from, here);
    } else {
        /* Twice as much each time, so that a long command is copied a bounded number of times. */
        if (here + ROOM_MIN > USUAL && conn->in_want <= here)
            size = here * 2;
        struct block *fresh = sl_block_take(conn->net, size);
        if (!fresh)
            return false;
        if (in && here > 0)
            memcpy(fresh->bytes, in->bytes + conn->in_from, here);
        sl_block_drop(conn->net, in);
        conn->in = fresh;
    }
    conn->in_from = 0;
    conn->in_to = here;
    return true;
}

void sl_out_take(struct sl_net *net, struct sl_buf *out)
{
    if (out->ptr || net->spare_out_count == 0)
        return;
    const size_t bytes_max = out->bytes_max;
    *out = net->spare_outs[--net->spare_out_count];
    out->bytes_max = bytes_max;
}

void sl_out_give(struct sl_net *net, struct sl_buf *out)
{
    if (!out->ptr)
        return;
    if (out->capacity > SPARE_BYTES_MAX || net->spare_out_count == SPARES_MAX) {
        sl_buf_close(out);
        return;
    }
    net->spare_outs[net->spare_out_count++] =
        (struct sl_buf){.ptr = out->ptr, .capacity = out->capacity};
    *out = (struct sl_buf){.bytes_max = out->bytes_max};
}
