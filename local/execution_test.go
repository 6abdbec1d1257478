package local_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirstream/weir/local"
	"github.com/weirstream/weir/scheduler"
)

func TestMain(m *testing.M) {
	// Proto.Actor's throttle of dead letters ends with the process only.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/asynkron/protoactor-go/actor.NewDeadLetter.NewThrottle.func4.1"))
}

func TestGoldenRunThrough(t *testing.T) {
	const count = 100_000
	want := plainTotals(count)
	for _, p := range []int{1, 2, 3} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("parallelism=%d,chaining=%v", p, !plain), func(t *testing.T) {
				dir := t.TempDir()
				r, err := local.Run(context.Background(), windowJob(dir, count, 0), local.Config{
					Parallelism: p, CheckpointInterval: 20 * time.Millisecond, DisableChaining: plain,
				})
				if err != nil || r.State != scheduler.Finished {
					t.Fatal(r, err)
				}
				mustEqual(t, committed(t, dir), want)
			})
		}
	}
}

// TestGoldenStopAndRestore stops a job at a checkpoint and goes on from it at another parallelism.
func TestGoldenStopAndRestore(t *testing.T) {
	const count = 60_000
	want := plainTotals(count)
	for _, p := range []int{1, 2, 3} {
		t.Run(fmt.Sprint("restored at ", p), func(t *testing.T) {
			dir, chk := t.TempDir(), t.TempDir()
			x, err := local.Start(windowJob(dir, count, 80_000), local.Config{Parallelism: 2, CheckpointDir: chk, CheckpointInterval: 20 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			waitFor(t, x, func() bool { return x.Status().Completed >= 3 })
			x.Stop()
			r, err := x.Wait()
			x.Close()
			if err != nil || r.State != scheduler.Stopped {
				t.Fatal(r, err)
			}
			if before := committed(t, dir); len(before) == 0 || len(before) >= len(want) {
				t.Fatalf("the stop left %d of %d lines: it was not in the middle", len(before), len(want))
			}
			r, err = local.Run(context.Background(), windowJob(dir, count, 0), local.Config{Parallelism: p, CheckpointDir: chk, Restore: "latest"})
			if err != nil || r.State != scheduler.Finished {
				t.Fatal(r, err)
			}
			mustEqual(t, committed(t, dir), want)
		})
	}
}

// waitFor waits for something that the running job brings about.
func waitFor(t *testing.T, x *local.Execution, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-x.Done():
			t.Fatal("the job has ended too early:", x.Status())
		case <-late:
			t.Fatal("nothing happened for 30 s:", x.Status())
		}
	}
}

func TestDamagedCheckpoint(t *testing.T) {
	const count = 60_000
	dir, chk := t.TempDir(), t.TempDir()
	x, err := local.Start(windowJob(dir, count, 80_000), local.Config{Parallelism: 2, CheckpointDir: chk, CheckpointInterval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, x, func() bool { return x.Status().Completed >= 3 })
	x.Cancel()
	if r, err := x.Wait(); err != nil || r.State != scheduler.Cancelled {
		t.Fatal(r, err)
	}
	x.Close()
	newest := fmt.Sprint(x.Status().Last.ID)
	states, err := filepath.Glob(filepath.Join(chk, "windows", newest, "*.state"))
	if err != nil || len(states) == 0 {
		t.Fatal(states, err)
	}
	b, err := os.ReadFile(states[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(states[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	x, err = local.Start(windowJob(dir, count, 0), local.Config{Parallelism: 1, CheckpointDir: chk, Restore: "latest"})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if notes := strings.Join(x.Notes(), "\n"); !strings.Contains(notes, newest+": ") || !strings.Contains(notes, "using chk-") {
		t.Errorf("notes do not tell of the damage: %q", notes)
	}
	if r, err := x.Wait(); err != nil || r.State != scheduler.Finished {
		t.Fatal(r, err)
	}
}

func TestBadStart(t *testing.T) {
	other := t.TempDir()
	if err := os.MkdirAll(filepath.Join(other, "somejob", "chk-1"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "somejob", "chk-1", "manifest.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cfg  local.Config
		want string
	}{
		{"parallelism", local.Config{Parallelism: -1}, "parallelism -1"},
		{"above key groups", local.Config{Parallelism: 1000}, "above its maximum of 128"},
		{"restore without a directory", local.Config{Restore: "latest"}, "needs the directory"},
		{"nothing to restore", local.Config{Restore: "latest", CheckpointDir: t.TempDir()}, "start without restoring"},
		{"directory of another job", local.Config{CheckpointDir: other}, "holds checkpoints of job somejob"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, err := local.Start(windowJob(t.TempDir(), 10, 0), c.cfg)
			if err == nil {
				x.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\ndoes not say %q", err, c.want)
			}
		})
	}
}
