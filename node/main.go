package node

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/weirstream/weir/stream"
)

// Job is a job that a node binary can run, found by its name.
type Job struct {
	Name   string
	Doc    string // one line
	Params []Param
	// Build makes the job. p has a value for each of Params.
	Build func(p map[string]string) (*stream.Job, error)
	// Verify compares what a run has committed with what a plain loop computes, and says so in a line; nil for none.
	Verify func(p map[string]string) (string, error)
}

// Param is an argument of a job.
type Param struct{ Name, Default, Doc string }

// Exit codes beside 0.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a mistake of whoever typed the command.
type usageError struct{ error }

// Main runs the command line of a node binary that has these jobs, and exits.
func Main(jobs ...Job) {
	err := command(jobs).Execute()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "error:", err)
	var usage usageError
	if errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown ") {
		os.Exit(exitUsage)
	}
	os.Exit(exitFailed)
}

func command(jobs []Job) *cobra.Command {
	root := &cobra.Command{
		Use:           "node",
		Short:         "Weir: a stateful stream processor, as supervised actors",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(runCommand(jobs), jobsCommand(jobs), versionCommand())
	return root
}

// flagError adds the near flag to the complaint about one that does not exist.
func flagError(c *cobra.Command, err error) error {
	msg := err.Error()
	if name, ok := strings.CutPrefix(msg, "unknown flag: --"); ok {
		var names []string
		for _, f := range strings.Split(c.Flags().FlagUsages(), "\n") {
			if _, rest, ok := strings.Cut(f, "--"); ok {
				names = append(names, strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == '=' })[0])
			}
		}
		if near := nearest(name, names); near != "" {
			msg += ": did you mean --" + near + "?"
		}
	}
	return usageError{errors.New(msg + "; see node " + c.Name() + " --help")}
}

func find(jobs []Job, name string) (Job, error) {
	var names []string
	for _, j := range jobs {
		if j.Name == name {
			return j, nil
		}
		names = append(names, j.Name)
	}
	hint := "node jobs lists them"
	if near := nearest(name, names); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return Job{}, usageError{fmt.Errorf("unknown job %q: %s", name, hint)}
}

// params fills in the defaults of a job, and refuses what it does not have.
func (j Job) params(given []string) (map[string]string, error) {
	p := map[string]string{}
	var names []string
	for _, d := range j.Params {
		p[d.Name] = d.Default
		names = append(names, d.Name)
	}
	for _, g := range given {
		k, v, ok := strings.Cut(g, "=")
		if !ok {
			return nil, usageError{fmt.Errorf("--param %s: write it as name=value", g)}
		}
		if !slices.Contains(names, k) {
			hint := "it has none"
			if len(names) > 0 {
				hint = "it has " + strings.Join(names, ", ")
			}
			if near := nearest(k, names); near != "" {
				hint = "did you mean " + near + "? " + hint
			}
			return nil, usageError{fmt.Errorf("job %s has no parameter %q: %s", j.Name, k, hint)}
		}
		p[k] = v
	}
	return p, nil
}

// nearest is the name that differs from got in at most a third of its letters; "" for none.
func nearest(got string, names []string) string {
	best, at := "", max(2, len(got)/3)+1
	for _, n := range names {
		if d := distance(got, n); d < at {
			best, at = n, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func jobsCommand(jobs []Job) *cobra.Command {
	return &cobra.Command{
		Use: "jobs", Short: "List the jobs in this binary, with their parameters", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			t := table.NewWriter()
			t.SetStyle(table.StyleLight)
			t.SetOutputMirror(c.OutOrStdout())
			t.AppendHeader(table.Row{"Job", "Parameter", "Default", ""})
			for _, j := range jobs {
				t.AppendRow(table.Row{j.Name, "", "", j.Doc})
				for _, p := range j.Params {
					t.AppendRow(table.Row{"", p.Name, p.Default, p.Doc})
				}
				t.AppendSeparator()
			}
			t.Render()
			return nil
		},
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of this binary", Args: cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) {
			version, revision := "devel", ""
			if info, ok := debug.ReadBuildInfo(); ok {
				if v := info.Main.Version; v != "" && v != "(devel)" {
					version = v
				}
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						revision = " " + s.Value[:min(12, len(s.Value))]
					}
				}
			}
			fmt.Fprintf(c.OutOrStdout(), "weir %s%s %s %s/%s\n", version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}
