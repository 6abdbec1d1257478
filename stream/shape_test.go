package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/connectors/memory"
	"github.com/weirstream/weir/jobgraph"
	. "github.com/weirstream/weir/stream"
)

var refunds = NewTag[int64]("refunds")

// tillJob has one of everything.
func tillJob() *Job {
	j := NewJob("till")
	sales := From(j, memory.Source([]sale(nil), nil), BoundedOutOfOrderness[sale](time.Second), Name("sales"))
	users := From(j, memory.Source([]string(nil), nil), NoWatermarks[string](), Name("users"), Parallelism(1))

	good := Process(sales, func() ProcessSpec[sale, sale] {
		return ProcessSpec[sale, sale]{Sides: Sides{refunds}, Process: func(c *ProcessContext[sale], v *sale) {
			if v.Amount < 0 {
				refunds.Emit(c, -v.Amount)
				return
			}
			c.EmitRef(v)
		}}
	}, Name("check"), UID("check"))
	SideOutput(good, refunds).To(memory.Collect[int64](), Name("refunds"))

	known := CoProcessKeyed(ConnectKeyed(KeyBy(good, userOf), KeyBy(users, func(v *string) string { return *v })),
		func() KeyedCoProcessSpec[string, sale, string, sale] {
			return KeyedCoProcessSpec[string, sale, string, sale]{
				ProcessA: func(c *KeyedContext[string, sale], v *sale) { c.EmitRef(v) },
				ProcessB: func(*KeyedContext[string, sale], *string) {},
			}
		}, Name("known"))
	hourly := KeyBy(known, userOf).Window(TumblingWindow(time.Hour)).AllowedLateness(time.Minute).Reduce(sumOf, Name("hourly"))
	hourly.Filter(func(v *sale) bool { return v.Amount > 0 }).To(memory.Collect[sale](), Name("out"))
	Late[sale](hourly).To(memory.Collect[sale](), Name("late"))
	top := WindowAll(hourly, SlidingWindow(2*time.Hour, time.Hour).ProcessingTime()).Reduce(sumOf, Name("top"))
	top.To(memory.Collect[sale](), Name("screen"), Parallelism(1))
	return j
}

// TestShape shows the whole job as text: its steps and edges, and what they are chained into at a parallelism of 2.
func TestShape(t *testing.T) {
	g, err := tillJob().Build()
	if err != nil {
		t.Fatal(err)
	}
	if got := "\n" + shape(t, g); got != wantShape {
		t.Errorf("got %s\nwant %s", got, wantShape)
	}
}

func shape(t *testing.T, g *jobgraph.Graph) string {
	var b strings.Builder
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "%d %s %s uid %s\n", n.ID, n.Kind, n.Name, n.UID)
		if n.Kind != "source" && n.Kind != "sink" && n.Format != "" {
			fmt.Fprintf(&b, "  %s\n", n.Format)
		}
	}
	for _, e := range g.Edges {
		strategy := e.Strategy.String()
		if e.Auto {
			strategy = "AUTO"
		}
		fmt.Fprintf(&b, "%d.%d → %d.%d %s\n", e.From, e.Output, e.To, e.Input, strategy)
	}
	jg, err := g.Job(jobgraph.Options{Parallelism: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range jg.Vertices {
		fmt.Fprintf(&b, "vertex %d × %d: %s\n", v.ID, v.Parallelism, v.Name)
	}
	for _, e := range jg.Edges {
		fmt.Fprintf(&b, "%d → %d.%d %v\n", e.From, e.To, e.Input, e.Strategy)
	}
	return b.String()
}

const wantShape = `
0 source sales uid source-1
1 source users uid source-2
2 process check uid check
3 sink refunds uid sink-1
4 process known uid process-2
  by w1:string
5 window hourly uid window-1
  tumbling(1h0m0s) trigger <nil> lateness 60000 w1:string → reduced(w1:struct{User string;Amount int64})
6 filter filter uid filter-1
7 sink out uid sink-2
8 sink late uid sink-3
9 window top uid window-2
  sliding(2h0m0s, 1h0m0s) processing time trigger <nil> lateness 0 w1:uint8 → reduced(w1:struct{User string;Amount int64})
10 sink screen uid sink-4
0.0 → 2.0 AUTO
2.1 → 3.0 AUTO
2.0 → 4.0 HASH
1.0 → 4.1 HASH
4.0 → 5.0 HASH
5.0 → 6.0 AUTO
6.0 → 7.0 AUTO
5.1 → 8.0 AUTO
5.0 → 9.0 HASH
9.0 → 10.0 AUTO
vertex 0 × 2: sales → check → refunds
vertex 1 × 1: users
vertex 2 × 2: known
vertex 3 × 2: hourly → filter → out → late
vertex 4 × 1: top → screen
0 → 2.0 HASH
1 → 2.1 HASH
2 → 3.0 HASH
3 → 4.0 HASH
`

// TestFingerprint: the same code gives the same one, whatever addresses functions have; state, parameters and edges are in
// it, parallelism is not.
func TestFingerprint(t *testing.T) {
	print := func(j *Job, parallelism int) string {
		g, err := j.Build()
		if err != nil {
			t.Fatal(err)
		}
		jg, err := g.Job(jobgraph.Options{Parallelism: parallelism})
		if err != nil {
			t.Fatal(err)
		}
		return jg.Fingerprint
	}
	if a, b := print(tillJob(), 1), print(tillJob(), 4); a != b {
		t.Errorf("the same job at another parallelism has fingerprint %s, not %s", b, a)
	}
	seen := map[string]string{}
	for name, wire := range map[string]func(s Stream[sale]){
		"reduce by string": func(s Stream[sale]) { discard(KeyBy(s, userOf).Reduce(sumOf)) },
		"reduce by int":    func(s Stream[sale]) { discard(KeyBy(s, func(v *sale) int { return int(v.Amount) }).Reduce(sumOf)) },
		"reduce others": func(s Stream[sale]) {
			discard(KeyBy(Map(s, func(v *sale) int { return 1 }), func(v *int) int { return *v }).Reduce(func(a, v *int) {}))
		},
		"tumbling":         func(s Stream[sale]) { discard(KeyBy(s, userOf).Window(TumblingWindow(time.Second)).Reduce(sumOf)) },
		"tumbling, longer": func(s Stream[sale]) { discard(KeyBy(s, userOf).Window(TumblingWindow(time.Minute)).Reduce(sumOf)) },
		"tumbling, offset": func(s Stream[sale]) {
			discard(KeyBy(s, userOf).Window(TumblingWindow(time.Minute).WithOffset(time.Second)).Reduce(sumOf))
		},
		"tumbling, clock": func(s Stream[sale]) {
			discard(KeyBy(s, userOf).Window(TumblingWindow(time.Minute).ProcessingTime()).Reduce(sumOf))
		},
		"tumbling, triggered": func(s Stream[sale]) {
			discard(KeyBy(s, userOf).Window(TumblingWindow(time.Minute)).Trigger(CountTrigger[sale](3)).Reduce(sumOf))
		},
		"tumbling, lateness": func(s Stream[sale]) {
			discard(KeyBy(s, userOf).Window(TumblingWindow(time.Minute)).AllowedLateness(1e9).Reduce(sumOf))
		},
	} {
		j := NewJob("one")
		wire(salesIn(j))
		p := print(j, 1)
		if other := seen[p]; other != "" {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		seen[p] = name
	}
}
