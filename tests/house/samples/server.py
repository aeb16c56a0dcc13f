#!/usr/bin/env python3
"""Stands where the server stands, to test the guide of the tour and nothing else: it prints the
addresses and says which path it was asked for."""
import http.server
import sys

options = dict(zip(sys.argv[2::2], sys.argv[3::2]))


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f'you asked for {self.path} at port {options["--port"]}\n'.encode())

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(('127.0.0.1', int(options['--port'])), Answer)
print(f'sluice: http://127.0.0.1:{options["--port"]}/ (data in {options["--data"]})')
print(f'resp://127.0.0.1:{options["--resp-port"]}', flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    print('stopped')
