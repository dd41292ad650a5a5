"""Answers that are sent once and then only asked about: ETag, gzip, 304."""

import gzip
import hashlib

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers


def answer(
    request: HttpRequest, body: bytes, *, content_type: str, zipped: bool = False
) -> HttpResponse:
    """Answer with `body` (gzip already where `zipped`), packed if the client takes that.

    The tag is of the content, so whoever has it gets 304; what is cached is asked about each time.
    """
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'
    response = get_conditional_response(request, etag=tag)
    if response is None:
        takes = "gzip" in request.headers.get("Accept-Encoding", "")
        if takes and not zipped:
            body = gzip.compress(body, 6, mtime=0)
        elif zipped and not takes:
            body = gzip.decompress(body)
        response = HttpResponse(body, content_type=content_type)
        if takes:
            response["Content-Encoding"] = "gzip"
    response["ETag"] = tag
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ("Accept-Encoding", "Cookie", "Authorization"))
    return response
