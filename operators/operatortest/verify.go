package operatortest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
)

// Case is an operator and a script for it.
type Case struct {
	// New makes the operator.
	New func() operators.Operator
	// Lanes has, for each input lane, the input of the operator that it feeds. nil is one lane for each input.
	Lanes []int
	// Script is what happens. Lanes that it does not end are ended behind it.
	Script []Event
	// Routes has, for keyed operators, for each input a func(*T) uint64 that hashes a record's key; nil for an input whose
	// records every subtask gets (broadcast), which should then make no output of their own. Without Routes the operator is
	// not run at other parallelisms.
	Routes []any
	// MaxParallelism is the number of key groups; 0 is flow.DefaultMaxParallelism.
	MaxParallelism int
	// Start is the processing time at which the clock stands at first.
	Start flow.Time
	// AnyOrder is for operators that may emit the records between two watermarks in any order.
	AnyOrder bool
	// Shuffles is how many interleavings of the lanes are tried; 0 is DefaultShuffles, less than 0 is none: for operators
	// whose output depends on which lane came first. The records between two fences are compared, in any order; so the
	// lanes should stand at the same watermark where there is a fence.
	Shuffles int
}

const (
	// DefaultShuffles is enough to meet an error that one interleaving in five shows, in 99 of 100 runs.
	DefaultShuffles = 20
	// maxCuts is at how many places of a long script it is cut in two, since the cost grows with their product.
	maxCuts = 24
)

// Verify runs the script in ways that must not make a difference, and fails the test when one does:
//
//   - records in batches, and each by itself;
//   - with outputs that are full all the time, so that every firing is paused and resumed;
//   - with a snapshot behind every event, a new operator going on from each;
//   - cut in two anywhere, the first operator having gone on before its snapshot is written;
//   - for keyed operators, over two subtasks, from one to two, and from two to one anywhere;
//   - for several lanes, in other interleavings.
//
// It returns the output of the plain run, a list for each output, so that a test can compare that with what it should be.
func Verify(t *testing.T, c Case) [][]string {
	t.Helper()
	v := newVerifier(t, c)
	for _, w := range v.ways() {
		t.Run(w.name, func(t *testing.T) { w.run(t) })
	}
	lines := make([][]string, len(v.want))
	for i := range v.want {
		lines[i] = v.want[i].lines()
	}
	return lines
}

// maxBatch is how many records a batch of the plain run has at most.
const maxBatch = 1000

// end adds to the script the ends of the lanes that it does not end.
func (c *Case) end() {
	ended := make([]bool, len(c.Lanes))
	for _, e := range c.Script {
		if e.kind == endEvent {
			ended[e.lane] = true
		}
	}
	c.Script = slices.Clone(c.Script)
	for i, done := range ended {
		if !done {
			c.Script = append(c.Script, End(i))
		}
	}
}

type verifier struct {
	Case
	t    testing.TB
	want []*log
}

// newVerifier completes the case and makes the plain run.
func newVerifier(t testing.TB, c Case) *verifier {
	t.Helper()
	in, _ := c.New().Ports()
	if c.Lanes == nil {
		for i := range in {
			c.Lanes = append(c.Lanes, i)
		}
	}
	if c.Routes != nil && len(c.Routes) != len(in) {
		t.Fatalf("%d routes for %d inputs", len(c.Routes), len(in))
	}
	c.end()
	v := &verifier{Case: c, t: t}
	plain := v.open(nil)
	plain.feed(c.Script, maxBatch)
	plain.Close()
	v.want = plain.logs
	return v
}

// way is a way to run the script that must not make a difference.
type way struct {
	name string
	run  func(t testing.TB)
}

func (v *verifier) ways() []way {
	ways := []way{
		{"one-record batches", v.single},
		{"full outputs", v.full},
		{"restored after every event", v.everywhere},
		{"cut in two", v.cuts},
	}
	if v.Routes != nil {
		ways = append(ways, way{"two key-group ranges", v.split}, way{"one to two", v.oneToTwo}, way{"two to one", v.twoToOne})
	}
	if len(v.Lanes) > 1 && v.Shuffles >= 0 {
		ways = append(ways, way{"shuffled lanes", v.shuffled})
	}
	return ways
}

func (v *verifier) setup(restore []*Snapshot) Setup {
	return Setup{New: v.New, Lanes: v.Lanes, MaxParallelism: v.MaxParallelism, Start: v.Start, Restore: restore}
}

