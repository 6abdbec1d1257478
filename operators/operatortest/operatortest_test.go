package operatortest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
	"github.com/weirstream/weir/state"
)

// summer emits at each watermark the sum of what has come since the last one. Its flaws are switches.
type summer struct {
	in  operators.Input[int64]
	out operators.Output[int64]
	ctx *operators.Context
	sum int64

	forgets bool // has no snapshot
	thaws   bool // what the snapshot writes was not frozen
	keeps   bool // keeps records that it has only borrowed
	kept    []*int64
	perTurn bool // emits what came of one batch
	lingers bool // loses its result when its firing is paused
	emitted bool
}

func (s *summer) Ports() ([]operators.InputPort, []operators.OutputPort) {
	return []operators.InputPort{&s.in}, []operators.OutputPort{&s.out}
}

func (s *summer) Open(ctx *operators.Context) error {
	s.ctx = ctx
	next := s.out.Next()
	s.in.Record = func(v *int64, t flow.Time) {
		if s.keeps {
			s.kept = append(s.kept, v)
			return
		}
		s.sum += *v
	}
	if s.perTurn {
		s.in.Batch = func(r *flow.Records[int64], from, to int) {
			n := int64(to - from)
			next(&n, 0)
		}
	}
	return ctx.Restore.Keyed(ctx.UID, "sum", "int64", ctx.Groups, func(_ int, b []byte) error {
		s.sum += int64(binary.LittleEndian.Uint64(b))
		return nil
	})
}

func (s *summer) Watermark(w flow.Watermark) bool {
	for _, v := range s.kept {
		s.sum += *v
	}
	s.kept = nil
	if s.lingers && s.ctx.Task.Full() && !s.emitted {
		s.emitted, s.sum = true, 0
		return false
	}
	s.emitted = false
	if s.sum != 0 {
		s.out.Emit(&s.sum, w.Time)
		s.sum = 0
	}
	return true
}

func (s *summer) ProcessingTime(flow.Time) bool { return true }
func (s *summer) Finish() bool                  { return true }
func (s *summer) Close() error                  { return nil }

func (s *summer) Snapshot(snap *state.Snapshot, _ flow.Barrier) error {
	if s.forgets {
		return nil
	}
	sum := s.sum
	snap.Add(func(w *state.SnapshotWriter) error {
		if s.thaws {
			sum = s.sum
		}
		sec := s.ctx.Section("sum", state.Keyed, "int64")
		return w.Write(sec, binary.LittleEndian.AppendUint64(nil, uint64(sum)))
	})
	return nil
}

var sums = Script(
	Records[int64](0, 1, 1, 2, 3), Watermark(0, 10), Record[int64](0, 4, 12), Watermark(0, 20), Watermark(0, 30),
	Records[int64](0, 31, 5, 6),
)

func summerCase(flaw func(*summer)) Case {
	return Case{New: func() operators.Operator {
		s := &summer{}
		if flaw != nil {
			flaw(s)
		}
		return s
	}, Script: sums}
}

func TestVerifyPasses(t *testing.T) {
	got := Verify(t, summerCase(nil))
	want := [][]string{{
		"6 at " + flow.Time(10).String(), "watermark " + flow.Time(10).String(),
		"4 at " + flow.Time(20).String(),
		"watermark " + flow.Time(30).String(),
		"11 at max", "watermark max",
	}}
	if d := diff(want[0], got[0]); d != "" {
		t.Error(d)
	}
}

// recorder is a testing.TB that notes a failure instead of failing.
type recorder struct {
	testing.TB
	failed   string
	cleanups []func()
}

func (r *recorder) Helper()           {}
func (r *recorder) Cleanup(f func())  { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failing runs f as a test and returns how it failed.
func failing(t *testing.T, f func(tb testing.TB)) string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() { // ends with f; Fatalf ends it from within
		defer close(done)
		f(r)
	}()
	<-done
	for _, f := range r.cleanups {
		f()
	}
	return r.failed
}

// TestVerifyFindsFlaws breaks an operator in known ways, and names the first way to run it that must notice.
func TestVerifyFindsFlaws(t *testing.T) {
	for _, c := range []struct {
		name string
		flaw func(*summer)
		by   string
	}{
		{"none", nil, ""},
		{"no snapshot", func(s *summer) { s.forgets = true }, "restored after every event"},
		{"snapshot not frozen", func(s *summer) { s.thaws = true }, "cut in two"},
		{"depends on batches", func(s *summer) { s.perTurn = true }, "one-record batches"},
		{"does not resume", func(s *summer) { s.lingers = true }, "full outputs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVerifier(t, summerCase(c.flaw))
			by := ""
			for _, w := range v.ways() {
				if msg := failing(t, w.run); msg != "" {
					by = w.name
					t.Log(msg)
					break
				}
			}
			if by != c.by {
				t.Errorf("noticed by %q, want %q", by, c.by)
			}
		})
	}
}

