# Runs one program, and ends it when this script's input ends, however the process
# that holds the other end of it did. Tells its process id before it says anything.
#
# Arguments: a file for what it writes on its standard error, and its command line.
log=$1
shift
/bin/sh -c 'echo "pid $$"; exec "$@"' run "$@" </dev/null 2>"$log" &
read -r _
kill "$!" 2>/dev/null
wait
