/* hiredis, as a program in C would use it: PORT KEY ABSENT, of a row and of none. Prints what was
 * not as it should be, and ends with 1 then. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void check(int good, const char *what)
{
    if (good)
        return;
    printf("not so: %s\n", what);
    failures++;
}

static int is_kind(const redisReply *reply, int type)
{
    return reply && reply->type == type;
}

static void reads(redisContext *redis, const char *key, const char *absent)
{
    redisReply *row = redisCommand(redis, "GET %s", key);
    redisReply *none = redisCommand(redis, "GET %s", absent);
    redisReply *both = redisCommand(redis, "MGET %s %s", absent, key);
    redisReply *hash = redisCommand(redis, "HGETALL %s", key);
    redisReply *count = redisCommand(redis, "EXISTS %s %s", key, absent);
    redisReply *scan = redisCommand(redis, "SCAN 0 MATCH %s", key);

    check(is_kind(row, REDIS_REPLY_STRING) && row->str[0] == '{', "GET of a row");
    check(is_kind(none, REDIS_REPLY_NIL), "GET of none");
    check(is_kind(both, REDIS_REPLY_ARRAY) && both->elements == 2 &&
              both->element[0]->type == REDIS_REPLY_NIL &&
              strcmp(both->element[1]->str, row->str) == 0,
          "MGET");
    check(is_kind(hash, REDIS_REPLY_ARRAY) && hash->elements == 8, "HGETALL");
    check(is_kind(count, REDIS_REPLY_INTEGER) && count->integer == 1, "EXISTS");
    check(is_kind(scan, REDIS_REPLY_ARRAY) && scan->elements == 2 &&
              scan->element[0]->type == REDIS_REPLY_STRING,
          "SCAN");
    freeReplyObject(row);
    freeReplyObject(none);
    freeReplyObject(both);
    freeReplyObject(hash);
    freeReplyObject(count);
    freeReplyObject(scan);
}

static void refusal(redisContext *redis)
{
    redisReply *set = redisCommand(redis, "SET %s %s", "a", "b");

    check(is_kind(set, REDIS_REPLY_ERROR) && strncmp(set->str, "READONLY ", 9) == 0, "SET");
    freeReplyObject(set);
}

static void pipeline(redisContext *redis, const char *key)
{
    enum { COUNT = 1000 };
    int good = 0;

    for (int i = 0; i < COUNT; i++)
        redisAppendCommand(redis, "HGET %s desk", key);
    for (int i = 0; i < COUNT; i++) {
        void *reply = NULL;
        if (redisGetReply(redis, &reply) != REDIS_OK)
            break;
        good += is_kind(reply, REDIS_REPLY_STRING);
        freeReplyObject(reply);
    }
    check(good == COUNT, "a pipeline");
}

static void subscription(redisContext *redis, redisContext *other)
{
    static const char booking[] =
        "{\"id\":\"00000000-0000-4000-8000-00000000c0de\",\"desk\":\"C1\","
        "\"day\":\"2026-11-23\",\"who\":\"hiredis\"}";
    redisReply *confirmed = redisCommand(redis, "PSUBSCRIBE desks:bookings:*");
    redisReply *done = redisCommand(other, "SLUICE.DO desks.BookDesk %s", booking);
    void *reply = NULL;

    check(is_kind(confirmed, REDIS_REPLY_ARRAY) && confirmed->element[2]->integer == 1,
          "PSUBSCRIBE");
    check(is_kind(done, REDIS_REPLY_STRING), "SLUICE.DO");
    if (redisGetReply(redis, &reply) == REDIS_OK) {
        const redisReply *message = reply;
        check(is_kind(message, REDIS_REPLY_ARRAY) && message->elements == 4 &&
                  strcmp(message->element[3]->str, booking) == 0,
              "a message");
    }
    freeReplyObject(confirmed);
    freeReplyObject(done);
    freeReplyObject(reply);
}

int main(int count, char **words)
{
    if (count != 4)
        return 2;
    redisContext *redis = redisConnect("127.0.0.1", atoi(words[1]));
    redisContext *other = redisConnect("127.0.0.1", atoi(words[1]));

    if (!redis || redis->err || !other || other->err) {
        printf("no connection\n");
        return 1;
    }
    reads(redis, words[2], words[3]);
    refusal(redis);
    pipeline(redis, words[2]);
    subscription(redis, other);
    redisFree(redis);
    redisFree(other);
    return failures > 0;
}
