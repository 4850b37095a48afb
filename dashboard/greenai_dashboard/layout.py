"""The frame around every page: theme, navigation, and the place where a page appears."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import dash_mantine_components as dmc
from dash import dcc, html

from greenai.core.text import LANGUAGES
from greenai_dashboard import texts
from greenai_dashboard.parts import aria

if TYPE_CHECKING:
    from greenai.core.text import Language

THEME = {
    "primaryColor": "cyan",
    "primaryShade": {"light": 9, "dark": 4},
    "autoContrast": True,
    "fontFamily": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
    "fontFamilyMonospace": "ui-monospace, 'SF Mono', 'DejaVu Sans Mono', monospace",
    "defaultRadius": "sm",
    "components": {"Select": {"defaultProps": {"comboboxProps": {"transitionProps": {"duration": 0}}}}},
}


def frame(language: Language) -> dmc.MantineProvider:
    """Return the frame; the page itself comes by callback."""
    return dmc.MantineProvider(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            html.A(texts.SKIP_TO_CONTENT.to(language), href="#main", className="skip-link"),
            html.Header(
                html.Div(
                    [
                        dcc.Link(texts.PRODUCT, href="/", className="brand"),
                        html.Nav(id="navigation", **aria(label=texts.NAVIGATION.to(language))),
                        html.Div(
                            [
                                html.Div(
                                    id="languages",
                                    className="languages",
                                    role="group",
                                    **aria(label=texts.LANGUAGE.to(language)),
                                ),
                                dmc.ColorSchemeToggle(
                                    id="colour-scheme",
                                    lightIcon="☀",
                                    darkIcon="☾",
                                    variant="subtle",
                                    size="lg",
                                    **aria(label=texts.COLOUR_SCHEME.to(language)),
                                ),
                            ],
                            className="switches",
                        ),
                    ],
                    className="header-row",
                ),
                className="site-header",
            ),
            html.Main(id="main", tabIndex=-1),
        ],
        theme=THEME,
        defaultColorScheme="auto",
    )


def navigation(pathname: str, language: Language) -> list[dcc.Link]:
    """Return the links to the pages, the current one marked."""
    pages = (
        ("/", texts.NAV_RUNS, not pathname.startswith(("/run/latest", "/compare"))),
        ("/run/latest", texts.NAV_LATEST, pathname.startswith("/run/latest")),
        ("/compare", texts.NAV_COMPARE, pathname.startswith("/compare")),
    )
    return [
        dcc.Link(text.to(language), href=href, className="nav-link nav-current" if current else "nav-link")
        for href, text, current in pages
    ]


def language_links(pathname: str, language: Language) -> list[html.A]:
    """Return the language switch; it leads back to the same page."""
    return [
        html.A(
            choice.upper(),
            href=f"/setlang/{choice}?next={quote(pathname)}",
            title=texts.LANGUAGE_NAME[choice],
            lang=choice,
            hrefLang=choice,
            className="language language-current" if choice == language else "language",
            **aria(current="true" if choice == language else "false"),
        )
        for choice in LANGUAGES
    ]
