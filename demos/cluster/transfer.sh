#!/bin/bash
# transfer - leadership is handed from node to node; nobody waits for a time-out.
. "$(dirname "$0")/lib.sh"

say "Three nodes; somebody writes"
for id in 1 2 3; do node $id --members "$(members 1 2 3)"; done
until_true 20 ask 1,2,3 put greeting hello || fail "the cluster does not serve"
write_on 1,2,3
write_more 10
for target in 1 2 3 1; do
    say "Node $target is to lead"
    ask 1,2,3 transfer-leader $target
    expect "leader" "$(leader 1,2,3)" $target
    begin=$(date +%s%N)
    write_more 1
    echo "   the next write was acknowledged $((($(date +%s%N) - begin) / 1000000)) ms later"
done
write_end 1,2,3
done_well
