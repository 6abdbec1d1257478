package connectortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"reflect"
	"testing"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

// Limits of a test: what reads or waits longer does not end.
const (
	maxDiscoveries = 100
	maxPolls       = 10_000_000
)

// Record is a record and its time.
type Record[T any] struct {
	Value T
	Time  flow.Time
}

// Result is what a source made.
type Result[T any] struct {
	Records []Record[T]
	Rejects []connectors.Reject
	Splits  []string // their ids
}

// Values are the records without their times.
func (r Result[T]) Values() []T {
	v := make([]T, len(r.Records))
	for i := range r.Records {
		v[i] = r.Records[i].Value
	}
	return v
}

// ReadAll reads a bounded source to its end, one split after the other.
func ReadAll[T any](src connectors.Source[T]) (Result[T], error) { return Read(src, math.MaxInt) }

// Read reads at most limit records of each split of a source.
func Read[T any](src connectors.Source[T], limit int) (Result[T], error) {
	splits, err := Splits(src)
	if err != nil {
		return Result[T]{}, err
	}
	return (&drive[T]{src: src, limit: limit, batch: 1024}).read(splits)
}

// Splits has the source find its splits.
func Splits[T any](src connectors.Source[T]) ([]connectors.Split, error) {
	if err := src.Check(); err != nil {
		return nil, err
	}
	e, err := src.Enumerator()
	if err != nil {
		return nil, err
	}
	defer e.Close()
	var all []connectors.Split
	for range maxDiscoveries {
		fresh, done, err := e.Discover(context.Background())
		if err != nil {
			return nil, err
		}
		if all = append(all, fresh...); done {
			return all, nil
		}
	}
	return nil, fmt.Errorf("connectortest: there may be more splits after %d discoveries", maxDiscoveries)
}

// drive reads splits in one way.
type drive[T any] struct {
	src    connectors.Source[T]
	limit  int  // records per split
	batch  int  // records per Poll; 0 goes through 1, 2, 3 and 4
	reopen bool // restore before every Poll
}

func (d *drive[T]) read(splits []connectors.Split) (r Result[T], err error) {
	clock := timeservice.NewManual(1_000_000)
	reader, err := d.reader(&r, clock)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	for _, s := range splits {
		r.Splits = append(r.Splits, s.ID)
		if err := d.readSplit(&r, reader, clock, s); err != nil {
			return r, fmt.Errorf("split %s: %w", s.ID, err)
		}
	}
	return r, nil
}

func (d *drive[T]) reader(r *Result[T], clock timeservice.Clock) (connectors.Reader[T], error) {
	return d.src.Reader(connectors.ReaderContext{
		Name: "test", Parallelism: 1, Clock: clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Wake: func() {},
		Reject: func(x connectors.Reject) error {
			if len(x.Data) > connectors.MaxRejectData {
				return fmt.Errorf("connectortest: a reject has %d bytes of data, more than %d", len(x.Data), connectors.MaxRejectData)
			}
			r.Rejects = append(r.Rejects, x)
			return nil
		},
	})
}

