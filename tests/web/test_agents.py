"""Agents ask by MCP, over HTTP and on the standard input: they find, look and are told what is wrong."""

import base64
import io
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from mcp import StdioServerParameters
from mcp.client import Client
from PIL import Image

from models.scenes import Scene
from tests.conftest import ROOT
from tests.web.conftest import FILES, Site

Told = list[Any]


def asked(server: Any, question: Callable[[Client], Awaitable[Any]]) -> Any:
    """The answer of a server to an agent."""

    async def ask() -> Any:
        async with Client(server) as client:
            return await question(client)

    return anyio.run(ask)


def call(server: Any, tool: str, **arguments: Any) -> Any:
    """What a tool answers."""
    return asked(server, lambda client: client.call_tool(tool, arguments))


def content(answer: Any) -> list[Any]:
    assert not answer.is_error, answer
    return [json.loads(each.text) if each.type == "text" else each for each in answer.content]


@pytest.fixture
def door(site: Site) -> str:
    return f"{site.url}/mcp"


def test_every_tool_says_that_it_only_looks(door: str) -> None:
    tools = asked(door, lambda client: client.list_tools()).tools
    assert {tool.name for tool in tools} == {"search", "similar", "picture", "stats", "job"}
    assert all(tool.annotations.read_only_hint and tool.description for tool in tools)


def test_words_find_a_picture_and_the_picture_is_seen(door: str, scenes: list[Scene]) -> None:
    found = content(call(door, "search", text=scenes[10].sentence, limit=3))
    best = next(each for each in found if each["caption"] == scenes[10].sentence)
    facts, small = content(call(door, "picture", id=best["id"]))
    assert facts["uri"] == best["uri"]
    with Image.open(io.BytesIO(base64.b64decode(small.data))) as picture:
        assert (picture.format, picture.size) == ("WEBP", (192, 192))
    assert best["id"] not in [each["id"] for each in content(call(door, "similar", id=best["id"]))]


def test_jobs_and_numbers_are_told(door: str, site: Site) -> None:
    (stats,) = content(call(door, "stats"))
    assert stats["points"] == FILES + 1
    (job,) = content(call(door, "job", job=site.job))
    assert job["state"] == "done"


def test_a_mistake_is_told_in_a_sentence(door: str) -> None:
    answer = call(door, "search", where=["nonsense"])
    assert answer.is_error
    assert "'nonsense' is no condition" in answer.content[0].text


def test_a_page_of_another_site_is_no_agent(site: Site) -> None:
    answer = site.http.post("/mcp", json={}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_a_program_that_the_agent_starts_answers_the_same(site: Site) -> None:
    program = StdioServerParameters(
        command=sys.executable, args=["-m", "darkroom", "mcp"], env=site.home.env(), cwd=str(ROOT)
    )
    (stats,) = content(call(program, "stats"))
    assert stats["points"] == FILES + 1
