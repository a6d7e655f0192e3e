# Runs one program, and ends it when this script's input ends, however the process
# that holds the other end of it did. Tells its process id first.
#
# Arguments: a file for what it writes on its standard error, and its command line.
log=$1
shift
"$@" </dev/null 2>"$log" &
echo "pid $!"
read -r _
kill "$!" 2>/dev/null
wait
