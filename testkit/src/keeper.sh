# Keeps one server: starts and stops it as told on standard input, one order a
# line, each answered with a line. When the input ends, however the test that
# held it ended, the server is killed and its directory deleted.
#
# Arguments: the server's directory, the signal that stops it in good order,
# the one that ends it at once, and its command line.
dir=$1 stop=$2 end=$3
shift 3
exec 2>>"$dir/keeper.log"

# Says in files what the test asks: the server's process id, and that it ended.
run() {
    "$@" >"$dir/log" 2>&1 &
    echo "$!" >"$dir/pid"
    wait "$!"
    : >"$dir/ended"
}

halt() {
    [ -n "$started" ] || return
    until [ -s "$dir/pid" ]; do sleep 0.01; done
    [ -e "$dir/ended" ] || kill -"$1" "$(cat "$dir/pid")"
    wait
    started=
}

started=
while read -r order; do
    case $order in
        start)
            halt "$stop"
            rm -f "$dir/pid" "$dir/ended" "$dir/log"
            started=yes
            run "$@" &
            ;;
        stop) halt "$stop" ;;
    esac
    echo obeyed
done
halt "$end"
rm -rf "$dir"
