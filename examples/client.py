"""A client of Sluice with nothing but Python's standard library; docs/clients.md explains it."""
import http.client
import json
import os
import time
import urllib.error
import urllib.request
import uuid

TOKEN = os.environ.get('SLUICE_TOKEN')
WHO = {'Authorization': f'Bearer {TOKEN}'} if TOKEN else {}
BROKEN = (OSError, http.client.HTTPException)  # no connection, or it ended too soon


def ask(url, headers, body=None):
    return urllib.request.urlopen(urllib.request.Request(url, body, {**WHO, **headers}))


def ask_patiently(*request):
    """Asks until there is an answer that stays: (status, document)."""
    for pause_s in [0.05, 0.1, 0.2, 0.5, 1] + 20 * [2]:
        try:
            with ask(*request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503, 504):
                return error.code, json.load(error)
        except BROKEN:
            pass  # nobody knows whether the command was carried out: the id makes asking again safe
        time.sleep(pause_s)
    raise TimeoutError('the server does not answer')


def send(url, body, command_id=None):
    """Has a command carried out, once: its id stays the same however often it has to be sent."""
    headers = {'Idempotency-Key': command_id or str(uuid.uuid4()),
               'Content-Type': 'application/json'}
    return ask_patiently(url, headers, json.dumps(body).encode())


def get(url, position=''):
    """A row that reflects all below the position, such as what the reply to a command says."""
    return ask_patiently(f'{url}?min_position={position}', {})


def follow(url, position=''):
    """Events as (position behind, event), each once, though the server goes away and comes back."""
    while True:
        try:
            for line in ask(url, {'Accept': 'text/event-stream', 'Last-Event-ID': position}):
                name, _, value = line.decode().rstrip('\n').partition(': ')
                if name == 'id':
                    position = value
                elif name == 'data':
                    yield position, json.loads(value)
        except BROKEN as error:
            if getattr(error, 'code', 503) != 503:
                raise  # it will be refused the next time, too
        time.sleep(0.2)
