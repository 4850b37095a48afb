"""Everything the reports say, in both languages."""

from __future__ import annotations

from greenai.core.text import Text

TITLE = Text(de="Zusammenfassung: Strom und CO₂", en="Summary: electricity and CO₂")
SCOPE = Text(de="Umfang", en="Covers")
PERIOD = Text(de="Zeitraum", en="Period")
GENERATED = Text(de="Erstellt", en="Generated")
PROGRAM = Text(de="Programm", en="Program")
PERIOD_FROM_TO = Text(de="{first} bis {last}", en="{first} to {last}")
PAGE_OF = Text(de="Seite {page} von {pages}", en="Page {page} of {pages}")

# Key figures
FIGURES = Text(de="Kennzahlen", en="Key figures")
ELECTRICITY = Text(de="Strom der Rechentechnik", en="Electricity of the computing equipment")
CARBON = Text(de="{gases} aus Strom (standortbasiert)", en="{gases} of the electricity (location-based)")
MARKET = Text(de="{gases} aus Strom (marktbasiert)", en="{gases} of the electricity (market-based)")
PARTLY = Text(de="teils {boundary}", en="partly {boundary}")
MARKET_NEVER_ADDED = Text(
    de="nach Verträgen; nie zum standortbasierten Wert addieren",
    en="by contracts; never add to the location-based figure",
)
MARKET_LACKS_ONE = Text(de="ohne 1 Lauf, der keinen solchen Wert hat", en="without 1 run that has no such figure")
MARKET_LACKS_MANY = Text(
    de="ohne {n} Läufe, die keinen solchen Wert haben", en="without {n} runs that have no such figure"
)
MIXED_REMARK = Text(
    de="Nicht alle Teile dieser Summen zählen dasselbe ({kinds}); vergleichbar sind nur gleiche.",
    en="Not all parts of these sums count the same ({kinds}); only like figures can be compared.",
)
COUNTS = Text(de="{gases}: {boundaries}", en="{gases}: {boundaries}")
UPSTREAM = Text(de="{gases} der Vorkette", en="Upstream {gases}")
RUNS = Text(de="Läufe", en="Runs")
ABOUT_95 = Text(de="{interval} (ca. 95 %)", en="{interval} (about 95%)")
TOTAL_DURATION = Text(de="Gesamtdauer {duration}", en="total duration {duration}")
ENERGY_UNKNOWN = Text(de="unbekannt: kein Lauf hat eine Energie", en="unknown: no run has an energy")
ALL_MEASURED = Text(de="gemessen, nichts geschätzt", en="measured, nothing estimated")
ALL_ESTIMATED = Text(de="geschätzt, nicht gemessen", en="estimated, not measured")
PART_MEASURED = Text(de="{share} gemessen, der Rest geschätzt", en="{share} measured, the rest estimated")
ALL_ALLOCATED = Text(de="gemessen und anteilig zugeteilt", en="measured and allocated by share")
PART_ALLOCATED = Text(
    de="{share} gemessen oder zugeteilt, der Rest geschätzt",
    en="{share} measured or allocated, the rest estimated",
)
SHARE_UNKNOWN = Text(de="Messanteil unbekannt", en="measured share unknown")
FACTOR_SHORT = Text(de="{zone}, {value} g/kWh ({year})", en="{zone}, {value} g/kWh ({year})")
FACTORS_MANY = Text(de="{n} Stromfaktoren, siehe Quellen", en="{n} grid factors, see sources")
PUE_KNOWN = Text(de="PUE {pue}", en="PUE {pue}")
PUE_ASSUMED = Text(de="PUE {pue} (angenommen)", en="PUE {pue} (assumed)")
PUE_RANGE = Text(de="{low} bis {high}", en="{low} to {high}")
NOT_ADDED = Text(de="zusätzlich, nicht eingerechnet", en="in addition, not included")
UPSTREAM_UNKNOWN = Text(de="unbekannt, nirgends eingerechnet", en="unknown, not included anywhere")
CARBON_UNKNOWN = Text(de="unbekannt: {reason}", en="unknown: {reason}")
NO_FACTORS_APPLIED = Text(de="es wurde kein Stromfaktor angewendet", en="no grid factor was applied")
FACTOR_REMARK = Text(
    de="{gases} = Strom × PUE × Stromfaktor. Faktor: {factor}.",
    en="{gases} = electricity × PUE × grid factor. Factor: {factor}.",
)
FACTOR_LONG = Text(
    de="{zone}, {value} g/kWh für {year}, {source}, Ausgabe {edition}, Systemgrenze {boundary}, {gases}{caveats}",
    en="{zone}, {value} g/kWh for {year}, {source}, edition {edition}, boundary {boundary}, {gases}{caveats}",
)
UNVERIFIED = Text(de="nicht geprüft", en="unverified")
PUE_ASSUMED_REMARK = Text(
    de="Die PUE (Zuschlag für Kühlung und Versorgung des Rechenzentrums) ist angenommen, nicht gemessen.",
    en="The PUE (overhead of the data centre for cooling and supply) is assumed, not measured.",
)
PUE_PARTLY_ASSUMED_REMARK = Text(
    de="Die PUE (Zuschlag für Kühlung und Versorgung des Rechenzentrums) ist bei einem Teil der Läufe angenommen.",
    en="The PUE (overhead of the data centre for cooling and supply) is assumed for some of the runs.",
)
EVERYDAY = Text(
    de="Zum Vergleich: etwa so viel Strom, wie eine 10-W-Lampe in {duration} braucht.",
    en="For scale: about as much electricity as a 10 W lamp uses in {duration}.",
)
LOWER_BOUND = Text(de="mit Lücken: eine Untergrenze", en="with gaps: a lower bound")
INCOMPLETE_ONE = Text(
    de="Bei 1 Lauf wurde ein Teil der Zeit oder der Knoten nicht gemessen; seine Energie ist eine Untergrenze.",
    en="In 1 run part of the time or of the nodes was not measured; its energy is a lower bound.",
)
INCOMPLETE_MANY = Text(
    de="Bei {n} Läufen wurde ein Teil der Zeit oder der Knoten nicht gemessen; ihre Energie ist eine Untergrenze.",
    en="In {n} runs part of the time or of the nodes was not measured; their energy is a lower bound.",
)
ENERGY_MISSING_ONE = Text(
    de="Für 1 Lauf ist die Energie unbekannt; er fehlt in den Summen.",
    en="The energy of 1 run is unknown; it is missing from the sums.",
)
ENERGY_MISSING_MANY = Text(
    de="Für {n} Läufe ist die Energie unbekannt; sie fehlen in den Summen.",
    en="The energy of {n} runs is unknown; they are missing from the sums.",
)
EMISSIONS_MISSING_ONE = Text(
    de="Für 1 Lauf sind die Emissionen unbekannt{reasons}; er fehlt in ihrer Summe.",
    en="The emissions of 1 run are unknown{reasons}; it is missing from their sum.",
)
EMISSIONS_MISSING_MANY = Text(
    de="Für {n} Läufe sind die Emissionen unbekannt{reasons}; sie fehlen in ihrer Summe.",
    en="The emissions of {n} runs are unknown{reasons}; they are missing from their sum.",
)
SECONDS = (Text(de="Sekunde", en="second"), Text(de="Sekunden", en="seconds"))
MINUTES = (Text(de="Minute", en="minute"), Text(de="Minuten", en="minutes"))
HOURS = (Text(de="Stunde", en="hour"), Text(de="Stunden", en="hours"))
DAYS = (Text(de="Tag", en="day"), Text(de="Tagen", en="days"))
YEARS = (Text(de="Jahr", en="year"), Text(de="Jahren", en="years"))

