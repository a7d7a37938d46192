"""Prints the OpenAPI document, from which `make types` generates the page's types.

`python -m app.openapi` needs no server, no data folder and no weights.
"""

import json
import sys

from app.main import create_app


def openapi_json() -> str:
    """Return the OpenAPI document as JSON with sorted keys, the same in every release that has the same API.

    The package's version is left out, so that a new release does not make the generated types stale.
    """
    document = create_app().openapi()
    document["info"]["version"] = ""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.buffer.write(openapi_json().encode())
