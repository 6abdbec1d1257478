package scheduler

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/weirstream/weir/flow"
)

func TestRestartStrategies(t *testing.T) {
	exponential := RestartConfig{Type: ExponentialDelay, InitialBackoff: 100, MaxBackoff: 500, BackoffMultiplier: 2, ResetThreshold: 1000}
	jitter := exponential
	jitter.JitterFactor = 0.1
	limited := exponential
	limited.MaxAttempts = 2
	for _, c := range []struct {
		name   string
		config RestartConfig
		at     []flow.Time
		want   string // delays; x for giving up
	}{
		{"none", RestartConfig{Type: NoRestart}, []flow.Time{0}, "x"},
		{"fixed", RestartConfig{Type: FixedDelay, Attempts: 2, Delay: 10}, []flow.Time{0, 1, 2}, "10 10 x"},
		{"fixed, no attempt", RestartConfig{Type: FixedDelay}, []flow.Time{0}, "x"},
		{"rate", RestartConfig{Type: FailureRate, MaxFailures: 2, Interval: 100, Delay: 5}, []flow.Time{0, 50, 100, 149}, "5 5 5 x"},
		{"rate, spread out", RestartConfig{Type: FailureRate, MaxFailures: 1, Interval: 100, Delay: 5}, []flow.Time{0, 100, 200}, "5 5 5"},
		{"exponential grows to its limit", exponential, []flow.Time{0, 100, 300, 700, 1200}, "100 200 400 500 500"},
		{"exponential: at once is the same trouble", exponential, []flow.Time{0, 30, 99, 100}, "100 70 1 200"},
		{"exponential starts again after peace", exponential, []flow.Time{0, 100, 1299, 2798}, "100 200 400 100"},
		{"exponential gives up", limited, []flow.Time{0, 100, 300}, "100 200 x"},
		{"exponential starts to count again after peace", limited, []flow.Time{0, 100, 1300, 1400, 1600}, "100 200 100 200 x"},
		{"jitter", jitter, []flow.Time{0, 95, 305}, "95 210 380"},
	} {
		t.Run(c.name, func(t *testing.T) {
			draws := []float64{0.25, 0.75, 0.25}
			s, err := c.config.Strategy(func() float64 {
				d := draws[0]
				draws = draws[1:]
				return d
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, now := range c.at {
				delay, ok, why := s.Failed(now)
				if ok == (why != "") {
					t.Errorf("at %d: ok %v, why %q", now, ok, why)
				}
				if got = append(got, fmt.Sprint(int64(delay))); !ok {
					got[len(got)-1] = "x"
				}
			}
			if g := strings.Join(got, " "); g != c.want {
				t.Errorf("delays %s, want %s", g, c.want)
			}
		})
	}
}

func millis(s string) (flow.Time, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(s, " ms"))
	if err != nil || n < 0 {
		return 0, errors.New("not a duration")
	}
	return flow.Time(n), nil
}

func TestReadRestartConfig(t *testing.T) {
	got, err := ReadRestartConfig(DefaultRestartConfig(), map[string]string{
		"restart-strategy.type":                                 "fixed-delay",
		"restart-strategy.fixed-delay.attempts":                 "7",
		"restart-strategy.fixed-delay.delay":                    "20 ms",
		"taskmanager.numberOfTaskSlots":                         "4",
		"restart-strategy.exponential-delay.backoff-multiplier": "3",
	}, millis)
	want := DefaultRestartConfig()
	want.Type, want.Attempts, want.Delay, want.BackoffMultiplier = FixedDelay, 7, 20, 3
	if err != nil || got != want {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
	for _, c := range []struct{ key, value, want string }{
		{"type", "sometimes", `restart-strategy.type: "sometimes" is none of none, fixed-delay`},
		{"tpye", "none", "restart-strategy.tpye: no such key; the keys are restart-strategy.exponential-delay"},
		{"fixed-delay.delay", "soon", "restart-strategy.fixed-delay.delay: not a duration"},
		{"exponential-delay.jitter-factor", "1.5", "restart-strategy.exponential-delay.jitter-factor must be between 0 and 1"},
		{"exponential-delay.jitter-factor", "NaN", "restart-strategy.exponential-delay.jitter-factor must be between 0 and 1"},
		{"exponential-delay.max-backoff", "10 ms", "restart-strategy.exponential-delay.max-backoff must be between"},
		{"exponential-delay.backoff-multiplier", "NaN", "backoff-multiplier must be 1 or more"},
	} {
		_, err := ReadRestartConfig(DefaultRestartConfig(), map[string]string{"restart-strategy." + c.key: c.value}, millis)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: got %v, want %s", c.key, c.value, err, c.want)
		}
	}
	for _, c := range []RestartConfig{
		{}, {Type: FixedDelay, Attempts: -1}, {Type: FixedDelay, Delay: maxRestartDelay + 1},
		{Type: FailureRate, Interval: 1}, {Type: FailureRate, MaxFailures: maxFailuresCounted + 1, Interval: 1},
	} {
		if _, err := c.Strategy(nil); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
	if _, err := DefaultRestartConfig().Strategy(nil); err == nil {
		t.Error("jitter without random numbers was accepted")
	}
}
