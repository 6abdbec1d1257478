package local_test

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/local"
	"github.com/weirstream/weir/scheduler"
)

var (
	hangTimeout = time.Minute
	chaosKills  = flag.Int("chaos.kills", 10, "how many actors TestChaos kills")
	chaosSeed   = flag.Uint64("chaos.seed", 1, "which actors, and when")
)

// TestChaos runs a job on all cores while actors of all kinds are made to fail or are stopped, at random moments, and
// expects the output of an undisturbed run.
func TestChaos(t *testing.T) {
	rng := rand.New(rand.NewPCG(*chaosSeed, 0))
	const perKill = 12_000 // events made between two kills, about
	count := int64(*chaosKills+2) * perKill
	dir := t.TempDir()
	x, err := local.Start(windowJob(dir, count, 60_000), local.Config{
		Parallelism: 2, TaskManagers: 2, CheckpointDir: t.TempDir(), CheckpointInterval: 25 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	kinds := map[string]int{}
	for n := 0; n < *chaosKills; n++ {
		pause := time.NewTimer(time.Duration(20+rng.IntN(250)) * time.Millisecond)
		select {
		case <-pause.C:
		case <-x.Done():
			t.Logf("the job ended after %d kills", n)
			n = *chaosKills
			continue
		}
		kinds[disturb(x, rng)]++
	}
	r, err := waitEnd(t, x)
	if err != nil || r.State != scheduler.Finished {
		t.Fatalf("seed %d: %+v, %v", *chaosSeed, r, err)
	}
	t.Logf("seed %d: kills %v, %d restarts of regions, %d checkpoints", *chaosSeed, kinds, r.Status.Restarts, r.Status.Completed)
	mustEqual(t, committed(t, dir), plainTotals(count))
}

// disturb ends one actor: a kind is drawn first, so that the few at the top get their share.
func disturb(x *local.Execution, rng *rand.Rand) string {
	byKind := map[string][]*actor.PID{}
	for _, pid := range x.Actors() {
		byKind[kindOf(pid.Id)] = append(byKind[kindOf(pid.Id)], pid)
	}
	kinds := []string{"subtask", "slot", "taskmanager", "job", "jobmanager"}
	kind := kinds[rng.IntN(len(kinds))]
	if len(byKind[kind]) == 0 {
		return "nothing there"
	}
	pid := byKind[kind][rng.IntN(len(byKind[kind]))]
	if rng.IntN(2) == 0 {
		x.Inject(pid, "chaos")
		return kind + " panicked"
	}
	x.Kill(pid)
	return kind + " stopped"
}

func kindOf(id string) string {
	switch {
	case strings.Contains(id, "#"):
		return "subtask"
	case strings.Contains(id, "/slot/"):
		return "slot"
	case strings.Contains(id, "/job/"):
		return "job"
	case strings.Contains(id, "taskmanager"):
		return "taskmanager"
	}
	return "jobmanager"
}

func waitEnd(t *testing.T, x *local.Execution) (*local.Result, error) {
	t.Helper()
	select {
	case <-x.Done():
	case <-time.After(hangTimeout):
		t.Fatalf("the job hangs: %+v, actors %v", x.Status(), x.Actors())
	}
	return x.Wait()
}