func TestBorrowedRecordsAreWiped(t *testing.T) {
	got := Verify(t, summerCase(nil))
	v := newVerifier(t, summerCase(func(s *summer) { s.keeps = true }))
	if slices.Equal(v.want[0].lines(), got[0]) {
		t.Error("an operator that keeps what it borrowed sees the same as one that does not")
	}
}

func TestVerifySplitsKeyGroups(t *testing.T) {
	c := summerCase(nil)
	c.Routes = []any{func(v *int64) uint64 { return uint64(*v) << 63 }}
	v := newVerifier(t, c) // a sum over all keys is none that two subtasks can share
	if msg := failing(t, v.split); !strings.Contains(msg, "differs from the plain run's") {
		t.Errorf("two subtasks: %q", msg)
	}
	wrong := c
	wrong.Routes = []any{func(v *string) uint64 { return 0 }}
	if msg := failing(t, newVerifier(t, wrong).split); !strings.Contains(msg, "cannot be routed by a func(*string) uint64") {
		t.Errorf("wrong route: %q", msg)
	}
}

func TestVerifyShufflesLanes(t *testing.T) {
	first := func() operators.Operator { // lets through only what comes on the lane that came first
		which := -1
		return newTwoLanes(func(lane int) bool {
			if which < 0 {
				which = lane
			}
			return which == lane
		})
	}
	c := Case{New: first, Script: Script(Records(0, 1, "a", "b"), Records(1, 1, "x", "y"), Fence(), Record(0, "c", 2))}
	v := newVerifier(t, c)
	if msg := failing(t, v.shuffled); !strings.Contains(msg, "interleaving") {
		t.Errorf("an operator that depends on the order of lanes: %q", msg)
	}
	c.New = func() operators.Operator { return newTwoLanes(func(int) bool { return true }) }
	Verify(t, c)
	c.Shuffles = -1
	if n := len(newVerifier(t, c).ways()); n != 4 {
		t.Errorf("%d ways without shuffles", n)
	}
}

type twoLanes struct {
	operators.Stateless
	in   [2]operators.Input[string]
	out  operators.Output[string]
	take func(lane int) bool
}

func newTwoLanes(take func(lane int) bool) *twoLanes { return &twoLanes{take: take} }

func (o *twoLanes) Ports() ([]operators.InputPort, []operators.OutputPort) {
	return []operators.InputPort{&o.in[0], &o.in[1]}, []operators.OutputPort{&o.out}
}

func (o *twoLanes) Open(*operators.Context) error {
	next := o.out.Next()
	for i := range o.in {
		o.in[i].Record = func(v *string, t flow.Time) {
			if o.take(i) {
				next(v, t)
			}
		}
	}
	return nil
}

func TestHarness(t *testing.T) {
	h := Open(t, Setup{New: func() operators.Operator { return &summer{} }, Start: 1000})
	Push[int64](h, 0, 7, 1)
	Push[int64](h, 0, 8, 2)
	h.Watermark(0, 5)
	if got := Take[int64](h, 0); !slices.Equal(got, []int64{15}) {
		t.Errorf("took %v", got)
	}
	Push[int64](h, 0, 1, 6)
	h.Clock(2000)
	s := h.Snapshot()
	Push[int64](h, 0, 1, 6)
	again := Open(t, Setup{New: func() operators.Operator { return &summer{} }, Restore: []*Snapshot{s}})
	if again.Now() != 2000 {
		t.Errorf("the clock stands at %d", again.Now())
	}
	again.End()
	h.End()
	if got, want := fmt.Sprint(Take[int64](h, 0), Take[int64](again, 0)), "[2] [1]"; got != want {
		t.Errorf("took %s, want %s", got, want)
	}
}

func TestHarnessReportsFailures(t *testing.T) {
	boom := errors.New("boom")
	h := Open(t, Setup{New: func() operators.Operator {
		return operators.NewProcess(operators.ProcessSpec[int, int]{
			Process: func(c *operators.ProcessContext[int], v *int) { c.Fail(boom) },
		})
	}})
	if err := h.Fails(func() { Push(h, 0, 1, 1) }); !errors.Is(err, boom) {
		t.Errorf("failed with %v", err)
	}
	err := OpenError(t, Setup{New: func() operators.Operator { return operators.NewProcess(operators.ProcessSpec[int, int]{}) }})
	if err == nil || !strings.Contains(err.Error(), "no Process function") {
		t.Errorf("opened with %v", err)
	}
}
