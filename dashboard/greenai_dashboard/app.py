"""Put the dashboard together: a pure factory, nothing is kept in the module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from dash import Dash, Input, Output, dcc, html

from greenai.core.errors import GreenAIError, NotFoundError
from greenai_dashboard import layout, texts, texts_compare, web
from greenai_dashboard.clientside import connect
from greenai_dashboard.pages import compare, live, run, runs
from greenai_dashboard.parts import failure, notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.text import Language, Text
    from greenai_dashboard.data import DashboardData

_VIEWPORT = {"name": "viewport", "content": "width=device-width, initial-scale=1"}


def create_app(data: DashboardData, *, language: Language | None = None) -> Dash:
    """Return the dashboard as a Dash application; its ``server`` is a WSGI application.

    It answers to loopback host names only; ``web.ALLOWED_HOSTS`` in the Flask configuration changes that.

    Args:
        data: What to show.
        language: For visitors who have not chosen one; None asks their browser.
    """

    def speak() -> Language:
        return web.language_of_request(language)

    app = Dash(
        "greenai_dashboard",
        assets_folder=str(Path(__file__).with_name("assets")),
        pages_folder="",
        use_pages=False,
        include_pages_meta=False,
        suppress_callback_exceptions=True,  # the pages' components come and go
        update_title="",
        title=texts.PRODUCT,
        meta_tags=[_VIEWPORT],
        add_log_handler=False,
        enable_mcp=False,
    )
    cast("Any", app).interpolate_index = _in_language(app, speak)
    app.layout = lambda: layout.frame(speak())
    web.protect(app.server, app.csp_hashes)
    web.refuse_garbage(app.server)
    web.add_routes(app.server, data, speak)
    _route(app, data, speak)
    runs.register(app, data, speak)
    live.register(app, data, speak)
    run.register(app, data, speak)
    compare.register(app)
    return app


def _in_language(app: Any, speak: Callable[[], Language]) -> Callable[..., str]:
    """Return Dash's page template, with the language in its root element."""
    fill = app.interpolate_index

    def fill_in_language(**parts: str) -> str:
        page: str = fill(**parts)
        return page.replace("<html>", f'<html lang="{speak()}">', 1)

    return fill_in_language


def _route(app: Dash, data: DashboardData, speak: Callable[[], Language]) -> None:
    @app.callback(
        Output("main", "children"),
        Output("navigation", "children"),
        Output("languages", "children"),
        Input("url", "pathname"),
    )
    def show_page(pathname: str | None) -> tuple[Any, Any, Any]:
        path = pathname or "/"
        chosen = speak()
        title, page = page_for(path, data, chosen)
        head = dcc.Store(id="page-title", data=f"{title} – {texts.PRODUCT}")
        return [head, page], layout.navigation(path, chosen), layout.language_links(path, chosen)

    connect(app, "setTitle", Output("main", "title"), Input("page-title", "data"), initially=True)


def page_for(path: str, data: DashboardData, language: Language) -> tuple[str, html.Div]:
    """Return title and content of the page at ``path``; an error becomes a page, too."""
    kind, _, argument = path.strip("/").partition("/")
    argument = unquote(argument)
    missing: Text = texts.PAGE_NOT_FOUND
    try:
        if not kind:
            return texts.RUNS_TITLE.to(language), runs.layout(data, language)
        if kind == "run" and argument:
            missing = texts.RUN_NOT_FOUND
            return run.title(data, argument), run.layout(data, argument, language)
        if kind == "compare":
            missing = texts.TASK_NOT_FOUND
            return texts_compare.TITLE.to(language), compare.layout(data, argument or None, language)
    except NotFoundError as error:
        return missing.to(language), failure(missing, error, language)
    except GreenAIError as error:
        return texts.DATA_UNAVAILABLE.to(language), failure(texts.DATA_UNAVAILABLE, error, language)
    page = notice(
        missing.to(language),
        html.P(texts.PAGE_NOT_FOUND_HELP.to(language)),
        html.P(dcc.Link(texts.BACK_TO_RUNS.to(language), href="/")),
    )
    return missing.to(language), page
