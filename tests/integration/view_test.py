"""A view whose projection fails: it says so everywhere, the others go on, and it can be mended."""
import json
import os

import lib
from lib import case


def main():
    module = os.environ.get('FRAGILE', '')
    if not os.access(module, os.R_OK):
        lib.skip_all('the environment names no module with the fragile domain (FRAGILE)')
    with lib.Server(config=f'[domain fragile]\nmodule = {module}\n') as server:
        http = server.http
        for number in (1, 12, 13, 14):
            reply = http.post('/fragile/Mark', {'number': number})
            assert reply.status == 201, reply
        with case('the others go on'):
            assert http.get('/fragile/sturdy/14?min_position=' + reply.position).status == 200
        with case('who wants a later position is told why, at once'):
            for path in ('fragile/12', 'fragile'):
                refused = http.get(f'/fragile/{path}?min_position={reply.position}')
                assert refused.status == 503 and refused.json['detail'] == 'thirteen', refused
                assert refused.json['type'] == '/errors/view_degraded', refused
                assert refused.position.endswith(':2'), refused
        with case('rows are answered as they are, with a header'):
            row = http.get('/fragile/fragile/12')
            assert row.status == 200 and row.json == {'number': 12}, row
            assert row.headers.get('sluice-view') == 'degraded', row.headers
            assert http.get('/fragile/fragile/13').status == 404
            assert 'sluice-view' not in http.get('/fragile/sturdy/12').headers
        with case('status, list and metrics say so'):
            code, text = server.run('view', 'status', 'fragile/fragile', '--json')
            assert code == 1, text
            assert json.loads(text)[0]['state'] == 'degraded', text
            assert json.loads(text)[0]['why'] == 'thirteen', text
            code, text = server.run('view', 'list')
            assert code == 0 and 'fragile/sturdy' in text and 'degraded' in text, text
            assert 'sluice_view_degraded{domain="fragile",view="fragile"} 1' in \
                http.get('/metrics').text
        with case('trying again changes nothing while it is not mended'):
            code, text = server.run('view', 'retry', 'fragile/fragile')
            assert code == 0, text
            assert server.run('view', 'status', 'fragile/fragile')[0] == 1
        with case('what is not degraded, or not there, is not tried again'):
            assert server.run('view', 'retry', 'fragile/sturdy')[0] == 15
            assert server.run('view', 'retry', 'fragile/none')[0] == 15
            assert server.run('view', 'status', 'fragile/none')[0] == 15
        with case('a restart with a program that was mended goes on from there'):
            os.environ['FRAGILE_MENDED'] = '1'
            server.restart()
            # The token is of an earlier reign, and stays good.
            reply = server.http.get('/fragile/fragile/14?min_position=' + reply.position)
            assert reply.status == 200 and 'sluice-view' not in reply.headers, reply
            assert server.run('view', 'status')[0] == 0
    lib.done()


main()
