/*
 * What clang's analyzer cannot see, because it reads one file at a time: sl_fail returns the code
 * that it was given, and nobody gives it SL_OK. Included before each analysed file.
 */
#ifndef ANALYZER_H
#define ANALYZER_H

#include "base/error.h"

#define sl_fail(error, code, ...) ((void)sl_fail((error), (code), __VA_ARGS__), (code))

#endif
