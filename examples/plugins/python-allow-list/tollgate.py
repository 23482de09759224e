"""What each plugin in Python shares: hooks that are left out, phases from those that are there,
exceptions as errors with their place, and problem responses."""

import dataclasses
import functools
import inspect
import json
import re
import traceback
from collections.abc import Callable, Collection, Iterable
from enum import Enum
from types import FunctionType
from typing import Any, Optional, Union, get_args, get_origin, get_type_hints

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import filter as world
from wit_world.imports import cache, crypto, http_client, limits, store, telemetry
from wit_world.imports.types import Request, Response

PROBLEMS = "https://tollgate.dev/problems/"
NEEDS = {
    "upstreams": world.Need_Upstreams,
    "store": world.Need_Store,
    "request-body": world.Need_RequestBody,
    "response-body": world.Need_ResponseBody,
    "cache": world.Need_Cache,
}


class Plugin:
    """Base of a plugin. The gateway calls the hooks that a subclass has."""

    name: str
    version: str
    summary: str
    # JSON Schema of the configuration.
    schema: dict[str, Any]
    # Keys of `NEEDS`.
    needs: list[str] = []

    def configure(self, config: dict[str, Any]) -> None:
        """Once for each instance. An exception refuses the configuration."""

    def on_request(self, request: Request) -> Optional[world.Verdict]:
        """`None`: the request goes on."""

    def on_request_chunk(self, request: Request, chunk: bytes, last: bool) -> bytes:
        return chunk

    def on_response(self, request: Request, response: Response) -> None: ...

    def on_response_chunk(self, request: Request, chunk: bytes, last: bool) -> bytes:
        return chunk

    def on_finish(self, request: Request, outcome: world.Outcome) -> None: ...


def problem(
    request: Request, status: int, slug: str, title: str, headers: dict[str, str] = {}
) -> world.Verdict:
    """Answers with a problem (RFC 9457) of the type `slug`."""
    response = Response(status)
    response.set_header("content-type", "application/problem+json")
    for name, value in headers.items():
        response.set_header(name, value)
    body = {"type": PROBLEMS + slug, "title": title, "status": status, "request_id": request.id()}
    response.set_body(json.dumps(body).encode())
    return respond(response)


def respond(response: Response) -> world.Verdict:
    """Answers with this response: later plugins and the upstream never see the request."""
    if not isinstance(response, Response):
        raise TypeError(f"respond(..) takes a Response, not {kind(response)}")
    return world.Verdict_Respond(response)


def export(kind: type[Plugin]) -> type[exports.Filter]:
    """The class `Filter` that the component exports: `Filter = export(MyPlugin)`.

    The world's functions come to a new `Filter` at each call, so the plugin itself stands beside it.
    """
    check("hook", hooks_of(kind), hooks_of(Plugin))
    check("need", kind.needs, NEEDS)
    for part, type_ in {"name": str, "version": str, "summary": str, "schema": dict}.items():
        if not isinstance(getattr(kind, part, None), type_):
            raise TypeError(f"{kind.__name__}.{part} has to be there, a {type_.__name__}")
    plugin = kind()

    class Filter(exports.Filter):
        def describe(self) -> world.Manifest:
            needs = [NEEDS[need]() for need in plugin.needs]
            schema = json.dumps(plugin.schema)
            return world.Manifest(plugin.name, plugin.version, plugin.summary, schema, needs)

        def configure(self, config: str) -> world.Phases:
            try:
                guarded(plugin.configure, json.loads(config))
            except Err as refusal:
                # `raise ValueError("limit: is too large")` is told at the configuration's `limit`.
                raise Err(refusal.value.removeprefix("ValueError: ")) from None
            return phases(kind)

        def on_request(self, request: Request) -> world.Verdict:
            return verdict(guarded(plugin.on_request, request))

        def on_request_chunk(self, request: Request, chunk: bytes, last: bool) -> bytes:
            return octets("on_request_chunk", guarded(plugin.on_request_chunk, request, chunk, last))

        def on_response(self, request: Request, response: Response) -> None:
            guarded(plugin.on_response, request, response)

        def on_response_chunk(self, request: Request, chunk: bytes, last: bool) -> bytes:
            return octets("on_response_chunk", guarded(plugin.on_response_chunk, request, chunk, last))

        def on_finish(self, request: Request, outcome: world.Outcome) -> None:
            # `on-finish` has no way to fail.
            try:
                done(plugin.on_finish, plugin.on_finish(request, outcome))
            except (Exception, SystemExit) as error:
                telemetry.log(telemetry.Level.ERROR, said(error), [])

    return Filter


def hooks_of(kind: type[Plugin]) -> list[str]:
    return [name for name in dir(kind) if name.startswith("on_")]


def check(what: str, given: Iterable[str], known: Collection[str]) -> None:
    """A misspelt hook would never be called, and nobody would know."""
    unknown = [name for name in given if name not in known]
    if unknown:
        raise TypeError(f"there is no {what} {', '.join(unknown)}; there are {', '.join(known)}")


