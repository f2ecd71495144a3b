#!/bin/bash
# observer - a node that gets everything, answers reads, and has no vote.
. "$(dirname "$0")/lib.sh"

say "Three voters and an observer"
for id in 1 2 3; do node $id --members "$(members 1 2 3)"; done
until_true 20 ask 1,2,3 put color blue || fail "the cluster does not serve"
node 4 --join yes --members "$(members 1 2 3)"
ask 1,2,3 member add 4 --observer --peer "$(peer 4)" --service "$(service 4)"
until_true 20 ask 4 get color || fail "the observer does not answer"
ask 1,2,3 members

say "Linearizable reads at the observer: it asks the leader what it has to have"
for value in red green yellow; do
    ask 1,2,3 put color "$value" > /dev/null
    expect "read at the observer, right after the write" "$(ask 4 get color)" "$value"
done

say "Two voters are killed: the observer's vote does not count, writes are refused"
old=$(leader 1,2,3)
for id in 1 2 3; do [ $id = "$old" ] || crash $id; done
code=0
TIMEOUT=3s ask "$old",4 put color black > /dev/null 2>&1 || code=$?
case $code in
6 | 7) echo "   not acknowledged, exit code $code (6: not done, 7: outcome unknown)" ;;
*) fail "a write without a quorum ends with exit code $code" ;;
esac
case $(ask 4 get color --consistency stale) in
yellow | black) echo "   a stale read at the observer still answers" ;;
*) fail "the stale read answers something else" ;;
esac
done_well
