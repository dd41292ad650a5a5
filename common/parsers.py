"""How bodies are read; apart from `common.api`, which REST framework loads it for."""

import json
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class StrictJSONParser(JSONParser):
    """JSON whose nesting and text we can handle; anything else is a 400 like bad syntax."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
            # Half of a surrogate pair is no text: neither a database nor an answer could hold it.
            json.dumps(data, ensure_ascii=False).encode()
        except (RecursionError, UnicodeEncodeError) as error:
            raise ParseError("This JSON is nested too deep or holds no text.") from error
        return data
