"""Python's clients that keep their connections: head and body sent apart, requests refused before their body is read, and one more
request on the same connection unless the response has said that it closes.

Arguments: host, port, API key. Prints a line of JSON.
"""

import http.client
import json
import sys

import requests

HOST, PORT, KEY = sys.argv[1], int(sys.argv[2]), sys.argv[3]
PATH = "/api/v2/public/migrate-token"
JSON = {"content-type": "application/json"}
GOOD = {**JSON, "x-api-key": KEY, "linked_account_id": "user_1"}
SMALL, LARGE = b'{"slug":"custom","auth_object":{}}', b" " * (300 * 1024)
# Method, path, headers, body, expected status.
CASES = [
    ("PUT", PATH, {**GOOD, "x-api-key": "tk_wrong"}, SMALL, 401),
    ("PUT", PATH, JSON, SMALL, 401),
    ("PUT", "/nowhere", GOOD, SMALL, 404),
    ("PATCH", PATH, GOOD, SMALL, 405),
    ("PUT", PATH, {**GOOD, "content-type": "text/plain"}, SMALL, 415),
    ("PUT", PATH, GOOD, b"{", 400),
    ("PUT", PATH, GOOD, SMALL, 200),
    ("GET", "/livez", GOOD, SMALL, 200),
    ("PUT", PATH, GOOD, LARGE, 413),
    ("PUT", PATH, JSON, LARGE, 401),
    ("POST", "/api/v2/public/imports", JSON, LARGE, 401),
]


def with_http_client(chunked):
    """Connections that were closed; a request on one that is closed without a word raises."""
    connection, closed = None, 0
    for method, path, headers, body, expected in CASES * 3:
        if connection is None:
            connection = http.client.HTTPConnection(HOST, PORT, timeout=30)
            connection.connect()
            # A closed connection must not be reopened silently.
            connection.auto_open = 0
        connection.putrequest(method, path)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.putheader(*(("transfer-encoding", "chunked") if chunked else ("content-length", str(len(body)))))
        connection.endheaders()
        try:
            if chunked:
                connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            else:
                connection.send(body)
        except (BrokenPipeError, ConnectionResetError):
            # The server may not read the rest of a large body; the response arrives all the same.
            assert len(body) > 64 * 1024, (method, path)
        response = connection.getresponse()
        response.read()
        assert response.status == expected, (method, path, response.status)
        if response.will_close:
            assert response.getheader("connection") == "close", (method, path)
            assert expected not in (200, 400), (method, path)
            connection.close()
            connection, closed = None, closed + 1
    return closed


def with_requests():
    statuses = []
    with requests.Session() as session:
        for method, path, headers, body, expected in CASES * 3:
            # A refused upload ends with a broken pipe in this client, so only bodies that the server reads whole are sent here.
            if len(body) > 64 * 1024:
                continue
            answer = session.request(method, f"http://{HOST}:{PORT}{path}", headers=headers, data=body, timeout=30)
            assert answer.status_code == expected, (method, path, answer.status_code)
            statuses.append(answer.status_code)
    return len(statuses)


print(json.dumps({"sized": with_http_client(False), "chunked": with_http_client(True), "requests": with_requests()}))
