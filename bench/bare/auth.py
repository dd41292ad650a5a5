"""`Authorization: Token <key>`, as DRF's own does it."""

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from bench.bare.models import Person, Token


class TokenAuthentication(BaseAuthentication):
    """One look-up by the key's index, the person joined."""

    def authenticate(self, request: Request) -> tuple[Person, None]:
        key = get_authorization_header(request)[6:].decode()
        found = Token.objects.select_related("person").filter(key=key).first()
        if found is None:
            raise AuthenticationFailed
        return found.person, None
