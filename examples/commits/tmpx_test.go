package commits
import ("testing";"time";"fmt")
func TestTmpx(t *testing.T){ s:=time.Now(); c,r,err:=read("/work/shared/data/commits.jsonl.gz"); p:=Plain(c,0,hour); fmt.Println(time.Since(s), len(c),r,err,len(p.Weeks),len(p.Sessions),len(p.Late),p.Dropped) }
