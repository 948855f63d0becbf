# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one tool behind the Makefile: makes the virtual environments and runs everything in them.

Needs nothing but the standard library, and leaves nothing outside the checkout.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, NoReturn

CHECKOUT = Path(__file__).resolve().parent.parent
CACHE = CHECKOUT / ".cache"

COLLECTION = Path("ansible_collections", "cargohold", "ecr")

# More workers gain nothing: the longest test ends last.
MOST_WORKERS = 4

# With these set, Ansible starts twice as slowly, or packages come from elsewhere.
NOT_INHERITED = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")

# Of the collections that come with Ansible, only these are ever imported here.
COLLECTIONS_NOT_TO_COMPILE = r"/ansible_collections/(?!amazon/|ansible/|cargohold/)"

# The locks are complete. Left to resolve them once more, pip looks at newer releases of packages with extras, and stops.
EXACTLY_THE_LOCK = ("--require-hashes", "--no-deps")


class SetupError(Exception):
    """What went wrong, in a sentence for a person."""


class Python(NamedTuple):
    """An interpreter of this machine: its command, and what it says of its version and of where it is installed."""

    command: str
    version: str
    prefix: str


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    :param folder: where it stands or will stand.
    :param lock: the requirements, pinned and with hashes.
    :param linked: whether the checkout is importable in it as a collection.
    :param pythons: the versions that it may be made with, the best one first; none for the one that runs this.
    """

    folder: Path
    lock: Path
    linked: bool
    pythons: tuple[str, ...] = ()

    @property
    def commands(self) -> Path:
        """The folder of its commands."""
        return self.folder / "bin"

    @property
    def stamp(self) -> Path:
        """The file that is written last, and says what was installed."""
        return self.folder / "complete"

    @cached_property
    def python(self) -> Python:
        """What it is made with.

        :raises SetupError: none of the versions that it needs is on this machine.
        """
        return _python(self.pythons) if self.pythons else Python(sys.executable, sys.version, sys.base_prefix)

    @property
    def wanted(self) -> str:
        """A digest of all that the environment depends on; commands hold its path, so it cannot be moved."""
        parts = (self.lock.read_text(), self.python.version, self.python.prefix, str(self.folder))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @property
    def complete(self) -> bool:
        """Whether it is what is wanted, installed to the end, and its Python is still there."""
        try:
            return self.stamp.read_text() == self.wanted and (self.commands / "python").exists()
        except FileNotFoundError:
            return False


TOOLS = Environment(CHECKOUT / ".venv", CHECKOUT / "requirements.txt", linked=True)

# Those whose packages do not go together with the tools', each beside its requirements.
OTHERS = {
    "benchmarks": Environment(CHECKOUT / ".venv-benchmarks", CHECKOUT / "benchmarks" / "requirements.txt", linked=True),
    **{
        name: Environment(CHECKOUT / f".venv-{name}", CHECKOUT / "tests" / name / "requirements.txt", linked=False)
        for name in ("localstack", "publishing", "scanners")
    },
    # What the oldest supported ansible-core runs on as a controller.
    "oldest": Environment(
        CHECKOUT / ".venv-oldest",
        CHECKOUT / "tests" / "oldest" / "requirements.txt",
        linked=False,
        pythons=("3.10", "3.11", "3.12"),
    ),
}

# Other folders of the checkout are the source.
MADE_BY_TOOLS = (*(each.folder.name for each in (TOOLS, *OTHERS.values())), ".cache", ".ansible")


def surroundings(inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables for everything that is started: found in the virtual environment, kept in the checkout.

    :param inherited: those of this process, unless others are given.
    """
    inherited = os.environ if inherited is None else inherited
    kept = {name: value for name, value in inherited.items() if name not in NOT_INHERITED}
    caches = {
        # Whoever has chosen a place for packages keeps it.
        "PIP_CACHE_DIR": str(CACHE / "pip"),
        "UV_CACHE_DIR": str(CACHE / "uv"),
        # uv trusts whom this machine trusts, as pip does: a company's proxy has a certificate of its own.
        "UV_SYSTEM_CERTS": "true",
    }
    return {
        **caches,
        **kept,
        "PATH": f"{TOOLS.commands}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(TOOLS.folder),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "XDG_CACHE_HOME": str(CACHE),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(CACHE / "hypothesis"),
        "PYTEST_DEBUG_TEMPROOT": str(CACHE),
        "ANSIBLE_HOME": str(CHECKOUT / ".ansible"),
        "ANSIBLE_ASYNC_DIR": str(CHECKOUT / ".ansible" / "async"),
        "ANSIBLE_LOCAL_TEMP": str(CHECKOUT / ".ansible" / "tmp"),
        "ANSIBLE_REMOTE_TEMP": str(CHECKOUT / ".ansible" / "tmp"),
        # The guard, for tools that write an ansible.cfg of their own.
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".ansible" / "collections"),
    }


