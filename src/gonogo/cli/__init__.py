"""The command line: one command per file; each parses, calls one function and prints.

Nothing heavy is imported before a command runs, so that ``gonogo --help`` answers at once.
"""

from __future__ import annotations

import sys

import typer

from gonogo.cli import (
    advise,
    audit,
    bench,
    compare,
    demo,
    distil,
    evaluate,
    export,
    fit,
    models,
    phone,
    predict,
    prune,
    quantize,
    split,
    study,
    synth,
    taper_depth,
    train,
    verify,
)
from gonogo.errors import GonogoError

DEBUG = "--debug"
INTERRUPTED = 130

app = typer.Typer(
    name="gonogo",
    help="From a folder of photos of good and defective parts to a go/no-go gauge of a few kilobytes.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, module in (
    ("fit", fit),
    ("demo", demo),
    ("synth", synth),
    ("audit", audit),
    ("advise", advise),
    ("split", split),
    ("train", train),
    ("eval", evaluate),
    ("compare", compare),
    ("prune", prune),
    ("quantize", quantize),
    ("distil", distil),
    ("taper-depth", taper_depth),
    ("export", export),
    ("verify", verify),
    ("predict", predict),
    ("bench", bench),
    ("phone", phone),
    ("study", study),
    ("models", models),
):
    app.command(name)(module.run)


def _print_version(wanted: bool) -> None:
    if wanted:
        from gonogo import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    _version: bool = typer.Option(
        False, "--version", help="Print the version.", callback=_print_version, is_eager=True
    ),
    _debug: bool = typer.Option(False, DEBUG, help="Show the traceback of an error; may stand anywhere."),
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line: exit 0 done, 1 a bar is not met, 2 wrong use or bad input."""
    arguments = [argument for argument in sys.argv[1:] if argument != DEBUG]
    if DEBUG in sys.argv[1:]:
        app(arguments)
    sys.exit(_run(arguments))


def _run(arguments: list[str]) -> int:
    try:
        code = app(arguments, standalone_mode=False)
    except GonogoError as error:
        return _say(str(error), error.exit_code)
    except typer.TyperException as error:
        message = error.format_message()
        return _say(f"{message[0].lower()}{message[1:].rstrip('.')}; see --help", 2)
    except BrokenPipeError:
        # The reader has left (gonogo ... | head); what is still in the buffer has nowhere to go.
        sys.stdout = None
        return 1
    except (typer.Abort, KeyboardInterrupt):
        return _say("interrupted", INTERRUPTED)
    except OSError as error:
        # Full disks, lost shares and rights: nothing gonogo can mend, and all of it has a name and a reason.
        return _say(f"{error.filename or 'input or output'}: {error.strerror or error}", 2)
    if code == INTERRUPTED:  # Typer turns Ctrl-C into this number without a word
        return _say("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _say(message: str, code: int) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    return code
