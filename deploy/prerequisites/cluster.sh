#!/usr/bin/env bash
# Three nodes and a load balancer on loopback, in the foreground; Ctrl-C ends them, and the next start
# finds everything again. Usage: cluster.sh PROGRAM FOLDER
set -euo pipefail
program=$1 folder=$2
url=http://localhost:8080
secret=admin-demo-secret-for-development-only

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
[ -e "$folder/master-key" ] ||
  (umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$folder/master-key")

children=()
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
    CLUSTER_BIND="127.0.0.1:740$number" CLUSTER_ADVERTISE="127.0.0.1:740$number" \
    setsid "$program" server --dev --server-port "808$number" --external-url "$url" \
    --management-bind "127.0.0.1:900$number" --data-dir "$folder/node-$number/data" "$@" \
    >"$folder/node-$number/stdout" 2>"$folder/node-$number/log" &
  children+=($!)
}

ready() { # number
  local number=$1 child=${children[-1]} tries
  for tries in $(seq 1 600); do
    curl -fs -o /dev/null "http://127.0.0.1:808$number/health/ready" && return 0
    kill -0 "$child" 2>/dev/null || break
    sleep 0.1
  done
  echo "node $number is not ready; the end of $folder/node-$number/log:" >&2
  tail -n 5 "$folder/node-$number/log" >&2
  exit 1
}

field() { # name: a text field of the JSON on stdin
  sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

join_token() {
  local access
  access=$(curl -fsS -u "admin-demo:$secret" -d grant_type=client_credentials \
    --data-urlencode "resource=$url/api" --data-urlencode 'scope=read write platform' \
    http://127.0.0.1:8081/oauth/token | field access_token)
  curl -fsS -H "Authorization: Bearer $access" -H 'Content-Type: application/json' \
    -d '{"role":"voter"}' http://127.0.0.1:8081/api/v1/cluster/join-tokens | field token
}

if [ -e "$folder/node-3/data/node" ]; then
  for number in 1 2 3; do start "$number"; done
  for number in 1 2 3; do ready "$number"; done
else
  start 1
  ready 1
  for number in 2 3; do
    token=$(join_token)
    JOIN_TOKEN=$token start "$number" --join 127.0.0.1:7401
    ready "$number"
    echo "node $number has joined"
  done
fi

cat >"$folder/haproxy.cfg" <<CONFIGURATION
global
  log stderr format raw local0 warning
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  option forwardfor
  option redispatch 1
  retries 2
  retry-on conn-failure
frontend public
  bind 127.0.0.1:8080
  default_backend nodes
backend nodes
  balance roundrobin
  option httpchk GET /health/ready
  http-check expect status 200
  default-server check inter 500ms fall 2 rise 1
  server node-1 127.0.0.1:8081
  server node-2 127.0.0.1:8082
  server node-3 127.0.0.1:8083
CONFIGURATION
setsid haproxy -db -f "$folder/haproxy.cfg" >"$folder/haproxy.log" 2>&1 &
children+=($!)

cat <<TEXT
Three nodes behind $url (they are at ports 8081, 8082 and 8083; data and logs in $folder).

Sign in at $url/t/demo/account as alice, password: correct horse battery staple. Or take a token:

  curl -u admin-demo:$secret -d grant_type=client_credentials $url/oauth/token

End a node with \`kill -9\` and ask again. Ctrl-C ends them all.
TEXT
wait -n || true
echo "a process has ended; see $folder" >&2
wait
