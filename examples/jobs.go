package examples

import (
	"fmt"
	"os"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/connectors/print"
	"github.com/weirstream/weir/examples/auction"
	"github.com/weirstream/weir/examples/commits"
	"github.com/weirstream/weir/examples/connector"
	"github.com/weirstream/weir/examples/wordcount"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/stream"
)

// Param is something that can be set on a job from outside. All values are text.
type Param struct{ Name, Default, Doc string }

// Job is an example with a name.
type Job struct {
	Name, Doc string
	Params    []Param
	// Build makes the job. p has values of Params; a missing one has its default.
	Build func(p map[string]string) (*stream.Job, error)
	// Verify compares what the job has written, after its end, with what a plain loop computes, and says so in one line.
	// Its error says what differs. It is nil for jobs that only print.
	Verify func(p map[string]string) (string, error)
}

// All is the examples, in the order in which they are best read.
func All() []Job { return []Job{wordcountJob(), auctionJob(), commitsJob(), connectorJob()} }

// Find is the example of that name.
func Find(name string) (Job, bool) {
	for _, j := range All() {
		if j.Name == name {
			return j, true
		}
	}
	return Job{}, false
}

// parse takes the typed parameters of a job out of p.
func parse[C any](name string, params []Param, config func(v *values) C) func(p map[string]string) (C, error) {
	return func(p map[string]string) (C, error) {
		v := newValues(name, params, p)
		c := config(v)
		return c, v.err()
	}
}

func wordcountJob() Job {
	j := Job{Name: "wordcount", Doc: "counts the words of text files and prints every new count", Params: []Param{
		{"input", "README.md", "file, directory or pattern of the text to read"},
	}}
	config := parse(j.Name, j.Params, func(v *values) wordcount.Config {
		return wordcount.Config{Input: v.text("input"), Out: os.Stdout}
	})
	j.Build = func(p map[string]string) (*stream.Job, error) {
		c, err := config(p)
		if err != nil {
			return nil, err
		}
		return wordcount.Build(c)
	}
	return j
}

func auctionJob() Job {
	j := Job{Name: "auction", Doc: "finds the auction with the most bids of the last 10 s, every 2 s, among generated events", Params: []Param{
		{"events", "4000000", "how many events to make; 0 for no end"},
		{"rate", "200000", "events a second by the clock on the wall; 0 for as fast as possible"},
		{"eventRate", "200000", "events in a second of event time"},
		{"seed", "1", "of the events: the same seed gives the same events"},
		{"splits", "4", "how many subtasks can make events side by side"},
		{"output", "out/auction", "directory of the results, JSON lines"},
	}}
	config := parse(j.Name, j.Params, func(v *values) auction.Config {
		return auction.Config{
			Events: v.integer("events", 0), Rate: v.integer("rate", 0), EventRate: v.integer("eventRate", 1),
			Seed: uint64(v.integer("seed", 0)), Splits: int(v.integer("splits", 1)), Output: v.text("output"),
		}
	})
	j.Build = func(p map[string]string) (*stream.Job, error) {
		c, err := config(p)
		if err != nil {
			return nil, err
		}
		return auction.Build(c)
	}
	j.Verify = func(p map[string]string) (string, error) {
		c, err := config(p)
		if err != nil {
			return "", err
		}
		return auction.Verify(c)
	}
	return j
}

func commitsJob() Job {
	j := Job{Name: "commits", Doc: "sums up the weeks of repositories and the working sessions of their authors", Params: []Param{
		{"input", "examples/commits/testdata/sample.jsonl", "file, directory or pattern of the changes, JSON lines; .gz is unpacked"},
		{"output", "out/commits", "directory of the results: weekly, sessions, late, rejects"},
		{"delay", "0s", "for how much longer than to its end a window waits for changes of earlier times"},
		{"gap", "1h", "pause that ends an author's session"},
	}}
	config := parse(j.Name, j.Params, func(v *values) commits.Config {
		return commits.Config{Input: v.text("input"), Output: v.text("output"), Delay: v.duration("delay", 0), Gap: v.duration("gap", 1)}
	})
	j.Build = func(p map[string]string) (*stream.Job, error) {
		c, err := config(p)
		if err != nil {
			return nil, err
		}
		return commits.Build(c)
	}
	j.Verify = func(p map[string]string) (string, error) {
		c, err := config(p)
		if err != nil {
			return "", err
		}
		return commits.Verify(c)
	}
	return j
}

func connectorJob() Job {
	j := Job{Name: "connector", Doc: "runs a source and a sink of one's own: numbers with gaps go to the terminal and into a ledger", Params: []Param{
		{"to", "20", "the numbers from 1 to below this"},
		{"gap", "3", "its multiples are left out"},
		{"splits", "2", "into how many ranges the numbers are cut"},
		{"least", "5", "numbers of one entry into the ledger"},
	}}
	type settings struct {
		gaps  connector.Gaps
		least int
	}
	config := parse(j.Name, j.Params, func(v *values) settings {
		return settings{
			connector.Gaps{From: 1, To: v.integer("to", 1), Gap: v.integer("gap", 2), Splits: int(v.integer("splits", 1))},
			int(v.integer("least", 1)),
		}
	})
	j.Build = func(p map[string]string) (*stream.Job, error) {
		c, err := config(p)
		if err != nil {
			return nil, err
		}
		job := stream.NewJob(j.Name)
		numbers := stream.From(job, connectors.Source[int64](c.gaps), stream.Monotonous[int64](), stream.Name("gaps"), stream.UID("gaps"))
		numbers.To(print.Sink(os.Stdout, func(buf []byte, v *int64, _ flow.Time) []byte { return fmt.Append(buf, *v) }), stream.Name("print"))
		numbers.To(connector.Ledger{Bank: connector.NewBank(), Least: c.least}, stream.Name("ledger"), stream.UID("ledger"))
		return job, nil
	}
	return j
}
