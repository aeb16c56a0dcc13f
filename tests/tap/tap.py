"""Tests in Python that speak TAP, as tap.h does for C.

    with tap.case('a booked desk is taken'):
        assert status == 409, body

    sys.exit(tap.done())

An exception makes its case "not ok" and ends it, not the program. Skip(reason) ends a case as
skipped; the reason names what is missing.
"""
import contextlib
import sys
import traceback

count = 0
failures = 0


class Skip(Exception):
    """Raised inside a case: what it needs is not here."""


@contextlib.contextmanager
def case(name):
    global count, failures
    count += 1
    try:
        yield
    except Skip as skip:
        print(f'ok {count} - {name} # SKIP {skip}', flush=True)
    except Exception:  # whatever it is, it fails this case and none of the next
        failures += 1
        note(traceback.format_exc())
        print(f'not ok {count} - {name}', flush=True)
    else:
        print(f'ok {count} - {name}', flush=True)


def note(text):
    for line in str(text).splitlines():
        print(f'# {line}', flush=True)


def skip_all(reason):
    """Ends the program: all of it is skipped."""
    print(f'1..0 # SKIP {reason}', flush=True)
    sys.exit(0)


def done():
    """Prints the plan, which TAP allows at the end; returns the exit code."""
    print(f'1..{count}', flush=True)
    return 1 if failures else 0
