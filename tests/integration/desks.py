"""The server with the domain of desks.c, and rights to try it with."""
import os

import lib

ADA = 'the-token-of-ada-the-caretaker'
EVE = 'the-token-of-eve-the-auditor'
MALLORY = 'the-token-of-mallory-who-has-no-role'
DAY = '2026-11-23'


def server(*arguments, more=''):
    """A server with the desks. Skips the test where they were not built."""
    module = os.environ.get('DESKS', '')
    if not os.access(module, os.R_OK):
        lib.skip_all('the environment names no module with the test domain (DESKS)')
    config = f"""
[domain desks]
module = {module}
[token ada]
secret = {ADA}
roles = user caretaker
[token eve]
secret = {EVE}
roles = auditor
[token mallory]
secret = {MALLORY}
roles = none
{more}
"""
    return lib.Server(*arguments, config=config)


def bearer(token):
    return {'Authorization': f'Bearer {token}'}


def uuid(number):
    return f'00000000-0000-4000-8000-{number:012x}'


def book(number, desk, day=DAY, who='Ada', **more):
    return {'id': uuid(number), 'desk': desk, 'day': day, 'who': who, **more}
