# bench-cluster.sh - the part of bench that only clusters have. Sourced by bench.
# shellcheck shell=bash disable=SC2154

# put_rate SECONDS: puts per second, 2000 in flight, over keys that are there.
put_rate () {
    "$bin/bench/dtbench" --endpoint "$endpoint" --key-count 1000000 --op put --no-preload --duration "$1" --warmup 1 \
        --timeout 30000 --json 2> /dev/null > "$work/result" || die "puts failed"
    python3 -c 'import json, sys; print (round (json.load (open (sys.argv[1]))["throughput"]))' "$work/result"
}
ask () { "$bin/cli/dtctl" --endpoint "$endpoint" --timeout 120s "$@"; }
percent () { echo "$((100 * $1 / $2))"; }

follower () { ask members -o json | sed -n 's/.*"id":\([0-9]*\),"role":"voter".*/\1/p' | head -n 1; }

echo
fresh_nodes
"$bin/bench/dtbench" --endpoint "$endpoint" --preload 1000000 --key-count 1000000 --op get --duration 1 --warmup 0 > /dev/null 2>&1
ask snapshot take > /dev/null
before=$(put_rate "$seconds")
stopped=$(follower)
kill -STOP "${running[stopped - 1]}"
without=$(put_rate "$seconds")
kill -CONT "${running[stopped - 1]}"
again=$(put_rate "$seconds")
echo "puts with node $stopped stopped: $without/s, $(percent "$without" $(((before + again) / 2))) % of the healthy cluster's ($before/s before, $again/s after)"

# A new node with nothing on its disk joins while writes go on.
joiner=$((nodes + 1))
peer=tcp://127.0.0.1:$((first_port + 2 * joiner + 1))
service=tcp://127.0.0.1:$((first_port + 2 * joiner))
ask snapshot take > /dev/null
"$bin/dtd" --data-dir "$work/node$joiner" --node-id $joiner --cluster-id 7 --join yes --members "${members% }" \
    --replicate "$peer" --service "$service" > "$work/log$joiner" 2>&1 &
running+=($!)
before=$(put_rate "$seconds")
caught_up_file=$work/caught-up
rm -f "$caught_up_file"
began=$(date +%s%N)
(
    ask member add $joiner --peer "$peer" --service "$service" --observer > /dev/null 2>&1
    until ask members -o json | grep -q "\"id\":$joiner,\"role\":\"observer\",\"state\":\"pipeline\""; do sleep 0.1; done
    date +%s%N > "$caught_up_file"
) &
watcher=$!
during=$(put_rate "$seconds")
wait "$watcher"
after=$(put_rate "$seconds")
echo "an empty node catches up with 1 M keys in $((($(cat "$caught_up_file") - began) / 1000000)) ms while puts go on at $during/s," \
    "$(percent "$during" "$before") % of $before/s before; $after/s with one more node to write"
