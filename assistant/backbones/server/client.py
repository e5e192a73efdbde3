"""Calls one OpenAI-compatible server, retries where that may help, and explains its errors.

No error quotes what was sent to the server: it only names the server and says what to do.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

from assistant.backbones.server.settings import ServerSettings
from assistant.errors import BackboneError


class RefusedError(BackboneError):
    """The server does not accept the request as it is."""


class ServerClient:
    """A client of chat completions whose errors are one sentence each."""

    def __init__(self, settings: ServerSettings) -> None:
        """Create the client; no request is sent yet.

        Raises BackboneError without the package `openai` or the key that the settings name.
        """
        try:
            import openai
        except ImportError:
            raise BackboneError(
                "A server as writer needs the package openai; "
                "install it with `pip install wetread[server]`."
            ) from None
        self._settings = settings
        key = os.environ.get(settings.api_key_env, "").strip() if settings.api_key_env else "none"
        if not key:
            raise BackboneError(
                f"The server at {settings.host} wants a key; put it into the environment "
                f"variable {settings.api_key_env}."
            )
        self._client: Any = openai.OpenAI(
            api_key=key,
            base_url=settings.url,
            # After 408, 409, 429, 5xx and lost connections; it backs off exponentially with
            # jitter, and waits as long as `Retry-After` says, if that is at most two minutes.
            max_retries=settings.retries,
            http_client=openai.DefaultHttpxClient(
                timeout=openai.Timeout(settings.timeout_s, connect=min(settings.timeout_s, 10)),
                follow_redirects=False,  # the film goes where the settings say, or nowhere
                trust_env=not settings.loopback,  # a proxy would take it off this machine
            ),
        )

    def complete(self, request: dict[str, Any]) -> Generator[Any]:
        """Yield the server's answer to a request, or its chunks where it is streamed.

        Raises BackboneError, and RefusedError where the request itself is the cause.
        """
        import openai

        problem: BackboneError | None = None
        try:
            if request["stream"]:
                with self._client.chat.completions.create(**request) as chunks:
                    yield from chunks
            else:
                yield self._client.chat.completions.create(**request)
        except openai.OpenAIError as error:
            problem = self._describe_error(error)
        except ValueError:  # a chunk that is no JSON
            problem = self.make_broken_error()
        if problem is not None:  # raised outside `except`: that error holds the film and the words
            raise problem

    def make_broken_error(self) -> BackboneError:
        """The error for an answer that is malformed or incomplete."""
        return BackboneError(
            f"The server at {self._settings.host} broke off, or its answer is no chat completion; "
            "see in its log what happened to it and start again."
        )

    def _describe_error(self, error: Exception) -> BackboneError:
        """Our own sentence on an error; the server's may quote the words of the request."""
        import openai

        settings = self._settings
        server = f"The server at {settings.host}"
        if isinstance(error, openai.APITimeoutError):
            return BackboneError(
                f"{server} did not answer within {settings.timeout_s:g} s; "
                "lower the settings' `concurrency` or raise `timeout_s`."
            )
        if isinstance(error, openai.APIConnectionError):
            return BackboneError(
                f"{server} cannot be reached, or died while it wrote; see that it runs, and start "
                "again."
            )
        code = getattr(error, "status_code", None)
        if code is None:
            return self.make_broken_error()
        if code in (401, 403):
            variable = settings.api_key_env or "the variable that `api_key_env` names"
            return BackboneError(
                f"{server} does not let us in ({code}); put its key into {variable}."
            )
        if code == 404:
            return BackboneError(
                f"{server} knows no such address or no model {settings.model!r} (404); "
                "check the settings' `url`, `model` and `adapters`."
            )
        if code == 429:
            return BackboneError(
                f"{server} takes no more requests for now (429); start again later, "
                "or lower the settings' `concurrency`."
            )
        if code >= 500:
            return BackboneError(
                f"{server} failed ({code}), also when it was asked again; see its log and "
                "start again."
            )
        return RefusedError(
            f"{server} refuses the request ({code}); see that its model takes images, and that the "
            "settings' `url` and `model` are right."
        )
