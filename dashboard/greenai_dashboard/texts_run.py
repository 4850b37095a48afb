"""Texts of the page of one run."""

from __future__ import annotations

from greenai.core.text import Text

DOWNLOAD_JSON = Text(de="Laufprotokoll als JSON herunterladen", en="Download the run record as JSON")
SUMMARY = Text(de="Auf einen Blick", en="At a glance")
STARTED = Text(de="Beginn {moment}", en="Started {moment}")
LASTED = Text(de="Dauer {duration}", en="Duration {duration}")
SO_FAR = Text(de="bisher {duration}", en="{duration} so far")
EXIT_CODE = Text(de="Rückgabewert {code}", en="exit code {code}")

ENERGY = Text(de="Energie (IT)", en="Energy (IT)")
ENERGY_UNKNOWN = Text(
    de="Kein gezählter Kanal hat einen Wert geliefert.",
    en="No counted channel delivered a value.",
)
BETWEEN = Text(
    de="mit etwa 95 % Sicherheit zwischen {low} und {high} ({minus} / {plus})",
    en="with about 95% confidence between {low} and {high} ({minus} / {plus})",
)
BETWEEN_SHORT = Text(de="zwischen {low} und {high}", en="between {low} and {high}")
NO_INTERVAL = Text(de="Unsicherheit unbekannt", en="uncertainty unknown")
SCOPE = Text(de="Umfang: {scope}", en="Scope: {scope}")
MACHINE_TOTAL = Text(
    de="Die ganze Maschine brauchte in dieser Zeit {energy}.",
    en="The whole machine needed {energy} in this time.",
)
INCOMPLETE = Text(
    de="Unvollständig: {unseen} von {duration} ohne Messung; die Energie ist eine Untergrenze.",
    en="Incomplete: {unseen} of {duration} without a reading; the energy is a lower bound.",
)
MEAN_POWER = Text(de="Mittlere Leistung", en="Mean power")
PER_UNIT = Text(de="Energie je {unit}", en="Energy per {unit}")
UNIT_FALLBACK = Text(de="Einheit", en="unit")
UNITS_DONE = Text(de="{count} erledigt", en="{count} done")
CO2 = Text(de="CO₂e, standortbasiert", en="CO₂e, location-based")
CO2_OPERATION = Text(
    de="nur Betrieb: Strom für die IT mal PUE {pue}",
    en="operation only: IT electricity times PUE {pue}",
)
PUE_ASSUMED = Text(de="(angenommen)", en="(assumed)")
CO2_NOT_COMPUTED = Text(de="Noch nicht berechnet.", en="Not computed yet.")
CO2_UNKNOWN = Text(de="Unbekannt", en="Unknown")
UNVERIFIED = Text(de="Faktor ungeprüft", en="factor unverified")
VERIFIED = Text(de="Faktor geprüft", en="factor verified")
UPSTREAM = Text(de="Vorkette der Stromerzeugung: {mass}", en="upstream of power generation: {mass}")
COST = Text(de="Stromkosten", en="Electricity cost")

