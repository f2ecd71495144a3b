#!/bin/bash
# config_change - the group moves from nodes 1 2 3 to 2 3 4 and back, without stopping.
. "$(dirname "$0")/lib.sh"

say "Nodes 1, 2, 3 are the group; somebody writes"
for id in 1 2 3; do node $id --members "$(members 1 2 3)"; done
until_true 20 ask 1,2,3 put greeting hello || fail "the cluster does not serve"
write_on 1,2,3,4
write_more 10

say "Node 4 is started, added, catches up and becomes a voter"
node 4 --join yes --members "$(members 1 2 3)"
TIMEOUT=30s ask 1,2,3 member add 4 --peer "$(peer 4)" --service "$(service 4)"
write_more 10

say "Node 1 leaves, and is stopped"
ask 2,3,4 member remove 1
write_more 10
crash 1
ask 2,3,4 members
expect "read at node 4" "$(ask 4 get greeting)" hello
write_more 10

say "And back: node 5 takes the place that node 1 had (ids are never used twice), node 4 leaves"
node 5 --join yes --members "$(members 2 3 4)"
TIMEOUT=30s ask 2,3,4 member add 5 --peer "$(peer 5)" --service "$(service 5)"
ask 2,3,4,5 member remove 4
write_more 10
expect "voters" "$(ask 2,3,5 members | awk '$2 != "observer" { print $1 }' | sort | xargs)" "2 3 5"
write_end 2,3,5
done_well
