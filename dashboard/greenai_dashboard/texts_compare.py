"""Texts of the comparison page."""

from __future__ import annotations

from greenai.core.text import Text

TITLE = Text(de="Braucht es hier KI?", en="Is AI needed here?")
INTRODUCTION = Text(
    de="Gleiche Aufgabe, gleiche Einheit, gleiche Phase: KI-Lösungen gegen klassische.",
    en="Same task, same unit, same phase: AI solutions against classical ones.",
)
TASK = Text(de="Aufgabe", en="Task")
NO_TASKS_TITLE = Text(de="Noch keine Aufgabe zum Vergleichen", en="No task to compare yet")
NO_TASKS_HELP = Text(
    de="Geben Sie Läufen, die dasselbe Problem lösen, dieselbe Aufgabe und ihren Ansatz mit:",
    en="Give runs that solve the same problem the same task, and their approach:",
)
NO_TASKS_EXAMPLE = (
    "greenai run --task churn --approach classical -- python baseline.py\n"
    "greenai run --task churn --approach ai -- python train.py"
)
MISSING_CLASSICAL = Text(
    de="Zu dieser Aufgabe fehlt eine klassische Lösung. So kommt eine dazu:",
    en="This task has no classical solution yet. To add one:",
)
MISSING_AI = Text(
    de="Zu dieser Aufgabe fehlt eine KI-Lösung. So kommt eine dazu:",
    en="This task has no AI solution yet. To add one:",
)
NOTHING_COMPARED = Text(
    de="Es gibt keine KI-Lösung und klassische Lösung derselben Phase. "
    "Verglichen wird nur Training mit Training und Inferenz mit Inferenz.",
    en="There is no AI solution and classical solution of the same phase. "
    "Training is compared with training only, and inference with inference.",
)
PAIR = Text(
    de="{ai} (KI) gegen {classical} (klassisch), {phase}", en="{ai} (AI) against {classical} (classical), {phase}"
)
BASELINE_CHOSEN = Text(de="Vergleichslösung von Ihnen festgelegt: {name}.", en="Baseline set by a person: {name}.")
BASELINE_FOUND = Text(
    de="Vergleichslösung ist die beste gefundene klassische: {name}. Festlegen mit `greenai baseline set`.",
    en="The baseline is the best classical solution found: {name}. To set it: `greenai baseline set`.",
)
RATIO = Text(de="Energieverhältnis", en="Energy ratio")
RATIO_VALUE = Text(de="{ratio}-fach", en="{ratio} times")
RATIO_HELP = Text(
    de="Energie der KI geteilt durch Energie der klassischen Lösung",
    en="energy of the AI over energy of the classical solution",
)
GAIN = Text(de="Qualitätsgewinn der KI", en="Quality gain of the AI")
GAIN_HELP = Text(
    de="in Punkten von {metric}; positiv heißt, die KI ist besser",
    en="in points of {metric}; positive means the AI is better",
)
MARGINAL = Text(de="Mehrenergie je Punkt Qualität", en="Extra energy per point of quality")
INTERVAL = Text(de="95-%-Intervall: {interval}", en="95% interval: {interval}")
NO_INTERVAL = Text(
    de="kein Intervall: dafür braucht es mindestens zwei Läufe je Lösung",
    en="no interval: that takes at least two runs of each solution",
)
MARGINS = Text(de="Maßstab", en="Yardstick")
MARGINS_VALUE = Text(
    de="Als gleich gut gilt ein Verlust bis {equal}; lohnend ist erst ein Gewinn ab {gain} (Punkte von {metric}).",
    en="A loss of up to {equal} counts as equal; a gain counts as worthwhile from {gain} (points of {metric}).",
)
MARGINS_CHOSEN = Text(de="Von Ihnen so festgelegt.", en="Set by a person.")
MARGINS_DEFAULT = Text(
    de="Vorgaben des Programms, von niemandem für diese Aufgabe gewählt. "
    "Andere anwenden: `greenai compare --margin … --gain …`.",
    en="Defaults of the program: nobody has set them for this task. "
    "To apply others: `greenai compare --margin ... --gain ...`.",
)
NOTES = Text(de="Zu beachten", en="Please note")
CANDIDATES = Text(de="Alle Lösungen", en="All solutions")
CHART = Text(de="Qualität gegen Energie", en="Quality against energy")
CHART_PHASE = Text(de="Phase: {phase}, {unit}", en="Phase: {phase}, {unit}")
CHART_HELP = Text(
    de="Links oben ist besser: viel Qualität, wenig Energie. Große Zeichen sind Mittelwerte, kleine einzelne "
    "Läufe. Balken: 95-%-Intervall aus der Streuung der Läufe, bei der Energie samt Messunsicherheit.",
    en="Top left is better: much quality, little energy. Large marks are means, small ones the single runs. "
    "Bars: 95% interval from the scatter of the runs, for energy including the measurement uncertainty.",
)
CHART_HELP_LOWER = Text(
    de="Bei dieser Kennzahl ist niedriger besser; die Achse ist deshalb umgedreht.",
    en="Lower is better for this metric, so the axis is turned round.",
)
CHART_LEFT_OUT = Text(
    de="Ohne Energie oder Kennzahl und deshalb nicht im Bild: {names}.",
    en="Not in the chart, for want of an energy or a metric: {names}.",
)
ENERGY_AXIS = Text(de="Energie {unit} (J, log)", en="Energy {unit} (J, log)")
PER_UNIT = Text(de="je {unit}", en="per {unit}")
PER_RUN = Text(de="je Lauf", en="per run")
SOLUTION = Text(de="Lösung", en="Solution")
RUNS = Text(de="Läufe", en="Runs")
EXCLUDED = Text(de="Ausgelassen", en="Left out")
ENERGY = Text(de="Energie", en="Energy")
RESULT = Text(de="Ergebnis", en="Result")
METHODS = Text(de="Verfahren", en="Method")
HARDWARE = Text(de="Hardware", en="Hardware")
