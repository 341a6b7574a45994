#!/usr/bin/env bash
# promtool.sh DIR: puts promtool, Prometheus's own checker of metrics, into DIR: taken out of Debian's package, which is
# not installed, for it would start a server. Says so and ends well where that is not possible; one test is then not run.
set -euo pipefail

folder=$1
{ [ -x "$folder/promtool" ] || command -v promtool >/dev/null; } && exit 0
say() { printf '%s\n' "$*" >&2; }
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
    say "No promtool, and no apt-get to get it from: install Prometheus to have the metrics checked."
    exit 0
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
if (apt-get download prometheus || { [ "$(id -u)" = 0 ] && apt-get update && apt-get download prometheus; }) \
    >log 2>&1 && dpkg-deb -x prometheus_*.deb . >>log 2>&1; then
    mkdir -p "$folder"
    cp usr/bin/promtool "$folder/promtool"
else
    say "promtool could not be fetched; the test of the metrics' form will not be run:"
    tail -n 3 log >&2
fi
