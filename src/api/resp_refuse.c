/*
 * What Redis does and this door does not: each is refused with the reason, and with what to do
 * instead, so that nobody who moves an application here has to guess.
 */
#include "api/resp_parts.h"

#include <string.h>
#include <strings.h>

/* Names between spaces, in capitals. */
static const struct refusal {
    const char *code;
    const char *why;
    const char *names;
} refusals[] = {
    {"READONLY",
     "rows are made by projections of events. Send a command: SLUICE.DO domain.Command {json}",
     " SET SETEX SETNX PSETEX MSET MSETNX GETSET GETDEL APPEND SETRANGE SETBIT BITFIELD BITOP "
     "INCR INCRBY INCRBYFLOAT DECR DECRBY DEL UNLINK RENAME RENAMENX COPY MOVE RESTORE MIGRATE "
     "HSET HSETNX HMSET HDEL HINCRBY HINCRBYFLOAT "
     "LPUSH LPUSHX RPUSH RPUSHX LPOP RPOP LSET LREM LTRIM LINSERT LMOVE LMPOP RPOPLPUSH "
     "SADD SREM SPOP SMOVE SUNIONSTORE SINTERSTORE SDIFFSTORE ZADD ZREM ZINCRBY ZPOPMIN ZPOPMAX "
     "ZRANGESTORE ZUNIONSTORE ZINTERSTORE ZREMRANGEBYSCORE ZREMRANGEBYRANK ZREMRANGEBYLEX "
     "GEOADD GEOSEARCHSTORE PFADD PFMERGE XADD XDEL XTRIM XSETID FLUSHDB FLUSHALL "
     "SWAPDB "},
    {"READONLY",
     "rows do not expire. A projection deletes a row when an event says so, a timer of a process "
     "makes that event in time",
     " EXPIRE PEXPIRE EXPIREAT PEXPIREAT EXPIRETIME PEXPIRETIME PERSIST TTL PTTL GETEX TOUCH "},
    {"READONLY",
     "messages are changes of rows and events of logs, nobody else's. SLUICE.DO makes an event, "
     "and who subscribes to domain:events:* gets it",
     " PUBLISH SPUBLISH SSUBSCRIBE SUNSUBSCRIBE PUBSUB "},
    {"ERR",
     "a command is a transaction by itself: all its events are stored, or none. What belongs "
     "together is one command of the domain: SLUICE.DO domain.Command {json}",
     " MULTI EXEC DISCARD WATCH UNWATCH "},
    {"ERR",
     "rules are written in the domain, where every door keeps them. Send one of its commands: "
     "SLUICE.DO domain.Command {json}",
     " EVAL EVALSHA EVAL_RO EVALSHA_RO SCRIPT FUNCTION FCALL FCALL_RO "},
    {"ERR", "all keys at once could be any number: SCAN 0 MATCH domain:view:* goes through them",
     " KEYS DBSIZE RANDOMKEY SORT SORT_RO "},
    {"WRONGTYPE",
     "a row is a text (GET) and a hash (HGETALL). Ordered lists, searches and ranges of rows are "
     "queries by HTTP: GET /domain/view?index=…",
     " LRANGE LLEN LINDEX LPOS SMEMBERS SCARD SISMEMBER SMISMEMBER SINTER SUNION SDIFF "
     "SRANDMEMBER SSCAN ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANGEBYLEX ZCARD ZSCORE "
     "ZMSCORE ZRANK ZREVRANK ZCOUNT ZSCAN PFCOUNT GETBIT BITCOUNT BITPOS "},
    {"WRONGTYPE",
     "what happens is read from the log: PSUBSCRIBE domain:events:*@position goes on where "
     "a reader was, GET /domain/events by HTTP gives pages",
     " XREAD XREADGROUP XRANGE XREVRANGE XLEN XINFO XACK XGROUP XCLAIM XAUTOCLAIM XPENDING BLPOP "
     "BRPOP BLMOVE BLMPOP BRPOPLPUSH BZPOPMIN BZPOPMAX BZMPOP "},
    {"ERR",
     "a place is two fields of a row: HMGET domain:view:key says them. GEOSEARCH domain:view … "
     "finds the rows that are near",
     " GEOPOS GEODIST GEOHASH GEORADIUS GEORADIUS_RO GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO "},
    {"ERR",
     "the server is run by its own verbs (sluice help) and by /admin/status; everything that was "
     "answered is durable already",
     " SAVE BGSAVE BGREWRITEAOF LASTSAVE SHUTDOWN DEBUG MONITOR SLOWLOG LATENCY MEMORY MODULE "
     "REPLICAOF SLAVEOF FAILOVER SYNC PSYNC REPLCONF WAIT WAITAOF CLUSTER ACL ASKING READONLY "
     "READWRITE ROLE OBJECT DUMP "},
};

/* Is the word, whatever its case, among the names? */
static bool is_among(struct sl_text word, const char *names)
{
    for (const char *name = names + 1; *name;) {
        const char *end = strchr(name, ' ');
        if ((size_t)(end - name) == word.len && strncasecmp(name, word.ptr, word.len) == 0)
            return true;
        name = end + 1;
    }
    return false;
}

enum sl_resp_result resp_unknown(struct resp_session *session, struct sl_resp_command *command)
{
    const struct sl_text name = command->words[0];
    const int shown = (int)(name.len < 64 ? name.len : 64);

    (void)session;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (!is_among(name, refusals[i].names))
            continue;
        resp_error(command->out, refusals[i].code, "%.*s is refused: %s", shown, name.ptr,
                   refusals[i].why);
        return SL_RESP_DONE;
    }
    resp_error(command->out, "ERR", "unknown command '%.*s'; COMMAND LIST says what there is",
               shown, name.ptr);
    return SL_RESP_DONE;
}
