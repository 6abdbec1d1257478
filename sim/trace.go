package sim

import (
	"context"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"log/slog"
	"strings"
)

// trace hashes what happens, and prints it if there is somebody to read it.
type trace struct {
	world *World
	hash  hash.Hash64
	out   io.Writer // nil for nobody
	lines int
}

func newTrace(w *World, out io.Writer) *trace { return &trace{world: w, hash: fnv.New64a(), out: out} }

// step notes which entry of the queue was taken, and of how many. It is only hashed: there are too many to read.
func (t *trace) step(kind string, at, of int) {
	fmt.Fprintln(t.hash, t.world.steps, t.world.nanos, kind, at, of)
}

// note hashes and prints one line.
func (t *trace) note(kind, format string, a ...any) {
	line := fmt.Sprintf("%7d %10.3fs %-6s %s", t.world.steps, float64(t.world.nanos)/1e9, kind, fmt.Sprintf(format, a...))
	t.lines++
	_, _ = io.WriteString(t.hash, line) // a hash does not fail
	if t.out != nil {
		fmt.Fprintln(t.out, line)
	}
}

// logs is a slog.Handler that notes what the actors log, without stacks, which hold addresses.
type logs struct {
	trace *trace
	attrs []slog.Attr
}

func (h logs) Enabled(context.Context, slog.Level) bool { return true }

func (h logs) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	add := func(a slog.Attr) bool {
		if a.Key != "stack" {
			fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		}
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	h.trace.note("log", "%s", b.String())
	return nil
}

func (h logs) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logs{h.trace, append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

func (h logs) WithGroup(string) slog.Handler { return h }
