"""The commands of the machines: the local stack, and the workers of a cluster."""

import os
import re
from pathlib import Path

import click

from settings import load_settings
from settings.errors import ServiceMissing
from settings.process_name import node_name
from settings.sections import DEVICES
from tasks.stack.paths import stack_paths
from workers.checkpoints.commands import models
from workers.inference.probe.commands import bench_models
from workers.logs import JSON, VARIABLE

# The imports stay inside the commands: a worker starts without what supervises it, `up` without torch and Qdrant, and
# what reads the settings when it is imported (tasks/queues.py) reads the file that --settings names.


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read the settings from FILE instead of settings.toml.",
)
def cli(settings_file: Path | None) -> None:
    """Run what Darkroom needs: the local stack, or the workers of a cluster."""
    if settings_file:
        # By the environment, so that every child process reads the same file.
        os.environ["DARKROOM_SETTINGS"] = str(settings_file.expanduser().absolute())
        load_settings.cache_clear()


def _log_json(_context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        # By the environment, so that every child process writes its log the same way.
        os.environ[VARIABLE] = JSON


log_json = click.option(
    "--log-json",
    is_flag=True,
    expose_value=False,
    callback=_log_json,
    help="Write the logs for machines: one JSON object a line.",
)


@cli.command()
@log_json
@click.option("--port", type=click.IntRange(1, 65535), help="The port of Flower; by default flower.port.")
@click.option("--detach", is_flag=True, help="Return once it is up, and leave it running in the background.")
def up(port: int | None, detach: bool) -> None:
    """Keep the local stack up, with Flower and the gallery, until Ctrl-C or SIGTERM, or until `down`.

    \b
    Example: python -m workers up --detach
    """
    from settings.listening import url
    from tasks.stack.locks import is_held
    from workers.supervisor.commands import GALLERY, stack_spec
    from workers.supervisor.control import make_room, up_in_background
    from workers.supervisor.stack import LocalStack
    from workers.supervisor.supervisor import say

    settings = load_settings()
    local = stack_paths(settings)
    make_room(local)
    port = port or settings.flower.port
    gallery = f", the gallery on {url(settings.web.address, settings.web.port)}"
    if detach:
        record = up_in_background(settings, local, ("--port", str(port)))
        at = f"{local.data} (process {record.pid}{gallery if is_held(local.pids / f'{GALLERY}.pid') else ''})"
        say(f"The stack is up on {at}. Stop it by: python -m workers down")
        return
    spec = stack_spec(settings, local, port)
    stack = LocalStack(settings, local, spec, stays=True)
    names = {child.name for child in spec.front}
    flower = f", Flower on http://{settings.flower.address}:{port}" if "flower" in names else ""
    shown = flower + (gallery if GALLERY in names else "")
    say(f"Starting the stack on {local.data}{shown} (Ctrl-C stops it).")
    stack.run()


@cli.command()
@click.option("--now", is_flag=True, help="At once, also while a command uses it: nothing is handed back or finished.")
@click.option("--discard", is_flag=True, help="Drop the files that still wait, such as those of a killed ingest.")
def down(now: bool, discard: bool) -> None:
    """Take the local stack down, however it was started.

    \b
    Example: python -m workers down
    """
    from workers.supervisor.control import take_down

    settings = load_settings()
    click.echo(take_down(settings, stack_paths(settings), now, discard))


@cli.command(hidden=True)
def serve() -> None:
    """Keep the local stack up for as long as a producer uses it, and `stack.linger_seconds` more."""
    from workers.supervisor.commands import stack_spec
    from workers.supervisor.stack import LocalStack

    settings = load_settings()
    local = stack_paths(settings)
    LocalStack(settings, local, stack_spec(settings, local), stays=False).run()


@cli.command()
@log_json
@click.option(
    "--devices",
    metavar="auto|all|cpu|0,1",
    callback=lambda _context, _option, value: _checked_devices(value),
    help="The devices to work on; by default gpu.devices.",
)
@click.option("--one", metavar="NAME", help="Be one worker, on the first device that it sees.")
@click.option("--on-demand", is_flag=True, help="With --one: load each model when it is first asked for.")
def gpu(devices: str | None, one: str | None, on_demand: bool) -> None:
    """Run the GPU workers of this machine: gpu.processes of them for each device."""
    if one:
        _log_as(one)
        from workers.gpu.worker import run

        run(one, on_demand)
        return
    from workers.supervisor.commands import gpu_specs
    from workers.supervisor.fleet import run_fleet

    settings = load_settings()
    specs = gpu_specs(devices or settings.gpu.devices, processes=settings.gpu.processes)
    run_fleet(settings, stack_paths(settings), specs)


@cli.command()
@log_json
@click.option("--one", is_flag=True, help="Be the storage worker itself, not its supervisor.")
def storage(one: bool) -> None:
    """Run the storage worker of this machine."""
    if one:
        _log_as("storage")
        from workers.storage.worker import run

        run()
        return
    from workers.supervisor.commands import storage_spec
    from workers.supervisor.fleet import run_fleet

    settings = load_settings()
    run_fleet(settings, stack_paths(settings), [storage_spec()])


@cli.command()
@log_json
@click.option("--one", is_flag=True, help="Be the worker itself, not its supervisor.")
def ingest(one: bool) -> None:
    """Run the worker that ingests folders of this machine for other programs (docs/http.md)."""
    if one:
        _log_as("ingest")
        from workers.http_tasks.directory import run

        run()
        return
    from workers.supervisor.commands import ingest_spec
    from workers.supervisor.fleet import run_fleet

    settings = load_settings()
    run_fleet(settings, stack_paths(settings), [ingest_spec()])


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), help="By default flower.port.")
@click.option("--one", is_flag=True, help="Be Flower itself, not its supervisor.")
def flower(port: int | None, one: bool) -> None:
    """Run Flower alone, for a cluster or a stack that is up."""
    from workers.supervisor.flower import flower_spec, run

    settings = load_settings()
    local = stack_paths(settings)
    port = port or settings.flower.port
    if one:
        run(settings, local, port)
        return
    from workers.supervisor.fleet import run_fleet

    run_fleet(settings, local, [flower_spec(settings, port)])


@cli.command()
@click.option("--load", is_flag=True, help="Load the models, and put one picture through them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def check(load: bool, as_json: bool) -> None:
    """Look whether this machine has what its workers need, one line a thing.

    \b
    Example: python -m workers check --load
    Exit code: 0 nothing keeps workers from working, 3 something does.
    """
    import json

    from workers.check import findings

    found = []
    for finding in findings(load_settings(), load):
        found.append(finding)
        if not as_json:
            click.echo(f"{finding.state:<5} {finding.check:<8} {finding.says}")
    bad = any(finding.state == "bad" for finding in found)
    if as_json:
        click.echo(json.dumps({"ok": not bad, "checks": [finding.as_json() for finding in found]}))
    if bad:
        raise SystemExit(ServiceMissing.exit_code)


# Small where it is imported: its own imports stay inside as well.
cli.add_command(models)
cli.add_command(bench_models)


def tell(sentence: str) -> None:
    """Print the sentence of an error, with --log-json as one JSON object."""
    from workers.logs import as_json, json_line

    click.echo(json_line("ERROR", node_name("workers"), sentence) if as_json() else sentence, err=True)


def _log_as(name: str) -> None:
    from workers.logs import set_up

    set_up(node_name(name))


def _checked_devices(value: str | None) -> str | None:
    if value is None or re.fullmatch(DEVICES, value):
        return value
    raise click.BadParameter('use "auto", "all", "cpu" or the numbers or UUIDs of devices such as "0,1".')
