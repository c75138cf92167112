"""``envkit exec``: a command in a running service."""

from __future__ import annotations

from envkit.errors import EngineError, InputError
from envkit.launch import engine
from envkit.launch.spec import Service
from envkit.result import Result
from envkit.settings import Settings


def execute(settings: Settings, service: Service, argv: tuple[str, ...]) -> Result:
    """Run ``argv`` in ``service`` as the service's own user; its exit code is the result's.

    Raises:
        InputError: no command.
        EngineError: the service does not run.
    """
    command = argv[1:] if argv[:1] == ("--",) else argv
    if not command:
        raise InputError("no command to run", hint=f"envkit exec {service} -- python --version")
    container = engine.require(engine.connect(), settings, service)
    if container.status != "running":
        raise EngineError(f"{container.name} is {container.status}", hint=f"envkit up {service}")
    code = engine.run_in(container, settings.owner, command)
    return Result(data={"container": str(container.name), "exit_code": code}, exit_code=code)
