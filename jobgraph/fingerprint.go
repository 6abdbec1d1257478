package jobgraph

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// fingerprint names what two nodes must agree on to run a job together, and a checkpoint to be restored without a second
// thought: operators, their state, and how they are joined.
func fingerprint(name string, nodes []Node, edges []Edge) string {
	h := sha256.New()
	fmt.Fprintf(h, "job %q\n", name)
	for _, n := range nodes {
		fmt.Fprintf(h, "node %d %q %q %q max %d\n", n.ID, n.UID, n.Kind, n.Format, n.MaxParallelism)
	}
	for _, e := range edges {
		strategy := e.Strategy.String()
		if e.Auto {
			strategy = "AUTO"
		}
		fmt.Fprintf(h, "edge %d.%d %d.%d %s\n", e.From, e.Output, e.To, e.Input, strategy)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
