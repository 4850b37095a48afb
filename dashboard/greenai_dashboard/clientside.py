"""The callbacks that run in the browser: functions of ``greenai`` in assets/greenai.js."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dash import ClientsideFunction

if TYPE_CHECKING:
    from dash import Dash, Input, Output


def connect(app: Dash, function: str, output: Output, *inputs: Input, initially: bool = False) -> None:
    """Call a function in the browser whenever an input changes.

    Named functions need no inline script, so the content security policy stays the same from the first answer on.

    Args:
        app: The application.
        function: Its name in assets/greenai.js.
        output: Where its result goes.
        inputs: What it is called with.
        initially: Call it when the components appear, too.
    """
    untyped = cast("Any", app)
    untyped.clientside_callback(
        ClientsideFunction("greenai", function), output, *inputs, prevent_initial_call=not initially
    )
