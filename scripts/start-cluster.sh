# start-cluster.sh - the part of start that runs several nodes on this machine. Sourced by start.
# shellcheck shell=bash disable=SC2154

# Node I has its clients on port + 10 (I - 1), and other nodes on the port below.
service_port () { echo $((port + 10 * ($1 - 1))); }
peer_port () { echo $((port + 10 * ($1 - 1) - 1)); }

# What a cluster is cannot change under nodes that have data already: the first start decides.
cluster_file=$data/cluster
if [ -e "$cluster_file" ]; then
    read -r known_nodes known_port known_id < "$cluster_file" || true
    if [ "$known_nodes" != "$nodes" ] || [ "$known_port" != "$port" ]; then
        complain "$(short "$data") holds a cluster of $known_nodes nodes from port $known_port on"
        die "start that one, or give another place with --data-dir"
    fi
else
    known_id=$((RANDOM * 32768 + RANDOM + 1))
    echo "$nodes $port $known_id" > "$cluster_file"
fi

members=
endpoints=
for ((i = 1; i <= nodes; i++)); do
    members+="$i=tcp://$host:$(peer_port $i),tcp://$host:$(service_port $i) "
    endpoints+=${endpoints:+,}tcp://$host:$(service_port $i)
done

for ((i = 1; i <= nodes; i++)); do
    place=$data/$i
    mkdir -p "$place"
    if pid=$(running_node "$place/dtd.pid" "$place/node"); then
        say "node $i runs already, process $pid"
        continue
    fi
    rm -f "$place/dtd.pid"
    cat > "$place/dtd.zpl" <<TEXT
#   Node $i of the cluster in $data, written by scripts/start.
node-id = $i
cluster-id = $known_id
data-dir = "$place/node"
service = "tcp://$host:$(service_port $i)"
replicate = "tcp://$host:$(peer_port $i)"
members = "${members% }"
pid-file = "$place/dtd.pid"
log-file = "$place/dtd.log"
TEXT
    say "starting node $i, clients on port $(service_port $i), nodes on $(peer_port $i)"
    setsid "$dtd" --config "$place/dtd.zpl" --data-dir "$place/node" \
        < /dev/null >> "$place/dtd.log" 2>&1 &
done

deadline=$((SECONDS + wait_seconds))
until "$dtctl" --endpoint "$endpoints" --timeout 2s put -p scripts.start "$(date +%s)" \
    > /dev/null 2>&1; do
    for ((i = 1; i <= nodes; i++)); do
        if ! running_node "$data/$i/dtd.pid" "$data/$i/node" > /dev/null \
            && [ -s "$data/$i/dtd.log" ] && grep -q 'cannot start' "$data/$i/dtd.log"; then
            complain "node $i ended; the last lines of $(short "$data/$i/dtd.log"):"
            tail -n 15 "$data/$i/dtd.log" | sed 's/^/    /' >&2
            exit 1
        fi
    done
    if [ $SECONDS -ge $deadline ]; then
        complain "the cluster does not serve after $wait_seconds s; the logs are $(short "$data")/*/dtd.log"
        exit 1
    fi
    sleep 0.1
done

say "$nodes nodes serve:"
"$dtctl" --endpoint "$endpoints" members | sed 's/^/  /'
echo
echo "  first        export DTCTL_ENDPOINT=$endpoints"
echo "  talk to it   $(short "$dtctl") put greeting hello    (any node's address is enough)"
echo "  see it       $(short "$dtctl") members"
echo "  hurt it      kill -9 \$(cat $(short "$data")/1/dtd.pid), then scripts/start $nodes again"
echo "  stop it      $(short "$root/scripts/stop")$([ "$data" = "$PWD/data" ] || echo " --data-dir $(short "$data")")"