# Comparison
COMPARISON = Text(de="KI und klassische Lösung im Vergleich", en="AI compared with the classical solution")
NO_TASKS = Text(
    de="Unter diesen Läufen ist keine Aufgabe, für die Lösungen verglichen werden können.",
    en="There is no task among these runs for which solutions can be compared.",
)
TASK = Text(de="Aufgabe „{task}“", en='Task "{task}"')
BASELINE_CHOSEN = Text(de="Vergleichsbasis: {name} (festgelegt).", en="Baseline: {name} (set by a person).")
BASELINE_FOUND = Text(
    de="Vergleichsbasis: {name} (beste gefundene klassische Lösung, von niemandem festgelegt).",
    en="Baseline: {name} (best classical solution found; nobody set it).",
)
BASELINE_NONE = Text(de="Keine klassische Vergleichsbasis.", en="No classical baseline.")
NO_COMPARISON = Text(
    de="Kein Vergleich: Es fehlt eine KI-Lösung oder eine klassische Lösung derselben Phase.",
    en="No comparison: an AI solution or a classical solution of the same phase is missing.",
)
VERSUS = Text(de="{ai} (KI) gegen {classical} (klassisch)", en="{ai} (AI) against {classical} (classical)")
RATIO = Text(
    de="Energie der KI: das {ratio}-Fache ({interval})", en="Energy of the AI: {ratio} times as much ({interval})"
)
GAIN = Text(
    de="Qualitätsgewinn ({metric}): {gain} ({interval})", en="Quality gain ({metric}): {gain} ({interval})"
)
GAIN_LOWER = Text(
    de="Qualitätsgewinn ({metric}, weniger ist besser): {gain} ({interval})",
    en="Quality gain ({metric}, less is better): {gain} ({interval})",
)
MARGINAL = Text(
    de="je Punkt Qualität {value} kWh mehr ({interval})", en="{value} kWh more per point of quality ({interval})"
)
MARGINS = Text(
    de="Schwellen ({origin}): gleichwertig bis {equal}, lohnend ab {gain}",
    en="Margins ({origin}): equal within {equal}, worth having from {gain}",
)
MARGINS_CHOSEN = Text(de="festgelegt", en="chosen")
MARGINS_DEFAULT = Text(de="Vorgabe des Programms", en="program default")
NO_INTERVAL = Text(de="kein Intervall: zu wenige Läufe", en="no interval: too few runs")
SOLUTIONS = Text(de="Lösungen, {phase}", en="Solutions, {phase}")
SOLUTION = Text(de="Lösung", en="Solution")
APPROACH = Text(de="Ansatz", en="Approach")
ENERGY_PER = Text(de="Energie je {unit}", en="Energy per {unit}")
RUN_UNIT = Text(de="Lauf", en="run")
INTERVAL_HEAD = Text(de="Spanne (95 %)", en="Range (95%)")
QUALITY_OF_ENERGY = Text(de="Energie ist", en="Energy is")
RUNS_USED = Text(de="{n} von {all}", en="{n} of {all}")
METRIC_NONE = Text(de="Qualität", en="Quality")
IN_UNIT = Text(de="{label} in {unit}", en="{label} in {unit}")
PARTLY_ESTIMATED = Text(de="teils geschätzt", en="partly estimated")
CHART_TITLE = Text(de="{axis}, {phase}", en="{axis}, {phase}")
CHART_POINT = Text(
    de="{name} ({kind}): {energy}, Spanne {interval}", en="{name} ({kind}): {energy}, range {interval}"
)
FOR_ALL = Text(de="Für alle Vergleiche gilt: {notes}", en="For all comparisons: {notes}")
CHART_KEY = Text(
    de="In Klammern: 95-%-Intervalle. Im Diagramm Kreis: KI, Quadrat: klassisch; hohl und gestrichelt: ganz oder "
    "teils geschätzt; Linie: etwa 95 % aus Messunsicherheit und Streuung.",
    en="In brackets: 95% intervals. In the chart, disc: AI, square: classical; hollow and dashed: estimated, "
    "wholly or in part; line: about 95% from measuring uncertainty and scatter.",
)
LOG_AXIS = Text(de="{axis} (logarithmisch)", en="{axis} (logarithmic)")

