# Keeps one server: starts, stops and kills it as told on standard input, one
# order a line, each answered with a line. When the input ends, however the test that
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

# The state of a process, as one letter; nothing when there is no such process.
state() {
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return
    line=${line##*) }
    echo "${line%% *}"
}

# The process's children that are not dead already.
children() {
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        case $(state "$child") in '' | Z | X) ;; *) echo "$child" ;; esac
    done
}

# As if the machine lost its power: the server and all its children die at once.
# It is stopped first, so that it neither sees them die nor makes new ones.
slay() {
    [ -n "$started" ] || return
    until [ -s "$dir/pid" ]; do sleep 0.01; done
    if [ ! -e "$dir/ended" ]; then
        server=$(cat "$dir/pid")
        kill -STOP "$server"
        while :; do
            case $(state "$server") in T | '' | Z | X) break ;; esac
            sleep 0.01
        done
        while left=$(children "$server"); [ -n "$left" ]; do
            # One a line, a word each.
            kill -KILL $left
            sleep 0.01
        done
        kill -KILL "$server"
    fi
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
        kill) slay ;;
    esac
    echo obeyed
done
halt "$end"
rm -rf "$dir"
