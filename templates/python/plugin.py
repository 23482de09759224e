"""Lets a request through if it carries the agreed word."""

from typing import Any

from tollgate import Plugin, export, problem


class Password(Plugin):
    name = "{{name}}"
    version = "0.1.0"
    summary = "Lets a request through if it carries the agreed word"
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["header", "word"],
        "properties": {
            "header": {"type": "string", "description": "The header with the word."},
            "word": {"type": "string", "description": "The agreed word."},
        },
    }

    def configure(self, config: dict[str, Any]) -> None:
        self.header = config["header"]
        self.word = config["word"]

    def on_request(self, request):
        if request.header(self.header) != self.word:
            return problem(request, 401, "unauthorized", "The word is missing or wrong")
        request.remove_header(self.header)

    def on_response(self, request, response):
        response.set_header("x-checked-by", self.name)


Filter = export(Password)