TRACE = Text(de="Leistungsverlauf", en="Power over time")
TRACE_EMPTY = Text(
    de="Für diesen Lauf sind keine Leistungswerte gespeichert. Die Summen unten bleiben gültig.",
    en="No power readings are stored for this run. The totals below still hold.",
)
TRACE_DROPPED = Text(
    de="Die Leistungswerte dieses Laufs wurden am {date} wegen ihres Alters gelöscht. "
    "Die Summen unten bleiben gültig.",
    en="The power readings of this run were dropped on {date} because of their age. The totals below still hold.",
)
TRACE_HELP = Text(
    de="Durchgezogen: gezählte Kanäle. Gestrichelt: geschätzt. Gepunktet: nicht gezählt. Lücken sind Zeiten ohne "
    "Messwert. Ziehen vergrößert einen Ausschnitt und lädt ihn feiner nach; Doppelklick zeigt wieder alles.",
    en="Solid: counted channels. Dashed: estimated. Dotted: not counted. Gaps are times without a reading. "
    "Drag to enlarge a stretch, which is then loaded in finer detail; double-click shows everything again.",
)
TRACE_WINDOWS_CUT = Text(
    de="Von {all} Fenstern sind die {shown} längsten hinterlegt.",
    en="Of {all} windows, the {shown} longest are shaded.",
)
TRACE_CHANNELS_CUT = Text(
    de="Von {all} Kanälen sind die ersten {shown} gezeichnet.",
    en="Of {all} channels, the first {shown} are drawn.",
)
NODES_HELP = Text(
    de="Oben die Summe über die Knoten, unten der Knoten mit der größten und der mit der kleinsten Leistung. Ein "
    "Knoten ohne Messwert fehlt in der Summe; wie viele gezählt sind, steht am Zeiger. Ziehen vergrößert einen "
    "Ausschnitt und lädt ihn feiner nach; Doppelklick zeigt wieder alles.",
    en="Above, the sum over the nodes; below, the node with the most power and the one with the least. A node "
    "without a reading is missing from the sum; the pointer tells how many are counted. Drag to enlarge a "
    "stretch, which is then loaded in finer detail; double-click shows everything again.",
)
NODES_CUT = Text(
    de="Gezeichnet sind {shown} von {all} Knoten, und die Summe ist die dieser Knoten.",
    en="Drawn are {shown} of {all} nodes, and the sum is that of these nodes.",
)
NODES_SUM = Text(de="Summe", en="sum")
NODES_SUM_OF = Text(de="Summe von {n} der {all} Knoten", en="sum of {n} of the {all} nodes")
NODES = Text(de="Knoten", en="Nodes")
NODES_THERE = Text(de="{n} Knoten", en="{n} nodes")
NODES_GREATEST = Text(de="größter Knoten", en="greatest node")
NODES_MEAN = Text(de="Mittel der Knoten", en="mean of the nodes")
NODES_LEAST = Text(de="kleinster Knoten", en="least node")
NODES_SUM_AXIS = Text(de="Summe (W)", en="Sum (W)")
NODES_EACH_AXIS = Text(de="Je Knoten (W)", en="Each node (W)")
TRACE_POWER_AXIS = Text(de="Leistung (W)", en="Power (W)")
TRACE_TIME_AXIS = Text(de="Zeit seit Beginn ({unit})", en="Time since start ({unit})")
TRACE_NOT_COUNTED = Text(de="nicht gezählt", en="not counted")

CHANNELS = Text(de="Messkanäle", en="Channels")
CHANNELS_HELP = Text(
    de="Gezählt werden nur Kanäle, die sich nicht überlappen; ihre Summe ist die Energie des Laufs.",
    en="Only channels that do not overlap are counted; their sum is the energy of the run.",
)
HOST = Text(de="Rechner", en="Host")
DEVICE = Text(de="Gerät", en="Device")
COMPONENT = Text(de="Bauteil", en="Component")
CHANNEL_ENERGY = Text(de="Energie", en="Energy")
INTERVAL = Text(de="95-%-Intervall", en="95% interval")
QUALITY = Text(de="Datenqualität", en="Data quality")
METHOD = Text(de="Verfahren", en="Method")
GAP = Text(de="Lücke", en="Gap")
COUNTED = Text(de="Gezählt", en="Counted")
NOTE = Text(de="Hinweis", en="Note")

EMISSIONS = Text(de="Woher die CO₂-Zahl kommt", en="Where the CO₂ figure comes from")
FACTOR = Text(de="Emissionsfaktor", en="Emission factor")
ZONE = Text(de="Stromnetz", en="Grid zone")
YEAR = Text(de="Bezugsjahr", en="Reference year")
SOURCE = Text(de="Quelle", en="Source")
EDITION = Text(de="Ausgabe", en="Edition")
BOUNDARY = Text(de="Bilanzgrenze", en="Boundary")
GASES = Text(de="Gase", en="Gases")
LICENCE = Text(de="Lizenz", en="Licence")
CHECKED = Text(de="Geprüft", en="Verified")
CHECKED_NO = Text(
    de="nein: Niemand hat diesen Wert bisher mit der Quelle verglichen.",
    en="no: nobody has compared this value with its source yet.",
)
CHECKED_YES = Text(de="ja, mit der Quelle verglichen", en="yes, compared with its source")

