package bench

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/stream"
)

// small is enough records for several batches and windows.
const small = 20_000

func TestJobsEqualLoops(t *testing.T) {
	of := func(job func(to *Digest[Result]) *stream.Job, parallelism int) side {
		return func() (digest, error) {
			to := newResults()
			err := run(job(to), parallelism, 0)
			return to.total(), err
		}
	}
	loop := func(do func(out func(r *Result))) side {
		return func() (digest, error) {
			out, total := digesting((*Result).fold)
			do(out)
			return total(), nil
		}
	}
	f := events(100, small/3)
	windows := func(a stream.WindowAssigner, splits int) func(*Digest[Result]) *stream.Job {
		return func(to *Digest[Result]) *stream.Job { return windowed(small, f, splits, a, to) }
	}
	slides := stream.SlidingWindow(time.Minute, 10*time.Second)
	tumbled := loop(func(out func(*Result)) { loopTumbling(small, f, 100, out) })
	slid := loop(func(out func(*Result)) { loopSliding(small, f, 10_000, out) })
	summed := loop(func(out func(*Result)) { loopRunning(small, f, 100, out) })
	for _, c := range []struct {
		name      string
		job, loop side
	}{
		{"tumbling", of(windows(tumbling, 1), 1), tumbled},
		{"tumbling, parallelism 2", of(windows(tumbling, 2), 2), tumbled},
		{"sliding", of(windows(slides, 1), 1), slid},
		{"running", of(func(to *Digest[Result]) *stream.Job { return running(small, f, to) }, 1), summed},
		{"running in a Go map", of(func(to *Digest[Result]) *stream.Job { return runningInGoMap(small, f, to) }, 1), summed},
	} {
		t.Run(c.name, func(t *testing.T) { equal(t, c.job, c.loop) })
	}
}

func TestStatelessEqualsClosures(t *testing.T) {
	equal(t, func() (digest, error) {
		to := newDigest(foldWide)
		err := run(stateless(small, to), 1, 0)
		return to.total(), err
	}, func() (digest, error) {
		out, total := digesting(foldWide)
		loopStateless(small, out)
		return total(), nil
	})
}

func TestExchangeLosesNothing(t *testing.T) {
	f := events(100, small)
	with, without := newDigest(foldEvent), newDigest(foldEvent)
	equal(t, func() (digest, error) { err := run(exchanged(small, f, with), 1, 0); return with.total(), err },
		func() (digest, error) { err := run(direct(small, f, without), 1, 0); return without.total(), err })
}

func TestLoneRecordsArrive(t *testing.T) {
	took, err := latency(3)
	if err != nil || took <= 0 {
		t.Fatalf("latency %v, error %v", took, err)
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	second := sample{wall: time.Second, cpu: time.Second}
	Table(&b, []Row{
		atMost("half", sample{wall: time.Second / 2, cpu: time.Second}, second, 1e6, 0.5),
		atLeast("no gain", second, second, 1e6, 1.6),
	})
	for _, want := range []string{"| 0.5 ×", "met", "| ≥ 1.6 ×", "MISSED", "500.0 ns"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
}

func TestMeasuredCountsAllocations(t *testing.T) {
	var keep []*[64]byte
	s, err := measured(func() (digest, error) {
		for range 1000 {
			keep = append(keep, new([64]byte))
		}
		return digest{count: int64(len(keep))}, nil
	})
	if err != nil || s.mallocs < 1000 || s.mallocs > 2000 || s.result.count != 1000 {
		t.Fatalf("%d allocations, %d counted, error %v", s.mallocs, s.result.count, err)
	}
	runtime.KeepAlive(keep)
}

func equal(t *testing.T, a, b side) {
	t.Helper()
	want, err := b()
	if err != nil {
		t.Fatal(err)
	}
	got, err := a()
	if err != nil {
		t.Fatal(err)
	}
	if got != want || want.count == 0 {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}