# How it was measured
METHOD = Text(de="Wie gemessen wurde", en="How it was measured")
METHOD_LEAD = Text(
    de="Eine Schätzung ist keine Messung: Geschätzte Werte stammen aus Modellen und können auch außerhalb der "
    "Spanne liegen.",
    en="An estimate is not a measurement: estimated values come from models and may lie outside the range.",
)
METHOD_NONE = Text(
    de="Kein Lauf hat eine gezählte Energie; es gibt kein Verfahren zu nennen.",
    en="No run has a counted energy; there is no method to name.",
)
METHODS_CAPTION = Text(de="Messverfahren", en="Methods")
METHOD_HEAD = Text(de="Verfahren", en="Method")
COMPONENT = Text(de="Bauteil", en="Component")
KIND = Text(de="Art", en="Kind")
UNCERTAINTY = Text(de="Unsicherheit", en="Uncertainty")
ENERGY_SHARE = Text(de="Anteil am Strom", en="Share of electricity")
COMPONENTS = {
    "node": Text(de="ganzer Rechner", en="whole machine"),
    "module": Text(de="Modul", en="module"),
    "cpu": Text(de="CPU", en="CPU"),
    "dram": Text(de="Arbeitsspeicher", en="memory"),
    "gpu": Text(de="GPU", en="GPU"),
    "rest": Text(de="übriger Rechner", en="rest of the machine"),
}
INCIDENTS_MORE = Text(de="Und {n} weitere Meldungen dieser Art.", en="And {n} more messages of this kind.")
INCIDENTS = Text(de="Vorkommnisse", en="Incidents")
INCIDENT_ONE = Text(de="{code}, 1 Lauf", en="{code}, 1 run")
INCIDENT_MANY = Text(de="{code}, {n} Läufe", en="{code}, {n} runs")
REMEDY = Text(de="Abhilfe: {remedy}", en="Remedy: {remedy}")
LIMITS = Text(de="Nicht enthalten", en="Not included")
LIMIT_EMBODIED = Text(de="Herstellung und Entsorgung der Geräte", en="manufacture and disposal of the equipment")
LIMIT_COOLING = Text(
    de="Kühlung und Versorgung über den PUE-Zuschlag bei den Emissionen hinaus",
    en="cooling and supply beyond the PUE overhead in the emissions",
)
LIMIT_NETWORK = Text(
    de="Netzwerk, externe Speicher und Endgeräte der Nutzer", en="network, external storage and users' devices"
)
LIMIT_UNREAD = Text(
    de="Bauteile ohne Eintrag in der Tabelle der Verfahren",
    en="components that the table of methods does not list",
)
LIMIT_FACTOR = Text(
    de="die Unsicherheit der Stromfaktoren (die Spanne des Stroms gilt anteilig auch für die Emissionen)",
    en="the uncertainty of the grid factors (the range of the electricity applies in proportion to the emissions)",
)