def phases(kind: type[Plugin]) -> world.Phases:
    wanted = world.Phases(0)
    for phase in world.Phases:
        hook = {"REQUEST_CHUNKS": "on_request_chunk", "RESPONSE_CHUNKS": "on_response_chunk"}.get(
            str(phase.name), f"on_{str(phase.name).lower()}"
        )
        if getattr(kind, hook) is not getattr(Plugin, hook):
            wanted |= phase
    return wanted


def verdict(returned: Any) -> world.Verdict:
    """What is of another kind would end the instance, with words of the bindings."""
    if returned is None:
        return world.Verdict_Next()
    if not isinstance(returned, (world.Verdict_Next, world.Verdict_Respond)):
        raise Err(f"on_request has to return None, respond(response) or problem(..), not {kind(returned)}")
    return returned


def octets(hook: str, returned: Any) -> bytes:
    if not isinstance(returned, (bytes, bytearray)):
        raise Err(f"{hook} has to return bytes, not {kind(returned)}")
    return bytes(returned)


def kind(value: Any) -> str:
    if inspect.iscoroutine(value):
        return "a coroutine: hooks are not async, and what waits looks like a plain call"
    return f"{type(value).__name__}: {str(value)[:80]}"


def guarded(hook: Any, *parameters: Any) -> Any:
    """An exception would end the instance; an `Err` with its text is the world's `err`."""
    try:
        return done(hook, hook(*parameters))
    except (Exception, SystemExit) as error:
        raise Err(said(error)) from None


def done(hook: Any, returned: Any) -> Any:
    """A coroutine that nobody awaits does nothing, and its exceptions come nowhere."""
    if inspect.iscoroutine(returned):
        returned.close()
        raise TypeError(f"{hook.__name__} has to return when it is done, not {kind(returned)}")
    return returned


def said(error: BaseException) -> str:
    text = refused(error.value) if isinstance(error, Err) else f"{type(error).__name__}: {error}"
    # Where the plugin itself was: not in the bindings, in which a refusal ends, nor in a library.
    frames = traceback.extract_tb(error.__traceback__)
    without = [frame for frame in frames if "/wit_world/" not in frame.filename]
    own = [frame for frame in frames if frame.filename.endswith("/plugin.py")] or without or frames
    place = f"{own[-1].filename.rsplit('/', 1)[-1]}:{own[-1].lineno}" if own else "?"
    return f"{text} ({place})"


def refused(value: Any) -> str:
    """`refused: not-granted`, and what there is beside the word; or what the plugin says itself."""
    if isinstance(value, str):
        return value
    if type(value).__name__.endswith("_NotGranted") or getattr(value, "name", "") == "NOT_GRANTED":
        return "refused: not-granted; the `grants` of the use say what it may reach"
    name = value.name if isinstance(value, Enum) else type(value).__name__.rsplit("_", 1)[-1]
    word = re.sub("(?<=[a-z])(?=[A-Z])", "-", name).replace("_", "-").lower()
    beside = getattr(value, "value", None) if not isinstance(value, Enum) else None
    return f"refused: {word}" if beside is None else f"refused: {word} ({beside})"


def fits(value: Any, type_: Any) -> bool:
    """Whether the bindings can pass the value on as what the world has there."""
    of = get_args(type_)
    match get_origin(type_):
        case origin if origin is Union:
            return any(fits(value, one) for one in of)
        case origin if origin is list:
            return isinstance(value, list) and all(fits(one, of[0]) for one in value)
        case origin if origin is tuple:
            return isinstance(value, tuple) and len(value) == len(of) and all(map(fits, value, of))
    if type_ in (int, float):
        return isinstance(value, (int, type_)) and not isinstance(value, bool)
    if not isinstance(type_, type):
        return True
    if not isinstance(value, type_):
        return False
    parts = get_type_hints(type_) if dataclasses.is_dataclass(type_) else {}
    return all(fits(getattr(value, name), part) for name, part in parts.items())


def checked(call: Callable[..., Any]) -> Callable[..., Any]:
    """A value of another type would end the instance, and nobody would be told where."""
    types = get_type_hints(call)
    names = list(inspect.signature(call).parameters)

    @functools.wraps(call)
    def checking(*values: Any, **named: Any) -> Any:
        for name, value in [*zip(names, values), *named.items()]:
            if name in types and not fits(value, types[name]):
                wanted = inspect.formatannotation(types[name])
                raise TypeError(f"{call.__qualname__}: {name} has to be {wanted}, not {kind(value)}")
        return call(*values, **named)

    return checking


def check_calls(place: Any) -> None:
    for name, call in list(vars(place).items()):
        if name.startswith("__") and name != "__init__":
            continue
        if isinstance(call, FunctionType):
            setattr(place, name, checked(call))
        elif isinstance(call, (classmethod, staticmethod)):
            setattr(place, name, type(call)(checked(call.__func__)))


# While the component is built: its instances begin with what this leaves.
for place in (Request, Response, crypto.Key, cache.Entry, cache, crypto, http_client, limits, store, telemetry):
    check_calls(place)
