/* Following a log, for the doors' streams: log_follow.c says how. Private to this folder. */
#ifndef SL_API_LOG_FOLLOW_H
#define SL_API_LOG_FOLLOW_H

#include "api/parts.h"

/* Bytes that a peer may have left unread when the next page is read for it. */
enum { API_FOLLOW_BACKLOG = 256 << 10 };

/* Lies within what a door keeps of the stream. The first six are the door's to set. */
struct api_follower {
    struct sl_api *api;
    struct sl_core_domain *domain;
    /* Sends an event that the query asks for; false: the peer takes no more. */
    bool (*send)(struct api_follower *follower, const struct sl_stored_event *event);
    /* Bytes that the peer has not read. */
    size_t (*backlog)(struct api_follower *follower);
    /* `send` failed, or the log could not be read: end the stream, which calls api_follower_end. */
    void (*give_up)(struct api_follower *follower);
    /* The last that happens to a follower that was ended; by then nothing refers to it. */
    void (*free)(struct api_follower *follower);

    struct api_log_query query; /* `from`: all below was sent, or does not match */

    /* Internal. */
    struct api_pending pending; /* in the api's list while a read outlives the peer */
    struct sl_log_watch watch;
    struct sl_core_read read;
    uint64_t noted; /* the log is durable up to here, as the watch said */
    bool reading;
    bool live;
    bool ended;
    bool paused;
    struct api_follower *next_paused;
    char key[SL_STORE_STREAM_BYTES_MAX];
};

/* Copies what it is to follow. False: the key is longer than a key can be. */
bool api_follower_ask(struct api_follower *follower, const struct api_log_query *query);
/* Begins; nothing is sent from inside. */
void api_follower_start(struct api_follower *follower);
/* Sends nothing more; frees it, now or when its read is over. */
void api_follower_end(struct api_follower *follower);

#endif
