#!/bin/bash
# failover - three nodes; the one that leads is killed while somebody writes.
. "$(dirname "$0")/lib.sh"

say "Three nodes find each other and elect a leader"
for id in 1 2 3; do node $id --members "$(members 1 2 3)"; done
until_true 20 ask 1,2,3 put greeting hello || fail "the cluster does not serve"
ask 1,2,3 members
for id in 1 2 3; do expect "read at node $id" "$(ask $id get greeting)" hello; done

say "Somebody writes, one key after the other"
write_on 1,2,3
write_more 20

old=$(leader 1,2,3)
say "Node $old leads; it is killed (kill -9)"
begin=$(date +%s%N)
crash "$old"
write_more 1
echo "   the next write was acknowledged $((($(date +%s%N) - begin) / 1000000)) ms later"
write_more 20
others=$(echo 1,2,3 | sed "s/$old,\?//; s/,$//")
echo "   node $(leader "$others") leads now"

say "Node $old comes back and catches up"
node "$old" --members "$(members 1 2 3)"
until_true 20 ask "$old" get greeting || fail "node $old does not come back"
write_more 20
write_end 1,2,3
done_well
