"""The program: signals are understood before anything else is imported."""

from __future__ import annotations

from mizzle import stopping


def main() -> None:
    """Run the command line and exit."""
    stopping.install()
    from mizzle.cli import main as run

    run()


if __name__ == "__main__":
    main()