// open makes a harness that goes on with the output of the snapshot that it is restored from.
func (v *verifier) open(restore *Snapshot) *Harness {
	v.t.Helper()
	var from []*Snapshot
	if restore != nil {
		from = append(from, restore)
	}
	return v.goOn(v.setup(from), restore)
}

func (v *verifier) goOn(s Setup, from *Snapshot) *Harness {
	v.t.Helper()
	h := Open(v.t, s)
	if from != nil {
		for i, l := range from.logs {
			before := &log{entries: slices.Clone(l.entries), fences: slices.Clone(l.fences)}
			for _, o := range h.logs[i].entries { // what came when the lanes were told again
				before.add(o)
			}
			*h.logs[i] = *before
		}
	}
	return h
}

// feed makes the events happen, with up to batch records of one lane, and the watermarks among them, in one batch.
func (h *Harness) feed(script []Event, batch int) {
	h.t.Helper()
	for i := 0; i < len(script); {
		e := script[i]
		if e.kind != recordEvent || batch == 1 {
			h.one(e)
			i++
			continue
		}
		b := e.rec.add(nil, e.time)
		for i++; i < len(script) && script[i].lane == e.lane && b.Len() < batch; i++ {
			if next := script[i]; next.kind == recordEvent && next.rec.fits(b) {
				b = next.rec.add(b, next.time)
			} else if next.kind == watermarkEvent {
				mark(b, next.time)
			} else {
				break
			}
		}
		h.frame(e.lane, b)
	}
	h.Flush()
}

// same compares sequences, or what is between watermarks when the operator may choose the order.
func (v *verifier) same(t testing.TB, what string, got []*log) {
	t.Helper()
	for i, l := range got {
		want, have := v.want[i].lines(), l.lines()
		if v.AnyOrder {
			want, have = segments(v.want[i]), segments(l)
		}
		if d := diff(want, have); d != "" {
			t.Fatalf("%s: output %d differs from the plain run's: %s", what, i, d)
		}
	}
}

func (v *verifier) single(t testing.TB) {
	v.t = t
	h := v.open(nil)
	h.feed(v.Script, 1)
	v.same(t, "one-record batches", h.logs)
}

func (v *verifier) full(t testing.TB) {
	v.t = t
	s := v.setup(nil)
	s.Full = func() bool { return true }
	h := v.goOn(s, nil)
	h.feed(v.Script, maxBatch)
	v.same(t, "full outputs", h.logs)
}

func (v *verifier) everywhere(t testing.TB) {
	v.t = t
	h := v.open(nil)
	for _, e := range v.Script {
		h.one(e)
		s := h.Snapshot()
		h.Close()
		h = v.open(s)
	}
	h.Flush()
	v.same(t, "restored after every event", h.logs)
}

// cutsOf are the numbers of events after which a script is cut in two.
func (v *verifier) cutsOf() []int {
	n := len(v.Script)
	var cuts []int
	for i := 0; i < n; i += max(1, n/maxCuts) {
		cuts = append(cuts, i)
	}
	return cuts
}

func (v *verifier) cuts(t testing.TB) {
	v.t = t
	for _, k := range v.cutsOf() {
		first := v.open(nil)
		first.feed(v.Script[:k], maxBatch)
		s, frozen := first.freeze()
		first.feed(v.Script[k:], maxBatch)
		first.write(s, frozen)
		first.Close()
		second := v.open(s)
		second.feed(v.Script[k:], maxBatch)
		second.Close()
		v.same(t, v.at("cut", k), second.logs)
	}
}

func (v *verifier) at(what string, k int) string {
	if k == 0 {
		return what + " before the first event"
	}
	return fmt.Sprintf("%s behind event %d (%v)", what, k-1, v.Script[k-1])
}

// subtasks is how many subtasks share the work of keyed operators.
const subtasks = 2

// pair makes two subtasks, restored from the same snapshots.
func (v *verifier) pair(restore []*Snapshot) []*Harness {
	v.t.Helper()
	var hs []*Harness
	for i := range subtasks {
		s := v.setup(restore)
		s.Subtask, s.Parallelism = i, subtasks
		hs = append(hs, Open(v.t, s))
	}
	return hs
}