func (d *drive[T]) readSplit(r *Result[T], reader connectors.Reader[T], clock *timeservice.Manual, s connectors.Split) error {
	open, err := reader.Open(s)
	if err != nil {
		return err
	}
	defer func() { open.Close() }()
	read := 0
	for poll := range maxPolls {
		most := d.batch
		if most == 0 {
			most = poll%4 + 1
		}
		most = min(most, d.limit-read)
		got := 0
		status, next, err := open.Poll(most, func(v *T, t flow.Time) {
			got++
			r.Records = append(r.Records, Record[T]{*v, t})
		})
		read += got
		switch {
		case err != nil:
			return err
		case got > most:
			return fmt.Errorf("Poll(%d) emitted %d records", most, got)
		case status == connectors.SplitDone || read >= d.limit:
			return nil
		case status == connectors.Idle && next == flow.MaxTime:
			return errors.New("Poll waits to be woken, which nobody will do in this test")
		case status == connectors.Idle && next <= clock.Now():
			return fmt.Errorf("Poll is idle until %v, and now is %v", next, clock.Now())
		case status == connectors.Idle:
			clock.Set(next)
		}
		if d.reopen {
			if open, s, err = reopen(reader, open, s); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("not done after %d Polls", maxPolls)
}

// reopen closes a split and opens it from its position, unless it has not moved: what takes several Polls would never end.
func reopen[T any](reader connectors.Reader[T], open connectors.SplitReader[T], s connectors.Split) (connectors.SplitReader[T], connectors.Split, error) {
	before := s.State
	s.State = append([]byte(nil), open.Position()...)
	if bytes.Equal(before, s.State) {
		return open, s, nil
	}
	if again := open.Position(); !reflect.DeepEqual(s.State, append([]byte(nil), again...)) {
		return open, s, fmt.Errorf("Position is % x and then % x without a Poll between", s.State, again)
	}
	if err := open.Close(); err != nil {
		return open, s, err
	}
	fresh, err := reader.Open(s)
	if err != nil {
		return open, s, fmt.Errorf("opened again from its position: %w", err)
	}
	return fresh, s, nil
}

// VerifySource reads a bounded source whole, in Polls of different sizes, and restored from its position after every
// Poll that came further, and fails t if the results differ from each other, or from want if that is not nil. It also checks that the
// enumerator remembers what it found. It returns what was read.
func VerifySource[T any](t testing.TB, src connectors.Source[T], want []T) Result[T] {
	t.Helper()
	if !src.Bounded() {
		t.Fatal("the source is not bounded; use VerifySourcePrefix")
	}
	return VerifySourcePrefix(t, src, want, math.MaxInt)
}

// VerifySourcePrefix is VerifySource for the first limit records of each split, for sources without end.
func VerifySourcePrefix[T any](t testing.TB, src connectors.Source[T], want []T, limit int) Result[T] {
	t.Helper()
	splits := verifyEnumerator(t, src)
	whole, err := (&drive[T]{src: src, limit: limit, batch: 1024}).read(splits)
	if err != nil {
		t.Fatalf("read whole: %v", err)
	}
	if got := whole.Values(); want != nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("read whole: %s", firstDifference(got, want))
	}
	for _, d := range []drive[T]{
		{batch: 1}, {batch: 7}, {batch: 1, reopen: true}, {batch: 2, reopen: true}, {batch: 3, reopen: true}, {batch: 1024, reopen: true}, {reopen: true},
	} {
		d.src, d.limit = src, limit
		got, err := d.read(splits)
		how := fmt.Sprintf("Polls of %d, restored after each: %v", d.batch, d.reopen)
		switch {
		case err != nil:
			t.Fatalf("%s: %v", how, err)
		case !reflect.DeepEqual(got.Records, whole.Records):
			t.Fatalf("%s: %s", how, firstDifference(got.Records, whole.Records))
		case !reflect.DeepEqual(got.Rejects, whole.Rejects):
			t.Fatalf("%s: rejects: %s", how, firstDifference(got.Rejects, whole.Rejects))
		}
	}
	return whole
}

// verifyEnumerator checks that two enumerators find the same, and that a restored one finds nothing twice.
func verifyEnumerator[T any](t testing.TB, src connectors.Source[T]) []connectors.Split {
	t.Helper()
	splits, err := Splits(src)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, s := range splits {
		if seen[s.ID] {
			t.Fatalf("split id %q is there twice", s.ID)
		}
		seen[s.ID] = true
	}
	again, err := Splits(src)
	if err != nil || !reflect.DeepEqual(splits, again) {
		t.Fatalf("a second enumerator finds %v, %v; the first found %v", again, err, splits)
	}
	for _, discovered := range []bool{false, true} {
		if got := restoredSplits(t, src, discovered); discovered && len(got) != 0 || !discovered && !reflect.DeepEqual(got, splits) {
			t.Fatalf("an enumerator restored from a snapshot (after Discover: %v) finds %v; all splits are %v", discovered, got, splits)
		}
	}
	return splits
}

func restoredSplits[T any](t testing.TB, src connectors.Source[T], discover bool) []connectors.Split {
	t.Helper()
	first, err := src.Enumerator()
	if err != nil {
		t.Fatal(err)
	}
	if discover {
		for done := false; !done; {
			if _, done, err = first.Discover(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	state, err := first.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	second, err := src.Enumerator()
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Restore(state); err != nil {
		t.Fatal(err)
	}
	fresh, done, err := second.Discover(context.Background())
	if err != nil || !done {
		t.Fatalf("a restored enumerator of a bounded source: done %v, %v", done, err)
	}
	return fresh
}

// firstDifference says where two slices differ.
func firstDifference[T any](got, want []T) string {
	for i := range min(len(got), len(want)) {
		if !reflect.DeepEqual(got[i], want[i]) {
			return fmt.Sprintf("number %d of %d is %.300s, want %.300s", i, len(got), fmt.Sprintf("%+v", got[i]), fmt.Sprintf("%+v", want[i]))
		}
	}
	if len(got) > len(want) {
		return fmt.Sprintf("%d, want %d; the first too many is %.300s", len(got), len(want), fmt.Sprintf("%+v", got[len(want)]))
	}
	if len(got) < len(want) {
		return fmt.Sprintf("%d, want %d; the first missing is %.300s", len(got), len(want), fmt.Sprintf("%+v", want[len(got)]))
	}
	return "they differ"
}
