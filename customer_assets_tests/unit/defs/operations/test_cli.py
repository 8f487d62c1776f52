"""The command `customer-assets`: what it runs, and how it ends if it cannot."""

import pytest

from customer_assets.core.errors import ConfigurationError
from customer_assets.defs.operations import cli


def test_arguments_reach_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[list[str]] = []
    monkeypatch.setitem(cli.COMMANDS, "simulate", lambda arguments: found.append(list(arguments)))
    cli.main(["simulate", "--port", "0", "--help"])
    assert found == [["--port", "0", "--help"]]


def test_an_error_of_ours_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ConfigurationError("CUSTOMER_ENGINE", "'x' is unknown", "Choose one.")

    monkeypatch.setitem(cli.COMMANDS, "sync", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main(["sync"])
    assert ended.value.code == "customer-assets sync: CUSTOMER_ENGINE: 'x' is unknown. Choose one."


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    printed = capsys.readouterr().out
    assert not [name for name in cli.COMMANDS if f"  {name} " not in printed]


@pytest.mark.parametrize("command", ["sync", "probe", "simulate", "erase"])
def test_a_commands_help_shows_the_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever module it comes from."""
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: customer-assets {command} [-h]")
