#!/bin/bash
# catch_up - a node that was away for too long gets a snapshot, while writes go on.
. "$(dirname "$0")/lib.sh"

settings=(--snapshot-after 1MiB --segment-size 2MiB)
say "Three nodes that keep little log"
for id in 1 2 3; do node $id --members "$(members 1 2 3)" "${settings[@]}"; done
until_true 20 ask 1,2,3 put greeting hello || fail "the cluster does not serve"
away=$(($(leader 1,2,3) % 3 + 1))
others=$(echo 1,2,3 | sed "s/$away,\?//; s/,$//")

say "Node $away is killed; the others write more than they keep"
crash $away
head -c 500000 /dev/urandom > "$place/value"
for number in $(seq 60); do
    ask "$others" put "big.k$((number % 7))" -p --file "$place/value" > /dev/null
done
ask "$others" snapshot take > /dev/null || true
echo "   30 MB written"

say "Node $away comes back, while somebody writes"
write_on "$others"
write_more 5
node $away --members "$(members 1 2 3)" "${settings[@]}"
until_true 30 ask $away get big.k1 || fail "node $away does not catch up"
write_more 5
write_end 1,2,3
cmp "$place/value" <(ask $away get big.k1) || fail "node $away has another value"
echo "   node $away has the same bytes"
grep -q 'snapshot installed' "$place/$away.log" || fail "node $away got no snapshot"
grep -h -o 'snapshot installed.*' "$place/$away.log" | tail -1 | sed 's/^/   its log: /'
done_well
