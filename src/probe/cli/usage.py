"""Bad usage, found by a command itself."""

import click


class UsageProblem(click.ClickException):
    """Bad usage or configuration: one clear line, or one for each error, and exit code 2."""

    exit_code = 2
