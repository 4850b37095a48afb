"""Texts of the frame, the navigation and the table of runs, and the words for fixed values."""

from __future__ import annotations

from greenai.core.text import Text

PRODUCT = "greenai"

# Frame
SKIP_TO_CONTENT = Text(de="Zum Inhalt springen", en="Skip to content")
NAVIGATION = Text(de="Hauptnavigation", en="Main navigation")
LANGUAGE = Text(de="Sprache", en="Language")
LANGUAGE_NAME = {"de": "Deutsch", "en": "English"}
COLOUR_SCHEME = Text(de="Helles oder dunkles Farbschema", en="Light or dark colour scheme")
NAV_RUNS = Text(de="Läufe", en="Runs")
NAV_COMPARE = Text(de="Vergleich", en="Comparison")
NAV_LATEST = Text(de="Letzter Lauf", en="Latest run")
BACK_TO_RUNS = Text(de="Alle Läufe", en="All runs")

# Errors
PAGE_NOT_FOUND = Text(de="Diese Seite gibt es nicht", en="There is no such page")
PAGE_NOT_FOUND_HELP = Text(
    de="Unter dieser Adresse liegt nichts. Die Läufe finden Sie auf der Startseite.",
    en="Nothing lives at this address. You will find the runs on the start page.",
)
RUN_NOT_FOUND = Text(de="Diesen Lauf gibt es nicht", en="There is no such run")
TASK_NOT_FOUND = Text(de="Diese Aufgabe gibt es nicht", en="There is no such task")
DATA_UNAVAILABLE = Text(de="Die Daten sind nicht erreichbar", en="The data cannot be reached")
FOREIGN_HOST = Text(
    de="Diese Adresse gehört nicht zu diesem Server. Öffnen Sie das Dashboard unter der Adresse, "
    "die beim Start ausgegeben wurde.",
    en="This address does not belong to this server. Open the dashboard at the address printed when it started.",
)
PORT_IN_USE = Text(
    de="Port {port} auf {host} ist bereits belegt.",
    en="Port {port} on {host} is already in use.",
)
PORT_IN_USE_REMEDY = Text(
    de="Wählen Sie einen anderen Port: greenai dashboard --port 0 nimmt irgendeinen freien.",
    en="Choose another port: greenai dashboard --port 0 takes any free one.",
)
CANNOT_BIND = Text(
    de="Auf {host}, Port {port}, kann nicht gelauscht werden: {reason}.",
    en="Cannot listen on {host}, port {port}: {reason}.",
)
CANNOT_BIND_REMEDY = Text(
    de="Prüfen Sie Adresse und Port, z. B. greenai dashboard --host 127.0.0.1 --port 8050.",
    en="Check the address and the port, e.g. greenai dashboard --host 127.0.0.1 --port 8050.",
)

# Table of runs
RUNS_TITLE = Text(de="Läufe", en="Runs")
RUNS_GRID_LABEL = Text(de="Tabelle der Läufe", en="Table of runs")
RUN_COUNT_NONE = Text(de="Kein Lauf passt zu den Filtern", en="No run matches the filters")
RUN_COUNT_ONE = Text(de="1 Lauf", en="1 run")
RUN_COUNT_MANY = Text(de="{count} Läufe", en="{count} runs")
FILTER_LABEL = Text(de="Filter", en="Filters")
SEARCH = Text(de="Suche", en="Search")
SEARCH_PLACEHOLDER = Text(de="Name oder Kennung", en="Name or id")
ANY = Text(de="alle", en="any")
NOTHING_FOUND = Text(de="Nichts gefunden", en="Nothing found")
EMPTY_TITLE = Text(de="Noch keine Läufe", en="No runs yet")
EMPTY_HELP = Text(
    de="Sobald der erste Lauf startet, erscheint er hier von selbst. So messen Sie ein Programm:",
    en="The first run will show up here by itself as soon as it starts. To measure a program:",
)
EMPTY_EXAMPLE = Text(
    de="greenai doctor                      # was hier gemessen werden kann\n"
    "greenai run -- python train.py      # misst ein beliebiges Programm\n"
    "greenai runs show latest            # zeigt das Ergebnis",
    en="greenai doctor                      # what can be measured here\n"
    "greenai run -- python train.py      # measures any program\n"
    "greenai runs show latest            # shows the result",
)
NAME = Text(de="Name", en="Name")
PROJECT = Text(de="Projekt", en="Project")
TASK = Text(de="Aufgabe", en="Task")
APPROACH = Text(de="Ansatz", en="Approach")
PHASE = Text(de="Phase", en="Phase")
STATE = Text(de="Zustand", en="State")
START = Text(de="Beginn", en="Start")
DURATION = Text(de="Dauer", en="Duration")
ENERGY = Text(de="Energie (IT)", en="Energy (IT)")
CO2 = Text(de="CO₂e (Standort)", en="CO₂e (location)")
QUALITY = Text(de="Datenqualität", en="Data quality")
MEASURED_SHARE = Text(de="{share} gemessen", en="{share} measured")
FIRM_SHARE = Text(de="{share} gemessen oder zugeteilt", en="{share} measured or allocated")

GRID_TEXTS = {
    "loadingOoo": Text(de="Wird geladen …", en="Loading …"),
    "noRowsToShow": RUN_COUNT_NONE,
    "ariaSortableColumn": Text(de="Mit der Eingabetaste sortieren", en="Press Enter to sort"),
    "ariaRowSelect": Text(de="Mit der Leertaste auswählen", en="Press Space to select"),
}

# What a quality means
QUALITY_HELP = {
    "measured": Text(de="Von einem Sensor gelesen.", en="Read from a sensor."),
    "allocated": Text(
        de="Gemessene Energie der Maschine, nach einer Regel anteilig zugerechnet.",
        en="Measured energy of the machine, shared out by a rule.",
    ),
    "estimated": Text(
        de="Aus einem Modell berechnet, nicht gemessen.",
        en="Calculated from a model, not measured.",
    ),
}
