"""yaml-language-server, the server behind VS Code's YAML, asked as an editor asks it: by LSP over stdio.

https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_PATIENCE = 60  # seconds
_SETTINGS = {"yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}}


class LanguageServer:
    """A running server, for the files below one folder; nothing is asked of the network. Use it as a context."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = (*command, "--stdio")
        self._folder = folder
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._asked = 0

    def __enter__(self) -> LanguageServer:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, cwd=self._folder, stdin=pipe, stdout=pipe, stderr=pipe)
        assert self._process.stdout
        self._opened: set[str] = set()
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        hover = {"contentFormat": ["markdown", "plaintext"]}
        completion = {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}}
        capabilities = {
            "textDocument": {"hover": hover, "completion": completion, "publishDiagnostics": {}},
            "workspace": {"configuration": True},
        }
        self.ask("initialize", processId=None, rootUri=self._folder.as_uri(), capabilities=capabilities)
        self._tell("initialized")
        return self

    def __exit__(self, *_: object) -> None:
        self.ask("shutdown")
        self._tell("exit")
        errors = self._process.communicate(timeout=_PATIENCE)[1]
        self._reader.join(_PATIENCE)
        assert not errors, errors.decode()

    def open(self, name: str, text: str) -> Opened:
        """Show the server a file of this text, which need not be on the disk, each name once."""
        uri = (self._folder / name).as_uri()
        assert uri not in self._opened
        self._opened.add(uri)
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", textDocument=document)
        while True:
            message = self._next("textDocument/publishDiagnostics")
            if message["params"]["uri"] == uri:
                return Opened(self, uri, sorted(message["params"]["diagnostics"], key=_start))

    def ask(self, method: str, **parameters: Any) -> Any:
        """The result of a request."""
        self._asked += 1
        self._send(id=self._asked, method=method, params=parameters)
        answer = self._next(self._asked)
        assert "error" not in answer, answer
        return answer["result"]

    def _tell(self, method: str, **parameters: Any) -> None:
        self._send(method=method, params=parameters)

    def _send(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _next(self, wanted: str | int) -> dict[str, Any]:
        """The next notification of a method, or the answer of a number; the server's own questions are answered."""
        while True:
            message = self._messages.get(timeout=_PATIENCE)
            assert message is not None, "the server has ended"
            if "method" in message and "id" in message:
                self._answer(message)
            elif wanted in (message.get("method"), message.get("id")):
                return message

    def _answer(self, message: dict[str, Any]) -> None:
        settings = None
        if message["method"] == "workspace/configuration":
            settings = [_SETTINGS.get(item.get("section")) for item in message["params"]["items"]]
        self._send(id=message["id"], result=settings)

    def _read(self, stream: IO[bytes]) -> None:
        while header := stream.readline():
            length = int(header.split(b":")[1])
            while stream.readline().strip():
                pass
            self._messages.put(json.loads(stream.read(length)))
        self._messages.put(None)


@dataclass(frozen=True)
class Opened:
    """A file that the server was shown; ``marks`` are its diagnostics, in their order. Places count from 1."""

    server: LanguageServer
    uri: str
    marks: list[dict[str, Any]]

    def completion(self, line: int, column: int) -> dict[str, dict[str, Any]]:
        """What may stand at a place, by its label."""
        found = self.server.ask("textDocument/completion", **self._at(line, column))
        return {item["label"]: item for item in found["items"]}

    def hover(self, line: int, column: int) -> str:
        """What is said of what stands at a place."""
        found = self.server.ask("textDocument/hover", **self._at(line, column))
        return str(found["contents"]["value"]) if found else ""

    def _at(self, line: int, column: int) -> dict[str, Any]:
        return {"textDocument": {"uri": self.uri}, "position": {"line": line - 1, "character": column - 1}}


def _start(diagnostic: dict[str, Any]) -> tuple[int, int]:
    start = diagnostic["range"]["start"]
    return start["line"], start["character"]
