package connectors

import (
	"context"
	"strings"
	"testing"
)

func TestFixed(t *testing.T) {
	splits := []Split{{ID: "a"}, {ID: "b"}}
	e := Fixed(Eager, splits)
	if e.Assignment() != Eager {
		t.Errorf("assignment %v", e.Assignment())
	}
	before, _ := e.Snapshot()
	if got, done, err := e.Discover(context.Background()); len(got) != 2 || !done || err != nil {
		t.Errorf("first Discover: %v, %v, %v", got, done, err)
	}
	if got, done, err := e.Discover(context.Background()); len(got) != 0 || !done || err != nil {
		t.Errorf("second Discover: %v, %v, %v", got, done, err)
	}
	after, _ := e.Snapshot()
	for _, c := range []struct {
		state []byte
		want  int
	}{{before, 2}, {after, 0}} {
		e := Fixed(Pull, splits)
		if err := e.Restore(c.state); err != nil {
			t.Fatal(err)
		}
		if got, done, _ := e.Discover(context.Background()); len(got) != c.want || !done {
			t.Errorf("restored from % x: %v, %v, want %d splits", c.state, got, done, c.want)
		}
	}
	for _, state := range [][]byte{nil, {2}, {0, 0}} {
		if err := Fixed(Pull, splits).Restore(state); err == nil || !strings.Contains(err.Error(), "want 00 or 01") {
			t.Errorf("restored from % x: %v", state, err)
		}
	}
}