# Runs and sources
LARGEST_RUNS = Text(de="Größte Läufe", en="Largest runs")
ALL_RUNS = Text(de="Alle Läufe", en="All runs")
LARGEST_OF = Text(
    de="{shown} von {n} Läufen, nach Strom geordnet", en="{shown} of {n} runs, ordered by electricity"
)
ORDERED = Text(de="nach Strom geordnet", en="ordered by electricity")
NO_RUNS = Text(de="Der Bericht umfasst keinen Lauf.", en="The report covers no run.")
RUN = Text(de="Lauf", en="Run")
RUN_STATE = Text(de="{name} ({state})", en="{name} ({state})")
PHASE = Text(de="Phase", en="Phase")
START = Text(de="Beginn (UTC)", en="Start (UTC)")
DURATION = Text(de="Dauer", en="Duration")
ENERGY = Text(de="Strom", en="Electricity")
EMISSIONS = Text(de="Emissionen", en="Emissions")
NODES_OF = Text(de="Knoten von {run}", en="Nodes of {run}")
NODES_CAPTION = Text(de="Strom je Knoten", en="Electricity by node")
NODE = Text(de="Knoten", en="Node")
NODE_GAP = Text(de="Ohne Messung", en="Without reading")
ALL_NODES = Text(de="Summe", en="Total")
ONE_MORE_NODE = Text(de="1 weiterer Knoten", en="1 more node")
MORE_NODES = Text(de="{n} weitere Knoten", en="{n} more nodes")
NODES_SPREAD = Text(
    de="{n} Knoten durchgehend gemessen; je Knoten {range}, im Mittel {mean}.",
    en="{n} nodes read all the time; {range} each, {mean} on average.",
)
NODE_AT_LEAST = Text(
    de="1 Knoten wurde nur zum Teil gemessen; sein Wert ist eine Untergrenze (≥).",
    en="1 node was read only in part; its figure is a lower bound (≥).",
)
NODES_AT_LEAST = Text(
    de="{n} Knoten wurden nur zum Teil gemessen; ihre Werte sind Untergrenzen (≥).",
    en="{n} nodes were read only in part; their figures are lower bounds (≥).",
)
NODE_UNKNOWN = Text(
    de="Von 1 Knoten ist nichts bekannt; seine Energie fehlt in der Summe.",
    en="Nothing is known of 1 node; its energy is missing from the total.",
)
NODES_UNKNOWN = Text(
    de="Von {n} Knoten ist nichts bekannt; ihre Energie fehlt in der Summe.",
    en="Nothing is known of {n} nodes; their energy is missing from the total.",
)
SOURCES = Text(de="Quellen der Faktoren", en="Sources of the factors")
NO_SOURCES = Text(de="Kein Faktor wurde angewendet.", en="No factor was applied.")
SOURCE_SHORT = Text(
    de="{zone} {year}: {source}, Ausgabe {edition}. Lizenz: {licence}.",
    en="{zone} {year}: {source}, edition {edition}. Licence: {licence}.",
)
SOURCE = Text(de="{factor}. Lizenz: {licence}.", en="{factor}. Licence: {licence}.")
GLYPHS_REPLACED = Text(
    de="� steht für Zeichen, die die Schrift dieses Dokuments nicht enthält.",
    en="� stands for characters that the typeface of this document lacks.",
)
