"""What libraries log and what nobody catches, in a process of its own: it must all be lines of the one log."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest

from maglev.core.record import Value
from tests.processes import TIED

BEGIN = """
    import asyncio, gc, logging, sys, threading, warnings
    from maglev import logs
    from maglev.core.level import Level
    logs.set_up("info", "json")
"""


def ended(script: str) -> tuple[int, list[dict[str, Value]]]:
    """Its status, and its stderr, which has to be JSON from end to end."""
    command = [*TIED, sys.executable, "-c", dedent(BEGIN) + dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize(
    ("script", "logger", "level", "said", "error"),
    [
        (
            """
            async def fail(): raise ValueError("in a task")
            async def main():
                task = asyncio.create_task(fail())
                await asyncio.sleep(0)
                del task
                gc.collect()
            asyncio.run(main())
            """,
            "asyncio",
            "error",
            "Task exception was never retrieved",
            "ValueError: in a task",
        ),
        (
            """
            def fail(): raise ValueError("in a thread")
            thread = threading.Thread(target=fail, name="serving")
            thread.start()
            thread.join()
            """,
            "maglev",
            "error",
            "a fault of ours ends thread serving",
            "ValueError: in a thread",
        ),
        (
            """
            class Odd:
                def __del__(self): raise ValueError("in a finalizer")
            Odd()
            """,
            "maglev",
            "error",
            "exception ignored in: Odd.__del__",
            "ValueError: in a finalizer",
        ),
        ("warnings.warn('old\\nstuff')", "py.warnings", "warning", "UserWarning: old\nstuff", None),
        (
            "logging.getLogger('grpc.aio').warning('%s of %d', 'one', 'two')",
            "grpc.aio",
            "warning",
            "'%s of %d' % ('one', 'two')",
            None,
        ),
        (
            """
            class Odd:
                def __str__(self): raise AttributeError("ours")
                def __repr__(self): return "odd"
            logging.getLogger('grpc').warning('%s after %s', 'one', Odd())
            """,
            "grpc",
            "warning",
            "'%s after %s' % ('one', odd)",
            None,
        ),
        (
            """
            class Odd:
                def __repr__(self): raise AttributeError("ours")
            logging.getLogger('grpc').warning(Odd(), 'one')
            """,
            "grpc",
            "warning",
            "<Odd that cannot be shown> % ('one')",
            None,
        ),
        ("logging.getLogger('maglev.metrics').info('ours')", "maglev.metrics", "info", "ours", None),
    ],
)
def test_it_is_one_record(script: str, logger: str, level: str, said: str, error: str | None) -> None:
    status, (found,) = ended(script)

    assert status == 0
    assert (found["event"], found["logger"], found["level"]) == ("python-log", logger, level)
    assert said in str(found["text"])
    assert found.get("error") == error
    assert (error is None) == ("traceback" not in found)
    if error is not None:
        trace = str(found["traceback"]).splitlines()
        assert (trace[0], trace[-1]) == ("Traceback (most recent call last):", error)


def test_what_nobody_catches_is_the_last_record() -> None:
    status, (found,) = ended("raise ValueError('nobody caught')")

    assert status == 1
    assert (found["level"], found["text"]) == ("error", "a fault of ours ends maglevd")
    assert found["error"] == "ValueError: nobody caught"


def test_of_libraries_only_warnings_are_taken_of_ours_what_anybody_listens_for() -> None:
    script = """
        heard = []
        logs.feed(heard.append)
        def say():
            for name in ("grpc", "maglev.metrics"):
                for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.CRITICAL):
                    logging.getLogger(name).log(level, "%s %s", name, logging.getLevelName(level))
        for level in (Level.DEBUG, None, Level.ERROR):
            logs.feed_from(level)
            say()
        print([record.fields["text"] for record in heard])
        """
    command = [sys.executable, "-c", dedent(BEGIN) + dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    fed = json.loads(done.stdout.replace("'", '"'))
    shown = [json.loads(line)["text"] for line in done.stderr.splitlines()]

    above = ["grpc WARNING", "grpc CRITICAL"]
    ours = ["maglev.metrics WARNING", "maglev.metrics CRITICAL"]
    assert fed == [
        *above,
        "maglev.metrics DEBUG",
        "maglev.metrics INFO",
        *ours,
        "grpc CRITICAL",
        "maglev.metrics CRITICAL",
    ]
    assert shown == [*above, "maglev.metrics INFO", *ours] * 3