// share makes events happen at the subtasks that they belong to: records where their key's group is, all else at both.
func (v *verifier) share(hs []*Harness, script []Event) {
	v.t.Helper()
	groups := hs[0].setup.MaxParallelism
	each := make([][]Event, len(hs))
	for _, e := range script {
		to := -1
		if e.kind == recordEvent {
			if route := v.Routes[v.Lanes[e.lane]]; route != nil {
				hash, err := e.rec.hash(route)
				if err != nil {
					v.t.Fatalf("%v: %v", e, err)
				}
				to = flow.SubtaskOf(flow.KeyGroup(hash, groups), len(hs), groups)
			}
		}
		for i := range hs {
			if to < 0 || to == i {
				each[i] = append(each[i], e)
			}
		}
	}
	for i, h := range hs {
		h.feed(each[i], maxBatch)
	}
}

// merged compares what all the logs of each output have between watermarks with the plain run.
func (v *verifier) merged(t testing.TB, what string, parts ...[]*log) {
	t.Helper()
	for i := range v.want {
		var all []*log
		for _, p := range parts {
			all = append(all, p[i])
		}
		if d := diff(segments(v.want[i]), segments(all...)); d != "" {
			t.Fatalf("%s: output %d differs from the plain run's: %s", what, i, d)
		}
	}
}

func (v *verifier) split(t testing.TB) {
	v.t = t
	hs := v.pair(nil)
	v.share(hs, v.Script)
	v.merged(t, "two key-group ranges", hs[0].logs, hs[1].logs)
}

func (v *verifier) oneToTwo(t testing.TB) {
	v.t = t
	for _, k := range v.cutsOf() {
		first := v.open(nil)
		first.feed(v.Script[:k], maxBatch)
		s := first.Snapshot()
		first.Close()
		hs := v.pair([]*Snapshot{s})
		before := standing(s.logs, hs)
		v.share(hs, v.Script[k:])
		v.merged(t, v.at("one to two", k), before, hs[0].logs, hs[1].logs)
		hs[0].Close()
		hs[1].Close()
	}
}

func (v *verifier) twoToOne(t testing.TB) {
	v.t = t
	for _, k := range v.cutsOf() {
		hs := v.pair(nil)
		v.share(hs, v.Script[:k])
		parts := []*Snapshot{hs[0].Snapshot(), hs[1].Snapshot()}
		hs[0].Close()
		hs[1].Close()
		last := Open(v.t, v.setup(parts))
		standing(parts[0].logs, []*Harness{last})
		last.feed(v.Script[k:], maxBatch)
		last.Close()
		v.merged(t, v.at("two to one", k), parts[0].logs, parts[1].logs, last.logs)
	}
}

// standing makes the logs of restored subtasks begin at the watermark at which the old ones end, and returns the old ones.
func standing(before []*log, hs []*Harness) []*log {
	for i, l := range before {
		at := flow.MinTime
		for _, o := range l.entries {
			if o.Value == nil {
				at = max(at, o.Time)
			}
		}
		for _, h := range hs {
			h.logs[i].entries = append([]Output{{Time: at}}, h.logs[i].entries...)
		}
	}
	return before
}

func (v *verifier) shuffled(t testing.TB) {
	v.t = t
	n := v.Shuffles
	if n == 0 {
		n = DefaultShuffles
	}
	for seed := range uint64(n) {
		script := interleave(v.Script, len(v.Lanes), rand.New(rand.NewPCG(seed, 1)))
		h := v.open(nil)
		h.feed(script, maxBatch)
		h.Close()
		for i, l := range h.logs {
			if d := diff(v.want[i].sections(), l.sections()); d != "" {
				t.Fatalf("interleaving %d %v: output %d differs from the plain run's: %s", seed, script, i, d)
			}
		}
	}
}

// interleave mixes the lanes anew between fences, and keeps the order of each lane.
func interleave(script []Event, lanes int, rng *rand.Rand) []Event {
	var out []Event
	queues := make([][]Event, lanes)
	left := 0
	drain := func() {
		for ; left > 0; left-- {
			n := rng.IntN(left)
			for i := range queues { // a lane is picked as often as it has events left
				if n < len(queues[i]) {
					out = append(out, queues[i][0])
					queues[i] = queues[i][1:]
					break
				}
				n -= len(queues[i])
			}
		}
	}
	for _, e := range script {
		if e.onLane() {
			queues[e.lane] = append(queues[e.lane], e)
			left++
			continue
		}
		drain()
		out = append(out, e)
	}
	drain()
	return out
}
