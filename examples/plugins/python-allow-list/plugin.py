"""Lets a request through if who asks is on the configured list, by attribute or by address."""

import ipaddress
from typing import Any

from tollgate import Plugin, export, problem


class AllowList(Plugin):
    name = "python-allow-list"
    version = "0.1.0"
    summary = "Lets through who is on a list of subjects and networks"
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "subjects": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Values of the attribute `auth.subject`, which an earlier plugin sets.",
            },
            "networks": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Networks of clients, such as `10.0.0.0/8`.",
            },
        },
    }

    def configure(self, config: dict[str, Any]) -> None:
        self.subjects = frozenset(config.get("subjects", []))
        # A misspelt network is a ValueError that names it: the configuration is refused.
        self.networks = [ipaddress.ip_network(network) for network in config.get("networks", [])]
        if not self.subjects and not self.networks:
            raise ValueError("subjects or networks: one of them must name somebody")

    def on_request(self, request):
        if request.attribute("auth.subject") in self.subjects or self.knows(request.peer().address):
            return None
        return problem(request, 403, "forbidden", "You are not on the list")

    def knows(self, address: str) -> bool:
        client = ipaddress.ip_address(address)
        return any(client in network for network in self.networks)

    def on_response(self, request, response):
        response.append_header("x-acted", "python")


Filter = export(AllowList)
