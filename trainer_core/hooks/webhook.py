"""Sends one JSON message to an address of the person's: bounded in time and tries, never redirected."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from trainer_core import __version__
from trainer_core.text import safe_text

TRIES = 3
_SECONDS = 10.0
_PAUSES = (1.0, 4.0)


class WebhookError(Exception):
    """A message did not arrive; the text says why and names the host alone, since the address is a secret."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A message goes where the person said and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""
        return


def post(address: str, message: dict[str, Any], pause: Callable[[float], None] = time.sleep) -> None:
    """POST `message` to `address`; try again where that may help (no answer, 408, 429, 5xx).

    Raises:
        WebhookError: it did not arrive.
    """
    body = json.dumps(message, allow_nan=False).encode()
    headers = {"Content-Type": "application/json", "User-Agent": f"dbtui/{__version__}"}
    opener = urllib.request.build_opener(_NoRedirect)
    problem = ""
    for number in range(TRIES):
        if number:
            pause(_PAUSES[number - 1])
        request = urllib.request.Request(address, body, headers, method="POST")
        try:
            with opener.open(request, timeout=_SECONDS):
                return
        except urllib.error.HTTPError as error:
            problem = f"answered {error.code}"
            error.close()
            if error.code not in {408, 429} and error.code < 500:
                break
        except (OSError, HTTPException, ValueError) as error:
            problem = f"cannot be reached ({_reason(error)})"
    raise WebhookError(f"{safe_text(urlsplit(address).hostname or '', 100)} {problem}")


def _reason(error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return safe_text(getattr(reason, "strerror", None) or type(reason).__name__, 100)
