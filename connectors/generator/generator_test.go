package generator

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/connectors/connectortest"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

type event struct {
	N    int64
	Name string
	Tags []int
}

func fill(n int64, v *event) flow.Time {
	v.N, v.Name, v.Tags = n, fmt.Sprint("e", n), append(v.Tags, int(n))
	return flow.Time(n * 10)
}

func TestEventsAreDealtOut(t *testing.T) {
	for _, c := range []struct {
		count  int64
		splits int
		want   []int64
	}{
		{1, 1, []int64{0}},
		{7, 1, []int64{0, 1, 2, 3, 4, 5, 6}},
		{7, 3, []int64{0, 3, 6, 1, 4, 2, 5}},
		{2, 4, []int64{0, 1}},
	} {
		var want []event
		for _, n := range c.want {
			want = append(want, event{n, fmt.Sprint("e", n), []int{int(n)}})
		}
		r := connectortest.VerifySource(t, New(c.count, fill, Splits(c.splits)), want)
		if len(r.Splits) != c.splits {
			t.Errorf("%d splits, want %d", len(r.Splits), c.splits)
		}
		for _, x := range r.Records {
			if x.Time != flow.Time(x.Value.N*10) {
				t.Errorf("event %d has time %v", x.Value.N, x.Time)
			}
		}
	}
}

func TestEndless(t *testing.T) {
	src := New(0, fill, Splits(2), Rate(1000))
	if src.Bounded() {
		t.Error("count 0 is bounded")
	}
	r := connectortest.VerifySourcePrefix(t, src, nil, 1500)
	if len(r.Records) != 3000 || r.Records[1499].Value.N != 2998 {
		t.Errorf("%d records", len(r.Records))
	}
	// The last event that has a number.
	sr := open(t, New(0, fill, Splits(2)), timeservice.NewManual(0), position{math.MaxInt64 - 2, 2})
	got := 0
	status, _, err := sr.Poll(10, func(*event, flow.Time) { got++ })
	if err != nil || status != connectors.SplitDone || got != 1 {
		t.Errorf("at the end of all numbers: %d events, %v, %v", got, status, err)
	}
	status, _, _ = sr.Poll(10, func(*event, flow.Time) { got++ })
	if status != connectors.SplitDone || got != 1 {
		t.Errorf("behind the end: %d events, %v", got, status)
	}
}

func open(t testing.TB, src connectors.Source[event], clock timeservice.Clock, p position) connectors.SplitReader[event] {
	t.Helper()
	r, err := src.Reader(connectors.ReaderContext{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	sr, err := r.Open(connectors.Split{State: p.encode()})
	if err != nil {
		t.Fatal(err)
	}
	return sr
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		rate   float64
		splits int
	}{{1000, 1}, {1000, 4}, {0.5, 1}, {3, 1}, {250_000, 2}, {7, 3}} {
		t.Run(fmt.Sprint(c.rate, "/", c.splits), func(t *testing.T) {
			clock := timeservice.NewManual(0)
			sr := open(t, New(0, fill, Rate(c.rate), Splits(c.splits)), clock, position{0, int64(c.splits)})
			rate := c.rate / float64(c.splits)
			got := 0
			for clock.Now() < 20_000 {
				status, next, err := sr.Poll(1024, func(*event, flow.Time) { got++ })
				if err != nil {
					t.Fatal(err)
				}
				if status == connectors.Idle {
					if next <= clock.Now() {
						t.Fatalf("idle until %v at %v", next, clock.Now())
					}
					clock.Set(next)
				}
				if due := rate * float64(clock.Now()) / 1000; float64(got) > due+1 {
					t.Fatalf("%d events after %v ms, and %v were due", got, int64(clock.Now()), due)
				}
			}
			if due := rate * 20; float64(got) < due-rate/100-1 {
				t.Errorf("%d events in 20 s, want %v", got, due)
			}
		})
	}
}

func TestNoBurstAfterAPause(t *testing.T) {
	for _, rate := range []float64{1, 1000} {
		clock := timeservice.NewManual(0)
		sr := open(t, New(0, fill, Rate(rate)), clock, position{0, 1})
		clock.Set(flow.Duration(time.Hour))
		got := 0
		for {
			status, _, _ := sr.Poll(10, func(*event, flow.Time) { got++ })
			if status == connectors.Idle {
				break
			}
		}
		if want := max(1, int(rate/10)); got != want {
			t.Errorf("rate %v: %d events at once after an hour, want %d", rate, got, want)
		}
		clock.Set(clock.Now() + 2000)
		sr.Poll(1, func(*event, flow.Time) { got++ })
		if got != max(1, int(rate/10))+1 {
			t.Errorf("rate %v: nothing after the pause", rate)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		src  connectors.Source[event]
		want string
	}{
		{New[event](1, nil), "no function was given"},
		{New(-1, fill), "count -1 is negative"},
		{New(1, fill, Splits(0)), "Splits(0) is not from 1 to 65536"},
		{New(1, fill, Rate(-1)), "Rate(-1) is no number"},
		{New(1, fill, Rate(math.NaN())), "Rate(NaN) is no number"},
	} {
		if err := c.src.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Check: %v, want %q", err, c.want)
		}
		if _, err := c.src.Enumerator(); err == nil {
			t.Errorf("%s: an enumerator was made", c.want)
		}
		if _, err := c.src.Reader(connectors.ReaderContext{}); err == nil {
			t.Errorf("%s: a reader was made", c.want)
		}
	}
}

func FuzzPosition(f *testing.F) {
	f.Add(position{5, 2}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePosition(b)
		if err != nil {
			return
		}
		if again, err := decodePosition(p.encode()); err != nil || again != p {
			t.Errorf("%+v, again %+v, %v", p, again, err)
		}
	})
}

func ExampleNew() {
	src := New(5, func(n int64, v *int64) flow.Time {
		*v = n * n
		return flow.Time(n * 1000)
	})
	r, err := connectortest.ReadAll(src)
	fmt.Println(r.Values(), err)
	// Output: [0 1 4 9 16] <nil>
}

type wide struct {
	A, B, C, D, E, F, G, H, I int64
	J                         int32
}

func BenchmarkPoll(b *testing.B) {
	b.Run("int64", func(b *testing.B) {
		benchmark(b, func(n int64, v *int64) flow.Time { *v = n; return flow.Time(n) })
	})
	b.Run("80 bytes", func(b *testing.B) {
		benchmark(b, func(n int64, v *wide) flow.Time { v.A, v.I, v.J = n, n, 3; return flow.Time(n) })
	})
}

func benchmark[T any](b *testing.B, fill func(n int64, v *T) flow.Time) {
	r, err := New(0, fill).Reader(connectors.ReaderContext{})
	if err != nil {
		b.Fatal(err)
	}
	sr, err := r.Open(connectors.Split{State: position{0, 1}.encode()})
	if err != nil {
		b.Fatal(err)
	}
	var sum flow.Time
	emit := func(v *T, t flow.Time) { sum += t }
	b.ReportAllocs()
	for n := 0; n < b.N; n += 1024 {
		if _, _, err := sr.Poll(1024, emit); err != nil {
			b.Fatal(err)
		}
	}
	if b.N > 1 && sum == 0 {
		b.Fatal("nothing was emitted")
	}
}
