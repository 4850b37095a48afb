"""Texts of what goes on right now."""

from __future__ import annotations

from greenai.core.text import Text

RUNNING_ONE = Text(de="Gerade läuft 1 Lauf", en="1 run is running now")
RUNNING_MANY = Text(de="Gerade laufen {count} Läufe", en="{count} runs are running now")
MORE_ONE = Text(de="und 1 weiterer in der Tabelle", en="and 1 more in the table")
MORE_MANY = Text(de="und {count} weitere in der Tabelle", en="and {count} more in the table")
SINCE = Text(de="seit {moment}", en="since {moment}")
POWER_NOW = Text(de="Leistung jetzt", en="Power now")
MEAN_OF_MINUTE = Text(de="Mittel der letzten Minute", en="mean of the last minute")
ENERGY_SO_FAR = Text(de="Energie bisher (IT)", en="Energy so far (IT)")
SOURCE = Text(de="Quelle: {methods}", en="Source: {methods}")
SILENT = Text(de="seit {duration} kein Messwert", en="no reading for {duration}")
OUT_OF_REACH = Text(de="Journal von hier nicht lesbar", en="journal out of reach from here")
STARTING = Text(de="Die ersten Messwerte kommen gleich.", en="The first readings are on their way.")
CURVE_SCALE = Text(de="0 bis {power}", en="0 to {power}")
CURVE_BEGIN = Text(de="vor 5 min", en="5 min ago")
CURVE_END = Text(de="jetzt", en="now")
CURVE_LABEL = Text(
    de="Leistung der letzten 5 Minuten, zwischen {low} und {high}",
    en="Power over the last 5 minutes, between {low} and {high}",
)
CURVE_NONE = Text(
    de="Leistung der letzten 5 Minuten: unbekannt",
    en="Power over the last 5 minutes: unknown",
)

STRETCH = Text(de="Gezeigter Zeitraum", en="Stretch shown")
STRETCH_RECENT = Text(de="Letzte 10 Minuten", en="Last 10 minutes")
STRETCH_WHOLE = Text(de="Ganzer Lauf", en="Whole run")
TIME_AXIS = Text(de="Zeit vor jetzt (min)", en="Time before now (min)")
FOLLOWS = Text(
    de="Der Verlauf läuft von selbst mit, solange kein Ausschnitt vergrößert ist.",
    en="The curve follows by itself as long as no stretch is enlarged.",
)
