"""`probe completion`: what makes a shell complete subcommands and options."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_PROBE_COMPLETE"


@click.command(short_help="Print what makes a shell complete commands and options.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    completer = get_completion_class(shell)
    if completer is None:
        raise click.ClickException(f"click knows no completion for {shell}")
    # Of the class itself, not `source()`: that starts the shell to ask its version.
    script = completer(ctx.find_root().command, {}, "probe", _VARIABLE)
    click.echo(script.source_template % script.source_vars())


completion.help = """Print a script that makes a shell complete subcommands and options.

\b
  bash  eval "$(probe completion bash)" in ~/.bashrc
  zsh   eval "$(probe completion zsh)" in ~/.zshrc
  fish  probe completion fish > \\
        ~/.config/fish/completions/probe.fish
"""
