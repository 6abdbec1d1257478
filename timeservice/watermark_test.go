package timeservice_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

type reading struct {
	at   flow.Time
	mark bool
}

// trace does with a strategy what a source does, and notes what would be emitted.
type trace struct {
	ws     *timeservice.SplitWatermarks[reading]
	splits map[string]*timeservice.SplitWatermark[reading]
	now    flow.Time
	out    []string
}

func (tr *trace) emit(w flow.Watermark) {
	s := fmt.Sprint(int64(w.Time))
	if w.Idle {
		s += "i"
	}
	tr.out = append(tr.out, s)
}

func (tr *trace) poll(name string, records ...reading) {
	s := tr.splits[name]
	for _, r := range records {
		if w, ok := s.Record(&r, r.at); ok {
			tr.emit(flow.Watermark{Time: w})
		}
	}
	s.Polled(len(records), tr.now)
	tr.advanced()
}

func (tr *trace) advanced() {
	if w, changed := tr.ws.Advanced(); changed {
		tr.emit(w)
	}
}

func (tr *trace) open(name string, restored flow.Time) {
	tr.splits[name] = tr.ws.Open(restored, tr.now)
}

func newTrace(s timeservice.WatermarkStrategy[reading], from flow.Time) *trace {
	return &trace{ws: timeservice.NewSplitWatermarks(s, from, 0), splits: map[string]*timeservice.SplitWatermark[reading]{}}
}

func (tr *trace) want(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(tr.out, " "); got != want {
		t.Errorf("emitted %q, want %q", got, want)
	}
}

func TestBoundedOutOfOrderness(t *testing.T) {
	tr := newTrace(timeservice.BoundedOutOfOrderness[reading](10e6), flow.MinTime) // 10 ms
	tr.open("a", flow.MinTime)
	tr.poll("a", reading{at: 100}, reading{at: 95}, reading{at: 120})
	tr.poll("a", reading{at: 115})
	tr.poll("a")
	tr.poll("a", reading{at: 130})
	tr.want(t, "109 119")
}

func TestMonotonousEveryRecord(t *testing.T) {
	tr := newTrace(timeservice.Monotonous[reading]().EveryRecord(), flow.MinTime)
	tr.open("a", flow.MinTime)
	tr.poll("a", reading{at: 1}, reading{at: 2}, reading{at: 2}, reading{at: 1}, reading{at: 5})
	tr.want(t, "0 1 4")
}

func TestPunctuated(t *testing.T) {
	tr := newTrace(timeservice.Punctuated(func(r *reading, at flow.Time) (flow.Time, bool) { return at, r.mark }), flow.MinTime)
	tr.open("a", flow.MinTime)
	tr.poll("a", reading{at: 1}, reading{5, true}, reading{at: 9}, reading{3, true}, reading{8, true})
	tr.want(t, "5 8")
}

type countdown struct{ n flow.Time }

func (c *countdown) OnRecord(*reading, flow.Time) (flow.Time, bool) { c.n++; return 0, false }
func (c *countdown) OnPeriodic() flow.Time                          { return c.n }

func TestCustomGeneratorPerSplit(t *testing.T) {
	s := timeservice.Custom(func() timeservice.WatermarkGenerator[reading] { return &countdown{} })
	tr := newTrace(s, flow.MinTime)
	tr.open("a", flow.MinTime)
	tr.poll("a", reading{}, reading{})
	tr.open("b", flow.MinTime)
	tr.poll("b", reading{})
	tr.poll("b", reading{}, reading{}, reading{})
	tr.poll("a", reading{})
	tr.want(t, "2 3")
	tr = newTrace(s.EveryRecord(), flow.MinTime)
	tr.open("a", flow.MinTime)
	tr.poll("a", reading{}, reading{})
	tr.want(t, "1 2")
}

func TestSplitsHoldBackUntilTheyEnd(t *testing.T) {
	tr := newTrace(timeservice.Monotonous[reading](), flow.MinTime)
	tr.open("a", flow.MinTime)
	tr.open("b", flow.MinTime)
	tr.poll("a", reading{at: 100}) // b has nothing yet
	tr.poll("b", reading{at: 51})
	tr.ws.Close(tr.splits["b"], 0)
	tr.advanced()
	tr.open("c", flow.MinTime) // what was added holds back, and nothing goes back
	tr.poll("a", reading{at: 200})
	tr.poll("c", reading{at: 151})
	tr.ws.Close(tr.splits["a"], 0)
	tr.ws.Close(tr.splits["c"], 0)
	tr.advanced()
	tr.want(t, "50 99 150")
}

func TestRestoredWatermarkOfASplit(t *testing.T) {
	tr := newTrace(timeservice.Monotonous[reading](), 80)
	tr.open("a", 100)
	tr.open("b", 90)
	tr.advanced()
	tr.poll("a", reading{at: 50}) // late: the split had come to 100
	if w := tr.splits["a"].Watermark(); w != 100 {
		t.Errorf("split a stands at %v", w)
	}
	tr.poll("b", reading{at: 96})
	tr.want(t, "90 95")
}

func TestIdleSplits(t *testing.T) {
	tr := newTrace(timeservice.Monotonous[reading]().WithIdleness(100e6), flow.MinTime) // 100 ms
	tr.open("a", flow.MinTime)
	tr.open("b", flow.MinTime)
	tr.poll("a", reading{at: 101})
	check := func(now, wantNext flow.Time) {
		t.Helper()
		tr.now = now
		if next := tr.ws.CheckIdle(now); next != wantNext {
			t.Errorf("at %d: next check at %d, want %d", now, next, wantNext)
		}
		tr.advanced()
	}
	check(99, 100)
	tr.poll("a", reading{at: 201}) // keeps a awake until 199
	check(100, 199)                // b is idle
	tr.poll("b")                   // an empty poll wakes nobody
	check(199, flow.MaxTime)       // both are
	tr.poll("b", reading{at: 151}) // b is back, behind: it says nothing new but that it is awake
	tr.poll("b", reading{at: 251})
	tr.want(t, "200 200i 200 250")
}

func TestNoSplitsForLong(t *testing.T) {
	tr := newTrace(timeservice.Monotonous[reading]().WithIdleness(100e6), flow.MinTime)
	if next := tr.ws.CheckIdle(50); next != 100 || tr.ws.Current().Idle {
		t.Errorf("next check at %v, %v", next, tr.ws.Current())
	}
	if next := tr.ws.CheckIdle(100); next != flow.MaxTime || !tr.ws.Current().Idle {
		t.Errorf("next check at %v, %v", next, tr.ws.Current())
	}
	tr.open("a", flow.MinTime)
	if tr.ws.Current().Idle {
		t.Errorf("a split was opened and the subtask is idle")
	}
}

func BenchmarkRecordOfBoundedOutOfOrderness(b *testing.B) {
	ws := timeservice.NewSplitWatermarks(timeservice.BoundedOutOfOrderness[reading](10e6), flow.MinTime, 0)
	s := ws.Open(flow.MinTime, 0)
	b.ReportAllocs()
	r := reading{}
	for b.Loop() {
		r.at++
		s.Record(&r, r.at)
	}
}
