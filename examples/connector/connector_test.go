package connector

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/connectors/connectortest"
	"github.com/weirstream/weir/flow"
)

// The contract by hand: two checkpoints, a failure after the second barrier, a restore from the first.
func TestByHand(t *testing.T) {
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	source, bank := Gaps{From: 1, To: 20, Gap: 3, Splits: 1}, NewBank()
	sink := Ledger{Bank: bank, Least: 5}
	ok(source.Check())
	ok(sink.Check())
	enumerator, err := source.Enumerator()
	ok(err)
	splits, done, err := enumerator.Discover(context.Background())
	ok(err)
	if len(splits) != 1 || !done {
		t.Fatalf("splits %v, done %v", splits, done)
	}

	reader, err := source.Reader(connectors.ReaderContext{Parallelism: 1})
	ok(err)
	split, err := reader.Open(splits[0])
	ok(err)
	ctx := connectors.WriterContext{Run: "run", UID: "ledger", Parallelism: 1, Attempt: 1, Fresh: true}
	writer, err := sink.Writer(ctx, nil)
	ok(err)
	committer, err := sink.Committer(ctx)
	ok(err)
	move := func(n int) connectors.Status {
		t.Helper()
		status, _, err := split.Poll(n, func(v *int64, at flow.Time) { ok(writer.Write(v, at)) })
		ok(err)
		return status
	}

	move(4) // checkpoint 1: 1 2 4 5, too few for a transaction, so they go into the state
	committables, err := writer.Prepare(1, false)
	ok(err)
	if len(committables) != 0 {
		t.Fatalf("checkpoint 1 is to commit %q", committables)
	}
	states, err := writer.Snapshot()
	ok(err)
	position := slices.Clone(split.Position())

	move(3) // checkpoint 2 is prepared, but never complete
	if _, err = writer.Prepare(2, false); err != nil {
		t.Fatal(err)
	}
	move(2)
	ok(writer.Close())
	ok(split.Close())

	splits[0].State = position // the restore
	split, err = reader.Open(splits[0])
	ok(err)
	ctx.Attempt, ctx.Fresh = 2, false
	writer, err = sink.Writer(ctx, states)
	ok(err)
	if status := move(100); status != connectors.SplitDone {
		t.Fatalf("at the end: %v", status)
	}
	committables, err = writer.Prepare(3, true)
	ok(err)
	if got := bank.Entries(); len(got) != 0 {
		t.Fatalf("%v was booked before the checkpoint was complete", got)
	}
	ok(committer.Commit(context.Background(), committables))
	ok(committer.Commit(context.Background(), committables))
	if got, want := bank.Entries(), []int64{1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19}; !slices.Equal(got, want) {
		t.Errorf("booked %v, want %v", got, want)
	}
}

func TestGaps(t *testing.T) {
	want := []int64{1, 2, 4, 5, 7, 8, 10, 11}
	for splits := 1; splits < 20; splits++ {
		connectortest.VerifySource(t, Gaps{From: 0, To: 12, Gap: 3, Splits: splits}, want)
	}
	for _, c := range []struct {
		gaps Gaps
		want string
	}{
		{Gaps{From: 5, To: 1, Gap: 2, Splits: 1}, "from 5 to 1 is no range"},
		{Gaps{To: 1, Gap: 1, Splits: 1}, "Gap 1 leaves nothing out"},
		{Gaps{To: 1, Gap: 2}, "Splits 0 is not from 1 to 4096"},
	} {
		if err := c.gaps.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Check: %v, want %q", err, c.want)
		}
	}
	if _, err := (gapsReader{2}).Open(connectors.Split{ID: "x", State: []byte{1}}); err == nil || !strings.Contains(err.Error(), "is no range of numbers") {
		t.Errorf("Open of a damaged state: %v", err)
	}
}

func TestLedger(t *testing.T) {
	records := make([]int64, 11)
	for i := range records {
		records[i] = int64(i)
	}
	for _, least := range []int{1, 4, 100} {
		connectortest.VerifySink(t, connectortest.SinkCase[int64]{Records: records, All: true, New: func(testing.TB) (connectors.Sink[int64], func() []int64) {
			bank := NewBank()
			return Ledger{Bank: bank, Least: least}, bank.Entries
		}})
	}
	if err := (Ledger{}).Check(); err == nil || !strings.Contains(err.Error(), "there is no Bank") {
		t.Errorf("Check: %v", err)
	}
}
