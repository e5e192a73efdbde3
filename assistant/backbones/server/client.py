"""One OpenAI-compatible server: reached, asked again where that may help, and what went wrong.

What the server is sent stands in no error: only its own name does, and what to do.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

from assistant.backbones.server.settings import ServerSettings
from assistant.errors import BackboneError


class RefusedError(BackboneError):
    """The server does not take the request as it is."""


class ServerClient:
    """A client of chat completions that says what went wrong in one sentence."""

    def __init__(self, settings: ServerSettings) -> None:
        """Make ready to ask; the server is not asked yet.

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
            # Of 408, 409, 429, 5xx and lost connections; it backs off exponentially with jitter,
            # and waits as long as `Retry-After` says, if that is at most two minutes.
            max_retries=settings.retries,
            http_client=openai.DefaultHttpxClient(
                timeout=openai.Timeout(settings.timeout_s, connect=min(settings.timeout_s, 10)),
                follow_redirects=False,  # the film goes where the settings say, or nowhere
                trust_env=not settings.loopback,  # a proxy would take it off this machine
            ),
        )

    def complete(self, request: dict[str, Any]) -> Generator[Any]:
        """The server's answer to a request, or one after another the pieces of it.

        Raises BackboneError, RefusedError where the request itself is why.
        """
        import openai

        problem: BackboneError | None = None
        try:
            if request["stream"]:
                with self._client.chat.completions.create(**request) as pieces:
                    yield from pieces
            else:
                yield self._client.chat.completions.create(**request)
        except openai.OpenAIError as error:
            problem = self._problem(error)
        except ValueError:  # a piece that is no JSON
            problem = self.broken()
        if problem is not None:  # raised out of there: the error holds the film and the words
            raise problem

    def broken(self) -> BackboneError:
        """What to say of an answer that is none, or that is not whole."""
        return BackboneError(
            f"The server at {self._settings.host} broke off, or its answer is no chat completion; "
            "see in its log what happened to it and start again."
        )

    def _problem(self, error: Exception) -> BackboneError:
        """One sentence of what went wrong; not the server's own, in which the words may stand."""
        import openai

        settings = self._settings
        at = f"The server at {settings.host}"
        if isinstance(error, openai.APITimeoutError):
            return BackboneError(
                f"{at} did not answer within {settings.timeout_s:g} s; "
                "lower the settings' `concurrency` or raise `timeout_s`."
            )
        if isinstance(error, openai.APIConnectionError):
            return BackboneError(
                f"{at} cannot be reached, or died while it wrote; see that it runs, and start "
                "again."
            )
        code = getattr(error, "status_code", None)
        if code is None:
            return self.broken()
        if code in (401, 403):
            variable = settings.api_key_env or "the variable that `api_key_env` names"
            return BackboneError(f"{at} does not let us in ({code}); put its key into {variable}.")
        if code == 404:
            return BackboneError(
                f"{at} knows no such address or no model {settings.model!r} (404); "
                "check the settings' `url`, `model` and `adapters`."
            )
        if code == 429:
            return BackboneError(
                f"{at} takes no more requests for now (429); start again later, "
                "or lower the settings' `concurrency`."
            )
        if code >= 500:
            return BackboneError(
                f"{at} failed ({code}), also when it was asked again; see its log and start again."
            )
        return RefusedError(
            f"{at} refuses the request ({code}); see that its model takes images, and that the "
            "settings' `url` and `model` are right."
        )
