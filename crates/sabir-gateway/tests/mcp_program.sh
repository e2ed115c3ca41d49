# A server of the Model Context Protocol that speaks as much of it as `mcp_program.rs` asks for. It starts another program.
say() { printf '%s\n' "$1"; }
answer() { say "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":$1}"; }
sleep 1000 </dev/null >/dev/null 2>&1 & child=$!
n=0
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%[,\}]*}
  case $line in
    *notifications/*) say "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/heard\",\"params\":$line}" ;;
    *\"initialize\"*) answer "{\"pids\":\" $$ $child \"}" ;;
    *refuse*) say "{\"jsonrpc\":\"2.0\",\"id\":$id,\"error\":{\"code\":-32601,\"message\":\"no\"}}" ;;
    *add*) n=$((n+1)); answer "{\"n\":$n,\"who\":\"$SECRET ${CARGO_MANIFEST_DIR-nothing}\",\"pids\":\" $$ $child \"}" ;;
    *progress*) say '{"jsonrpc":"2.0","method":"notifications/progress"}'; answer '"done"' ;;
    *subscriptions/listen*) say "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/acknowledged\",\"pids\":\" $$ $child \"}" ;;
    *sample*) asked=$id; say '{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage"}' ;;
    *\"id\":\"q\"*) id=$asked; answer "$line" ;;
    *die*) echo complaint >&2; exit 7 ;;
    *long*) head -c 17000000 /dev/zero | tr '\0' x; echo ;;
  esac
done
