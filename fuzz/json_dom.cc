#include "json_dom.h"

#include <simdjson.h>

enum json_dom_answer json_dom_parse(const uint8_t *bytes, size_t len)
{
    static simdjson::dom::parser parser;
    simdjson::dom::element element;

    switch (parser.parse(bytes, len).get(element)) {
    case simdjson::SUCCESS:
        return JSON_DOM_TAKEN;
    case simdjson::NUMBER_ERROR:
        return JSON_DOM_NUMBER;
    case simdjson::STRING_ERROR:
        return JSON_DOM_STRING;
    default:
        return JSON_DOM_REFUSED;
    }
}
