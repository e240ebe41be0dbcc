#!/usr/bin/env bash
# Three nodes and a load balancer on loopback, in the foreground; Ctrl-C ends them, and the next start
# finds everything again, however far this one came. Usage: cluster.sh PROGRAM FOLDER
#   CLUSTER_PORTS   the first of ten ports in a row, in place of 8080 to 8083 (balancer and nodes),
#                   9001 to 9003 (management) and 7401 to 7403 (between nodes)
set -euo pipefail
program=$1 folder=$2
public=${CLUSTER_PORTS:-8080} management=9000 peers=7400
if [ -n "${CLUSTER_PORTS:-}" ]; then
  management=$((public + 3)) peers=$((public + 6))
fi
url=http://localhost:$public
secret=admin-demo-secret-for-development-only

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
[ -e "$folder/master-key" ] ||
  (umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$folder/master-key")

children=() nodes=()
finish() {
  trap - EXIT INT TERM
  [ ${#children[@]} -eq 0 ] || kill -TERM "${children[@]}" 2>/dev/null || true
  wait
}
trap finish EXIT
trap 'exit 0' INT TERM

start() { # number, further arguments
  local number=$1
  shift
  mkdir -p "$folder/node-$number"
  # In its own session: Ctrl-C is for this script, which stops the nodes in order.
  MASTER_KEY_FILE="$folder/master-key" NODE_NAME="node-$number" TRUSTED_PROXIES=127.0.0.1/32 \
    CLUSTER_BIND="127.0.0.1:$((peers + number))" \
    CLUSTER_ADVERTISE="127.0.0.1:$((peers + number))" \
    setsid "$program" server --dev --server-port "$((public + number))" --external-url "$url" \
    --management-bind "127.0.0.1:$((management + number))" \
    --data-dir "$folder/node-$number/data" "$@" \
    >"$folder/node-$number/stdout" 2>"$folder/node-$number/log" &
  children+=($!)
  nodes[number]=$!
}

ask() { # what curl is to ask
  curl -fsS --noproxy '*' --max-time 10 "$@"
}

answers() { # what, its process, its port, its log: waits until it is ready
  local what=$1 child=$2 port=$3 log=$4
  for _ in $(seq 1 600); do
    kill -0 "$child" 2>/dev/null || break
    ask -o /dev/null "http://127.0.0.1:$port/health/ready" 2>/dev/null && return 0
    sleep 0.1
  done
  echo "$what is not ready; the end of $log:" >&2
  tail -n 5 "$log" >&2
  exit 1
}

ready() { # number
  answers "node $1" "${nodes[$1]}" "$((public + $1))" "$folder/node-$1/log"
}

field() { # name: a text field of the JSON on stdin
  sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

join_token() { # number of a node that makes one
  local access node="http://127.0.0.1:$((public + $1))"
  access=$(ask -u "admin-demo:$secret" -d grant_type=client_credentials \
    --data-urlencode "resource=$url/api" --data-urlencode 'scope=read write platform' \
    "$node/oauth/token" | field access_token)
  ask -H "Authorization: Bearer $access" -H 'Content-Type: application/json' \
    -d '{"role":"voter"}' "$node/api/v1/cluster/join-tokens" | field token
}

there=()
for number in 1 2 3; do
  [ ! -e "$folder/node-$number/data/node" ] || there+=("$number")
done
# All of them before any is waited for: alone, one of two voters is never ready.
for number in "${there[@]}"; do start "$number"; done
for number in "${there[@]}"; do ready "$number"; done
if [ ${#there[@]} -eq 0 ]; then
  start 1
  ready 1
  there=(1)
fi
first=${there[0]}
for number in 1 2 3; do
  [ -z "${nodes[number]:-}" ] || continue
  token=$(join_token "$first")
  JOIN_TOKEN=$token start "$number" --join "127.0.0.1:$((peers + first))"
  ready "$number"
  echo "node $number has joined"
done

cat >"$folder/haproxy.cfg" <<CONFIGURATION
global
  log stderr format raw local0 warning
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout check 2s
  option forwardfor
  option redispatch 1
  retries 2
  retry-on conn-failure
frontend public
  bind 127.0.0.1:$public
  default_backend nodes
backend nodes
  balance roundrobin
  option httpchk GET /health/ready
  http-check expect status 200
  default-server check inter 500ms fall 2 rise 1
  server node-1 127.0.0.1:$((public + 1))
  server node-2 127.0.0.1:$((public + 2))
  server node-3 127.0.0.1:$((public + 3))
CONFIGURATION
setsid haproxy -db -f "$folder/haproxy.cfg" >"$folder/haproxy.log" 2>&1 &
children+=($!)
answers "the load balancer" "$!" "$public" "$folder/haproxy.log"

cat <<TEXT
Three nodes behind $url (they are at ports $((public + 1)) to $((public + 3)); data and logs in $folder).

Sign in at $url/t/demo/account as alice, password: correct horse battery staple. Or take a token:

  curl -u admin-demo:$secret -d grant_type=client_credentials $url/oauth/token

End a node with \`kill -9\` and ask again. Ctrl-C ends them all.
TEXT
wait -n || true
echo "a process has ended; see $folder" >&2
wait
