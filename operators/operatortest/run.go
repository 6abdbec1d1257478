package operatortest

import (
	"fmt"
	"testing"
)

// Run runs a script without a test around it, for examples. It returns the lines that left each output, or the first
// failure.
func Run(s Setup, script []Event) (lines [][]string, err error) {
	tb := &noTest{}
	defer func() {
		if r := recover(); r != nil {
			stop, ok := r.(stopped)
			if !ok {
				panic(r)
			}
			err = stop.err
		}
	}()
	defer func() {
		for _, f := range tb.cleanups {
			f()
		}
	}()
	h := Open(tb, s)
	h.feed(script, maxBatch)
	h.End()
	h.Flush()
	for _, l := range h.logs {
		lines = append(lines, l.lines())
	}
	return lines, nil
}

// noTest is the part of a testing.TB that a Harness uses.
type noTest struct {
	testing.TB
	cleanups []func()
}

type stopped struct{ err error }

func (n *noTest) Helper()           {}
func (n *noTest) Cleanup(f func())  { n.cleanups = append(n.cleanups, f) }
func (n *noTest) Fatal(args ...any) { panic(stopped{fmt.Errorf("%s", fmt.Sprint(args...))}) }

func (n *noTest) Fatalf(format string, args ...any) { panic(stopped{fmt.Errorf(format, args...)}) }

func (n *noTest) Errorf(format string, args ...any) { panic(stopped{fmt.Errorf(format, args...)}) }