MARKET = Text(de="CO₂ nach Stromverträgen (marktbasiert)", en="CO₂ by electricity contracts (market-based)")
MARKET_LEAD = Text(
    de="{market} nach Verträgen, {location} nach dem Stromnetz am Ort. Beide Zahlen gehören in einen Bericht; "
    "addiert werden sie nie.",
    en="{market} by contracts, {location} by the grid of the place. A report gives both; they are never added.",
)
MIXED_GASES = Text(
    de="Manche Faktoren zählen nur CO₂, andere alle Treibhausgase (CO₂e): Die Summe liegt etwas zu niedrig.",
    en="Some of the factors count CO₂ alone, others all greenhouse gases (CO₂e): the sum is a little too low.",
)
CONTRACT = Text(de="Vertrag", en="Contract")
INSTRUMENT = Text(de="Art", en="Kind")
ELECTRICITY = Text(de="Strom", en="Electricity")
MASS = Text(de="Emissionen", en="Emissions")
PROOF = Text(de="Beleg", en="Proof")
MADE = Text(de="Herstellung der Hardware (Anteil)", en="Making the hardware (share)")
MADE_VALUE = Text(
    de="{mass} ({span}), nicht in der Zahl oben: {devices}",
    en="{mass} ({span}), not in the figure above: {devices}",
)
MADE_DEVICE = Text(
    de="{count} × {name}, {mass} in {years} Jahren", en="{count} × {name}, {mass} over {years} years"
)
SCI = Text(de="SCI (ISO/IEC 21031)", en="SCI (ISO/IEC 21031)")
SCI_VALUE = Text(de="{mass} je {unit}", en="{mass} per {unit}")
WATER = Text(de="Wasser", en="Water")
WATER_VALUE = Text(
    de="{volume}: {site} l/kWh Kühlung, {grid} l/kWh für den Strom ({source})",
    en="{volume}: {site} l/kWh for cooling, {grid} l/kWh for the electricity ({source})",
)
INVENTORY = Text(de="Bilanz", en="Inventory")

WINDOWS = Text(de="Fenster", en="Windows")
WINDOWS_HELP = Text(
    de="Summe der gezählten Kanäle. Datenqualität wie beim ganzen Lauf:",
    en="Sum of the counted channels. Data quality as for the whole run:",
)
WINDOW = Text(de="Fenster", en="Window")
WINDOW_PARENT = Text(de="Teil von", en="Part of")
WINDOW_START = Text(de="Beginn nach", en="Starts after")
WINDOW_DURATION = Text(de="Dauer", en="Duration")
MORE_ROWS = Text(
    de="Gezeigt sind die ersten {shown} von {all}; alle stehen im JSON.",
    en="The first {shown} of {all} are shown; all are in the JSON.",
)
RESULTS = Text(de="Ergebnis und Arbeit", en="Result and work")
METRIC = Text(de="Kennzahl", en="Metric")
VALUE = Text(de="Wert", en="Value")
BETTER = Text(de="Besser ist", en="Better is")
HIGHER = Text(de="höher", en="higher")
LOWER = Text(de="niedriger", en="lower")
WORK = Text(de="Erledigte Arbeit ({unit})", en="Work done ({unit})")
INCIDENTS = Text(de="Vorkommnisse", en="Incidents")
INCIDENTS_NONE = Text(de="Keine.", en="None.")
REMEDY = Text(de="Abhilfe:", en="Remedy:")
PROVENANCE = Text(de="Herkunft", en="Provenance")
RUN_ID = Text(de="Kennung", en="Id")
USER = Text(de="Benutzer", en="User")
HOSTS = Text(de="Rechner", en="Hosts")
GIT_COMMIT = Text(de="Git-Stand", en="Git commit")
ENDED = Text(de="Ende", en="End")
TAGS = Text(de="Merkmale", en="Tags")
JOURNAL = Text(de="Messprotokoll", en="Journal")
JOURNAL_LINES = Text(
    de="{lines} Zeilen, davon {bad} unlesbar; SHA-256 {digest}",
    en="{lines} lines, {bad} of them unreadable; SHA-256 {digest}",
)
