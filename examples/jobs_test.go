package examples

import (
	"maps"
	"strings"
	"testing"
)

// inputs are files that exist from where this test runs.
var inputs = map[string]string{"wordcount": "doc.go", "commits": "commits/testdata/sample.jsonl"}

func params(job string, more ...string) map[string]string {
	p := map[string]string{}
	if in, ok := inputs[job]; ok {
		p["input"] = in
	}
	for i := 0; i < len(more); i += 2 {
		p[more[i]] = more[i+1]
	}
	return p
}

func TestAll(t *testing.T) {
	seen := map[string]bool{}
	for _, j := range All() {
		if found, ok := Find(j.Name); !ok || found.Name != j.Name || seen[j.Name] || j.Doc == "" {
			t.Errorf("%s cannot be found, is there twice or has no Doc", j.Name)
		}
		seen[j.Name] = true
		job, err := j.Build(params(j.Name))
		if err != nil {
			t.Errorf("%s with its defaults: %v", j.Name, err)
			continue
		}
		if job.Name() != j.Name {
			t.Errorf("%s is called %s when it runs", j.Name, job.Name())
		}
		if _, err := job.Build(); err != nil {
			t.Errorf("%s with its defaults: %v", j.Name, err)
		}
		for _, p := range j.Params {
			if p.Name == "" || p.Default == "" || p.Doc == "" {
				t.Errorf("%s: %+v is not complete", j.Name, p)
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("the jobs are %v", seen)
	}
	if _, ok := Find("nothing"); ok {
		t.Error("found a job named nothing")
	}
}

func TestParams(t *testing.T) {
	for _, c := range []struct {
		job, name, value string
		want             string
	}{
		{"wordcount", "inptu", "x", `wordcount: there is no parameter "inptu" (value "x"): it has input`},
		{"wordcount", "input", "", `wordcount: parameter input: "" is not a path`},
		{"auction", "events", "4e6", `auction: parameter events: "4e6" is not a whole number from 0`},
		{"auction", "eventRate", "0", `auction: parameter eventRate: "0" is not a whole number from 1`},
		{"auction", "seed", "-1", `auction: parameter seed: "-1" is not a whole number from 0`},
		{"commits", "gap", "an hour", `commits: parameter gap: "an hour" is not a duration such as 90s or 1h30m, in whole milliseconds and at least 1`},
		{"commits", "gap", "0s", `"0s" is not a duration`},
		{"commits", "delay", "1500us", `"1500us" is not a duration`},
		{"commits", "delay", "-1s", `"-1s" is not a duration`},
		{"connector", "gap", "1", `connector: parameter gap: "1" is not a whole number from 2`},
	} {
		j, ok := Find(c.job)
		if !ok {
			t.Fatalf("no job %s", c.job)
		}
		p := params(c.job, c.name, c.value)
		before := maps.Clone(p)
		if _, err := j.Build(p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %s=%q: %v, want %s", c.job, c.name, c.value, err, c.want)
		}
		if j.Verify != nil {
			if _, err := j.Verify(p); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Verify of %s with %s=%q: %v, want %s", c.job, c.name, c.value, err, c.want)
			}
		}
		if !maps.Equal(p, before) {
			t.Errorf("%s has changed the parameters it was given: %v", c.job, p)
		}
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	j, _ := Find("auction")
	_, err := j.Build(map[string]string{"rate": "fast", "seed": "lucky", "b": "1", "a": "2"})
	if err == nil {
		t.Fatal("no error")
	}
	var at []int
	for _, part := range []string{`"a"`, `"b"`, `"fast"`, `"lucky"`} {
		at = append(at, strings.Index(err.Error(), part))
	}
	for i := range at {
		if at[i] < 0 || i > 0 && at[i] < at[i-1] {
			t.Errorf("%v\nhas the mistakes at %v: some are missing, or in no fixed order", err, at)
			break
		}
	}
}
