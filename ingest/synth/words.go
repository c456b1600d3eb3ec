package synth

// The fleet works for an invented ferry line. Each list is a slot of the
// sentences in prose.go; entries differ in most of their words, so that two
// texts from the same sentence don't become near-duplicates by accident.

var services = []string{
	"timetable importer", "refund worker", "berth planner", "crew rota", "cargo manifest parser", "tide feed",
	"boarding gate", "seat map", "loyalty ledger", "fare engine", "notice board", "weather watch", "ticket printer",
	"fuel log", "customs declaration form", "call centre queue", "invoice matcher", "car deck booking", "kennel reservations",
	"lost property desk", "engine telemetry", "safety drill tracker", "supplier portal", "route map", "galley stock list",
	"passenger survey", "night shift roster", "group discount page", "harbour dues report", "wheelchair assistance desk",
}

var symptoms = []string{
	"drops rows whenever a port name carries an apostrophe",
	"shows the same voyage twice after a retry",
	"rounds prices down and the till is a few cents short every evening",
	"stalls for minutes once the morning batch passes ten thousand lines",
	"sends the cancellation mail before the crossing is really cancelled",
	"treats a late departure as a missing one",
	"swaps arrival and departure on routes that cross midnight",
	"keeps a lock on the spreadsheet and nobody else can save",
	"answers with an empty page when the session has expired",
	"counts children as adults on return trips",
	"forgets the vehicle height after the second screen",
	"prints yesterday's gate number on transfers",
	"accepts a passport that ran out last year",
	"loses its place when the feed is cut in the middle of a record",
	"charges the card again if the customer presses the button twice",
	"mixes up two suppliers that share a tax number",
	"refuses every password with a space in it",
	"writes local time into a column that everyone reads as UTC",
	"hides the last row of each page behind the footer",
	"reports ninety per cent load on an empty ship",
	"sorts berths as text, so nine comes after eighteen",
	"marks drills as done when only the siren was tested",
	"asks for the booking code in capitals but compares it in lower case",
	"leaves orphaned holds behind when a payment times out",
}

var causes = []string{
	"the parser splits on every comma, quoted or not",
	"the retry reuses a request id that the ledger has already closed",
	"amounts are kept as floating point and truncated at the very end",
	"one query per row goes to the archive instead of a single join",
	"the mail job listens to the draft topic rather than to the confirmed one",
	"an inner join throws away voyages without a position report",
	"the date is taken from the departure and pasted onto the arrival",
	"the file handle is never closed after a failed validation",
	"the middleware swallows the redirect and returns two hundred",
	"the fare table is read once at start-up and then cached for ever",
	"the wizard rebuilds its state from the address bar",
	"gate changes arrive on a second channel that nobody subscribed to",
	"the expiry check compares strings in day-month order",
	"the reader commits its offset before the record has been written",
	"the button stays enabled until the bank has answered",
	"the lookup key leaves out the branch number",
	"a trim was applied to the secret before hashing it",
	"the driver converts timestamps with the zone of the server",
	"the page size is computed from the window and not from the list",
	"bookings of the cancelled sailing were never released",
	"the comparison function casts its numbers to strings",
	"the status enum has two members with the same value",
	"a migration renamed the column but not its index",
	"the hold expires in the cache an hour later than in the database",
}

var fixes = []string{
	"replace the hand-written splitter by the standard reader",
	"make the operation idempotent with a key per booking",
	"store cents as whole numbers and round once, at the invoice",
	"fetch the archive in one pass and index it by sailing",
	"move the mail behind the confirmation event",
	"turn the join around and keep sailings without a report as unknown",
	"carry the offset in minutes through the whole calculation",
	"close the handle in a deferred call and cover it by a test",
	"let the error surface and answer with the sign-in page",
	"reload the table when its version changes",
	"keep the draft on the server and send only its number",
	"subscribe to both channels and prefer the later message",
	"parse the date properly and reject what cannot be read",
	"write first and commit the offset afterwards",
	"disable the control on the first click and show a spinner",
	"add the branch to the key and backfill the old entries",
	"hash exactly the bytes that the user typed",
	"fix the zone of every session at the pool",
	"ask the list for its height and leave the window alone",
	"release the holds in the same transaction as the cancellation",
	"compare as integers and add a case with two digits",
	"split the state in two and migrate the stored ones",
	"rebuild the index under its new name before the next deploy",
	"give both stores one clock and one duration",
}

