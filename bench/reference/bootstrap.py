"""Runs the handler against Lambda's Runtime API, one event after the other, on one connection.

The managed Python runtime does the same with a client in C; this loop is its standard-library counterpart.
"""

import http.client
import json
import os

ROOT = "/2018-06-01/runtime"


def post(api: http.client.HTTPConnection, path: str, body: object) -> None:
    """Sends an answer or an error."""
    api.request("POST", f"{ROOT}/{path}", json.dumps(body), {"Content-Type": "application/json"})
    api.getresponse().read()


def described(error: Exception) -> dict[str, str]:
    """An error as the Runtime API takes it."""
    return {"errorType": type(error).__name__, "errorMessage": str(error)}


def main() -> None:
    """Loads the handler, then serves events until the process is ended."""
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        from handler import handler
    except Exception as error:
        post(api, "init/error", described(error))
        raise
    while True:
        api.request("GET", f"{ROOT}/invocation/next")
        response = api.getresponse()
        request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.loads(response.read())
        try:
            post(api, f"invocation/{request_id}/response", handler(event, None))
        except Exception as error:
            post(api, f"invocation/{request_id}/error", described(error))


main()
