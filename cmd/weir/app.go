package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/lake"
)

// Exit codes, as the manual promises them.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitProblems = 3 // ran well and found problems
)

// usageError is a command line that makes no sense.
type usageError struct {
	what string
	try  string
}

func (e *usageError) Error() string { return e.what }
func (e *usageError) Hint() string  { return e.try }

// problemsError says that a command ran well and found problems: exit code 3.
type problemsError struct{ what string }

func (e *problemsError) Error() string { return e.what }

// env is what a command may touch of the world.
type env struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// run is the whole program as a function: data goes to stdout, everything else
// to stderr, and the exit code comes back.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app := newApp(env{stdin: stdin, stdout: stdout, stderr: stderr})
	args, err := flagsFirst(app, args)
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "weir: stopped")
		return exitFailed
	}
	fmt.Fprintln(stderr, "weir:", err)
	if hint := lake.HintOf(err); hint != "" {
		fmt.Fprintln(stderr, "try:", hint)
	}
	var usage *usageError
	var problems *problemsError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &problems):
		return exitProblems
	}
	return exitFailed
}

func newApp(e env) *cli.App {
	onUsageError := func(_ *cli.Context, err error, _ bool) error {
		return &usageError{what: err.Error(), try: "weir help"}
	}
	app := &cli.App{
		Name:      "weir",
		Usage:     "an event-sourced data lake for fleets of AI agents",
		Version:   version(),
		Writer:    e.stdout,
		ErrWriter: e.stderr,
		Description: "Logs go in through Kafka and stay as Parquet; SQL makes training sets that can be traced and\n" +
			"cannot leak; evals and costs come back. Exit codes: 0 done, 1 failed, 2 usage, 3 ran well and\nfound problems. --lake may also be given as WEIR_LAKE.",
		ExitErrHandler:         func(*cli.Context, error) {}, // run decides the exit code
		OnUsageError:           onUsageError,
		HideHelpCommand:        false,
		UseShortOptionHandling: false,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return &usageError{what: fmt.Sprintf("unknown command %q", c.Args().First()), try: "weir help"}
			}
			return cli.ShowAppHelp(c)
		},
		Commands: []*cli.Command{
			initCommand(e), demoCommand(e), synthCommand(e), brokerCommand(e),
			ingestCommand(e), sinkCommand(e), transformCommand(e),
			augmentCommand(e), judgeCommand(e),
			exportCommand(e), validateCommand(e),
			evalCommand(e), experimentCommand(e), goalsCommand(e), analyzeCommand(e), reportCommand(e),
			queryCommand(e), lakeCommand(e), eraseCommand(e),
			qualityCommand(e), knowledgeCommand(e),
			reviewCommand(e), datasetCommand(e), distillCommand(e), trainCommand(e), modelCommand(e), lineageCommand(e),
		},
	}
	withKafkaFlags(app.Commands)
	setUsageError(app.Commands, onUsageError)
	return app
}

func setUsageError(commands []*cli.Command, f cli.OnUsageErrorFunc) {
	for _, command := range commands {
		command.OnUsageError = f
		setUsageError(command.Subcommands, f)
	}
}

// lakeFlag is on every command that works on a lake.
func lakeFlag() cli.Flag {
	return &cli.StringFlag{Name: "lake", Usage: "lake `DIR`", Value: "lake", EnvVars: []string{"WEIR_LAKE"}}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON for programs"}
}

func quietFlag() cli.Flag {
	return &cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress on stderr"}
}

func brokersFlag() cli.Flag {
	return &cli.StringFlag{Name: "brokers", Usage: "Kafka `HOST:PORT,…`; without it the embedded broker beside the lake", EnvVars: []string{"WEIR_BROKERS"}}
}

// brokerList splits --brokers; nil means the embedded broker.
func brokerList(c *cli.Context) []string {
	var list []string
	for _, address := range strings.Split(c.String("brokers"), ",") {
		if address = strings.TrimSpace(address); address != "" {
			list = append(list, address)
		}
	}
	return list
}

func openLake(c *cli.Context) (*lake.Lake, error) {
	dir := c.String("lake")
	return lake.OpenWith(dir, lakeOptions(dir))
}

// noArgs rejects what is left over, so that a typo is not ignored.
func noArgs(c *cli.Context) error {
	if c.Args().Present() {
		return &usageError{what: fmt.Sprintf("%s: unexpected argument %q", c.Command.FullName(), c.Args().First()), try: "weir " + c.Command.FullName() + " --help"}
	}
	return nil
}

// flagsFirst moves flags before arguments, because urfave/cli v2 reads none
// after the first argument and people write them there.
func flagsFirst(app *cli.App, args []string) ([]string, error) {
	if len(args) < 2 {
		return args, nil
	}
	head, rest := args[:1:1], args[1:]
	commands, flags := app.Commands, app.Flags
	for len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		command := find(commands, rest[0])
		if command == nil {
			break
		}
		head, rest = append(head, rest[0]), rest[1:]
		commands, flags = command.Subcommands, command.Flags
	}
	var moved, positional []string
	for len(rest) > 0 {
		arg := rest[0]
		rest = rest[1:]
		switch {
		case arg == "--":
			positional = append(positional, rest...)
			rest = nil
		case len(arg) > 1 && arg[0] == '-':
			moved = append(moved, arg)
			if takesValue(flags, arg) && len(rest) > 0 {
				moved, rest = append(moved, rest[0]), rest[1:]
			}
		default:
			positional = append(positional, arg)
		}
	}
	out := append(head, moved...)
	if len(positional) > 0 && len(positional[0]) > 1 && positional[0][0] == '-' {
		out = append(out, "--")
	}
	return append(out, positional...), nil
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, command := range commands {
		if command.HasName(name) {
			return command
		}
	}
	return nil
}

func takesValue(flags []cli.Flag, arg string) bool {
	name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	if hasValue {
		return false
	}
	for _, flag := range flags {
		for _, known := range flag.Names() {
			if known == name {
				_, isBool := flag.(*cli.BoolFlag)
				return !isBool
			}
		}
	}
	return false
}
