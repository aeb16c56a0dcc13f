#include "conformance/view_past_suite.h"
#include "conformance/sqlite_places.h"
#include "stores/sqlite/sqlite.h"

int main(int argc, char **argv)
{
    if (!sqlite_places_begin(argc > 1 ? argv[1] : "sim"))
        return 1;
    const int status = view_past_suite(&(struct view_store_bench){
        .ops = &sl_sqlite_view_store, .start = sqlite_place_start, .stop = sqlite_place_stop});
    sqlite_places_end();
    return status;
}
