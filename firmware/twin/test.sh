#!/bin/sh
# The twin against this host's own TCP, in a network namespace that exists only for this run.
# Usage: test.sh PATH/TO/esp-tcpwatch-twin [part of a test name]... Needs root (or user namespaces), iproute2, python3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
twin=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
if [ "$(id -u)" = 0 ]; then
  exec unshare -n python3 -B "$here/test.py" "$twin" "$@"
fi
exec unshare -rn python3 -B "$here/test.py" "$twin" "$@"