var checks = []string{
	"a replay of last Tuesday's feed", "the nightly reconciliation", "a table test with sixteen rows", "the staging smoke run",
	"a hand count on paper", "two hundred random bookings", "the accessibility audit", "a dry run on the copy of March",
	"the regression suite", "a load test at three times the usual traffic", "the auditor's sample", "a comparison with the old report",
	"a property test over shuffled input", "one week of shadow traffic", "the captain's own log", "a query over the archive",
}

var constraints = []string{
	"nothing may be deleted before the auditors have left",
	"the change must be reversible within five minutes",
	"keep the public interface as it is",
	"no new dependency, please",
	"do not touch the payment tables",
	"the crew must be able to read it on a phone",
	"it has to be live before the Easter timetable",
	"leave the Danish wording alone, legal wrote it",
	"avoid a restart during boarding hours",
	"every number needs its source next to it",
	"stay below two hundred milliseconds",
	"write down what you assumed",
	"ask before you mail a customer",
	"keep the old endpoint alive until June",
	"no personal data in the ticket",
	"one pull request, not five",
}

var ports = []string{
	"Aldersund", "Brennholm", "Carrick Ness", "Dunmarra", "Eskvik", "Fallow Point", "Grindsay", "Hallaig", "Inverlock",
	"Jorsund", "Kettleness", "Lyngvaer", "Morvane", "Nordhamn", "Oxna", "Pellworth", "Quoyness", "Ravnsund", "Sulvaer", "Tarbrook",
}

var ships = []string{
	"Halcyon", "Morning Tern", "Queen Ingrid", "Skerry Light", "Blue Petrel", "Saint Brannoc", "Northern Star II", "Kittiwake",
	"Lady Marit", "Grey Wader", "Solveig", "Ebb and Flow", "Guillemot", "Tobias Rask",
}

var reasonsWhy = []string{
	"the Friday crossing was nearly cancelled because of it",
	"the harbour master has called three times",
	"finance closes the month tomorrow evening",
	"a coach party was left on the quay",
	"the insurer wants an answer in writing",
	"support has had some forty complaints since Monday",
	"the new ship goes into service next week",
	"an auditor asked and nobody knew",
	"it cost us a penalty at customs",
	"the summer hires start on it without training",
	"the old system is switched off on the first",
	"one passenger with a heart condition was sent to the wrong deck",
}

var notes = []string{
	"The archive before 2024 uses another numbering, so older rows stay untouched.",
	"There is one exception: chartered sailings have no public fare and are skipped.",
	"Winter and summer time overlap for an hour; both readings are kept and flagged.",
	"The supplier confirmed by phone that the field will be mandatory from May.",
	"Half of the difference came from test bookings that someone forgot to remove.",
	"Two ports share a code in the old list, which explains the odd totals.",
	"A full rebuild takes about four minutes and can run during the day.",
	"The figure excludes staff travel, as the earlier report did.",
	"I could not reach the archive host, so the oldest week is missing from the comparison.",
	"The same fault exists in the mobile client; it has a ticket of its own now.",
	"Nobody had looked at the retry counter since it was added.",
	"The wording on the screen is unchanged, only the order of the checks is new.",
	"If the feed is late again, the job waits ten minutes and then raises an alarm.",
	"Rolling back means switching one flag; the data need no repair.",
	"The crew's spreadsheet had the right value all along.",
	"Memory stays flat now, where it used to grow with every page.",
	"I left the log line in, because it proved useful twice this month.",
	"Only sailings with more than one leg were ever affected.",
}

var people = []string{
	"a.lindqvist", "b.omondi", "c.ferraro", "d.kowalczyk", "e.haugen", "f.nasser", "g.tremblay", "h.sato",
	"i.papadakis", "j.mbeki", "k.oconnor", "l.virtanen",
}

// erasedPerson asks to be forgotten; the truth names it.
const erasedPerson = "h.sato"
