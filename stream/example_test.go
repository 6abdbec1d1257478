package stream_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/weirstream/weir/connectors/memory"
	"github.com/weirstream/weir/jobgraph"
	"github.com/weirstream/weir/stream"
)

// click is a record of the examples.
type click struct {
	User string
	Page string
}

func clicks(job *stream.Job) stream.Stream[click] {
	return stream.From(job, memory.Source([]click{{"ann", "/"}}, nil), stream.BoundedOutOfOrderness[click](5*time.Second), stream.Name("clicks"))
}

// show prints what a job's steps are chained into.
func show(job *stream.Job) {
	graph, err := job.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	j, err := graph.Job(jobgraph.Options{Parallelism: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range j.Vertices {
		fmt.Println(v.Name)
	}
}

// Words of lines, counted.
func ExampleKeyBy() {
	type word struct {
		Text string
		N    int
	}
	job := stream.NewJob("wordcount")
	lines := stream.From(job, memory.Source([]string{"to be or not to be"}, nil), stream.NoWatermarks[string]())
	words := stream.FlatMap(lines, func(line *string, out *stream.Collector[word]) {
		for text := range strings.FieldsSeq(*line) {
			out.Emit(word{text, 1})
		}
	})
	counts := stream.KeyBy(words, func(w *word) string { return w.Text }).Reduce(func(sum, w *word) { sum.N += w.N })
	counts.To(memory.Collect[word]())
	show(job)
	// Output:
	// source → flatmap
	// reduce → sink
}

// The running number of clicks of each user.
func ExampleFold() {
	job := stream.NewJob("clicks")
	count := stream.Aggregate[click, int]{Add: func(n *int, _ *click) { *n++ }}
	counts := stream.Fold(stream.KeyBy(clicks(job), func(c *click) string { return c.User }), count,
		func(user string, n *int) string { return fmt.Sprint(user, ": ", *n) })
	counts.To(memory.Collect[string]())
	show(job)
	// Output:
	// clicks
	// fold → sink
}

// Clicks per page over the last hour, every minute. What comes more than ten minutes late is kept apart.
func ExampleAggregateWindow() {
	job := stream.NewJob("pages")
	count := stream.Aggregate[click, int]{
		Add:     func(n *int, _ *click) { *n++ },
		Merge:   func(n, other *int) { *n += *other },
		Retract: func(n, other *int) { *n -= *other },
	}
	byPage := stream.KeyBy(clicks(job), func(c *click) string { return c.Page })
	hours := byPage.Window(stream.SlidingWindow(time.Hour, time.Minute)).AllowedLateness(10 * time.Minute)
	counts := stream.AggregateWindow(hours, count, func(w *stream.WindowResult[string], n *int) string {
		return fmt.Sprint(w.Key, " until ", w.Window.End, ": ", *n)
	}, stream.Name("hits"))
	counts.To(memory.Collect[string](), stream.Name("counts"))
	stream.Late[click](counts).To(memory.Collect[click](), stream.Name("late"))
	show(job)
	// Output:
	// clicks
	// hits → counts → late
}

// The visits of each user: clicks that follow each other within half an hour.
func ExampleApplyWindow() {
	job := stream.NewJob("visits")
	visits := stream.KeyBy(clicks(job), func(c *click) string { return c.User }).Window(stream.SessionWindow(30 * time.Minute))
	paths := stream.ApplyWindow(visits, func(w *stream.WindowResult[string], clicks []click, out *stream.Collector[string]) {
		path := w.Key + ":"
		for i := range clicks {
			path += " " + clicks[i].Page
		}
		out.Emit(path)
	})
	paths.To(memory.Collect[string]())
	show(job)
	// Output:
	// clicks
	// window → sink
}

// A click on /buy is to be followed by another within a minute.
func ExampleProcessKeyed() {
	job := stream.NewJob("abandoned")
	byUser := stream.KeyBy(clicks(job), func(c *click) string { return c.User })
	gone := stream.ProcessKeyed(byUser, func() stream.KeyedProcessSpec[string, click, string] {
		return stream.KeyedProcessSpec[string, click, string]{
			Process: func(c *stream.KeyedContext[string, string], v *click) {
				if v.Page == "/buy" {
					c.RegisterEventTimer(c.Timestamp() + 60_000)
				}
			},
			OnTimer: func(c *stream.TimerContext[string, string], t stream.Time) { c.Emit(c.Key()) },
		}
	})
	gone.To(memory.Collect[string]())
	show(job)
	// Output:
	// clicks
	// process → sink
}

// What is wrong comes aside, with the reason.
func ExampleSideOutput() {
	job := stream.NewJob("checked")
	wrong := stream.NewTag[string]("wrong")
	good := stream.Process(clicks(job), func() stream.ProcessSpec[click, click] {
		return stream.ProcessSpec[click, click]{
			Sides: stream.Sides{wrong},
			Process: func(c *stream.ProcessContext[click], v *click) {
				if v.User == "" {
					wrong.Emit(c, "a click of nobody on "+v.Page)
					return
				}
				c.EmitRef(v)
			},
		}
	}, stream.Name("check"))
	good.To(memory.Collect[click](), stream.Name("good"))
	stream.SideOutput(good, wrong).To(memory.Collect[string](), stream.Name("wrong"))
	show(job)
	// Output:
	// clicks → check → good → wrong
}

// Clicks of users who have logged in.
func ExampleConnectKeyed() {
	job := stream.NewJob("known")
	logins := stream.From(job, memory.Source([]string{"ann"}, nil), stream.NoWatermarks[string](), stream.Name("logins"))
	both := stream.ConnectKeyed(
		stream.KeyBy(clicks(job), func(c *click) string { return c.User }),
		stream.KeyBy(logins, func(user *string) string { return *user }))
	known := stream.CoProcessKeyed(both, func() stream.KeyedCoProcessSpec[string, click, string, click] {
		in := map[string]bool{} // for a job that is to be restored this belongs in state
		return stream.KeyedCoProcessSpec[string, click, string, click]{
			ProcessA: func(c *stream.KeyedContext[string, click], v *click) {
				if in[c.Key()] {
					c.EmitRef(v)
				}
			},
			ProcessB: func(c *stream.KeyedContext[string, click], _ *string) { in[c.Key()] = true },
		}
	})
	known.To(memory.Collect[click]())
	show(job)
	// Output:
	// logins
	// clicks
	// process → sink
}

// Mistakes are reported when the job is built, with the name of the step.
func ExampleJob_Build() {
	job := stream.NewJob("wrong")
	byUser := stream.KeyBy(clicks(job), func(c *click) string { return c.User })
	byUser.Window(stream.TumblingWindow(0)).Reduce(func(acc, v *click) {}, stream.Name("none")).To(memory.Collect[click]())
	_, err := job.Build()
	fmt.Println(err)
	// Output:
	// job wrong: none: tumbling windows: size of 0 ms: it must be above 0 and at most 1152921504606846976
}
