package sim

import (
	"flag"
	"io"
	"os"
	"strings"
	"testing"
)

var (
	seed  = flag.Uint64("seed", 0, "run this seed only, and print its trace")
	seeds = flag.Uint64("seeds", 40, "run the seeds from 1 to this one")
)

// TestSeeds runs whole clusters under many seeds: every one has to finish its job with the output of a plain loop.
func TestSeeds(t *testing.T) {
	if *seed != 0 {
		r, err := Run(*seed, os.Stdout)
		t.Log(r)
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	var restarts, checkpoints, faults int
	for n := uint64(1); n <= *seeds; n++ {
		r, err := Run(n, nil)
		if err != nil {
			t.Errorf("%v\n%v", err, r)
		}
		restarts, checkpoints, faults = restarts+r.Status.Restarts, checkpoints+int(r.Status.Completed), faults+r.Faults
	}
	t.Logf("%d seeds: %d faults, %d restarts, %d checkpoints", *seeds, faults, restarts, checkpoints)
	if *seeds >= 10 && (restarts == 0 || checkpoints == 0 || faults == 0) {
		t.Errorf("nothing was disturbed: %d faults, %d restarts, %d checkpoints", faults, restarts, checkpoints)
	}
}

// TestSeedRepeats runs seeds twice: the trace must be the same (I2), and another seed's must not.
func TestSeedRepeats(t *testing.T) {
	if *seed != 0 {
		t.Skip("one seed is looked at")
	}
	hashes := map[uint64]uint64{}
	for n := uint64(1); n <= 6; n++ {
		var first, second strings.Builder
		a, _ := Run(n, &first) // whether it is right is TestSeeds' question
		b, _ := Run(n, io.Writer(&second))
		if a.Hash != b.Hash {
			t.Errorf("seed %d has two traces, %016x and %016x; they part at\n%s", n, a.Hash, b.Hash, parting(first.String(), second.String()))
		}
		if other, taken := hashes[a.Hash]; taken {
			t.Errorf("seeds %d and %d have the same trace %016x", other, n, a.Hash)
		}
		hashes[a.Hash] = n
	}
}

// parting is where two traces begin to differ.
func parting(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] + "\n" + y[i]
		}
	}
	return "no line that is printed"
}

// TestCompareFinds makes sure that a wrong output is seen.
func TestCompareFinds(t *testing.T) {
	want := []string{"b", "a", "a"}
	for _, c := range []struct {
		got  []string
		says string
	}{
		{[]string{"a", "b"}, "a is missing"},
		{[]string{"a", "a", "b", "b"}, "b is 1 times too many"},
		{[]string{"a", "a", "c"}, "b is missing; c is 1 times too many"},
	} {
		if err := compare("x", c.got, append([]string(nil), want...)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, want %q", c.got, err, c.says)
		}
	}
	if err := compare("x", []string{"a", "a", "b"}, want); err != nil {
		t.Error(err)
	}
}
