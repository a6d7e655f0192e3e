# Keeps chromedriver and its browsers until standard input ends, however the
# test that held it ended; then nothing of them is left.
#
# Arguments: a directory for all that they write. The line that chromedriver
# says its port in is passed on.
dir=$1
# Chromium wants a home that it may write to.
HOME=$dir TMPDIR=$dir chromedriver --port=0 2>"$dir/chromedriver.log" &
driver=$!
cat >/dev/null
# A browser and its helpers name the directory in their command lines.
for command in /proc/[0-9]*/cmdline; do
    pid=${command#/proc/}
    pid=${pid%/cmdline}
    [ "$pid" = $$ ] || ! grep -qF -- "$dir/" "$command" 2>/dev/null || kill -KILL "$pid" 2>/dev/null
done
kill -KILL "$driver"
wait
rm -rf "$dir"