def provide(environment: Environment) -> None:
    """Make the virtual environment, unless it is there and complete. One process at a time does.

    :raises SetupError: something could not be installed; the next call begins anew.
    """
    CACHE.mkdir(exist_ok=True)
    with _alone(CACHE / f"{environment.folder.name.lstrip('.')}.lock"):
        if not environment.complete:
            _install(environment)
        if environment.linked:
            _link(environment)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Hold a lock that the system frees when this process ends, however it ends."""
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Waiting for another process that installs the tools …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(environment: Environment) -> None:
    """Make the virtual environment from nothing, with bytecode; the stamp comes last."""
    uv = _uv()
    name, lock = environment.folder.name, environment.lock.relative_to(CHECKOUT)
    _say(
        f"Installing {lock} into {name} with {'uv' if uv else 'pip'} (once; about half a minute, with pip a whole one) …"
    )
    # Without the stamp, what an interruption leaves is known as incomplete.
    environment.stamp.unlink(missing_ok=True)
    making = [environment.python.command, "-m", "venv", "--clear", "--symlinks", *(["--without-pip"] if uv else [])]
    subprocess.run([*making, environment.folder], env=surroundings(), check=True)
    python = environment.commands / "python"
    if uv:
        _install_step(
            [uv, "pip", "install", "--quiet", "--python", python, *EXACTLY_THE_LOCK, "--compile-bytecode"],
            environment.lock,
        )
    else:
        # pip compiles on one core, and every collection that comes with Ansible.
        _install_step([python, "-m", "pip", "install", "--quiet", *EXACTLY_THE_LOCK, "--no-compile"], environment.lock)
        # Some packages ship templates of Python that cannot be compiled; compileall minds, and it does not matter.
        subprocess.run(
            [python, "-m", "compileall", "-q", "-j0", "-x", COLLECTIONS_NOT_TO_COMPILE, environment.folder / "lib"],
            env=surroundings(),
            capture_output=True,
            check=False,
        )
    environment.stamp.write_text(environment.wanted)


def _install_step(command: Sequence[str | Path], lock: Path) -> None:
    """Run an installer on a lock."""
    done = subprocess.run([*command, "-r", lock], env=surroundings(), cwd=CHECKOUT, check=False)
    if done.returncode != 0:
        raise SetupError(f"{lock.relative_to(CHECKOUT)} could not be installed; the reason stands above.")


def _python(versions: Sequence[str]) -> Python:
    """The first Python of these versions that runs, on the PATH or from pyenv: a shim can exist and not run.

    :raises SetupError: none does.
    """
    pyenv = shutil.which("pyenv")
    roots = [os.environ.get("PYENV_ROOT"), Path("~/.pyenv").expanduser(), pyenv and Path(pyenv).parents[1]]
    for version in versions:
        found = [each for root in roots if root for each in Path(root).glob(f"versions/{version}.*/bin/python")]
        for command in (shutil.which(f"python{version}"), *found):
            told = _told_by(command) if command else None
            if told:
                return told
    raise SetupError(f"No Python {' or '.join(versions)} answers, neither on the PATH nor from pyenv: install one.")


def _told_by(command: str | Path) -> Python | None:
    """What a Python says of itself, or None if it does not run or cannot make virtual environments."""
    question = "import ensurepip, sys, venv; print(sys.version.split()[0], sys.base_prefix, sep='\\n')"
    try:
        told = subprocess.run([command, "-c", question], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    version, prefix = told.stdout.splitlines()
    return Python(str(command), version, prefix)


def _uv() -> str | None:
    """The uv of the machine, where there is one that runs: a pyenv shim can exist and not run."""
    uv = shutil.which("uv")
    if uv and subprocess.run([uv, "--version"], capture_output=True, check=False).returncode == 0:
        return uv
    return None


def _link(environment: Environment) -> None:
    """Make the checkout importable as the collection that it is, and a second time for mypy.

    mypy takes what stands in site-packages for somebody else's, and does not check it.
    """
    [packages] = environment.folder.glob("lib/python3.*/site-packages")
    for parent in (packages, environment.folder / "checkout"):
        link = parent / COLLECTION
        if link.is_symlink() and link.readlink() == CHECKOUT:
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(CHECKOUT)


def _become(command: Sequence[str | Path]) -> NoReturn:
    """Become a command of the virtual environment, in the checkout: its signals and its exit code are then its own."""
    provide(TOOLS)
    program, *arguments = (str(part) for part in command)
    os.chdir(CHECKOUT)
    os.execvpe(program, [program, *arguments], surroundings())  # noqa: S606 - no shell is wanted


def env(arguments: Sequence[str]) -> int:
    """Make .venv, with the checkout linked as the collection; or make .venv-NAME, and print where it is."""
    if not arguments:
        provide(TOOLS)
        _say(f"Ready: . {TOOLS.commands.relative_to(CHECKOUT)}/activate")
        return 0
    if arguments[0] not in OTHERS:
        raise SetupError(f"There is no environment {arguments[0]!r}; there are {', '.join(OTHERS)}.")
    provide(OTHERS[arguments[0]])
    print(OTHERS[arguments[0]].folder)
    return 0


def benchmark(arguments: Sequence[str]) -> NoReturn:
    """Measure beside others: tools/dev benchmark following, playbooks or fleet."""
    if not arguments:
        raise SetupError("Which benchmark is to be run? For example: tools/dev benchmark following")
    provide(OTHERS["benchmarks"])
    name, *options = arguments
    _become([TOOLS.commands / "python", CHECKOUT / "benchmarks" / f"{name}.py", *options])


def demo(arguments: Sequence[str]) -> NoReturn:
    """Show a deployment and a teardown, on a stand-in for AWS."""
    _become([TOOLS.commands / "python", CHECKOUT / "tools" / "demo.py", *arguments])


def docs(arguments: Sequence[str]) -> NoReturn:
    """Build the docs site, and print where it is."""
    provide(OTHERS["publishing"])
    _become([OTHERS["publishing"].commands / "python", CHECKOUT / "tools" / "docs.py", *arguments])


def test(arguments: Sequence[str]) -> NoReturn:
    """Run all tests; what follows are options of pytest."""
    _pytest(["-m", "not check", *arguments])


def check(arguments: Sequence[str]) -> NoReturn:
    """Run all tools that look at the source and the artifact, such as ruff, ansible-test and galaxy-importer."""
    _pytest(["-m", "check", *arguments])


def _pytest(arguments: Sequence[str]) -> NoReturn:
    """Become pytest, on all cores."""
    # One worker more than there are cores, because tests wait much for what they have started.
    workers = min((os.cpu_count() or 1) + 1, MOST_WORKERS)
    _become([TOOLS.commands / "pytest", "-n", str(workers), "--dist", "worksteal", *arguments])


def run(arguments: Sequence[str]) -> NoReturn:
    """Run a command in .venv: tools/dev run ansible-playbook --version."""
    if not arguments:
        raise SetupError("Which command is to be run? For example: tools/dev run ansible-playbook --version")
    _become(arguments)


def lock(_arguments: Sequence[str]) -> int:
    """Pin the newest packages that the .in files allow; needs uv."""
    uv = _uv()
    if uv is None:
        raise SetupError("Locks are made by uv, and none is on the PATH.")
    compiling = [uv, "pip", "compile", "--quiet", "--upgrade"]
    plain = ["--generate-hashes", "--no-header", "--no-annotate"]
    for environment in (TOOLS, *OTHERS.values()):
        # LocalStack's release does not work with packages that came after it.
        options = ["--exclude-newer", "2026-02-28"] if environment is OTHERS["localstack"] else ["--universal"]
        options += ["--python-version", *(environment.pythons or ("3.12",))[:1]]
        source = environment.lock.with_suffix(".in")
        command = [*compiling, *options, *plain, str(source), "-o", str(environment.lock)]
        if subprocess.run(command, env=surroundings(), cwd=CHECKOUT, check=False).returncode != 0:
            raise SetupError(f"{source.relative_to(CHECKOUT)} could not be locked; the reason stands above.")
    return 0


def clean(_arguments: Sequence[str]) -> int:
    """Remove everything that the tools have made."""
    for name in MADE_BY_TOOLS:
        shutil.rmtree(CHECKOUT / name, ignore_errors=True)
    for folder in CHECKOUT.rglob("__pycache__"):
        shutil.rmtree(folder)
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "env": env,
    "demo": demo,
    "docs": docs,
    "test": test,
    "check": check,
    "run": run,
    "benchmark": benchmark,
    "lock": lock,
    "clean": clean,
}


def main() -> int:
    """Do what the first argument says."""
    lines = (f"  {name:<10} {(command.__doc__ or '').splitlines()[0]}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="tools/dev",
        description="Makes the virtual environments and runs everything in them.",
        epilog="\n".join(("commands:", *lines)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=[*COMMANDS, "help"], metavar="command")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    if chosen.command == "help":
        parser.print_help()
        return 0
    try:
        return COMMANDS[chosen.command](chosen.arguments)
    except SetupError as failure:
        _say(str(failure))
        return 1
    except KeyboardInterrupt:
        return 130


def _say(sentence: str) -> None:
    """Tell the person; stdout is left to the commands."""
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
