// Command cmd runs the benchmarks of package bench and prints their table.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/weirstream/weir/bench"
)

func main() {
	quick := flag.Bool("quick", false, "a tenth of the records")
	only := flag.String("only", "", "run what has this in its `name`")
	profile := flag.String("cpuprofile", "", "write a profile to this `file`")
	flag.Parse()
	if err := run(*quick, *only, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(quick bool, only, profile string) error {
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	sizes := bench.Full
	if quick {
		sizes = bench.Quick
	}
	begun := time.Now()
	var rows []bench.Row
	for _, m := range bench.Suite {
		if !strings.Contains(m.Name, only) {
			continue
		}
		at := time.Now()
		more, err := m.Run(sizes)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		fmt.Fprintf(os.Stderr, "%-16s %.1f s\n", m.Name, time.Since(at).Seconds())
		rows = append(rows, more...)
	}
	fmt.Printf("%s, %d cores, %d rounds, %.0f s\n\n", runtime.Version(), runtime.GOMAXPROCS(0), sizes.Rounds, time.Since(begun).Seconds())
	bench.Table(os.Stdout, rows)
	return nil
}
