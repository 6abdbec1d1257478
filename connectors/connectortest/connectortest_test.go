package connectortest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// failing runs verify and returns how it failed; empty if it did not.
func failing(t *testing.T, verify func(t testing.TB)) (message string) {
	fake := &recorder{TB: t}
	done := make(chan struct{})
	go func() { // ends with verify, which is waited for
		defer close(done)
		verify(fake)
	}()
	<-done
	return fake.message
}

type recorder struct {
	testing.TB
	message string
}

func (r *recorder) Helper() {}
func (r *recorder) Fatalf(format string, args ...any) {
	r.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (r *recorder) Fatal(args ...any) {
	r.message = fmt.Sprint(args...)
	runtime.Goexit()
}

// counter is a source of 0 to 9 with one fault, or none.
type counter struct{ fault string }

func (c counter) Check() error  { return nil }
func (c counter) Bounded() bool { return true }
func (c counter) Enumerator() (connectors.Enumerator, error) {
	e := connectors.Fixed(connectors.Pull, []connectors.Split{{ID: "all", State: []byte{0}}})
	switch c.fault {
	case "forgets":
		e = forgetful{e}
	case "same id":
		e = connectors.Fixed(connectors.Pull, []connectors.Split{{ID: "all", State: []byte{0}}, {ID: "all", State: []byte{0}}})
	}
	return e, nil
}

type forgetful struct{ connectors.Enumerator }

func (forgetful) Restore([]byte) error { return nil }

func (c counter) Reader(ctx connectors.ReaderContext) (connectors.Reader[[]int], error) {
	return &counterReader{fault: c.fault, ctx: ctx}, nil
}

type counterReader struct {
	fault  string
	ctx    connectors.ReaderContext
	next   byte
	shared []int
}

func (r *counterReader) Open(s connectors.Split) (connectors.SplitReader[[]int], error) {
	r.next = s.State[0]
	return r, nil
}

func (r *counterReader) Poll(max int, emit func(v *[]int, t flow.Time)) (connectors.Status, flow.Time, error) {
	if r.fault == "too many" {
		max++
	}
	for range max {
		if r.next == 10 {
			return connectors.SplitDone, flow.MaxTime, nil
		}
		v := []int{int(r.next)}
		if r.fault == "shares memory" {
			r.shared = append(r.shared[:0], v...)
			v = r.shared
		}
		if r.fault == "rejects" && r.next == 5 {
			if err := r.ctx.Reject(connectors.Reject{Offset: int64(max)}); err != nil {
				return connectors.More, 0, err
			}
		}
		r.next++
		emit(&v, flow.MinTime)
	}
	if r.fault == "waits" {
		return connectors.Idle, flow.MaxTime, nil
	}
	return connectors.More, flow.MinTime, nil
}

func (r *counterReader) Position() []byte {
	if r.fault == "behind" {
		return []byte{max(r.next, 1) - 1}
	}
	return []byte{r.next}
}
func (r *counterReader) Close() error { return nil }

func TestVerifySourceFinds(t *testing.T) {
	want := [][]int{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}}
	for fault, message := range map[string]string{
		"":              "",
		"forgets":       "an enumerator restored from a snapshot",
		"same id":       `split id "all" is there twice`,
		"too many":      "emitted 2 records",
		"shares memory": "is [9], want [0]",
		"waits":         "waits to be woken",
		"behind":        "restored after each: true: number 2 of",
		"rejects":       "rejects: number 0 of 1",
	} {
		got := failing(t, func(t testing.TB) { VerifySource(t, counter{fault}, want) })
		if message == "" && got != "" || !strings.Contains(got, message) {
			t.Errorf("fault %q: %q, want %q", fault, got, message)
		}
	}
	if got := failing(t, func(t testing.TB) { VerifySource(t, counter{}, want[:9]) }); !strings.Contains(got, "the first too many is [9]") {
		t.Errorf("too many records: %q", got)
	}
}

// store is a sink of ints with one fault, or none.
type store struct {
	fault   string
	visible []int
	done    map[string]bool
}

func (s *store) Check() error { return nil }

func (s *store) Writer(ctx connectors.WriterContext, states [][]byte) (connectors.Writer[int], error) {
	w := &storeWriter{store: s, attempt: ctx.Attempt, subtask: ctx.Subtask}
	if s.fault != "forgets" {
		for _, b := range states {
			w.open = append(w.open, b...)
		}
	}
	return w, nil
}

func (s *store) Committer(connectors.WriterContext) (connectors.Committer, error) { return s, nil }

func (s *store) Commit(_ context.Context, committables [][]byte) error {
	for _, c := range committables {
		if s.done[string(c)] && s.fault != "commits again" {
			continue
		}
		s.done[string(c)] = true
		_, values, _ := strings.Cut(string(c), ":")
		for _, v := range []byte(values) {
			s.visible = append(s.visible, int(v))
		}
	}
	return nil
}

func (s *store) Close() error { return nil }

type storeWriter struct {
	store   *store
	attempt flow.Attempt
	subtask int
	open    []byte // held back over one checkpoint
}

func (w *storeWriter) Write(v *int, _ flow.Time) error {
	if w.store.fault == "visible at once" {
		w.store.visible = append(w.store.visible, *v)
		return nil
	}
	w.open = append(w.open, byte(*v))
	return nil
}

func (w *storeWriter) Flush() error { return nil }

func (w *storeWriter) Prepare(id flow.CheckpointID, last bool) ([][]byte, error) {
	if !last && id%2 == 1 {
		return nil, nil
	}
	c := fmt.Appendf(nil, "%d.%d.%d:%s", w.attempt, w.subtask, id, w.open)
	w.open = nil
	return [][]byte{c}, nil
}

func (w *storeWriter) Snapshot() ([][]byte, error) { return [][]byte{w.open}, nil }
func (w *storeWriter) Close() error                { return nil }

func TestVerifySinkFinds(t *testing.T) {
	for fault, message := range map[string]string{
		"":                "",
		"forgets":         "the first missing is",
		"commits again":   "is visible twice",
		"visible at once": "no complete checkpoint has it",
	} {
		got := failing(t, func(t testing.TB) {
			VerifySink(t, SinkCase[int]{Records: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, New: func(testing.TB) (connectors.Sink[int], func() []int) {
				s := &store{fault: fault, done: map[string]bool{}}
				return s, func() []int { return s.visible }
			}})
		})
		if message == "" && got != "" || !strings.Contains(got, message) {
			t.Errorf("fault %q: %q, want %q", fault, got, message)
		}
	}
}
